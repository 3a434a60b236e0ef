"""Which frames of one pair of videos are taken: the target's by their index, the source's by the rule.

See `hifibench.data.faceforensics` for the formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hifibench.data import ffpp_layout, ffpp_sources, frame_tables
from hifibench.data.ffpp_identities import Identities
from hifibench.data.ffpp_layout import VideoPair
from hifibench.data.ffpp_problems import Problem
from hifibench.data.ffpp_record import Record, VideoFacts
from hifibench.data.ffpp_sources import FirstFace
from hifibench.data.video import DamagedError, evenly
from hifibench.errors import MissingError, UsageError
from hifibench.suite import FfppData


@dataclass(frozen=True)
class Taken:
    """The frames of one pair of videos: (target's index, source's index); none where it is left out."""

    pair: VideoPair
    frames: tuple[tuple[int, int], ...] = ()
    problems: tuple[Problem, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)


class _LeftOutError(Exception):
    """A pair of videos cannot be used, and why."""


class Planner:
    """All that a pair of videos is planned with; may be shared by threads.

    Args:
        data: the suite's description.
        record: what is known of the videos.
        identities: who is shown in them.
        release: for the rule ``release``, source frames by pair (`release_frames`).
    """

    def __init__(self, data: FfppData, record: Record, identities: Identities, release: Mapping[str, int]) -> None:
        self.record, self.identities = record, identities
        self._data, self._release = data, release
        self._first_face = FirstFace(record)
        self._counterparts = tuple(dict.fromkeys(data.counterparts))
        for method in self._counterparts:
            ffpp_layout.manipulated(method, VideoPair("000", "001"), data.compression)  # is there such a method?

    def missing_folders(self) -> Iterator[Problem]:
        """Counterparts of which there is no video at all: told once, and not for each pair."""
        for method in self._absent():
            place = self.record.root / ffpp_layout.folder(method, self._data.compression)
            yield Problem("counterparts", f"There is no folder {place}: {method} bounds no video's length.", True)

    def unknown_names(self, pairs: tuple[VideoPair, ...]) -> Iterator[Problem]:
        """Names in the map of people that are no video of the folder."""
        known = {video for pair in pairs for video in pair}
        for video in sorted(set(self.identities.people) - known):
            if not (self.record.root / ffpp_layout.original(video, self._data.compression)).is_file():
                yield Problem("people", f"The file of people names {video!r}, which is no video of this folder.")

    def take(self, pair: VideoPair) -> Taken:
        """The frames of one pair of videos, or why there are none."""
        problems: list[Problem] = []
        try:
            target = self._facts(pair.target)
            source = self._facts(pair.source)
            lengths = [target.frames, *self._lengths(pair, problems)]
            if self._data.source_rule == "same-frame":
                lengths.append(source.frames)
            chosen = evenly(min(lengths), self._data.frames)
            if len(chosen) < self._data.frames:
                text = f"The pair {pair} has {len(chosen)} frames, fewer than {self._data.frames}: all are taken."
                problems.append(Problem("few frames", text))
            frames = tuple((index, self._source(pair, source, index, problems)) for index in chosen)
        except (_LeftOutError, MissingError, UsageError) as error:  # all of them about these two videos
            absent = isinstance(error, MissingError)
            problems.append(Problem("left out", f"The pair {pair} is left out: {error}", absent))
            return Taken(pair, problems=tuple(problems))
        if self.identities.of(pair.target) == self.identities.of(pair.source):
            person = self.identities.of(pair.target)
            problems.append(Problem("people", f"The pair {pair} shows one person twice, {person}, by the map."))
        contents = {pair.target: target.sha256, pair.source: source.sha256}
        return Taken(pair, frames, tuple(dict.fromkeys(problems)), contents)

    def _facts(self, video: str) -> VideoFacts:
        return self.record.facts(ffpp_layout.original(video, self._data.compression))

    def _absent(self) -> list[str]:
        root, compression = self.record.root, self._data.compression
        return [one for one in self._counterparts if not (root / ffpp_layout.folder(one, compression)).is_dir()]

    def _lengths(self, pair: VideoPair, problems: list[Problem]) -> Iterator[int]:
        """Lengths of the released swaps that there are."""
        absent = self._absent()
        for method in self._counterparts:
            if method in absent:
                continue
            try:
                yield self.record.facts(ffpp_layout.manipulated(method, pair, self._data.compression)).frames
            except (MissingError, DamagedError) as error:
                text = f"{error} {method} does not bound the length of the pair {pair}."
                problems.append(Problem("counterparts", text, isinstance(error, MissingError)))

    def _source(self, pair: VideoPair, source: VideoFacts, index: int, problems: list[Problem]) -> int:
        """The source's frame for one of the target's."""
        if self._data.source_rule == "same-frame":
            return index
        if self._data.source_rule == "release":
            return self._released(pair, source)
        found = self._first_face.find(ffpp_layout.original(pair.source, self._data.compression))
        if found.frame < 0:
            searched = min(ffpp_sources.FRAMES, source.frames)
            raise _LeftOutError(f"none of the first {searched} frames of {pair.source}.mp4 shows a face for certain.")
        if found.several:
            text = (
                f"Every frame of video {pair.source} that shows a face for certain shows another of about its size; "
                f"the source is the largest, most central face of frame {found.frame}."
            )
            problems.append(Problem("several faces", text))
        return found.frame

    def _released(self, pair: VideoPair, source: VideoFacts) -> int:
        if str(pair) not in self._release:
            raise _LeftOutError(f"{self._data.release_config} has no entry {str(pair)!r}.")
        frame = self._release[str(pair)]
        if frame >= source.frames:
            raise _LeftOutError(
                f"{self._data.release_config} names frame {frame} of {pair.source}.mp4, which has {source.frames}."
            )
        return frame


def release_frames(data: FfppData) -> Mapping[str, int]:
    """Source frames by pair of videos, as the user's file says; nothing for the other rules.

    Raises:
        MissingError: there is no such file.
        UsageError: none is named, or it has another form.
    """
    if data.source_rule != "release":
        return {}
    if data.release_config is None:
        raise UsageError("The source rule 'release' needs the release's file of source frames: name release_config.")
    return frame_tables.read(data.release_config)
