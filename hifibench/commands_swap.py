"""What ``hifibench swap`` does with a video."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from hifibench import registry
from hifibench.contracts import Swapper
from hifibench.data.video import DamagedError
from hifibench.device import choose
from hifibench.errors import InterruptedRunError, UsageError
from hifibench.records import Precision


def swap_video(
    source: Path,
    target: Path,
    out: Path,
    method: str,
    device: str,
    quiet: bool = False,
    crf: int = 18,
    batch: int | None = None,
    precision: Precision = "fp32",
) -> None:
    """Swap the face of a source onto one person of a target video.

    Args:
        source: photograph, or video of which the first frame with a clear face is taken.
        target: video; stays as it is.
        out: ``.mp4``, ``.mkv`` or ``.mov``; is there when all of it is.
        method: name of a face swapper.
        device: as `hifibench.device.choose` takes it.
        quiet: no progress and no notes.
        crf: quality of the H.264, 0 (lossless) to 51.
        batch: frames that the method gets at once; ``None`` goes by the size of its crops.
        precision: number format of a method that shows its networks; ``auto`` is decided on the first batch.

    Raises:
        DamagedError: the target breaks off or is damaged; what could be decoded is swapped, and ``out`` is written.
        UsageError: a file or option is wrong, no frame shows a face, or the method fails on all of them; ``out`` is
            not written.
        MethodError: the method cannot be used here.
        InterruptedRunError: the user stopped it; ``out`` is not written.
    """
    from hifibench.video.writer import check_suffix

    plugin, device = registry.swappers.get(method), choose(device)
    check_suffix(out)
    for name, path in (("source", source), ("target", target)):
        if out.resolve() == path.resolve():
            raise UsageError(f"-o {out} is the {name} itself, which is kept; name another file.")
    if not 0 <= crf <= 51:
        raise UsageError(f"--crf {crf}: expected 0 (no loss) to 51 (worst).")
    if batch is not None and batch < 1:
        raise UsageError(f"--batch {batch}: expected at least 1 frame.")
    from hifibench.faces.detect import Detector
    from hifibench.files import atomic_path
    from hifibench.inference import precision_of, quicken
    from hifibench.inference.fitting import Fitting
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.swap import loaded
    from hifibench.video.reader import Reader
    from hifibench.video.source import load_source
    from hifibench.video.swap import batch_size, swap_clip
    from hifibench.video.track import Tracker
    from hifibench.video.writer import written

    reporter, detector = Reporter(quiet), Detector()
    reader = Reader(target)
    tracker = Tracker(detector)
    provenance = {"hifibench:method": method, "hifibench:run": "video swap"}
    try:
        giving = load_source(source, detector, reporter.say)
        with TemporaryDirectory(prefix="hifibench-") as logs, loaded(plugin, device, Path(logs)) as swapper:
            if not isinstance(swapper, Swapper):
                raise UsageError(f"{method} is known by what its authors released; it swaps no other pair.")
            if reader.left_out:
                reporter.say(f"{target}: streams of {', '.join(reader.left_out)} are left out.")
            quick = quicken(swapper, device, precision)
            batch = batch or batch_size(swapper.card, reader.clip.size)
            with atomic_path(out) as temporary:
                with (
                    written(temporary, reader.clip, reader.sounds, crf, provenance, reporter.say) as writer,
                    reporter.stage("swap", reader.clip.frames) as advance,
                ):
                    tally = swap_clip(reader, tracker, Fitting(quick), giving, writer, batch, advance)
                if tally.without_face == tally.frames:
                    raise UsageError(f"No face was found in the {tally.frames} frames of {target}; nothing is written.")
                if not tally.swapped:
                    raise UsageError(
                        f"{method} could swap none of the {tally.failed} frames of {target} that show the face: "
                        f"{tally.message}. Nothing is written."
                    )
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"Stopped. {out} is not written; the same command begins anew.") from stop
    finally:
        reader.close()
    if precision != "fp32" and (choice := precision_of(quick)) is not None:
        reporter.say(f"{method} ran in {choice.used}, by {choice.engine}.")
    if tracker.rivals:
        reporter.say(f"{target}: {tracker.rivals + 1} faces; the largest, most central one at first was followed.")
    if tracker.anew:
        reporter.say(f"{target}: after cuts or absence the face was chosen anew, {tracker.anew} times.")
    if tally.failed:
        reporter.say(f"{method} failed on {tally.failed} frames, first: {tally.message}.")
    Console().print(f"{out}: {tally.words()}", highlight=False, soft_wrap=True, markup=False)
    if reader.damage:
        raise DamagedError(f"{target}: {reader.damage}. {out} holds what could be decoded; copy the video again.")
