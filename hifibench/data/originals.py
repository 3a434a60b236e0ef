"""Originals of training faces: identity folders of the user's own, or generated portraits.

Other sources are records (`hifibench.data.record_source`) and videos (`hifibench.data.video_source`).

A source lists its people without opening an image, and reads one image at a time. It is plain data, so that it can be
handed to other processes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from hifibench.errors import ImageError, UsageError
from hifibench.records import Frame

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Ends of the names of files taken for images, in any case."""


class Original(NamedTuple):
    """One image to prepare.

    Attributes:
        name: unique among the images of its person; the crop is called so.
        source: path relative to the folder, or the URI of a portrait.
        label: ``real`` or ``fake`` where the source says so, else empty.
    """

    name: str
    source: str
    label: str = ""


class Person(NamedTuple):
    """All images of one person, sorted by name; there may be none."""

    identity: str
    originals: Sequence[Original]


class Read(NamedTuple):
    """An image as it was read.

    Attributes:
        frame: ``(H, W, 3)`` uint8 RGB.
        content: SHA-256 of the file, or of the pixels of a video's frame, hexadecimal; empty for portraits.
    """

    frame: Frame
    content: str


class Source(Protocol):
    """Where originals come from."""

    @property
    def root(self) -> Path | None:
        """The folder that is read; ``None`` where there is none."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What a set that is gone on with must have been made from; with ``labels`` where images have labels."""
        ...

    @property
    def licence(self) -> str:
        """What may be done with the images, one sentence."""
        ...

    def people(self) -> list[Person]:
        """Everyone, sorted by identity; raises `UsageError` where there is nobody."""
        ...

    def read(self, original: Original) -> Read:
        """One image; raises `ImageError` where it cannot be read."""
        ...

    def provenance(self, original: Original) -> Mapping[str, str] | None:
        """How a generated image came about, to be written into its crop; ``None`` for photographs."""
        ...


@dataclass(frozen=True)
class FolderSource:
    """Identity folders, the layout of VGGFace2: ``<root>/<identity>/<image>``.

    Images may lie deeper: the first folder is the identity. Hidden files and folders, and files of other kinds, are
    passed over. Links to folders are followed where they stand for an identity, and not below.

    Attributes:
        root: the folder of the folders.
    """

    root: Path

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Source.settings`."""
        return {"kind": "folders", "folder": str(self.root.resolve())}

    @property
    def licence(self) -> str:
        """See `Source.licence`."""
        return "photographs of the user's own; their terms are those of the folder they came from"

    def people(self) -> list[Person]:
        """See `Source.people`."""
        root = self.root
        if not root.is_dir():
            raise UsageError(f"There is no folder {root}; give one that holds a folder of images for each person.")
        try:
            names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
        except OSError as error:
            _refuse(error)
        people = [Person(_text(root, name), tuple(self._originals(name))) for name in names]
        if not any(person.originals for person in people):
            raise UsageError(self._nothing(len(people)))
        return people

    def read(self, original: Original) -> Read:
        """See `Source.read`."""
        from hifibench.data import images

        path = self.root / original.source
        frame = images.load(path)
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ImageError(f"{path} cannot be read ({error.strerror or error}).") from error
        return Read(frame, content)

    def provenance(self, original: Original) -> None:
        """See `Source.provenance`."""
        return

    def _originals(self, identity: str) -> Iterator[Original]:
        top = self.root / identity
        found: list[str] = []
        for folder, folders, files in os.walk(top, onerror=_refuse):
            folders[:] = [name for name in folders if name[0] != "."]
            found.extend(
                (Path(folder) / name).relative_to(top).as_posix()
                for name in files
                if name[0] != "." and name.lower().endswith(SUFFIXES)
            )
        for name in sorted(found):
            yield Original(_text(top, name), f"{identity}/{name}")

    def _nothing(self, folders: int) -> str:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        loose = sum(entry.name.lower().endswith(SUFFIXES) for entry in self.root.iterdir() if entry.is_file())
        if loose:
            return (
                f"{self.root} holds {loose} images itself, and none in a folder of its own person; expected "
                f"{self.root.name}/<identity>/<image>: put the images of each person into a folder."
            )
        return (
            f"{self.root} holds no images in {folders} folders; expected {self.root.name}/<identity>/<image>, the "
            f"images being {kinds}."
        )


@dataclass(frozen=True)
class PortraitSource:
    """Generated portraits of people who do not exist (`hifibench.data.portraits`).

    Attributes:
        identities: how many people.
        views: how many views of each, from view 0.
        first_seed: the first person, counted from the first seed of the split.
        split: ``train``, ``validation`` or ``test``; a method trained on test faces must not be judged by them.
    """

    identities: int
    views: int
    first_seed: int = 0
    split: str = "train"

    def __post_init__(self) -> None:
        from hifibench.data.seeds import SPLITS

        if self.split not in SPLITS:
            raise UsageError(f"There is no split {self.split!r}; expected {', '.join(SPLITS)}.")
        if min(self.identities, self.views) < 1 or self.first_seed < 0:
            raise UsageError(
                f"Portraits need at least one identity and one view and a first seed from 0; given {self.identities}, "
                f"{self.views} and {self.first_seed}."
            )
        room = len(SPLITS[self.split])
        if self.first_seed + self.identities > room:
            raise UsageError(
                f"The split {self.split} has {room} seeds, 0 to {room - 1}; {self.identities} people from seed "
                f"{self.first_seed} on would reach into another split. Seeds are counted within the split: to prepare "
                "faces of another one, name it (--split)."
            )

    @property
    def root(self) -> None:
        """See `Source.root`."""
        return

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Source.settings`; the number of people and views is not part of it, so that a set can be extended."""
        from hifibench.data import portraits

        return {"kind": "portraits", "split": self.split, "version": portraits.version()}

    @property
    def licence(self) -> str:
        """See `Source.licence`."""
        return "generated portraits, research only: StyleGAN2's licence and FFHQ's terms bind their generator"

    def people(self) -> list[Person]:
        """See `Source.people`."""
        from hifibench.data.seeds import SPLITS, uri

        first = SPLITS[self.split].start + self.first_seed
        return [
            Person(f"{seed:010d}", tuple(Original(f"{view:04d}", uri(seed, view)) for view in range(self.views)))
            for seed in range(first, first + self.identities)
        ]

    def read(self, original: Original) -> Read:
        """See `Source.read`; makes the portrait where it is not in the cache."""
        from hifibench.data import portraits

        return Read(portraits.load(original.source), "")

    def provenance(self, original: Original) -> Mapping[str, str]:
        """See `Source.provenance`."""
        from hifibench.data import generator

        return {"generator": generator.NAME, "portrait": original.source}


def _refuse(error: OSError) -> NoReturn:
    """A folder that cannot be listed must not pass for an empty one."""
    raise UsageError(
        f"The folder {error.filename} cannot be read ({error.strerror}); check its permissions."
    ) from error


def _text(folder: Path, name: str) -> str:
    """The name, if it can be written as UTF-8, which the index needs."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{folder} holds a name that is no UTF-8, {os.fsencode(name)!r}; rename it.") from error
    return name
