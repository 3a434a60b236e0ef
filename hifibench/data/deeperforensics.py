"""DeeperForensics-1.0: filmed actors, and their faces swapped into videos of FaceForensics++.

``source_videos/<actor>/<lighting>/<emotion>/<camera>/<name>.mp4`` are real, and their folder says who is seen.
``manipulated_videos/<kind>/<target>_<actor>.mp4`` are fake; who is seen there is a question of how well the swap went,
so every fake stands for a person of its own. The real counterparts of the fakes are videos of FaceForensics++, which
the set does not hold.

Source: L. Jiang et al., "DeeperForensics-1.0: a large-scale dataset for real-world face forgery detection", CVPR 2020;
folders and lists as its documentation describes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hifibench.data.video_source import FAKE, REAL, Clip, VideoSource
from hifibench.errors import UsageError

SOURCES, MANIPULATED = "source_videos", "manipulated_videos"
_LISTS = (("lists/source_videos_lists", SOURCES), ("lists/manipulated_videos_lists", MANIPULATED))
_LABELS = {SOURCES: REAL, MANIPULATED: FAKE}


@dataclass(frozen=True)
class DeeperForensicsSource(VideoSource):
    """Videos of DeeperForensics-1.0, of as many actors and kinds of manipulation as are there.

    What its lists name and the folder of an actor or kind lacks counts as absent; folders that are not there at all do
    not.
    """

    @property
    def kind(self) -> str:
        """See `VideoSource.kind`."""
        return "deeperforensics"

    @property
    def licence(self) -> str:
        """See `Source.licence`."""
        return "videos of consenting actors from DeeperForensics-1.0; its terms of use bind them"

    def clips(self) -> Iterable[Clip]:
        """See `VideoSource.clips`."""
        tops = [self.root / name for name in _LABELS if (self.root / name).is_dir()]
        if not tops:
            raise UsageError(f"{self.root} holds neither {SOURCES} nor {MANIPULATED}; name the folder that does.")
        there = {path.relative_to(self.root).as_posix() for top in tops for path in _videos(top)}
        listed = {path for path in self._listed() if (self.root / Path(*PurePosixPath(path).parts[:2])).is_dir()}
        for path in sorted(there | listed):
            yield _clip(path, absent=path not in there)

    def _listed(self) -> Iterator[str]:
        """What the lists name; those of missing videos name what the authors do not have either."""
        for folder, top in _LISTS:
            for file in sorted((self.root / folder).glob("*_list.txt")):
                if file.name.endswith("missing_list.txt"):
                    continue
                for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                    path = PurePosixPath(line.strip())
                    inside = len(path.parts) > 2 and path.parts[0] == top and ".." not in path.parts
                    if inside and path.suffix == ".mp4":
                        yield path.as_posix()


def _videos(top: Path) -> Iterator[Path]:
    """Videos of the folders of actors or kinds; hidden files are passed over."""
    return (path for path in top.glob("*/**/*.mp4") if path.name[0] != ".")


def _clip(path: str, *, absent: bool) -> Clip:
    top, group, *_, name = path.split("/")
    identity = group if top == SOURCES else f"{group}-{name.removesuffix('.mp4')}"
    return Clip(identity, path, _LABELS[top], absent)
