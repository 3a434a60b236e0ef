import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.contracts import Crop
from hifibench.faces.paste import soft_mask
from hifibench.faces.segment import checked, dilate, fault, silhouette

SIZE = 200


def lattice() -> np.ndarray:
    """Points all over the crop, neither on whole pixels nor halfway between two."""
    line = np.arange(-60, SIZE + 60, np.e / 1.6)
    return np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)


def disc(radius: float, centre: tuple[float, float] = (100, 100)) -> np.ndarray:
    points = lattice()
    return points[np.hypot(*(points - centre).T) <= radius]


def disc_mask(radius: float, size: int = SIZE, centre: tuple[float, float] = (100, 100)) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.hypot(x - centre[0], y - centre[1]) <= radius


def test_a_dense_disc_is_filled_to_its_rim() -> None:
    seen, expected = silhouette(disc(60), SIZE), disc_mask(60)
    assert seen.sum() == pytest.approx(expected.sum(), rel=0.03)
    assert (seen & ~disc_mask(62)).sum() == 0


def test_a_hollow_stays_hollow_where_a_convex_hull_would_bridge_it() -> None:
    points = lattice()
    bent = points[((points > 40) & (points < 160)).all(1) & ~((points > 90).all(1))]
    seen = silhouette(bent, SIZE)
    assert seen[60:150, 60:85].all() and not seen[100:, 100:].any()
    assert seen.sum() == pytest.approx(120**2 - 70**2, rel=0.05)


def test_an_open_mouth_is_filled() -> None:
    points = disc(70)
    ring = points[np.hypot(*(points - (100, 120)).T) > 20]
    np.testing.assert_array_equal(silhouette(ring, SIZE), silhouette(points, SIZE))


def test_silhouette_scales_with_the_crop() -> None:
    small, large = silhouette(disc(60), SIZE), silhouette(2 * disc(60), 2 * SIZE)
    assert small.mean() == pytest.approx(large.mean(), rel=0.03)


@given(st.integers(-90, 90), st.integers(-90, 90))
def test_a_shifted_cloud_gives_the_shifted_silhouette_also_across_the_border(dx: int, dy: int) -> None:
    points = disc(50)
    whole = silhouette(points + 100, 2 * SIZE)
    expected = whole[100 - dy : 300 - dy, 100 - dx : 300 - dx]
    np.testing.assert_array_equal(silhouette(points + np.array([dx, dy]), SIZE), expected)


def test_a_cloud_beside_the_crop_leaves_no_silhouette() -> None:
    assert not silhouette(disc(30) + 5000, SIZE).any()


@pytest.mark.parametrize("points", [np.zeros((5, 3)), np.zeros((0, 2)), np.full((5, 2), np.nan)])
def test_other_points_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"takes \(N, 2\) finite points"):
        silhouette(points, SIZE)


@pytest.mark.parametrize("radius", [20, 50])
def test_dilation_is_a_fraction_of_the_square_root_of_the_area(radius: int) -> None:
    wide = dilate(disc_mask(radius), 0.2)
    assert wide.sum() == pytest.approx(np.pi * (radius * (1 + 0.2 * np.sqrt(np.pi))) ** 2, rel=0.02)


@given(st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_wider_dilation_contains_a_narrower_one(one: float, other: float) -> None:
    narrow, wide = (dilate(disc_mask(40), share) for share in sorted((one, other)))
    assert (wide | ~narrow).all() and narrow[disc_mask(40)].all()


def test_nothing_is_dilated_from_nothing_nor_by_nothing() -> None:
    assert not dilate(np.zeros((9, 9), bool)).any()
    np.testing.assert_array_equal(dilate(disc_mask(40), 0), disc_mask(40))


def test_a_negative_dilation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share >= 0; given -0\.1"):
        dilate(disc_mask(40), -0.1)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_the_mean_face_is_plausible_and_a_face_beside_it_is_not(size: int) -> None:
    crop = Crop("ffhq", size)
    mask = soft_mask(crop) > 0.1
    assert fault(mask, crop) == ""
    # By a third of the crop to the right: only the right eye stays inside.
    assert fault(np.roll(mask, size // 3, axis=1), crop) == "the face mask misses 4 of the 5 landmarks"


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.zeros((256, 256), bool), "the face mask covers 0% of the crop, less than 10%"),
        (disc_mask(150, 256, (128, 128)), "the face mask covers 94% of the crop, more than 80%"),
        (disc_mask(60, 256, (60, 60)), "the face mask misses 5 of the 5 landmarks"),
    ],
)
def test_a_mask_that_cannot_be_a_face_is_told(mask: np.ndarray, expected: str) -> None:
    assert fault(mask, Crop("ffhq", 256)) == expected


@pytest.mark.parametrize(
    "image", [np.zeros((128, 128, 3), np.uint8), np.zeros((256, 256), np.uint8), np.zeros((256, 256, 3), np.float32)]
)
def test_another_size_shape_or_type_of_crop_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"takes ffhq crops \(256, 256, 3\) of uint8 RGB; given \("):
        checked(image, Crop("ffhq", 256))
