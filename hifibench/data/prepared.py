"""Prepared faces: the one format on disk that everything which trains reads.

```
index.parquet      one row per kept image, sorted by identity and image
dropped.parquet    one row per dropped image: source, identity, reason, detail
prepared.json      schema version, settings, counts, licence
crops/<identity>/<name>.png    RGBA: the aligned crop, and the face mask M_tar in the alpha channel (0 or 255)
```

Columns of the index: ``identity``; ``image``, the unique name ``<identity>/<name>``; ``file``, the crop, relative to
the folder; ``source``, the original relative to its folder, or the URI of a portrait; ``side``, the crop's side in
pixels of the original; ``landmarks``, five points x, y in pixels of the crop; ``content``, the SHA-256 of the original
file, of the pixels of a video's frame, empty for portraits; and in sets of labelled videos ``label``, ``real`` or
``fake``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop
from hifibench.errors import ImageError, MissingError, UsageError
from hifibench.records import Frame

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
"""Raised when a reader of today could not read what is written then."""

INDEX, DROPPED, DESCRIPTION, CROPS = "index.parquet", "dropped.parquet", "prepared.json", "crops"

_COLUMNS = ("identity", "image", "file", "source", "side", "landmarks", "content")
LABEL = "label"
"""The column that only sets of labelled originals have."""

_MAKE = "make one with 'hifibench data prepare' or 'hifibench data portraits'"


@dataclass(frozen=True)
class PreparedImage:
    """One aligned face.

    Attributes:
        frame: ``(S, S, 3)`` uint8 RGB, the crop.
        mask: ``(S, S)`` uint8, 255 on the face (``M_tar``), 0 elsewhere.
    """

    frame: Frame
    mask: NDArray[np.uint8]


class PreparedFaces:
    """A prepared set, opened for reading. Holds names, not pixels; may be pickled and shared by processes.

    Args:
        folder: what ``hifibench data prepare`` or ``hifibench data portraits`` wrote.

    Attributes:
        folder: where the set lies.
        crop: the template and size of all crops.
        description: the content of ``prepared.json``: settings, counts, licence.
        identities: the people, sorted.
        rows: for each person the rows of their images, sorted by name; ``load`` takes them.
        labels: for each row ``real`` or ``fake``; ``None`` where the originals had no labels.
        fingerprint: SHA-256 over the index and over what decided the pixels (crop, detector, mask, enhancement): the
            same for the same set wherever it lies, another one as soon as an image is added, dropped or replaced.

    Raises:
        UsageError: the folder is no prepared set, or a broken one, of a newer version, or without any face.
        MissingError: the set was begun and not finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.description = read_description(folder)
        self.crop = _crop(folder, self.description)
        table = _index(folder)
        self._files = table["file"].combine_chunks()
        self.labels: tuple[str, ...] | None = tuple(table[LABEL].to_pylist()) if LABEL in table.column_names else None
        identity = table["identity"].combine_chunks().dictionary_encode()
        codes = identity.indices.to_numpy()
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        self.identities: tuple[str, ...] = tuple(identity.dictionary.to_pylist())
        self.rows: tuple[NDArray[np.intp], ...] = tuple(np.split(np.arange(len(codes)), starts[1:]))
        self.fingerprint = _fingerprint(table, self.description)

    def __len__(self) -> int:
        return len(self._files)

    def load(self, row: int) -> PreparedImage:
        """The crop and the mask of one image.

        Args:
            row: 0 to ``len(self) - 1``.

        Raises:
            ImageError: the file is missing, broken, or no crop of this set.
            IndexError: there is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"The prepared set {self.folder} has rows 0 to {len(self) - 1}; asked for {row}.")
        return _read(self.folder / self._files[row].as_py(), self.crop.size)


def read_description(folder: Path) -> dict[str, Any]:
    """The content of ``prepared.json``.

    Raises:
        UsageError: there is none, it is broken, or of a newer version.
    """
    path = folder / DESCRIPTION
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; name a set of prepared faces, or {_MAKE}.")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        schema = int(description["schema"])
    except FileNotFoundError as error:
        raise UsageError(f"{folder} holds no prepared faces, it has no {DESCRIPTION}; {_MAKE}.") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} cannot be read ({error!r}); prepare the faces again.") from error
    if schema != SCHEMA:
        raise UsageError(
            f"{folder} is written in version {schema} of the format, this hifibench reads version {SCHEMA}; "
            "use the hifibench that wrote it, or prepare the faces again."
        )
    return dict(description)


def _crop(folder: Path, description: Mapping[str, Any]) -> Crop:
    try:
        crop = description["settings"]["crop"]
        return Crop(str(crop["template"]), int(crop["size"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder / DESCRIPTION} does not name its crop; prepare the faces again.") from error


def _index(folder: Path) -> pa.Table:
    """The index, sorted by identity and image."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / INDEX
    try:
        table = parquet.ParquetFile(path).read([*_COLUMNS, LABEL])
    except FileNotFoundError as error:
        raise MissingError(
            f"{folder} was begun and not finished, it has no {INDEX}. Run the command that began it again: it goes on "
            "where it stopped."
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path} is broken ({error}); prepare the faces again.") from error
    absent = [name for name in _COLUMNS if name not in table.column_names]
    if absent:
        raise UsageError(f"{path} lacks the columns {', '.join(absent)}; prepare the faces again.")
    if not len(table):
        raise UsageError(f"{folder} holds no face: every image was dropped. {DROPPED} says why, image by image.")
    return table.sort_by([("identity", "ascending"), ("image", "ascending")])


def _fingerprint(table: pa.Table, description: Mapping[str, Any]) -> str:
    """Over values, not over the bytes of the file: those depend on the version of the library that wrote it."""
    settings = description["settings"]
    decisive = {name: settings.get(name) for name in ("crop", "detector", "segmenter")}
    decisive |= {name: settings[name] for name in ("enhancer",) if name in settings}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    for name in ("identity", "image", "source", "content", *([LABEL] if LABEL in table.column_names else [])):
        digest.update("\0".join(table[name].to_pylist()).encode())
    digest.update(table["side"].to_numpy().astype("<f8").tobytes())
    landmarks = table["landmarks"].combine_chunks().flatten()
    digest.update(landmarks.to_numpy(zero_copy_only=False).astype("<f4").tobytes())
    return digest.hexdigest()


def _read(path: Path, size: int) -> PreparedImage:
    """A crop as it was written.

    Pillow looks at the header and the check sums, which not every decoder does; OpenCV, which is quicker at decoding
    and at taking colours and mask apart, gets what has passed.
    """
    import cv2
    from PIL import Image

    try:
        content = path.read_bytes()
        with Image.open(BytesIO(content), formats=("PNG",)) as image:
            shape, mode = image.size, image.mode
            image.verify()
    except FileNotFoundError as error:
        raise ImageError(f"The prepared crop {path} is missing; prepare the faces again.") from error
    # What Pillow raises on files that break off or lie about themselves.
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError) as error:
        raise _damaged(path, str(error)) from error
    if mode != "RGBA" or shape != (size, size):
        raise ImageError(
            f"{path} is no crop of this set: {mode} of {shape[0]}x{shape[1]} pixels where RGBA of {size}x{size} was "
            "expected; prepare the faces again."
        )
    try:
        bgra = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _damaged(path, str(error)) from error
    if bgra is None or bgra.shape != (size, size, 4) or bgra.dtype != np.uint8:
        raise _damaged(path, "its pixels cannot be decoded")
    frame, mask = cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB), cv2.extractChannel(bgra, 3)
    return PreparedImage(np.asarray(frame, np.uint8), np.asarray(mask, np.uint8))


def _damaged(path: Path, why: str) -> ImageError:
    return ImageError(f"The prepared crop {path} is damaged ({why}); prepare the faces again.")
