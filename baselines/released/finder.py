"""Finds the released swap of a pair, and says why where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from baselines.released.rule import Rule, is_still
from hifibench.contracts import SwapperCard
from hifibench.data import images
from hifibench.data.video import DamagedError
from hifibench.data.videos import Videos
from hifibench.errors import ImageError, UsageError
from hifibench.records import Frame, ImageRef, Pair, Status, Swapped

_Values = Mapping[str, str | int]


class Finder:
    """A `hifibench.contracts.ReleasedSwapper` and `hifibench.contracts.Service`: videos stay open for a while.

    Args:
        card: the card it is loaded under.
        rule: where files and frames are.
        root: folder of the release.
        frames: the rule's ``table``, read.
        source_frames: the rule's ``source_frames``, read.
    """

    def __init__(
        self,
        card: SwapperCard,
        rule: Rule,
        root: Path,
        frames: Mapping[str, int],
        source_frames: Mapping[str, int],
    ) -> None:
        self._card, self._rule, self._root = card, rule, root
        self._table, self._source_frames = frames, source_frames
        self._videos = Videos()

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def start(self, logs: Path) -> None:
        """Nothing is begun before the first pair."""

    def stop(self) -> None:
        """Close the videos."""
        self._videos.close()

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        """See `hifibench.contracts.ReleasedSwapper.find`.

        A file that is not there, or is damaged, is ``FILE_MISSING``: the user can bring it. All else that does not fit
        is ``FAILED``.
        """
        try:
            self._need_videos(source, target)
            values = self._rule.values(pair, source, target)
            file = self._rule.file(self._root, values)
            if not file.is_file():
                return Swapped(None, Status.FILE_MISSING, str(file))
            self._check_source(values)
            found = images.load(file) if self._rule.frame == "image" else self._frame(file, values)
            if found.shape != frame.shape:
                raise UsageError(f"{file} has {_size(found)} pixels, the target {_size(frame)}; a swap keeps its size.")
        except (DamagedError, ImageError) as error:
            return Swapped(None, Status.FILE_MISSING, str(error))
        except UsageError as error:
            return Swapped(None, Status.FAILED, str(error))
        return Swapped(found, Status.OK)

    def _need_videos(self, source: ImageRef, target: ImageRef) -> None:
        for side, image in (("source", source), ("target", target)):
            if side in self._rule.videos and is_still(image):
                raise UsageError(
                    f"The {side} {image.image} is not said to be of a video, and {self._card.name} is found by videos: "
                    f"add the columns {side}_video and {side}_frame to the file of pairs."
                )

    def _check_source(self, values: _Values) -> None:
        """Raise `UsageError` where the authors took the face from another frame of the source's video."""
        if not self._rule.source_frames:
            return
        used = _entry(self._source_frames, self._rule.source_frames_key, values, self._rule.source_frames)
        if used != values["source_frame"]:
            raise UsageError(
                f"The authors of {self._card.name} took the face from frame {used} of video {values['source_video']}, "
                f"this pair's source is its frame {values['source_frame']}: give that frame as the source image."
            )

    def _frame(self, file: Path, values: _Values) -> Frame:
        with self._videos.opened(file) as video:
            if self._rule.frames is not None and video.length != self._rule.frames:
                raise UsageError(f"{file} has {video.length} frames, the table says {self._rule.frames} (frames).")
            if self._rule.frame == "table":
                return video.frame(_entry(self._table, self._rule.table_key, values, self._rule.table))
            return video.frame(int(values["target_frame"]))


def _entry(frames: Mapping[str, int], template: str, values: _Values, file: str) -> int:
    key = template.format_map(values)
    if key not in frames:
        raise UsageError(f"{Path(file).name} has no entry {key!r} ({template}).")
    return frames[key]


def _size(frame: Frame) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
