import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hifibench.experts import landmarker
from hifibench.experts.landmarker import BLENDSHAPES, CARD, N_VERTICES, Landmarker, colours
from hifibench.faces import canonical
from hifibench.faces.mesh_shape import shape_mm
from hifibench.faces.pose import euler_deg

SEEDS = (21, 22, 23, 24)


@pytest.fixture(scope="module")
def expert() -> Landmarker:
    return Landmarker()


@pytest.fixture(scope="module")
def given(portrait, crops) -> np.ndarray:
    return crops(CARD, [portrait(seed) for seed in SEEDS])


@pytest.fixture(scope="module")
def seen(expert: Landmarker, given: np.ndarray) -> dict[str, np.ndarray]:
    return expert.observe(given)


def test_outputs_are_what_the_card_says(seen: dict[str, np.ndarray]) -> None:
    shapes = {
        **{"landmarks": (478, 3), "blendshapes": (52,), "pose_deg": (3,), "shape": (513,), "transform": (4, 4)},
        "colours": (468, 3),
    }
    assert set(seen) == set(CARD.outputs) == set(shapes)
    for name, values in seen.items():
        assert values.shape == (len(SEEDS), *shapes[name])
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert CARD.outputs[name].startswith(str(shapes[name]))
    assert 0 <= seen["blendshapes"].min() <= seen["blendshapes"].max() <= 1


def test_landmarks_are_pixels_of_the_crop(seen: dict[str, np.ndarray]) -> None:
    x, y, z = np.moveaxis(seen["landmarks"], -1, 0)
    right_of_left_eye = x[:, 263] > x[:, 33]
    assert right_of_left_eye.all()
    assert (y[:, 152] > y[:, 10] + 100).all()  # chin below forehead
    assert (z[:, 4] < z[:, [234, 454]].min(1)).all()  # the nose is nearer than the ears
    assert (x > 0).all()
    assert (x < CARD.crop.size).all()


def test_mirrored_crops_give_mirrored_landmarks_without_a_shift(expert: Landmarker, given, seen) -> None:
    mirrored = expert.observe(np.ascontiguousarray(given[..., ::-1]))["landmarks"]
    left, right = [33, 133, 61, 234], [263, 362, 291, 454]
    sums = mirrored[:, left + right, 0] + seen["landmarks"][:, right + left, 0]
    # Pixel x becomes size - 1 - x; half a pixel of wrong convention would show as a shift of one.
    assert sums.mean() == pytest.approx(CARD.crop.size - 1, abs=0.4)


def test_pose_and_shape_come_from_the_mesh(seen: dict[str, np.ndarray]) -> None:
    for row in range(len(SEEDS)):
        mesh = seen["landmarks"][row]
        np.testing.assert_allclose(seen["pose_deg"][row], euler_deg(canonical.fit(mesh).rotation), atol=1e-4)
        np.testing.assert_allclose(seen["shape"][row], shape_mm(mesh).ravel(), atol=1e-4)


def test_colours_are_those_of_the_crop_at_the_vertices(seen: dict[str, np.ndarray], given: np.ndarray) -> None:
    for row in range(len(SEEDS)):
        image = np.rint(given[row] * 255).astype(np.uint8).transpose(1, 2, 0)
        points = seen["landmarks"][row, :N_VERTICES, :2]
        np.testing.assert_allclose(seen["colours"][row], _means_of_patches(image, points), atol=1e-6)
    x, y = np.rint(points).astype(int).T
    nearest = given[-1].transpose(1, 2, 0)[y, x]
    assert np.abs(seen["colours"][-1] - nearest).mean() < 0.03


def test_colours_between_pixels_are_interpolated_and_beyond_the_picture_unknown() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    points = rng.uniform((-2, -2), (31, 21), (500, 2)).astype(np.float32)
    points[:4] = [0, 0], [29, 19], [29.01, 5], [5, -0.01]
    found = colours(image, points)
    np.testing.assert_allclose(found, _means_of_patches(image, points), atol=1e-6)
    np.testing.assert_array_equal(np.isnan(found[:4]).all(1), [False, False, True, True])
    assert found.dtype == np.float32


def _means_of_patches(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The same by another way: the whole picture is averaged, then read between its pixels."""
    height, width = image.shape[:2]
    wide = np.pad(image.astype(np.float64) / 255, ((1, 2), (1, 2), (0, 0)), mode="edge")
    means = sum(wide[i : i + height + 1, j : j + width + 1] for i in range(3) for j in range(3)) / 9
    means[-1], means[:, -1] = means[-2], means[:, -2]
    rows = []
    for x, y in points.astype(np.float64):
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            rows.append(np.full(3, np.nan))
            continue
        left, top = int(x), int(y)
        square = means[top : top + 2, left : left + 2]
        rows.append(np.array([1 - y + top, y - top]) @ np.tensordot([1 - x + left, x - left], square, (0, 1)))
    return np.array(rows)


def test_own_pose_agrees_in_sign_with_mediapipes(seen: dict[str, np.ndarray]) -> None:
    theirs = euler_deg(seen["transform"][:, :3, :3])
    np.testing.assert_allclose(theirs, seen["pose_deg"], atol=8)


def test_shape_tells_people_apart_better_than_views(expert: Landmarker, portrait, crops) -> None:
    views = [0, 1, 2]
    shapes = expert.observe(crops(CARD, [portrait(seed, view) for seed in SEEDS for view in views]))["shape"]
    person = np.repeat(np.arange(len(SEEDS)), len(views))
    distances = np.sqrt(3 * np.square(shapes[:, None] - shapes[None]).mean(-1))
    same = (person[:, None] == person) & ~np.eye(len(person), dtype=bool)
    other = person[:, None] != person
    assert distances[same].mean() < 0.7 * distances[other].mean()


def test_smile_raises_the_smile_score(seen: dict[str, np.ndarray]) -> None:
    corners = seen["landmarks"][:, [61, 291]]
    width = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    smile = seen["blendshapes"][:, BLENDSHAPES.index("mouthSmileLeft")]
    assert np.corrcoef(width, smile)[0, 1] > 0


def test_no_face_gives_nan_rows_and_leaves_the_others_alone(expert: Landmarker, given, seen) -> None:
    empty = np.full_like(given[:1], 0.5)
    mixed = expert.observe(np.concatenate([empty, given[:1]]))
    for name, values in mixed.items():
        assert np.isnan(values[0]).all()
        np.testing.assert_array_equal(values[1], seen[name][0])


def test_rows_do_not_depend_on_order_history_or_threads(expert: Landmarker, given, seen) -> None:
    order = [row for _ in range(3) for row in (2, 0, 3, 1)]
    with ThreadPoolExecutor(3) as threads:
        looks = list(threads.map(lambda row: expert.observe(given[row : row + 1])["landmarks"][0], order))
    for row, landmarks in zip(order, looks, strict=True):
        np.testing.assert_array_equal(landmarks, seen["landmarks"][row])
    np.testing.assert_array_equal(Landmarker().observe(given[::-1])["landmarks"][::-1], seen["landmarks"])


@pytest.mark.parametrize("first", ["", "import mediapipe.tasks.python.vision\n"])
def test_nothing_is_written_to_the_terminal_from_start_to_exit(first: str) -> None:
    program = first + (
        "import numpy as np\n"
        "from hifibench.experts.landmarker import Landmarker\n"
        "expert = Landmarker()\n"
        "print(np.isnan(expert.observe(np.zeros((1, 3, 256, 256), np.float32))['pose_deg']).all())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"
    assert done.stderr == ""


def test_no_landmarker_is_ever_destroyed() -> None:
    """Its destructor would hang, or complain when the interpreter has taken its functions away."""
    program = (
        "import gc, weakref\n"
        "from hifibench.experts import landmarker\n"
        "with landmarker._pool().borrow() as opened:\n"
        "    left = weakref.ref(opened)\n"
        "del opened\n"
        "landmarker._pool.cache_clear()\n"
        "gc.collect()\n"
        "print(left() is not None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"
    assert done.stderr == ""


def test_use_is_not_reported() -> None:
    """With no authority to trust, MediaPipe's HTTPS client cannot complete a handshake with anybody."""
    assert landmarker._base_options().to_ctypes().ca_bundle_path == os.devnull.encode()


def test_experts_share_landmarkers_and_outlive_each_other() -> None:
    """MediaPipe hangs if a landmarker is left to the garbage collector."""
    program = (
        "import gc\n"
        "import numpy as np\n"
        "from hifibench.experts.landmarker import Landmarker\n"
        "for _ in range(5):\n"
        "    Landmarker().observe(np.zeros((1, 3, 256, 256), np.float32))\n"
        "    gc.collect()\n"
        "print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "done\n"


def test_native_messages_are_shown_when_loading_fails(capfd) -> None:
    with pytest.raises(RuntimeError, match="lost"), landmarker._quiet():
        os.write(2, b"native words")
        raise RuntimeError("lost")
    assert capfd.readouterr().err == "native words"


def test_bad_crops_are_refused(expert: Landmarker) -> None:
    with pytest.raises(ValueError, match=r"mediapipe takes RGB in \[0, 1\]; given values from 0 to 255"):
        expert.observe(np.linspace(0, 255, 3 * 256 * 256, dtype=np.float32).reshape(1, 3, 256, 256))
