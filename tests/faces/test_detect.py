import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.faces import align, scrfd, templates
from hifibench.faces.detect import Detector, match
from hifibench.records import Face

SEEDS = range(4)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def portraits(portrait) -> list[np.ndarray]:
    return [portrait(seed) for seed in SEEDS]


def eye_distance(face: Face) -> float:
    return float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))


def error(face: Face, expected: np.ndarray) -> float:
    """Mean distance of the landmarks, in eye distances."""
    return float(np.linalg.norm(face.landmarks - expected, axis=1).mean()) / eye_distance(face)


def test_portraits_have_one_plausible_face(detector, portraits):
    for frame in portraits:
        face = detector.choose(frame)
        left, top, right, bottom = face.box
        assert 0.5 < face.score <= 1
        assert face.box.dtype == face.landmarks.dtype == np.float32
        assert (face.landmarks > (left, top)).all()
        assert (face.landmarks < (right, bottom)).all()
        eyes, nose, mouth = face.landmarks[:2], face.landmarks[2], face.landmarks[3:]
        assert eyes[0, 0] < eyes[1, 0]
        assert mouth[0, 0] < mouth[1, 0]
        assert eyes[:, 1].max() < nose[1] < mouth[:, 1].min()


def test_the_same_pixels_give_the_same_face(detector, portraits):
    one, other = detector.choose(portraits[0]), Detector().choose(portraits[0].copy())
    np.testing.assert_array_equal(one.box, other.box)
    np.testing.assert_array_equal(one.landmarks, other.landmarks)
    assert one.score == other.score


@pytest.mark.parametrize("angle", [-40, -20, 20, 40])
def test_landmarks_follow_a_rotation(detector, portraits, angle):
    turn = cv2.getRotationMatrix2D((255.5, 255.5), angle, 1)
    for frame in portraits:
        turned = cv2.warpAffine(frame, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
        face = detector.choose(turned)
        assert error(face, align.apply(turn, detector.choose(frame).landmarks)) < 0.05


def test_landmarks_follow_a_shift_by_one_pixel(detector, portraits):
    for frame in portraits:
        shifted = np.pad(frame, ((1, 0), (1, 0), (0, 0)), "edge")[:512, :512]
        assert error(detector.choose(shifted), detector.choose(frame).landmarks + 1) < 0.015


def test_landmarks_withstand_compression(detector, portraits):
    for frame in portraits:
        packed = cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 1)
        assert error(detector.choose(packed), detector.choose(frame).landmarks) < 0.006


def test_mirror_images_have_mirrored_landmarks(detector, portraits):
    for frame in portraits:
        face = detector.choose(frame[:, ::-1])
        mirrored = face.landmarks[[1, 0, 2, 4, 3]] * (-1, 1) + (511, 0)
        assert error(detector.choose(frame), mirrored) < 0.02


@pytest.mark.parametrize("size", [60, 120, 400, 1080])
def test_faces_of_any_size_are_found_in_a_large_frame(detector, portraits, size):
    canvas = np.full((1080, 1920, 3), 90, np.uint8)
    canvas[:size, 700 : 700 + size] = cv2.resize(portraits[0], (size, size), interpolation=cv2.INTER_AREA)
    expected = (detector.choose(portraits[0]).landmarks + 0.5) * size / 512 - 0.5 + (700, 0)
    assert error(detector.choose(canvas), expected) < 0.08


def test_a_face_cut_close_is_found(detector, portraits):
    for frame in portraits:
        left, top, right, bottom = detector.choose(frame).box.clip(0, 512).astype(int)
        assert detector.choose(frame[top:bottom, left:right]) is not None


def test_no_face_is_an_empty_list(detector):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for frame in (noise, np.zeros((32, 32, 3), np.uint8), np.full((40, 2000, 3), 255, np.uint8)):
        assert detector.detect(frame) == []
        assert detector.choose(frame) is None


def side_by_side(portraits, first: int, second: int) -> np.ndarray:
    """Two portraits of these sizes on a row of 1024 by 512, each in the middle of its half."""
    row = np.full((512, 1024, 3), 128, np.uint8)
    for half, size in enumerate((first, second)):
        corner = (512 - size) // 2
        place = (slice(corner, corner + size), slice(512 * half + corner, 512 * half + corner + size))
        row[place] = cv2.resize(portraits[half], (size, size), interpolation=cv2.INTER_AREA)
    return row


@pytest.mark.parametrize(("first", "second", "chosen"), [(512, 300, 0), (300, 512, 1)])
def test_the_larger_of_two_faces_comes_first(detector, portraits, first, second, chosen):
    faces = detector.detect(side_by_side(portraits, first, second))
    assert len(faces) == 2
    assert [face.landmarks[2, 0] > 512 for face in faces] == [chosen == 1, chosen == 0]
    assert detector.choose(side_by_side(portraits, first, second)).box.tolist() == faces[0].box.tolist()


def test_of_two_alike_the_central_one_comes_first(detector, portraits):
    frame = np.full((400, 1200, 3), 128, np.uint8)
    small = cv2.resize(portraits[0], (400, 400), interpolation=cv2.INTER_AREA)
    frame[:, :400] = small
    frame[:, 400:800] = small
    faces = detector.detect(frame)
    assert [400 < face.landmarks[2, 0] < 800 for face in faces] == [True, False]


def boxed(*box: float) -> Face:
    return Face(np.array(box, np.float32), templates.FFHQ.astype(np.float32), 1.0)


def test_match_takes_the_best_overlap():
    reference, near, far = boxed(0, 0, 10, 10), boxed(1, 1, 11, 11), boxed(5, 5, 15, 15)
    assert match([far, near], reference) is near
    assert match([far], reference) is None  # 25 of 175
    assert match([far], reference, min_iou=0.1) is far
    assert match([], reference) is None


boxes = st.tuples(*[st.floats(0, 100)] * 4).map(lambda b: (b[0], b[1], b[0] + b[2] + 0.1, b[1] + b[3] + 0.1))


@given(boxes, boxes, st.floats(0.1, 10))
def test_overlap_is_symmetric_and_free_of_scale(one, other, scale):
    a, b = np.array(one), np.array(other)
    overlap = scrfd.iou(a, b[None])[0]
    assert 0 <= overlap <= 1 + 1e-12
    assert overlap == pytest.approx(scrfd.iou(b, a[None])[0])
    assert overlap == pytest.approx(scrfd.iou(scale * a, scale * b[None])[0], abs=1e-9)
    assert scrfd.iou(a, a[None])[0] == pytest.approx(1)


def test_overlap_of_a_known_pair():
    assert scrfd.iou(np.array([0, 0, 2, 2]), np.array([[1, 1, 3, 3], [2, 0, 4, 2]])) == pytest.approx([1 / 7, 0])
