"""What a folder of FaceForensics++ holds, and what of it is missing or broken.

Every video is read once: its name, whether it opens and is whole, how many frames it has and of what size, its hash.
Pictures are not decoded, so damage within a file of the right length is found only when the frame is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from hifibench.data import ffpp_layout as layout
from hifibench.data import ffpp_splits
from hifibench.data.ffpp_layout import Name, VideoPair
from hifibench.data.ffpp_problems import Problem
from hifibench.data.ffpp_record import Record, VideoFacts
from hifibench.data.ffpp_work import each
from hifibench.data.video import DamagedError
from hifibench.errors import MissingError, UsageError
from hifibench.stage import Stage, quiet


class Folder(NamedTuple):
    """One folder of videos.

    Attributes:
        path: relative to the root.
        videos: files whose names are those of videos.
        whole: of these, the ones that can be read to their end.
        frames: of these, all together.
    """

    path: str
    videos: int
    whole: int
    frames: int


class Verified(NamedTuple):
    """What was found.

    Attributes:
        folders: that are there, originals first.
        problems: what is missing or broken.
        notes: what is worth knowing.
    """

    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def verify(root: Path, compression: str | None = None, stage: Stage = quiet) -> Verified:
    """Look at all videos, or at those of one compression; what is found is kept for plans (`Record`).

    Raises:
        MissingError: the folder is not there, or has no videos of that compression.
        UsageError: a split file has another form.
    """
    root = layout.need_root(root)
    wanted = layout.COMPRESSIONS if compression is None else (compression,)
    keys = [(group, one) for one in wanted for group in layout.GROUPS]
    there = [key for key in keys if (root / layout.folder(*key)).is_dir()]
    if not there:
        raise MissingError(
            f"{root} has no videos of {compression or 'any compression'}; expected "
            f"{root / layout.folder(layout.YOUTUBE, wanted[0])}. {layout.GET}"
        )
    listing = _Listing(root, there)
    record = Record(root)
    paths = [path for folder in there for path in listing.paths(folder)]
    with stage("videos", len(paths)) as advance:

        def look(path: str) -> VideoFacts | Problem:
            try:
                facts = record.look(path)
            except (MissingError, DamagedError) as error:
                return Problem("broken", str(error), isinstance(error, MissingError))
            finally:
                advance(1)
            return Problem("broken", facts.problem) if facts.problem else facts

        try:
            seen = dict(zip(paths, each(look, paths), strict=True))
        finally:
            record.save()
    broken = [found for found in seen.values() if isinstance(found, Problem)]
    whole = {path: found for path, found in seen.items() if isinstance(found, VideoFacts)}
    return Verified(
        tuple(_folder(listing, folder, whole) for folder in there),
        (*listing.problems, *broken, *listing.absent()),
        (*listing.notes(), *_paces(whole), *_sizes(listing, whole)),
    )


_Key = tuple[str, str]  # group and compression


class _Listing:
    """What the names say, before any video is opened."""

    def __init__(self, root: Path, there: Iterable[_Key]) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.names: dict[_Key, list[Name]] = {key: list(self._named(*key)) for key in there}
        self.splits = ffpp_splits.by_files(root)

    def paths(self, key: _Key) -> list[str]:
        """Paths of the videos of one folder, relative to the root."""
        return [self.path(key, name) for name in self.names[key]]

    def path(self, key: _Key, name: Name) -> str:
        """Path of a video, relative to the root."""
        return str(layout.folder(*key) / layout.build(key[0], name))

    def absent(self) -> Iterator[Problem]:
        """What the split files name and a folder lacks; without them, what the other folders have."""
        for key in self.names:
            if key[0] in (layout.YOUTUBE, *layout.METHODS):
                yield from self._absent(key)
        for compression in self._compressions():
            if (layout.YOUTUBE, compression) not in self.names and self._pairs(compression):
                place = self.root / layout.folder(layout.YOUTUBE, compression)
                yield Problem("missing", f"There is no folder {place}: swaps need their originals.", True)

    def notes(self) -> Iterator[str]:
        """What is not there and need not be."""
        lacking = [name for name in ffpp_splits.SPLITS if name not in self.splits]
        if lacking:
            files = ", ".join(f"{name}.json" for name in lacking)
            yield (
                f"No split files {files} in {self.root / 'splits'}: pairs are known by the names of swaps; the files "
                "come from dataset/splits of https://github.com/ondyari/FaceForensics."
            )
        for compression in self._compressions():
            none = [method for method in layout.METHODS if (method, compression) not in self.names]
            if none:
                yield f"No videos of {', '.join(none)} at {compression}."
            paired = {video for pair in self._pairs(compression) for video in pair}
            loose = [name.target for name in self.names.get((layout.YOUTUBE, compression), ())]
            if extra := [video for video in loose if video not in paired]:
                yield f"{len(extra)} original videos at {compression} belong to no pair: {_some(extra)}."
            yield from self._actors(compression)

    def _named(self, group: str, compression: str) -> Iterator[Name]:
        for file in layout.files(self.root, group, compression):
            try:
                yield layout.parse(group, file)
            except UsageError as error:
                place = self.root / layout.folder(group, compression)
                self.problems.append(Problem("names", f"{place}: {error}"))

    def _compressions(self) -> list[str]:
        return list(dict.fromkeys(compression for _, compression in self.names))

    def _pairs(self, compression: str) -> set[VideoPair]:
        """The pairs that should be there: those of the split files, or all that any method has."""
        if self.splits:
            return {pair for pairs in self.splits.values() for pair in pairs}
        keys = [(method, compression) for method in layout.METHODS]
        return {VideoPair(name.target, name.source) for key in keys for name in self.names.get(key, ())}

    def _absent(self, key: _Key) -> Iterator[Problem]:
        pairs = self._pairs(key[1])
        if key[0] == layout.YOUTUBE:
            wanted = {Name(video) for pair in pairs for video in pair}
        else:
            wanted = {Name(pair.target, pair.source) for pair in pairs}
        absent = sorted(wanted - set(self.names[key]))
        if absent and not self.names[key]:
            yield Problem("missing", f"{self.root / layout.folder(*key)} holds none of {len(absent)} videos.", True)
            return
        why = "a split file names it" if self.splits else "its pair has other videos"
        for name in absent:
            yield Problem("missing", f"There is no video {self.root / self.path(key, name)}: {why}.", True)

    def _actors(self, compression: str) -> Iterator[str]:
        swaps = self.names.get((layout.DFD, compression), [])
        originals = set(self.names.get((layout.ACTORS, compression), ()))
        absent = sorted({layout.build(layout.ACTORS, one) for one in map(_actor, swaps) if one not in originals})
        if absent:
            yield f"{len(absent)} originals of {layout.DFD} at {compression} are not there: {_some(absent)}."


def _actor(swap: Name) -> Name:
    return Name(swap.target, scene=swap.scene)


def _folder(listing: _Listing, key: _Key, whole: dict[str, VideoFacts]) -> Folder:
    paths = listing.paths(key)
    good = [whole[path] for path in paths if path in whole]
    return Folder(str(layout.folder(*key)), len(paths), len(good), sum(facts.frames for facts in good))


def _paces(whole: dict[str, VideoFacts]) -> Iterator[str]:
    for path, facts in whole.items():
        if not facts.steady:
            yield f"{path} has a variable frame rate, or times that do not tell: frames are counted in display order."


def _sizes(listing: _Listing, whole: dict[str, VideoFacts]) -> Iterator[str]:
    """Swaps of another size than their targets, which no released method can be scored on."""
    for key, names in listing.names.items():
        if key[0] not in layout.METHODS:
            continue
        for name in names:
            swap = whole.get(listing.path(key, name))
            target = whole.get(layout.original(name.target, key[1]))
            if swap is None or target is None:
                continue
            here, there = (swap.width, swap.height), (target.width, target.height)
            if here != there:
                yield (
                    f"{listing.path(key, name)} is {here[0]}x{here[1]}, its target {there[0]}x{there[1]}: its frames "
                    "cannot be scored."
                )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
