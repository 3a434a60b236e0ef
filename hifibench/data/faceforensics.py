"""FaceForensics++ as pairs of frames: which frames are taken, and whose face goes onto which.

Of each pair of videos, ``k`` frames of the target are taken. With n the number of frames of the shortest of the target
and its counterparts, the released swaps of the pair, they are the frames

    floor((2 i + 1) n / (2 k)),  i = 0 … k - 1,

the middles of k equal parts, counted from zero in the order of display. A video of fewer than k frames gives all of
them. The source's frame follows one of three rules: `hifibench.data.ffpp_sources`, a file of the user's, or the index
of the target's frame, for which the source's length bounds n too.

Nothing of this depends on where the folder lies, nor on the order in which threads finish: the same files give the
same manifest anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hifibench.data import ffpp_identities, ffpp_layout, ffpp_manifest, ffpp_splits
from hifibench.data.ffpp_identities import Identities
from hifibench.data.ffpp_layout import VideoPair
from hifibench.data.ffpp_pairs import Planner, Taken, release_frames
from hifibench.data.ffpp_problems import Problem, tell
from hifibench.data.ffpp_record import Record
from hifibench.data.ffpp_work import each
from hifibench.errors import MissingError, UsageError
from hifibench.records import ImageRef, Manifest, Pair
from hifibench.stage import Stage, quiet
from hifibench.suite import FfppData

_BLOCK = 32
"""Pairs of videos that are looked at before it is asked whether the limit is reached."""

_LISTED = 20


class Planned(NamedTuple):
    """A plan, and what it had to leave out or found strange."""

    manifest: Manifest
    problems: tuple[Problem, ...]


def root_of(data: FfppData) -> Path:
    """The dataset's folder, links followed; raises `MissingError` where it is not there."""
    return ffpp_layout.need_root(data.root.expanduser() if data.root is not None else ffpp_layout.default_root())


def plan(data: FfppData, limit: int | None, stage: Stage = quiet) -> Manifest:
    """The manifest of a run: made, or read and compared with the folder; what is left out stands in the log.

    Args:
        data: the suite's description.
        limit: how many pairs of frames to keep, the first ones; ``None`` for all.
        stage: where progress is told.

    Raises:
        MissingError: the folder, a split file or all of the videos are not there.
        UsageError: a file of the user's has another form, nothing is left to swap, or the manifest is of other videos.
    """
    if data.manifest is not None:
        manifest = ffpp_manifest.read_manifest(data.manifest)
        ffpp_manifest.check_compression(manifest, data.compression)
        kept = ffpp_manifest.first(manifest, limit)
        ffpp_manifest.check_manifest(kept, root_of(data), stage)
        return kept
    planned = make(data, limit, stage)
    tell(planned.problems)
    return planned.manifest


def make(data: FfppData, limit: int | None = None, stage: Stage = quiet) -> Planned:
    """Plan, whatever manifest the description names.

    Raises:
        MissingError, UsageError: as `plan`.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"A run needs at least one pair; given a limit of {limit}.")
    root = root_of(data)
    _need_compression(root, data)
    if data.source_rule == "first-face":
        _need_detector()
    pairing = ffpp_splits.pairing(root, data.split, data.compression)
    if not pairing.pairs:
        raise UsageError(f"The split {data.split} of {root} lists no pairs; choose another, or get its file again.")
    planner = Planner(data, Record(root), ffpp_identities.read(data.identities), release_frames(data))
    problems = [*planner.missing_folders(), *planner.unknown_names(pairing.pairs)]
    taken: list[Taken] = []
    frames = 0
    try:
        with stage("plan pairs of videos", len(pairing.pairs)) as advance:

            def take(pair: VideoPair) -> Taken:
                made = planner.take(pair)
                advance(1)
                return made

            for block in _blocks(pairing.pairs, limit):
                taken += each(take, block)
                frames = sum(len(one.frames) for one in taken)
                if limit is not None and frames >= limit:
                    break
    finally:
        planner.record.save()
    problems += [problem for one in taken for problem in one.problems]
    if not frames:
        raise _nothing(root, data, problems)
    manifest = _manifest(taken, planner.identities, data.compression, _origin(data, pairing, planner.identities))
    return Planned(ffpp_manifest.first(manifest, limit), tuple(problems))


def _manifest(taken: list[Taken], identities: Identities, compression: str, origin: str) -> Manifest:
    """All that was taken; images in the order of the videos, so that each is decoded once."""
    contents: dict[str, str] = {}
    wanted: set[tuple[str, int]] = set()
    pairs: list[Pair] = []
    for one in taken:
        contents.update(one.contents)
        for target, source in one.frames:
            giving, receiving = (one.pair.source, source), (one.pair.target, target)
            wanted.update((giving, receiving))
            pairs.append(Pair(f"{one.pair}-{target:04d}", source=_image(*giving), target=_image(*receiving)))
    images = tuple(
        ImageRef(
            image=_image(video, frame),
            uri=ffpp_layout.uri(ffpp_layout.original(video, compression)),
            identity=identities.of(video),
            video=video,
            frame=frame,
            content=contents[video],
        )
        for video, frame in sorted(wanted)
    )
    return Manifest(images, tuple(pairs), ffpp_manifest.galleries(pairs), origin)


def _image(video: str, frame: int) -> str:
    return f"{video}/{frame:04d}"


def _need_detector() -> None:
    """Raise `MissingError` now: later it would pass for a fault of every pair."""
    from hifibench import assets
    from hifibench.faces.detect import Detector

    for name in Detector.card.assets:
        assets.path(name)


def _need_compression(root: Path, data: FfppData) -> None:
    if (root / ffpp_layout.folder(ffpp_layout.YOUTUBE, data.compression)).is_dir():
        return
    there = [one for one in ffpp_layout.COMPRESSIONS if (root / ffpp_layout.folder(ffpp_layout.YOUTUBE, one)).is_dir()]
    raise MissingError(
        f"FaceForensics++ has no folder {root / ffpp_layout.folder(ffpp_layout.YOUTUBE, data.compression)}; there is "
        f"{', '.join(there) or 'no compression'}. Get the original videos of {data.compression}, or choose another "
        f"compression. {ffpp_layout.GET}"
    )


def _blocks(pairs: tuple[VideoPair, ...], limit: int | None) -> Iterator[tuple[VideoPair, ...]]:
    """All at once, or a few at a time where few are wanted."""
    size = len(pairs) if limit is None else _BLOCK
    return (pairs[start : start + size] for start in range(0, len(pairs), max(1, size)))


def _origin(data: FfppData, pairing: ffpp_splits.Pairing, identities: Identities) -> str:
    """How the images come about, as ``key: value`` parts; `hifibench.data.ffpp_manifest.notes` reads them."""
    counterparts = ", ".join(dict.fromkeys(data.counterparts)) or "nothing else"
    rule = {
        "first-face": "the first with one confident face",
        "release": f"those of the release, {len(release_frames(data))} named",
        "same-frame": "those with the target's index",
    }[data.source_rule]
    bounds = "the target, the source" if data.source_rule == "same-frame" else "the target"
    parts = {
        "FaceForensics++": f"compression {data.compression}",
        "split": f"{pairing.origin}, {len(pairing.pairs)} pairs of videos",
        "frames": f"{data.frames} evenly spaced of the shortest of {bounds} and {counterparts}",
        "source frames": rule,
        "identity map": identities.origin,
    }
    return "; ".join(f"{key}: {value}" for key, value in parts.items())


def _nothing(root: Path, data: FfppData, problems: list[Problem]) -> UsageError | MissingError:
    lines = [problem.text for problem in problems[:_LISTED]]
    more = len(problems) - _LISTED
    tail = [f"… and {more} more"] if more > 0 else []
    head = f"No pair of videos of {root} is left (compression {data.compression}, split {data.split}):"
    text = "\n  ".join([head, *lines, *tail])
    gone = [problem for problem in problems if problem.kind == "left out"]
    return MissingError(text) if gone and all(problem.missing for problem in gone) else UsageError(text)
