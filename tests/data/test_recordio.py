import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_files import MAGIC, framed, packed

from hifibench.data import recordio
from hifibench.data.recordio import RecordError

_words = st.lists(st.sampled_from([MAGIC, b"abcd", b"\0\0\0\0", MAGIC[1:] + MAGIC[:1]]), max_size=8)
_data = st.builds(lambda words, rest: b"".join(words) + rest, _words, st.binary(max_size=5))


@given(_data)
def test_a_record_is_read_as_it_was_written(data: bytes) -> None:
    assert recordio.content(framed(data), 0) == data


@given(st.lists(_data, min_size=1, max_size=5))
def test_a_scan_finds_every_record(records: list[bytes]) -> None:
    file = b"".join(map(framed, records))
    found = list(recordio.scan(file))
    assert all(whole for _, whole in found)
    assert [recordio.content(file, offset) for offset, _ in found] == records


def test_a_record_in_parts_has_the_bytes_that_the_format_describes() -> None:
    written = MAGIC + struct.pack("<I", 1 << 29 | 4) + b"abcd" + MAGIC + struct.pack("<I", 2 << 29)
    written += MAGIC + struct.pack("<I", 3 << 29 | 2) + b"ef\0\0"
    assert framed(b"abcd" + MAGIC + MAGIC + b"ef") == written
    assert recordio.content(written, 0) == b"abcd" + MAGIC + MAGIC + b"ef"


@pytest.mark.parametrize(("label", "expected"), [(7, (7.0,)), ((7, 1), (7.0, 1.0)), ((3, 9, 4, 5), (3.0, 9.0))])
def test_headers_hold_one_number_or_several(label: float | tuple[float, ...], expected: tuple[float, ...]) -> None:
    file = framed(packed(label, b"image", 12))
    assert recordio.header(file, 0)[:2] == (expected, 12)
    header, image = recordio.unpack(recordio.content(file, 0))
    assert (header.label, header.id, image) == (expected, 12, b"image")


def test_a_header_may_lie_in_two_parts() -> None:
    number = int.from_bytes(MAGIC, "little")
    file = framed(packed((5, 6), b"image", number))
    assert file[4:8] != struct.pack("<I", len(packed((5, 6), b"image", number)))
    assert recordio.header(file, 0) == recordio.unpack(packed((5, 6), b"image", number))[0]
    assert recordio.header(file, 0).id == number


def part(flag: int, length: int, data: bytes = b"") -> bytes:
    return MAGIC + struct.pack("<I", flag << 29 | length) + data


@pytest.mark.parametrize(
    ("file", "offset", "words"),
    [
        (b"\0" + framed(b"abcd")[1:], 0, "no magic number at byte 0"),
        (framed(b"abcd"), 4, "no magic number at byte 4"),
        (framed(b"abcd"), 8, "would begin at byte 8 of 12"),
        (framed(b"abcd"), -12, "would begin at byte -12"),
        (part(0, 5, b"abcd"), 0, "beyond the end of the file, by 1 bytes"),
        (part(2, 4, b"abcd"), 0, "flag 2 at byte 0, where 0 or 1 belongs"),
        (part(1, 4, b"abcd") + part(0, 0), 0, "flag 0 at byte 12, where 2 or 3 belongs"),
        (part(1, 4, b"abcd"), 0, "would begin at byte 12 of 12"),
        (part(1, 4, b"abcd") + part(3, 9), 0, "beyond the end"),
    ],
)
def test_a_damaged_record_says_how(file: bytes, offset: int, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        recordio.content(file, offset)


@pytest.mark.parametrize("data", [b"", packed(1, b"")[:-1], packed((1, 2), b"")[:-1]])
def test_a_record_without_a_whole_header_says_so(data: bytes) -> None:
    with pytest.raises(RecordError, match="too short for"):
        recordio.header(framed(data), 0)


def test_a_label_longer_than_its_record_is_told() -> None:
    with pytest.raises(RecordError, match="too short for its label"):
        recordio.unpack(packed((1, 2, 3), b"")[:-1])


def spoiled(change: dict[int, bytes]) -> tuple[bytes, list[int]]:
    """Five records, some bytes of the third changed; and where they begin."""
    records = [framed(b"0123456789" * (1 + number)) for number in range(5)]
    starts = [sum(map(len, records[:number])) for number in range(5)]
    file = bytearray(b"".join(records))
    for at, by in change.items():
        file[starts[2] + at : starts[2] + at + len(by)] = by
    return bytes(file), starts


@pytest.mark.parametrize(
    "change",
    [{0: b"\0"}, {4: struct.pack("<I", 1 << 28)}, {4: struct.pack("<I", 2 << 29 | 30)}, {0: b"rubbish!"}],
)
def test_a_scan_goes_on_behind_a_damaged_record(change: dict[int, bytes]) -> None:
    file, starts = spoiled(change)
    assert list(recordio.scan(file)) == [(start, start != starts[2]) for start in starts]


@pytest.mark.parametrize("length", [4, 36, 60])
def test_a_scan_loses_no_neighbour_of_a_record_with_a_wrong_length(length: int) -> None:
    file, starts = spoiled({4: struct.pack("<I", length)})
    found = [offset for offset, whole in recordio.scan(file) if whole]
    assert found == starts


def test_a_scan_of_a_file_that_breaks_off_finds_what_is_whole() -> None:
    file, starts = spoiled({})
    assert list(recordio.scan(file[:-9])) == [(start, start != starts[4]) for start in starts]
    assert list(recordio.scan(b"no records")) == [(0, False)]
