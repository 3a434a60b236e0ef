import hashlib
import io
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hifibench.data import images
from hifibench.errors import ImageError


@pytest.fixture
def frame() -> np.ndarray:
    """Smooth and of distinct colours, 48 wide and 40 high, so that lossy files stay near it."""
    rows, columns = np.indices((40, 48))
    return np.stack([rows * 6, columns * 5, 255 - rows * 3 - columns * 2], -1).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_files_give_their_pixels(tmp_path, frame, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(frame).save(path, **({"lossless": True} if suffix == "webp" else {}))
    loaded = images.load(path)
    np.testing.assert_array_equal(loaded, frame)
    assert loaded.flags.c_contiguous
    assert loaded.flags.writeable
    assert images.check(path) == (48, 40)


# The corner that the stored top left pixel is shown in, and whether rows became columns, for EXIF orientations 1 to 8.
ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation_is_applied(tmp_path, frame, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(frame).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(images.load(tmp_path / "a.png"), ORIENTED[orientation](frame))


def test_cmyk_becomes_rgb(tmp_path, frame):
    Image.fromarray(frame).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    loaded = images.load(tmp_path / "a.jpg")
    assert abs(loaded.astype(int) - frame).mean() < 3


def test_grey_is_repeated_in_three_channels(tmp_path, frame):
    Image.fromarray(frame[..., 0]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.load(tmp_path / "a.png"), frame[..., :1].repeat(3, 2))


def test_bilevel_becomes_black_and_white(tmp_path, frame):
    Image.fromarray(frame[..., 0] > 99).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.load(tmp_path / "a.png")[..., 1], 255 * (frame[..., 0] > 99))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled_not_cut_off(tmp_path, frame, suffix):
    wide = frame[..., 0].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), wide)
    np.testing.assert_array_equal(images.load(tmp_path / f"a.{suffix}")[..., 2], frame[..., 0])


def test_sixteen_bit_colour_is_scaled_not_cut_off(tmp_path, frame):
    cv2.imwrite(str(tmp_path / "a.png"), frame[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(images.load(tmp_path / "a.png"), frame)


def test_palettes_are_looked_up(tmp_path, frame):
    Image.fromarray(frame).quantize(64).save(tmp_path / "a.png")
    assert abs(images.load(tmp_path / "a.png").astype(int) - frame).mean() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    layer = np.zeros((40, 48, 4), np.uint8)
    layer[20:, :, 3] = 255
    image = Image.fromarray(layer)
    (image if mode == "RGBA" else image.convert("LA") if mode == "LA" else image.quantize(4)).save(tmp_path / "a.png")
    loaded = images.load(tmp_path / "a.png")
    assert (loaded[:20] == 255).all()
    assert (loaded[20:] == 0).all()


def test_half_transparent_is_mixed(tmp_path):
    Image.fromarray(np.full((40, 40, 4), (0, 0, 0, 51), np.uint8)).save(tmp_path / "a.png")
    assert (images.load(tmp_path / "a.png") == 204).all()


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    first, second = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (images.load(tmp_path / "a.gif")[0, 0] == (255, 0, 0)).all()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    fields = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + fields + struct.pack(">I", zlib.crc32(fields))
    data = b"IDAT" + zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((20_000, 40), "too large \\(20000x40 pixels\\)"),
        ((16_000, 5_000), "too large \\(16000x5000 pixels\\).*at most 64 megapixels"),
        ((60_000, 60_000), "too large"),
        ((1, 1), "too small \\(1x1 pixels\\); expected 32 to 16384"),
        ((31, 500), "too small"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_sizes_out_of_bounds_are_refused_by_the_header(tmp_path, size, said):
    (tmp_path / "a.png").write_bytes(png_header(*size))
    for read in (images.load, images.check):
        with pytest.raises(ImageError, match=said):
            read(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "zero bytes"), (b"hello, this is no image", "is no image"), (b"%PDF-1.4 " + b"x" * 100, "is no image")],
)
def test_files_that_are_no_images_are_refused(tmp_path, content, said):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.jpg.*{said}"):
        images.load(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, kept):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(picture).save(whole, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole.getvalue()[: int(kept * len(whole.getvalue()))])
    with pytest.raises(ImageError, match=rf"a\.{suffix}"):
        images.load(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"]), seed=st.integers(0, 10**6))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_an_image_or_an_image_error(tmp_path, suffix, seed):
    rng = np.random.default_rng(seed)
    whole = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(whole, format=suffix)
    data = np.frombuffer(whole.getvalue(), np.uint8).copy()
    # Mostly the header, where the lies are dangerous.
    data[rng.integers(0, min(len(data), 120), 3)] = rng.integers(0, 256, 3)
    (tmp_path / "a").write_bytes(data.tobytes())
    try:
        assert images.load(tmp_path / "a").shape[2] == 3
    except ImageError as error:
        assert str(tmp_path / "a") in str(error)


def test_a_png_whose_check_sums_do_not_fit_is_refused(tmp_path, frame):
    path = tmp_path / "spoilt.png"
    images.save_png(path, frame)
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    content[start + 4 + length] ^= 1
    path.write_bytes(content)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), frame)  # the decoder does not look
    with pytest.raises(ImageError, match=r"truncated or damaged \(.*IDAT"):
        images.load(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(ImageError, match=r"There is no file .*nothing\.png"):
        images.load(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder"):
        images.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="inner"):
        images.load(tmp_path / "file" / "inner.png")


def test_float_images_are_refused(tmp_path):
    Image.fromarray(np.ones((40, 40), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"a\.tif.*neither 8 nor 16 bits"):
        images.load(tmp_path / "a.tif")


def test_save_and_load_keep_every_pixel(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (64, 33, 3), np.uint8)
    images.save_png(tmp_path / "new" / "folder" / "a.png", noise)
    np.testing.assert_array_equal(images.load(tmp_path / "new" / "folder" / "a.png"), noise)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.png"]


def test_saving_is_the_same_bytes_each_time(tmp_path, frame):
    for name in ("a.png", "b.png"):
        images.save_png(tmp_path / name, frame, {"method": "x"})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_provenance_is_written_as_text_and_as_iptc(tmp_path, frame):
    images.save_png(tmp_path / "a.png", frame, {"method": "faceswap", "run": "Größe 7"})
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["method"] == "faceswap"
        assert image.text["run"] == "Größe 7"
        packet = ElementTree.fromstring(image.info["XML:com.adobe.xmp"])
    (description,) = packet.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    key = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
    assert description.attrib[key] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    np.testing.assert_array_equal(images.load(tmp_path / "a.png"), frame)


def test_without_provenance_nothing_is_claimed(tmp_path, frame):
    images.save_png(tmp_path / "a.png", frame)
    assert b"iTXt" not in (tmp_path / "a.png").read_bytes()


def test_content_hash_is_of_shape_and_pixels(frame):
    assert images.content_hash(frame) == images.content_hash(np.asfortranarray(frame))
    assert images.content_hash(frame) == hashlib.sha256(b"(40, 48, 3)" + frame.tobytes()).hexdigest()
    assert images.content_hash(frame) != images.content_hash(frame.reshape(48, 40, 3))
    changed = frame.copy()
    changed[3, 4, 1] ^= 1
    assert images.content_hash(frame) != images.content_hash(changed)


def test_paths_may_be_strings(tmp_path: Path, frame):
    Image.fromarray(frame).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.load(str(tmp_path / "a.png")), frame)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_images_in_memory_are_read_as_files_are(tmp_path, frame, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(frame).save(path)
    content = path.read_bytes()
    assert (images.decode(content, "it") == images.load(path)).all()
    flipped = bytearray(content)
    flipped[-20] ^= 255  # in a PNG the last check sum but one
    half = content[: len(content) // 2]
    for wrong, said in ((b"", "it has zero bytes"), (b"text", "it is no image"), (half, "^it ")):
        with pytest.raises(ImageError, match=said):
            images.decode(wrong, "it")
    if suffix == "png":
        with pytest.raises(ImageError, match="it cannot be read, it is truncated or damaged"):
            images.decode(bytes(flipped), "it")
