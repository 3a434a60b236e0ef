import json
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hifibench.contracts import Crop
from hifibench.data.prepared import SCHEMA, PreparedFaces
from hifibench.errors import ImageError, MissingError, UsageError

SIZE = 32
NAMES = (("bea", "1"), ("ann", "2"), ("ann", "1"), ("cid", "1"), ("ann", "10"))


def pixels(identity: str, name: str) -> np.ndarray:
    rgba = np.random.default_rng(list(f"{identity}/{name}".encode())).integers(0, 256, (SIZE, SIZE, 4), np.uint8)
    rgba[..., 3] = np.where(rgba[..., 3] > 127, 255, 0)
    return rgba


def write(folder: Path, rows: list[dict[str, object]], **settings: object) -> Path:
    """A prepared set as the documentation describes it, by other means than the package's own."""
    for row in rows:
        path = folder / str(row["file"])
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(*str(row["image"]).split("/")), "RGBA").save(path)
    pd.DataFrame(rows).to_parquet(folder / "index.parquet")
    crop = {"template": "ffhq", "size": SIZE}
    description = {"schema": SCHEMA, "settings": {"crop": crop, "segmenter": "s", "detector": "d", **settings}}
    (folder / "prepared.json").write_text(json.dumps(description))
    return folder


def rows() -> list[dict[str, object]]:
    return [
        {
            "identity": identity,
            "image": f"{identity}/{name}",
            "file": f"crops/{identity}/{name}.png",
            "source": f"{identity}/{name}.jpg",
            "side": 300.0 + number,
            "landmarks": np.arange(10, dtype=np.float32) + number,
            "content": f"{number:064x}",
        }
        for number, (identity, name) in enumerate(NAMES)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "set", rows())


def test_people_and_their_images_are_sorted_whatever_the_order_of_the_index(folder: Path) -> None:
    faces = PreparedFaces(folder)
    assert faces.crop == Crop("ffhq", SIZE)
    assert faces.identities == ("ann", "bea", "cid")
    assert len(faces) == 5
    assert [list(rows) for rows in faces.rows] == [[0, 1, 2], [3], [4]]
    loaded = [faces.load(row) for row in faces.rows[0]]
    for image, name in zip(loaded, ("1", "10", "2"), strict=True):
        expected = pixels("ann", name)
        assert np.array_equal(image.frame, expected[..., :3])
        assert np.array_equal(image.mask, expected[..., 3])


def test_it_can_be_handed_to_another_process(folder: Path) -> None:
    faces = PreparedFaces(folder)
    copy = pickle.loads(pickle.dumps(faces))
    assert copy.fingerprint == faces.fingerprint
    assert np.array_equal(copy.load(4).frame, faces.load(4).frame)


def test_the_fingerprint_is_that_of_the_content(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    reordered = write(tmp_path / "reordered", rows()[::-1], min_side=100)
    prints = {PreparedFaces(path).fingerprint for path in (folder, tmp_path / "copy", reordered)}
    assert len(prints) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows[1].update(content="0" * 64),
        lambda rows: rows[1].update(landmarks=np.zeros(10, np.float32)),
        lambda rows: rows[1].update(side=299.0),
        lambda rows: rows[3].update(identity="dan"),
    ],
)
def test_the_fingerprint_follows_every_change(
    folder: Path, tmp_path: Path, change: Callable[[list[dict[str, object]]], None]
) -> None:
    changed = rows()
    change(changed)
    assert PreparedFaces(write(tmp_path / "other", changed)).fingerprint != PreparedFaces(folder).fingerprint


def test_the_fingerprint_follows_the_masks(folder: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", rows(), segmenter="another")
    assert PreparedFaces(other).fingerprint != PreparedFaces(folder).fingerprint


def without_column(folder: Path) -> None:
    pd.DataFrame(rows()).drop(columns="side").to_parquet(folder / "index.parquet")


def without_rows(folder: Path) -> None:
    pd.read_parquet(folder / "index.parquet").iloc[:0].to_parquet(folder / "index.parquet")


def of_schema(schema: object) -> Callable[[Path], None]:
    return lambda folder: folder.joinpath("prepared.json").write_text(json.dumps({"schema": schema})) and None


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (shutil.rmtree, UsageError, "There is no folder"),
        (
            lambda folder: (folder / "prepared.json").unlink(),
            UsageError,
            "no prepared.json; make one with 'hifibench data",
        ),
        (lambda folder: (folder / "prepared.json").write_text("{"), UsageError, "cannot be read"),
        (
            of_schema(SCHEMA + 1),
            UsageError,
            f"version {SCHEMA + 1} of the format, this hifibench reads version {SCHEMA}",
        ),
        (of_schema(SCHEMA), UsageError, "does not name its crop"),
        (lambda folder: (folder / "index.parquet").unlink(), MissingError, "was begun and not finished"),
        (lambda folder: (folder / "index.parquet").write_bytes(b"PAR1"), UsageError, "index.parquet is broken"),
        (without_column, UsageError, "lacks the columns side"),
        (without_rows, UsageError, "holds no face: every image was dropped"),
    ],
)
def test_what_is_no_prepared_set_is_refused(
    folder: Path, spoil: Callable[[Path], None], error: type[Exception], words: str
) -> None:
    spoil(folder)
    with pytest.raises(error, match=words):
        PreparedFaces(folder)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def one_bit_wrong(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (Path.unlink, "is missing"),
        (truncated, "is damaged"),
        (one_bit_wrong, "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: Image.new("RGBA", (16, SIZE)).save(path), "RGBA of 16x32 pixels where RGBA of 32x32"),
        (lambda path: Image.new("RGB", (SIZE, SIZE)).save(path), "RGB of 32x32 pixels"),
    ],
)
def test_a_broken_crop_is_named(folder: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(folder / "crops/cid/1.png")
    faces = PreparedFaces(folder)
    faces.load(3)
    with pytest.raises(ImageError, match=rf"crops/cid/1\.png.* {words}"):
        faces.load(4)


def with_pixels(path: Path, packed: bytes) -> None:
    """A PNG whose check sums are right, whatever is in it."""

    def part(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    header = SIZE.to_bytes(4) * 2 + bytes([8, 6, 0, 0, 0])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", packed) + part(b"IEND", b""))


def test_what_is_wrong_is_found_before_it_is_decoded(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one_bit_wrong(folder / "crops/cid/1.png")
    with pytest.raises(ImageError, match=r"is damaged \(broken PNG file"):
        PreparedFaces(folder).load(4)
    assert capfd.readouterr().err == ""  # the decoder would have its own words for it


def test_pixels_that_cannot_be_decoded_are_no_pixels(folder: Path) -> None:
    faces, path = PreparedFaces(folder), folder / "crops/cid/1.png"
    with_pixels(path, zlib.compress(bytes(SIZE * (1 + 4 * SIZE))))
    assert not faces.load(4).frame.any()
    with_pixels(path, b"no deflate stream")
    with pytest.raises(ImageError, match="its pixels cannot be decoded"):
        faces.load(4)


@pytest.mark.parametrize("row", [-1, 5])
def test_rows_outside_are_refused(folder: Path, row: int) -> None:
    with pytest.raises(IndexError, match="rows 0 to 4"):
        PreparedFaces(folder).load(row)
