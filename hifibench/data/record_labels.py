"""Which records of a RecordIO file are images, and whom they show.

Whom an image shows is said in up to three places; the first of these that is there counts:

1. The list beside the file, if it names every image: lines ``key, label, path`` as MXNet's tools write them, or
   ``aligned, path, label`` as InsightFace's do, whose n-th line is the n-th image; parted by tabs.
2. InsightFace's own records. Record 0 holds the key of the first identity and the one behind the last; the record of
   an identity holds the key of its first image and the one behind its last.
3. The header of each image.

Only for the last are all images looked at. Sources: ``image_recordio.h`` and ``im2rec.py`` of MXNet, ``face2rec2.py``
of InsightFace describe the files.
"""

from __future__ import annotations

import logging
from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hifibench.data.record_index import Index, Numbers
from hifibench.data.recordio import Buffer, Header, RecordError, content, header, unpack

_log = logging.getLogger("hifibench")

NOBODY = -1
"""The label of an image that no person is named for."""

_EXACT = 1 << 24
"""Keys stand in the records of identities as float32, which holds whole numbers up to this one."""


class Images(NamedTuple):
    """The images of a file, by ascending key.

    Attributes:
        keys: ``(N,)`` of their records.
        offsets: ``(N,)`` where each begins, in bytes.
        labels: ``(N,)`` the person, counted from 0, or `NOBODY`.
    """

    keys: Numbers
    offsets: Numbers
    labels: Numbers


class _Range(NamedTuple):
    """Keys from the first on up to, and without, the last."""

    first: int
    last: int


def label_of(read: Header) -> int:
    """The person that a header names, or `NOBODY` where its number is none to count with."""
    label = read.label[0]
    return int(label) if 0 <= label < 1 << 31 and label == int(label) else NOBODY


def images(buffer: Buffer, index: Index, list_file: Path) -> Images:
    """Find the images and whom they show.

    Args:
        buffer: the content of the ``.rec`` file.
        index: of its records.
        list_file: the ``.lst`` file, which need not be there.
    """
    people = _people(buffer, index)
    begin, end = np.searchsorted(index.keys, (1, people.first)) if people else (0, len(index.keys))
    keys, offsets = index.keys[begin:end], index.offsets[begin:end]
    labels = _listed(list_file, keys)
    if labels is None:
        labels = np.full(len(keys), NOBODY, np.int64)
        if people and people.last <= _EXACT:
            _label_ranges(buffer, index, people, Images(keys, offsets, labels))
        for place in np.flatnonzero(labels == NOBODY):
            labels[place] = _own(buffer, int(offsets[place]))
    return Images(keys, offsets, labels)


def _people(buffer: Buffer, index: Index) -> _Range | None:
    """The records of identities, if record 0 names them."""
    if not len(index.keys) or index.keys[0] != 0:
        return None
    return _range(buffer, int(index.offsets[0]))


def _range(buffer: Buffer, offset: int) -> _Range | None:
    """What a record says that holds no image but two keys; ``None`` for any other."""
    try:
        read, image = unpack(content(buffer, offset))
    except RecordError:
        return None
    if image or len(read.label) != 2 or not all(0 < end < 1 << 53 for end in read.label):
        return None
    found = _Range(*map(int, read.label))
    return found if found.first <= found.last else None


def _label_ranges(buffer: Buffer, index: Index, people: _Range, found: Images) -> None:
    """Give all images of an identity's range the label of its first; what is in no range is left alone."""
    keys, offsets, labels = found
    first, last = np.searchsorted(index.keys, people)
    bad, gone = people.last - people.first - int(last - first), 0
    for place in range(first, last):
        said = _range(buffer, int(index.offsets[place]))
        begin, end = np.searchsorted(keys, said or (0, 0))
        if said is None or said.last > people.first or (labels[begin:end] != NOBODY).any():
            bad += 1
            continue
        gone += said.last - said.first - int(end - begin)
        named = (_own(buffer, int(offset)) for offset in offsets[begin:end])
        labels[begin:end] = next((label for label in named if label != NOBODY), NOBODY)
    if bad:
        _log.warning(
            "%d identities of the record file have no record, or one that names images which are not theirs: whom "
            "their images show is read from each image.",
            bad,
        )
    if gone:
        _log.warning("%d images that the identities of the record file name have no record.", gone)


def _own(buffer: Buffer, offset: int) -> int:
    try:
        return label_of(header(buffer, offset))
    except RecordError:
        return NOBODY


def _listed(path: Path, keys: Numbers) -> Numbers | None:
    """The labels of the list, if there is one and it names every image."""
    if not path.is_file():
        return None
    named, labels, by_line = array("q"), array("q"), False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines):
            cells = line.rstrip().split("\t")
            if not number:
                by_line = len(cells) > 2 and _number(cells[1]) is None
            label = _number(cells[2 if by_line else 1]) if len(cells) > 2 else None
            key = number if by_line else _number(cells[0])
            if label is not None and label >= 0 and key is not None:
                named.append(key)
                labels.append(label)
    order = np.argsort(named, kind="stable")
    expected = np.arange(len(keys)) if by_line else keys
    places = np.searchsorted(named, expected, sorter=order)
    found = np.append(order, -1)[np.minimum(places, len(order))]
    whole = len(keys) == len(named) if by_line else True
    if not whole or (found < 0).any() or not np.array_equal(np.array(named, np.int64)[found], expected):
        _log.warning("%s does not name every image of the record file; it is not used.", path)
        return None
    of_images: Numbers = np.array(labels, np.int64)[found]
    return of_images


def _number(cell: str) -> int | None:
    """A cell that is a whole number, also where it is written with decimals."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None
