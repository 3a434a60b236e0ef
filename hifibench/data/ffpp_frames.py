"""The pixels of a manifest's frames, straight from the videos.

Frames are not kept in memory. Within a stage of a run only a source's frame is asked for more than once, and a frame
near the beginning of a video costs a twentieth of ten frames all over it; stages are too far apart for what a machine
can hold. On disk frames can be kept, as PNG by the video's content and the frame's index, which saves every later stage
the decoding.
"""

from __future__ import annotations

import threading
from pathlib import Path

from hifibench.data import ffpp_layout, images
from hifibench.data.ffpp_record import Record
from hifibench.data.videos import Videos
from hifibench.errors import HifibenchError, ImageError, UsageError
from hifibench.records import Frame, ImageRef


class Frames:
    """Frames of a dataset's folder; may be shared by threads.

    Args:
        root: the folder, links followed.
        keep: keep decoded frames in the cache.
    """

    def __init__(self, root: Path, keep: bool = False) -> None:
        self._record, self._keep = Record(root), keep
        self._videos = Videos()
        self._lock = threading.Lock()
        self._checked: set[tuple[str, str]] = set()

    def load(self, ref: ImageRef) -> Frame:
        """One frame, ``(H, W, 3)`` uint8 RGB.

        Raises:
            UsageError: the image is no frame of this dataset, its video is not there any more as it was when the
                manifest was made, or it is damaged where nothing but decoding shows it.
        """
        path = ffpp_layout.path_of(ref.uri)
        kept = _kept(ref) if self._keep and ref.content else None
        if kept is not None and kept.is_file():
            try:
                return images.load(kept)
            except ImageError:  # damaged, or too small for a photograph: made anew
                pass
        self._check(path, ref)
        try:
            with self._videos.opened(self._record.root / path) as video:
                frame = video.frame(ref.frame)
        except UsageError as error:
            raise UsageError(
                f"The image {ref.image} cannot be had: {error} Without another copy, move the video away and plan a "
                "new run in another folder (--out): its pairs are left out then."
            ) from error
        if kept is not None:
            images.save_png(kept, frame)
        return frame

    def close(self) -> None:
        """Close the videos."""
        self._videos.close()

    def _check(self, path: str, ref: ImageRef) -> None:
        """Raise `UsageError` where the video is another one than the manifest's; each is looked at once."""
        with self._lock:
            if (path, ref.content) in self._checked:
                return
        try:
            content = self._record.facts(path).sha256
        except HifibenchError as error:
            raise UsageError(f"The image {ref.image} cannot be had: {error}") from error
        if content != ref.content:
            raise UsageError(
                f"{self._record.root / path} has changed since this run was planned. Put the old video back, or plan a "
                "new run in another folder (--out)."
            )
        self._record.save()
        with self._lock:
            self._checked.add((path, ref.content))


def _kept(ref: ImageRef) -> Path:
    from hifibench import assets

    return assets.cache_root() / "frames" / ref.content[:2] / ref.content / f"{ref.frame:06d}.png"
