"""Records of MXNet's RecordIO format, read from a buffer without MXNet.

A record is one part or several. A part is the magic number, a word that holds a flag (3 bits) and the length of the
data (29 bits), the data, and zeros up to a multiple of four bytes; all numbers are little-endian. Where the magic
number stands in the data at a multiple of four, the writer leaves it out and begins a new part there: flag 0 marks a
whole record, 1 its first part, 2 one in the middle, 3 the last.

An image record begins with a header: how many numbers its label has (0 stands for one, which is in the header), that
one number, and two ids; the label's numbers follow, then the image file.

Source: dmlc-core's ``recordio.h`` and MXNet's ``image_recordio.h`` describe the format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

Buffer = bytes | mmap

MAGIC = struct.pack("<I", 0xCED7230A)

_PART = struct.Struct("<4sI")
_HEADER = struct.Struct("<IfQQ")
_LENGTH_BITS = 29
_BEGINS, _CONTINUES, _ENDS = (0, 1), (2, 3), (0, 3)
_MOST_LABELS = 2
"""Numbers of a label that are read: a person and whether it is aligned, or the two ends of a range."""


class RecordError(Exception):
    """A record is damaged, and how; the words are meant to follow the name of the record."""


class Header(NamedTuple):
    """What stands before the image file of a record.

    Attributes:
        label: the first one or two numbers of the label.
        id: of the record, as its writer counted; many writers leave it at 0.
        size: bytes before the image file.
    """

    label: tuple[float, ...]
    id: int
    size: int


def content(buffer: Buffer, offset: int) -> bytes:
    """The data of the record that begins at a byte, its parts joined.

    Raises:
        RecordError: no whole record begins there.
    """
    return MAGIC.join(buffer[start:stop] for start, stop in _parts(buffer, offset))


def header(buffer: Buffer, offset: int) -> Header:
    """The header of an image record, without reading the image.

    Raises:
        RecordError: no record begins there, or one that is too short for its header.
    """
    wanted, found = _HEADER.size + 4 * _MOST_LABELS, b""
    for start, stop in _parts(buffer, offset):
        found += (MAGIC if found else b"") + buffer[start : min(stop, start + wanted)]
        if len(found) >= wanted:
            break
    return _header(found)


def unpack(record: bytes) -> tuple[Header, bytes]:
    """The header and the image file of a record's data; raises `RecordError` where it is too short for them."""
    read = _header(record)
    if read.size > len(record):
        raise RecordError(f"is too short for its label ({len(record)} bytes)")
    return read, record[read.size :]


def scan(buffer: Buffer) -> Iterator[tuple[int, bool]]:
    """All records from the first byte on, without an index.

    Behind a damaged record the search goes on with the next magic number: as data never hold one, that begins a record.

    Yields:
        Where a record, or what should be one, begins, and whether it is whole.
    """
    at = floor = 0
    while at < len(buffer):
        try:
            *_, (start, stop) = _parts(buffer, at)
        except RecordError:
            # A wrong length leads past the next record's true beginning, so it is looked for from the last record on.
            begins = _next(buffer, floor, at)
            if begins > at:
                yield at, False
            at, floor = begins, begins + 4
            continue
        yield at, True
        at, floor = start + _padded(stop - start), at + _PART.size


def _next(buffer: Buffer, start: int, bad: int) -> int:
    """Where the next record begins, at ``start`` or later but not at ``bad``; the end of the buffer if none does."""
    at = buffer.find(MAGIC, start)
    while at >= 0:
        begins = at % 4 == 0 and at != bad and at + _PART.size <= len(buffer)
        if begins and _flag_length(buffer, at)[0] in _BEGINS:
            return at
        at = buffer.find(MAGIC, at + 1)
    return len(buffer)


def _parts(buffer: Buffer, offset: int) -> Iterator[tuple[int, int]]:
    """Where the data of each part begin and end."""
    expected = _BEGINS
    while True:
        start = offset + _PART.size
        if offset < 0 or start > len(buffer):
            raise RecordError(f"would begin at byte {offset} of {len(buffer)}")
        if buffer[offset : offset + 4] != MAGIC:
            raise RecordError(f"has no magic number at byte {offset}")
        flag, length = _flag_length(buffer, offset)
        if flag not in expected:
            raise RecordError(f"has the flag {flag} at byte {offset}, where {' or '.join(map(str, expected))} belongs")
        if start + length > len(buffer):
            raise RecordError(f"runs beyond the end of the file, by {start + length - len(buffer)} bytes")
        yield start, start + length
        if flag in _ENDS:
            return
        offset, expected = start + _padded(length), _CONTINUES


def _flag_length(buffer: Buffer, offset: int) -> tuple[int, int]:
    word = _PART.unpack_from(buffer, offset)[1]
    return word >> _LENGTH_BITS, word & ((1 << _LENGTH_BITS) - 1)


def _padded(length: int) -> int:
    return length + -length % 4


def _header(data: bytes) -> Header:
    if len(data) < _HEADER.size:
        raise RecordError(f"is too short for a header ({len(data)} bytes)")
    count, label, number, _ = _HEADER.unpack_from(data)
    if not count:
        return Header((label,), number, _HEADER.size)
    read = min(count, _MOST_LABELS)
    if _HEADER.size + 4 * read > len(data):
        raise RecordError(f"is too short for its label ({len(data)} bytes)")
    return Header(struct.unpack_from(f"<{read}f", data, _HEADER.size), number, _HEADER.size + 4 * count)
