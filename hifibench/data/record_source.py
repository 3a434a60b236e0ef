"""Originals out of MXNet's RecordIO: Asian-Celeb of DeepGlint, MS1M of InsightFace and others.

InsightFace's editions hold crops of 112 pixels, aligned for recognition: too small for the paper's training, which
drops images under 256 pixels (HifiFace, Sec. 4).
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from hifibench.data.originals import Original, Person, Read
from hifibench.data.record_index import Numbers, index
from hifibench.data.record_labels import NOBODY, images
from hifibench.data.recordio import Buffer, RecordError, content, unpack
from hifibench.errors import ImageError, UsageError

UNKNOWN = "unknown"
"""The identity under which records stand that name nobody or are damaged: all of them are dropped."""

_DIGITS = 8


class _Originals(Sequence[Original]):
    """Images of one person, made when they are asked for: a set has millions."""

    def __init__(self, file: str, prefix: str, keys: Numbers, offsets: Numbers) -> None:
        self._file, self._prefix, self._keys, self._offsets = file, prefix, keys, offsets

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> Original: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Original]: ...

    def __getitem__(self, place: int | slice) -> Original | Sequence[Original]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        name = f"{self._prefix}{self._keys[place]:0{_DIGITS}d}"
        return Original(name, f"{self._file}@{self._offsets[place]}")


@dataclass(frozen=True)
class RecordSource:
    """The images of one ``.rec`` file; ``.idx`` and ``.lst`` beside it are used where they are there.

    An image is called by the key of its record, its person by the label, in digits that sort as the numbers do. The
    source of an image is the file and, behind an @, the byte at which its record begins. Records that are damaged, or
    name nobody, belong to the identity `UNKNOWN` and cannot be read.

    Attributes:
        file: ends in ``.rec``.
    """

    file: Path

    @property
    def root(self) -> Path:
        """See `Source.root`."""
        return self.file.parent

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Source.settings`."""
        return {"kind": "recordio", "file": str(self.file.resolve()), "bytes": str(self.file.stat().st_size)}

    @property
    def licence(self) -> str:
        """See `Source.licence`."""
        return "photographs of real people out of a record file; their terms are those of the set it belongs to"

    def people(self) -> list[Person]:
        """See `Source.people`; raises `UsageError` where the file is no RecordIO or holds no image."""
        with _mapped(self.file) as buffer:
            records = index(self.file, buffer)
            found = images(buffer, records, self.file.with_suffix(".lst"))
        order = np.argsort(found.labels, kind="stable")
        labels, starts = np.unique(found.labels[order], return_index=True)
        people = []
        for label, places in zip(labels, np.split(order, starts[1:]), strict=True):
            if label != NOBODY:
                originals = self._originals("", found.keys[places], found.offsets[places])
                people.append(Person(f"{label:0{_DIGITS}d}", originals))
        if not people:
            raise UsageError(f"{self.file} holds no image of anybody; expected records with an image and a label.")
        nobody = found.labels == NOBODY
        unknown = [
            *self._originals("key-", found.keys[nobody], found.offsets[nobody]),
            *self._originals("byte-", records.damaged, records.damaged),
        ]
        return [*people, Person(UNKNOWN, unknown)] if unknown else people

    def read(self, original: Original) -> Read:
        """See `Source.read`."""
        from hifibench.data import images as files

        try:
            with _mapped(self.file) as buffer:
                header, image = unpack(content(buffer, int(original.source.rpartition("@")[2])))
            if not original.name.isdecimal():
                raise RecordError(f"has the label {header.label[0]:g}, which names nobody")
        except RecordError as error:
            raise ImageError(f"The record {original.source} {error}.") from error
        except UsageError as error:
            raise ImageError(str(error)) from error
        frame = files.decode(image, f"The image of the record {original.source}")
        return Read(frame, hashlib.sha256(image).hexdigest())

    def provenance(self, original: Original) -> None:
        """See `Source.provenance`."""
        return

    def _originals(self, prefix: str, keys: Numbers, offsets: Numbers) -> _Originals:
        return _Originals(self.file.name, prefix, keys, offsets)


@contextmanager
def _mapped(file: Path) -> Iterator[Buffer]:
    """The content of a file, which is not read into memory."""
    try:
        with file.open("rb") as stream:
            buffer = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # nothing can be mapped of an empty file
        raise UsageError(f"{file} is empty; copy it again.") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror or error}); check the path.") from error
    with buffer:
        yield buffer
