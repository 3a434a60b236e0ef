"""The DeepFake Detection Challenge's videos: ``dfdc_train_part_<n>/<video>.mp4``, with labels in ``metadata.json``.

The file maps the name of each video to its ``label``, ``REAL`` or ``FAKE``, and for fakes to the ``original``. It does
not say who is seen, so every video stands for a person of its own.

Source: B. Dolhansky et al., "The DeepFake Detection Challenge (DFDC) dataset", arXiv 2006.07397, 2020; the columns are
described on the page of the challenge.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hifibench.data.video_source import FAKE, REAL, Clip, VideoSource, tell_some
from hifibench.errors import UsageError

METADATA = "metadata.json"
_PLACES = (METADATA, f"*/{METADATA}", f"*/*/{METADATA}")
_LABELS = {"REAL": REAL, "FAKE": FAKE}


@dataclass(frozen=True)
class DfdcSource(VideoSource):
    """Videos of the parts of DFDC below a folder, or of one part.

    The identity is the video's name, with its part's before it where two parts use one name.
    """

    @property
    def kind(self) -> str:
        """See `VideoSource.kind`."""
        return "dfdc"

    @property
    def licence(self) -> str:
        """See `Source.licence`."""
        return "videos of consenting actors from DFDC; the agreement under which the user got them binds their use"

    def clips(self) -> Iterable[Clip]:
        """See `VideoSource.clips`."""
        found = [clip for file in metadata_files(self.root) for clip in self._part(file)]
        if not found:
            raise UsageError(
                f"{self.root} holds no {METADATA} with labels of videos; expected one in each of its folders, as "
                f"dfdc_train_part_0/{METADATA}."
            )
        names = Counter(clip.identity for clip in found)
        for clip in found:
            twin = names[clip.identity] > 1
            yield clip._replace(identity=clip.path.replace("/", "-").rpartition(".")[0]) if twin else clip

    def _part(self, file: Path) -> list[Clip]:
        """The videos of one part, sorted by name; those whose label is unknown are told and left out."""
        folder = file.parent
        labels = _read(file)
        there = {path.name for path in folder.iterdir() if path.suffix == ".mp4" and path.name[0] != "."}
        clips = [
            Clip(Path(name).stem, (folder / name).relative_to(self.root).as_posix(), label, name not in there)
            for name, label in sorted(labels.items())
        ]
        tell_some(sorted(there - labels.keys()), f"Videos of {folder} without a label REAL or FAKE are left out")
        return clips


def metadata_files(root: Path) -> list[Path]:
    """The files of labels in a folder, its folders and theirs; a file of that name with other content is none."""
    return [path for place in _PLACES for path in sorted(root.glob(place)) if _is_metadata(path)]


def _is_metadata(path: Path) -> bool:
    """Whether the file looks like labels of videos; a broken one does, and is told of when it is read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b'"label"' in file.read(4096)


def _read(file: Path) -> dict[str, str]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        said = {str(name): str(entry["label"]).upper() for name, entry in entries.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f'{file} cannot be read ({error!r}); expected {{"<video>.mp4": {{"label": "REAL" or "FAKE", …}}, …}}: copy '
            "it again, or remove its folder."
        ) from error
    odd = [name for name in said if Path(name).name != name]
    if odd:
        raise UsageError(f"{file} names {odd[0]!r}, which is no file in its folder; copy it again.")
    return {name: _LABELS[label] for name, label in said.items() if label in _LABELS}
