"""JPEG and H.264: what is kept, sizes, order, determinism; clips and their cache."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from hifibench import clips
from hifibench.compression import Compression, _picture, through
from hifibench.errors import ImageError, UsageError
from hifibench.records import Frame, ImageRef, Manifest, Pair


def frame(seed: int = 0, width: int = 96, height: int = 64) -> Frame:
    """A smooth picture in colours, with some grain."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 195, (2 + height // 24, 2 + width // 24, 3)).astype(np.uint8)
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def error(a: Frame, b: Frame) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize(
    ("text", "name", "slug"),
    [
        ("jpeg:75", "jpeg:75", "jpeg-75"),
        (" c23", "c23", "c23"),
        ("h264:23", "c23", "c23"),
        ("h264:40", "c40", "c40"),
        ("h264:0", "h264:0", "h264-0"),
    ],
)
def test_one_compression_has_one_name(text: str, name: str, slug: str) -> None:
    assert (Compression.parse(text).name, Compression.parse(text).slug) == (name, slug)
    assert Compression.parse(name) == Compression.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h265:23", r"there is no codec 'h265'"),
        ("c24", r"there is no codec 'c24'. Did you mean 'c"),
        ("", "there is no codec ''"),
        ("jpeg", "expected jpeg:N with N, the quality, from 1 to 100"),
        ("jpeg:0", "from 1 to 100"),
        ("jpeg:101", "from 1 to 100"),
        ("jpeg:7.5", "from 1 to 100"),
        ("jpeg:²", "from 1 to 100"),
        ("h264:52", "the constant rate factor, from 0 to 51"),
        ("h264:-1", "from 0 to 51"),
    ],
)
def test_what_cannot_be_done_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Compression.parse(text)


@pytest.mark.parametrize("wrong", [np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.float32)])
@pytest.mark.parametrize("how", ["jpeg:75", "c23"])
def test_what_is_no_frame_is_refused(wrong: Frame, how: str) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        through([wrong], Compression.parse(how))


def test_jpeg_is_what_another_decoder_reads_and_halves_the_chroma() -> None:
    from PIL import Image

    (done,) = through([frame()], Compression.parse("jpeg:60"))
    buffer = io.BytesIO()
    Image.fromarray(frame()).save(buffer, "JPEG", quality=60, subsampling=2)
    read = cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(done.astype(int) - read).max() <= 3, "decoders may round chroma apart"


def test_colours_are_those_of_bt709_in_16_to_235() -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (12, 90, 200)):
        planes = _picture(np.full((16, 16, 3), colour, np.uint8)).to_ndarray()
        red, green, blue = (value / 255 for value in colour)
        luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        expected = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748)
        found = (planes[:16], planes[16:20], planes[20:])
        assert [float(plane.mean()) for plane in found] == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize(("width", "height"), [(96, 64), (97, 64), (96, 65), (33, 35)])
@pytest.mark.parametrize(("how", "limit"), [("h264:0", 3.5), ("c23", 6), ("c40", 14), ("jpeg:75", 5)])
def test_sizes_stay_and_pictures_are_near(width: int, height: int, how: str, limit: float) -> None:
    original = frame(1, width, height)
    (done,) = through([original], Compression.parse(how))
    assert done.shape == original.shape and done.dtype == np.uint8
    assert 0.1 < error(done, original) < limit
    if how != "c40":
        assert np.abs((done.astype(float) - original).mean((0, 1))).max() < 1.3, "the colours move"


@pytest.mark.parametrize("hows", [("jpeg:90", "jpeg:75", "jpeg:20"), ("h264:0", "c23", "c40")])
def test_stronger_is_worse(hows: tuple[str, ...]) -> None:
    errors = [error(through([frame()], Compression.parse(how))[0], frame()) for how in hows]
    assert errors == sorted(errors) and len(set(errors)) == 3


def test_a_clip_keeps_number_and_order_and_is_not_its_frames_one_by_one() -> None:
    clip = [np.roll(frame(2), 8 * k, 1) for k in range(8)]
    how = Compression.parse("h264:32")
    done = through(clip, how)
    assert len(done) == 8
    for k, one in enumerate(done):
        assert int(np.argmin([error(one, other) for other in clip])) == k, "the frames change places"
    alone = through(clip[:1], how)[0]
    assert not any(np.array_equal(one, through([other], how)[0]) for one, other in zip(done[1:], clip[1:], strict=True))
    assert alone.shape == done[0].shape


def test_a_clip_whose_size_changes_becomes_two() -> None:
    how = Compression.parse("c23")
    clip = [frame(0), frame(1), frame(2, 64, 48)]
    done = through(clip, how)
    np.testing.assert_array_equal(done[2], through(clip[2:], how)[0])
    np.testing.assert_array_equal(done[:2], through(clip[:2], how))


@pytest.mark.parametrize("how", ["jpeg:75", "c23"])
def test_the_same_frames_give_the_same_pictures_from_many_threads_too(how: str) -> None:
    clip = [np.roll(frame(3), k, 0) for k in range(4)]
    first = through(clip, Compression.parse(how))
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(lambda _: through(clip, Compression.parse(how)), range(100)):
            np.testing.assert_array_equal(other, first)


def test_nothing_is_nothing() -> None:
    assert through([], Compression.parse("c23")) == [] == through([], Compression.parse("jpeg:75"))


def manifest() -> Manifest:
    """Two sources onto a clip of three frames and a gap, with true swaps, and a clip that nobody swaps."""
    refs = [ImageRef(f"s{k}", "", f"S{k}", f"s{k}") for k in (0, 1)]
    refs += [ImageRef(f"t{k}", "", "T", "t", k) for k in (2, 0, 1, 7)]
    refs += [ImageRef(f"x{k}", "", "X", "x", k) for k in (0, 1)]
    # A true swap that shares video and frame with its target.
    refs += [ImageRef(f"true{k}", "", "S0", "t", k) for k in (0, 1)]
    pairs = [Pair(f"a{k}", "s0", f"t{k}", f"true{k}" if k < 2 else "") for k in (1, 0, 2, 7)]
    pairs += [Pair("b0", "s1", "t0")]
    return Manifest(tuple(refs), tuple(pairs), {}, "test")


def test_swaps_of_one_source_on_consecutive_frames_are_a_clip() -> None:
    assert sorted(clips.of_pairs(manifest(), moving=True)) == [("a0", "a1", "a2"), ("a7",), ("b0",)]
    assert sorted(clips.of_pairs(manifest(), moving=False)) == [("a0",), ("a1",), ("a2",), ("a7",), ("b0",)]


def test_targets_and_true_swaps_lie_together_as_their_swaps_do() -> None:
    found = clips.of_images(manifest(), moving=True)
    assert sorted(found) == [("s0",), ("s1",), ("t0", "t1", "t2"), ("t7",), ("true0", "true1"), ("x0", "x1")]
    assert sorted(clips.of_images(manifest(), moving=False)) == sorted((ref.image,) for ref in manifest().images)


def test_a_frame_that_is_there_twice_does_not_cut_the_clip() -> None:
    refs = [ImageRef(f"{line}{k}", "", "T", "t", k) for k in range(3) for line in "ab"]
    found = clips.of_images(Manifest(tuple(refs), (), {}, ""), moving=True)
    assert found == [("a0", "a1", "a2"), ("b0", "b1", "b2")]


class Loads:
    """Gives frames by name, and counts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.guard = threading.Lock()

    def __call__(self, name: str) -> Frame:
        with self.guard:
            self.names.append(name)
        if name == "broken":
            raise ImageError("broken")
        return frame(int(name))


def test_a_clip_is_compressed_once_and_together_whoever_asks() -> None:
    load, how = Loads(), Compression.parse("c40")
    frames = clips.Compressed(how, [("0", "1", "2"), ("3",)], load)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(frames.frame, ["2", "0", "1", "3", "0", "2"]))
    expected = through([frame(k) for k in range(3)], how)
    np.testing.assert_array_equal(found[:3], [expected[2], expected[0], expected[1]])
    assert sorted(load.names) == ["0", "1", "2", "3"]
    found[0][:] = 0
    np.testing.assert_array_equal(frames.frame("2"), expected[2])


def test_old_clips_make_room_for_new_ones() -> None:
    load = Loads()
    frames = clips.Compressed(Compression.parse("jpeg:75"), [("0", "1"), ("2",), ("3",)], load, room=2 * frame().nbytes)
    for name in ("0", "1", "2", "3", "2", "0"):
        frames.frame(name)
    assert load.names == ["0", "1", "2", "3", "0", "1"]


def test_a_clip_that_cannot_be_loaded_says_so_every_time() -> None:
    frames = clips.Compressed(Compression.parse("jpeg:75"), [("0", "broken")], Loads())
    for name in ("0", "broken"):
        with pytest.raises(ImageError, match="broken"):
            frames.frame(name)
    with pytest.raises(KeyError):
        frames.frame("nobody")
