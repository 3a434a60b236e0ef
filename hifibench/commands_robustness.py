"""What ``hifibench robustness`` does: score a finished run once more, with all its images compressed.

Not the swaps alone are compressed but every image of the run, galleries and true swaps included: a detector that sees
compressed swaps and untouched originals tells them apart by the compression, and a swap would be held against a target
that never went the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.compression import Compression
from hifibench.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from hifibench.contracts import SwapperCard
    from hifibench.records import Manifest
    from hifibench.suite import Data, Suite
    from reports.records import Method, Run

THROUGH = "jpeg:75,c23,c40"
"""Compressions where none are named."""

FOLDER = "robustness"
"""In the run folder."""


def robustness(folder: Path, through: str = THROUGH, device: str = "auto", quiet: bool = False) -> None:
    """``hifibench robustness``: compress, score, compare; writes ``RUN/robustness`` and shows the comparison.

    Args:
        folder: of a finished run.
        through: compressions (`hifibench.compression`), separated by commas.
        device: where experts run.
        quiet: no progress.

    Raises:
        UsageError: a compression is unknown, the folder holds no run, or the run cannot be compared with what is
            installed now.
        MissingError: the run is not finished, or its swaps are gone.
    """
    from rich.console import Console

    from hifibench import registry
    from hifibench.device import choose
    from reports import read, robustness_formats
    from reports.robustness import build

    hows, device = compressions(through), choose(device)
    run = read.run(folder)
    suite = _suite(run)
    manifest = _manifest(run, suite)
    _same_judges(run)
    try:
        again = {how: read.run(_again(run, suite, manifest, how, device, quiet)) for how in hows}
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(
            f"Stopped. The same command goes on from here; what is done is in {folder / FOLDER}."
        ) from stop
    wholes = {metric.name for metric in run.results.metrics if registry.metric(metric.name).whole is not None}
    made = build(run, again, wholes, suite.draws)
    paths = robustness_formats.write(made, folder / FOLDER)
    robustness_formats.show(made, console := Console())
    for path in paths:
        console.print(str(path), highlight=False, soft_wrap=True, markup=False)


def compressions(through: str) -> list[Compression]:
    """``jpeg:75,c23`` -> the compressions, each once.

    Raises:
        UsageError: one is unknown, or none is named.
    """
    hows = [Compression.parse(word) for word in through.split(",") if word.strip()]
    if not hows:
        raise UsageError(f"--through is empty; name compressions separated by commas, such as {THROUGH}.")
    return list(dict.fromkeys(hows))


def moving(data: Data) -> bool:
    """Whether frames of one video follow each other in time where their indices do.

    Sampled pictures of one person share a video too, since intervals are clustered by it.
    """
    from hifibench.suite import HeadData, PortraitData

    return data.frames > 1 if isinstance(data, HeadData) else not isinstance(data, PortraitData)


def _again(run: Run, suite: Suite, manifest: Manifest, how: Compression, device: str, quiet: bool) -> Path:
    """Score the run with all images compressed; its folder."""
    from baselines import compressed
    from hifibench import assets, clips, data
    from hifibench.needs import of_suite
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.run import run as run_suite
    from hifibench.registry import swappers

    out, reporter = run.folder / FOLDER / how.slug, Reporter(quiet)
    load, clip = data.loader(suite.data), moving(suite.data)
    methods = {
        method.name: compressed.method(_card(method), run.folder, manifest, how, load, clip)
        for method in run.results.methods
    }
    images = clips.Compressed(how, clips.of_images(manifest, clip), lambda name: load(manifest.image(name)))
    named = suite.model_copy(
        update={"name": f"{suite.name}-{how.slug}", "title": f"{suite.title}, all images through {how.name}"}
    )
    reporter.say(f"{how.name}: {how.words}")
    with swappers.standing_in(methods):
        assets.ensure(of_suite(named), quiet=quiet)
        terms: dict[str, Any] = {"seed": run.results.seed, "limit": run.provenance["limit"], "device": device}
        run_suite(named, out, **terms, reporter=reporter, loader=lambda ref: images.frame(ref.image))
    return out


def _card(method: Method) -> SwapperCard:
    """What a run says of a method, as a card; the hash of the card that it ran under stands for what it computed."""
    from hifibench.contracts import Crop, SwapperCard

    said: dict[str, Any] = {
        name: getattr(method, name) for name in ("name", "summary", "paper", "licence", "limits", "kind")
    }
    frame = Crop("frame")
    return SwapperCard(source=frame, target=frame, trained_with=method.trained_with, weights=method.card, **said)


def _suite(run: Run) -> Suite:
    """The suite that the run was scored by.

    Raises:
        UsageError: the run is another version's, or its record is damaged.
    """
    import hifibench
    from hifibench.suite import Suite
    from hifibench.tables import read as read_table

    record = run.provenance
    if record.get("hifibench") != hifibench.__version__:
        raise UsageError(
            f"{run.folder} holds a run of hifibench {record.get('hifibench')}, this is {hifibench.__version__}: their "
            "numbers do not compare. Run the suite again into another folder."
        )
    if not isinstance(record.get("suite"), dict) or "limit" not in record:
        raise UsageError(f"{run.folder / 'run.json'} does not say what was run. Run the suite again.")
    suite = read_table(Suite, record["suite"], f"The suite in {run.folder / 'run.json'}")
    scored = tuple(method.name for method in run.results.methods)
    if suite.methods != scored:
        raise UsageError(
            f"{run.folder}: results.json scores {', '.join(scored)}, run.json names {', '.join(suite.methods)}. Run "
            "the same 'hifibench run' again."
        )
    return suite


def _manifest(run: Run, suite: Suite) -> Manifest:
    """The images and pairs of the run, which must be those that would be planned now.

    Raises:
        UsageError: they are not, or the manifest is gone.
    """
    from hifibench import data
    from hifibench.records import Manifest

    path = run.folder / "manifest.json"
    if not path.is_file():
        raise UsageError(f"{path} is gone. Run the same 'hifibench run' again: it writes it anew.")
    manifest = Manifest.from_json(path.read_text(encoding="utf-8"))
    planned = data.plan(suite.data, run.results.seed, run.provenance["limit"])
    if planned.hash != manifest.hash:
        raise UsageError(
            f"The images of the run in {run.folder} have changed since (manifest {manifest.hash[:12]}, now "
            f"{planned.hash[:12]}). Bring the old ones back, or run the suite again into another folder."
        )
    return manifest


def _same_judges(run: Run) -> None:
    """Raise `UsageError` where an expert has changed since the run: its old and new numbers do not compare."""
    from hifibench import registry
    from hifibench.faces.detect import Detector

    cards = {Detector.card.name: Detector.card}
    for expert in run.results.experts:
        card = cards.get(expert.name) or registry.experts.get(expert.name).card
        if card.hash != expert.card:
            raise UsageError(
                f"The expert {expert.name} has changed since the run in {run.folder}. Run the same 'hifibench run' "
                "again, which looks at the images anew; then this command."
            )
