"""Numbers of a picture: kept where no swap is, and the right colours where one is."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from hifibench.records import Frame
from hifibench.video.orientation import Orientation
from hifibench.video.picture import Colour, Shown, colour_of, encodable, even, rgb

UPRIGHT = Orientation()
# Kr and Kb of ITU-R BT.709 and BT.601, and the numbers of H.273 for them.
MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114)}


def planes(values: np.ndarray, space: int, full: bool) -> np.ndarray:
    """8-bit Y, Cb, Cr of flat colours, by the formulas of the recommendations."""
    kr, kb = MATRICES[space]
    red, green, blue = values.astype(float) / 255
    y = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    low, luma, chroma = (0, 255, 255) if full else (16, 219, 224)
    return np.array([low + luma * y, 128 + chroma * cb, 128 + chroma * cr])


def decoded(array: np.ndarray, colour: Colour) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(array, format="yuv420p")
    picture.colorspace, picture.color_range = colour.space, colour.range
    picture.color_primaries, picture.color_trc = colour.primaries, colour.transfer
    picture.pts, picture.time_base, picture.duration = 77, Fraction(1, 600), 24
    return picture


def noise(height: int = 32, width: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(40, 210, (height * 3 // 2, width)).astype(np.uint8)


def shown(picture: av.VideoFrame, orientation: Orientation = UPRIGHT) -> Shown:
    return Shown(picture, orientation.upright(rgb(picture)), 0.0)


@pytest.mark.parametrize("space", MATRICES)
@pytest.mark.parametrize("full", [False, True])
def test_flat_colours_are_those_of_the_recommendation_both_ways(space: int, full: bool) -> None:
    colour = Colour(space, 2 if full else 1, 1, 1)
    for value in ((200, 60, 40), (30, 160, 90), (128, 128, 128)):
        expected = planes(np.array(value), space, full)
        array = np.concatenate(
            [np.full(n, v) for n, v in zip((32 * 48, 16 * 24, 16 * 24), expected.round(), strict=True)]
        )
        one = shown(decoded(array.reshape(48, 48).astype(np.uint8), colour))
        assert np.abs(one.frame.astype(int) - value).max() <= 3
        painted = np.full_like(one.frame, (250, 250, 250))
        painted[:] = (90, 20, 170)
        made = encodable(one, painted, UPRIGHT, colour).to_ndarray().ravel()
        wanted = planes(np.array((90, 20, 170)), space, full)
        got = [made[: 32 * 48].mean(), made[32 * 48 : -16 * 24].mean(), made[-16 * 24 :].mean()]
        np.testing.assert_allclose(got, wanted, atol=1.2)


def test_an_untouched_picture_keeps_all_its_numbers_and_its_time() -> None:
    colour, array = Colour(1, 1, 9, 14), noise()
    picture = decoded(array, colour)
    made = encodable(shown(picture), None, UPRIGHT, colour)
    np.testing.assert_array_equal(made.to_ndarray(), array)
    assert (made.pts, made.time_base, made.duration, made.pict_type) == (77, Fraction(1, 600), 24, 0)
    assert (made.colorspace, made.color_range, made.color_primaries, made.color_trc) == colour


def test_numbers_change_only_where_pixels_do() -> None:
    colour, array = Colour(1, 1, 1, 1), noise()
    one = shown(decoded(array, colour))
    swapped = one.frame.copy()
    swapped[8:17, 10:21] = (0, 255, 0)
    made = encodable(one, swapped, UPRIGHT, colour).to_ndarray()
    changed = made != array
    luma = np.zeros((32, 48), bool)
    luma[8:17, 10:21] = True
    assert not changed[:32][~luma].any() and changed[:32][luma].mean() > 0.95
    for plane in np.split(changed[32:].ravel(), 2):
        touched = np.argwhere(plane.reshape(16, 24))
        assert touched.min(0).tolist() == [4, 5] and touched.max(0).tolist() == [8, 10]


def test_by_way_of_rgb_a_picture_gets_no_darker() -> None:
    colour = Colour(1, 1, 1, 1)
    array = noise(64, 64)
    array[64:] = 128 + (array[64:].astype(int) - 125) // 16  # strong colours would leave RGB's range
    one = shown(decoded(array, colour))
    made = encodable(one, one.frame ^ 1, UPRIGHT, colour).to_ndarray()
    assert abs(float(made[:64].mean()) - float(array[:64].mean())) < 0.2


@pytest.mark.parametrize(
    "orientation",
    [Orientation(transposed, across, down) for transposed in (0, 1) for across in (0, 1) for down in (0, 1)],
)
def test_orientations_go_there_and_back(orientation: Orientation) -> None:
    picture: Frame = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    np.testing.assert_array_equal(orientation.stored(orientation.upright(picture)), picture)
    colour, array = Colour(1, 1, 1, 1), noise()
    one = shown(decoded(array, colour), orientation)
    swapped = one.frame.copy()
    swapped[2:4, 6:8] = 255
    changed = encodable(one, swapped, orientation, colour).to_ndarray()[:32] != array[:32]
    marked = np.zeros(one.frame.shape[:2], bool)
    marked[2:4, 6:8] = True
    np.testing.assert_array_equal(changed, orientation.stored(marked))


def test_odd_sides_are_filled_up_with_the_last_pixels() -> None:
    assert even((161, 121)) == (162, 122) and even((160, 120)) == (160, 120)
    frame = np.zeros((31, 47, 3), np.uint8)
    frame[:, 46] = 255
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    made = encodable(Shown(picture, frame, 0.0), None, UPRIGHT, Colour(1, 1, 1, 1)).to_ndarray(format="rgb24")
    assert made.shape == (32, 48, 3)
    assert made[:, 46:].min() > 200 and made[:, :44].max() < 60


def test_colours_are_what_the_video_says() -> None:
    assert colour_of(decoded(noise(), Colour(9, 1, 9, 16))) == Colour(9, 1, 9, 16)
    jpeg = av.VideoFrame.from_ndarray(noise(), format="yuvj420p")
    assert colour_of(jpeg).range == 2
    assert colour_of(av.VideoFrame.from_ndarray(np.zeros((4, 4, 3), np.uint8), format="rgb24"))[:2] == (1, 1)
