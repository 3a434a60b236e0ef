import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces import align, templates
from hifibench.records import Face

SHAPE = (480, 640)
UPRIGHT = [name for name in templates.names() if name != "frame"]
FIVE_POINT = ["arcface", "arcface-v1", "arcface-85", "ffhq", "inswapper", "dlib"]


def face_at(angle: float = 0, scale: float = 0.5, shift: tuple[float, float] = (180, 90)) -> Face:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    place = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    points = align.apply(place, templates.FFHQ)
    middle = align.apply(place, (261, 281))
    half = scale * np.array([145, 184])
    return Face(np.concatenate([middle - half, middle + half]).astype(np.float32), points.astype(np.float32), 0.9)


def landmarks_in(face: Face, crop: Crop) -> np.ndarray:
    return align.apply(templates.matrix(face, crop, SHAPE), face.landmarks)


def insightface_points(size: int) -> np.ndarray:
    """estimate_norm of the InsightFace package, restated."""
    arcface = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    return arcface * size / 112 if size % 112 == 0 else (arcface + np.array([8, 0])) * size / 128


@pytest.mark.parametrize(("name", "size"), [("arcface", 112), ("arcface", 224), ("inswapper", 128), ("inswapper", 256)])
def test_arcface_points_are_met_exactly_by_a_face_of_that_shape(name, size):
    points = insightface_points(size)
    face = Face(np.zeros(4, np.float32), (2.5 * points + 31).astype(np.float32), 1)
    np.testing.assert_allclose(landmarks_in(face, Crop(name, size)), points, atol=1e-3)


# FaceFusion's face_helper.py: points as shares of the crop's side, by which the ONNX files that it publishes are run.
FACEFUSION = {
    "arcface-v1": [
        (0.35473214, 0.45658929),
        (0.64526786, 0.45658929),
        (0.50000000, 0.61154464),
        (0.37913393, 0.77687500),
        (0.62086607, 0.77687500),
    ],
    "arcface": [
        (0.34191607, 0.46157411),
        (0.65653393, 0.45983393),
        (0.50022500, 0.64050536),
        (0.37097589, 0.82469196),
        (0.63151696, 0.82325089),
    ],
    "inswapper": [
        (0.36167656, 0.40387734),
        (0.63696719, 0.40235469),
        (0.50019687, 0.56044219),
        (0.38710391, 0.72160547),
        (0.61507734, 0.72034453),
    ],
    "ffhq": [
        (0.37691676, 0.46864664),
        (0.62285697, 0.46912813),
        (0.50123859, 0.61331904),
        (0.39308822, 0.72541100),
        (0.61150205, 0.72490465),
    ],
    "arcface-85": [
        (0.36562865, 0.46733799),
        (0.63305391, 0.46585885),
        (0.50019127, 0.61942959),
        (0.39032951, 0.77598822),
        (0.61178945, 0.77476328),
    ],
}


@pytest.mark.parametrize("name", FACEFUSION)
@pytest.mark.parametrize("size", [112, 256, 512])
def test_crops_of_published_onnx_files_are_facefusions(name, size):
    points = size * np.array(FACEFUSION[name])
    template = templates._FIVE_POINTS[name]
    np.testing.assert_allclose(template.points * size / template.size, points, atol=1e-7 * size)
    face = Face(np.zeros(4, np.float32), (1.7 * points + 20).astype(np.float32), 1)
    np.testing.assert_allclose(landmarks_in(face, Crop(name, size)), points, atol=1e-3)


@pytest.mark.parametrize("name", FIVE_POINT)
@given(angle=st.floats(-3, 3), scale=st.floats(0.1, 3))
def test_five_point_crops_do_not_depend_on_where_and_how_large_the_face_is(name, angle, scale):
    still = landmarks_in(face_at(), Crop(name, 128))
    np.testing.assert_allclose(landmarks_in(face_at(angle, scale), Crop(name, 128)), still, atol=0.02)


def test_ffhq_scales_with_the_size():
    np.testing.assert_allclose(landmarks_in(face_at(), Crop("ffhq", 256)), templates.FFHQ / 2, atol=1e-3)


@pytest.mark.parametrize(("yaw", "best"), [(-2, 0), (-1, 1), (0, 2), (1, 3), (2, 4)])
def test_simswap_takes_the_template_of_the_nearest_pose(yaw, best):
    points = templates._SIMSWAP[best] * 3 + 10
    face = Face(np.zeros(4, np.float32), points.astype(np.float32), 1)
    np.testing.assert_allclose(landmarks_in(face, Crop("simswap-224", 224)), 2 * templates._SIMSWAP[best], atol=1e-3)
    assert np.sign(templates._SIMSWAP[best][2, 0] - 56) == np.sign(yaw)


def test_dlib_template_agrees_with_dlib_itself():
    dlib = pytest.importorskip("dlib")
    # Points 17-67 of dlib's mean face; the jaw (0-16) takes no part in its alignment.
    x = """.000213256 .0752622 .18113 .29077 .393397 .586856 .689483 .799124 .904991 .98004 .490127 .490127 .490127
        .490127 .36688 .426036 .490127 .554217 .613373 .121737 .187122 .265825 .334606 .260918 .182743 .645647 .714428
        .793132 .858516 .79751 .719335 .254149 .340985 .428858 .490127 .551395 .639268 .726104 .642159 .556721 .490127
        .423532 .338094 .290379 .428096 .490127 .552157 .689874 .553364 .490127 .42689"""
    y = """.106454 .038915 .0187482 .0344891 .0773906 .0773906 .0344891 .0187482 .038915 .106454 .203352 .307009
        .409805 .515625 .587326 .609345 .628106 .609345 .587326 .216423 .178758 .179852 .231733 .245099 .244077 .231733
        .179852 .178758 .216423 .244077 .245099 .780233 .745405 .727388 .742578 .727388 .745405 .780233 .864805 .902192
        .909281 .902192 .864805 .784792 .778746 .785343 .778746 .784792 .824182 .831803 .824182"""
    mean = np.array([x.split(), y.split()], float).T
    turn = 1000 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    points = np.rint(np.vstack([np.zeros((17, 2)), mean]) @ turn.T + 2000)
    parts = [dlib.point(int(px), int(py)) for px, py in points]
    details = dlib.get_face_chip_details(
        dlib.full_object_detection(dlib.rectangle(0, 0, 10, 10), parts), size=150, padding=0.25
    )
    five = [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
    face = Face(np.zeros(4, np.float32), np.array(five, np.float32), 1)
    ours = templates.matrix(face, Crop("dlib", 150), (4000, 4000))
    middle = np.array([details.rect.center().x, details.rect.center().y], float)
    np.testing.assert_allclose(align.apply(ours, middle), (75, 75), atol=0.6)
    assert align.shrinkage(ours) == pytest.approx(details.rect.width() / 150, rel=0.01)
    assert np.arctan2(ours[1, 0], ours[0, 0]) == pytest.approx(-details.angle, abs=0.002)


def test_deep3d_follows_its_published_steps():
    face, height = face_at(angle=0.15), SHAPE[0]
    found = templates.matrix(face, Crop("deep3d", 224), SHAPE)
    # POS of Deep3DFaceRecon: an 8-parameter linear system with x and y rows interleaved.
    points = face.landmarks.astype(float).copy()
    points[:, 1] = height - 1 - points[:, 1]
    system = np.zeros((10, 8))
    system[0::2, :3], system[0::2, 3] = templates._DEEP3D, 1
    system[1::2, 4:7], system[1::2, 7] = templates._DEEP3D, 1
    k = np.linalg.lstsq(system, points.reshape(-1), rcond=None)[0]
    scale = 102 / ((np.linalg.norm(k[:3]) + np.linalg.norm(k[4:7])) / 2)
    resized = scale * np.array(SHAPE[::-1])
    corner = resized / 2 - 112 + np.array([k[3] - SHAPE[1] / 2, SHAPE[0] / 2 - k[7]]) * scale
    expected = scale * (face.landmarks + 0.5) - 0.5 - corner
    np.testing.assert_allclose(align.apply(found, face.landmarks), expected, atol=1e-3)
    assert found[0, 1] == found[1, 0] == 0


def square_of(name: str, face: Face, size: int = 100, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """The frame region that a crop shows, as slice bounds: left, top, right, bottom."""
    back = align.invert(templates.matrix(face, Crop(name, size), shape))
    return align.apply(back, [(-0.5, -0.5), (size - 0.5, size - 0.5)]).ravel() + 0.5


def boxed(left: float, top: float, right: float, bottom: float) -> Face:
    return Face(np.array([left, top, right, bottom], np.float32), face_at().landmarks, 1)


@pytest.mark.parametrize(
    ("name", "box", "expected"),
    [
        # 1.3 times the longer side of 120
        ("ffpp-xception", (200, 100, 300, 220), (172, 82, 328, 238)),
        # starts left of the frame: moved in, then cut on the right and below
        ("ffpp-xception", (0, 380, 100, 480), (0, 365, 115, 480)),
        # 2 widths by 2 heights, cut to a square at the middle
        ("hopenet", (200, 100, 300, 220), (150, 30, 350, 230)),
        # 1.3 times the mean side of 110, 11 lower
        ("box", (200, 100, 300, 220), (178.5, 99.5, 321.5, 242.5)),
        # 2.2 times the mean side of 110, 16.5 higher
        ("ringnet", (200, 200, 300, 320), (129, 122.5, 371, 364.5)),
        # a third of each side more: 166 by 200, the narrow one in the middle of 200
        ("dfdc", (200, 100, 300, 220), (150, 60, 350, 260)),
    ],
)
def test_box_crops_show_the_published_region(name, box, expected):
    np.testing.assert_allclose(square_of(name, boxed(*box)), expected, atol=0.51)


@pytest.mark.parametrize("name", ["ffpp-xception", "hopenet", "dfdc"])
def test_box_crops_equal_slicing_and_resizing(name):
    frame = np.random.default_rng(3).integers(0, 256, (*SHAPE, 3), np.uint8)
    face = boxed(200, 100, 320, 220)
    left, top, right, bottom = np.rint(square_of(name, face, 64)).astype(int)
    crop, _ = templates.take(frame, face, Crop(name, 64))
    expected = cv2.resize(frame[top:bottom, left:right], (64, 64), interpolation=cv2.INTER_AREA)
    assert abs(align.hwc(crop).astype(int) - expected).mean() < 6  # of a mean difference of 60 between neighbours


# list_landmarks_align_celeba.txt, 000001.jpg to 000005.jpg; pictures of 178 by 218.
CELEBA = np.array(
    [
        (69, 109, 106, 113, 77, 142, 73, 152, 108, 154),
        (69, 110, 107, 112, 81, 135, 70, 151, 108, 153),
        (76, 112, 104, 106, 108, 128, 74, 156, 98, 158),
        (72, 113, 108, 108, 101, 138, 71, 155, 101, 151),
        (66, 114, 112, 112, 86, 119, 71, 147, 104, 150),
    ]
).reshape(-1, 5, 2)


def test_ringnet_sees_as_much_as_on_the_photographs_of_its_demo():
    # Its demo shows aligned CelebA photographs whole, repeating their edges to a square of 218 about the middle.
    mean = templates.mean_face()
    boxes = []
    for points in CELEBA:
        placed = align.similarity(mean.landmarks, points)
        corners = align.apply(placed, mean.box.reshape(2, 2))
        boxes.append(corners.ravel())
    face = Face(np.mean(boxes, 0).astype(np.float32), CELEBA.mean(0).astype(np.float32), 1)
    np.testing.assert_allclose(square_of("ringnet", face, 224, (218, 178)), (-20, 0, 198, 218), atol=4)


def test_ringnet_repeats_the_edge_beyond_the_frame():
    frame = np.full((*SHAPE, 3), 200, np.uint8)
    crop, _ = templates.take(frame, boxed(0, 0, 200, 200), Crop("ringnet", 224))
    np.testing.assert_allclose(crop, 200 / 255, atol=1e-3)


def test_dfdc_pads_the_short_side_with_black():
    frame = np.full((*SHAPE, 3), 255, np.uint8)
    crop, _ = templates.take(frame, boxed(200, 100, 290, 220), Crop("dfdc", 200))
    # 150 of 200 columns are seen
    assert (crop[:, :, 26:174] == 1).all()
    assert (crop[:, :, :24] == 0).all()
    assert (crop[:, :, 176:] == 0).all()


@pytest.mark.parametrize("name", ["box", "deep3d", "ffpp-xception", "hopenet", "ringnet", "dfdc"])
def test_upright_crops_keep_the_roll(name):
    matrix = templates.matrix(face_at(angle=0.4), Crop(name, 120), SHAPE)
    assert matrix[0, 1] == matrix[1, 0] == 0
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])


@pytest.mark.parametrize("name", UPRIGHT)
def test_every_crop_shows_all_landmarks(name):
    inside = landmarks_in(face_at(), Crop(name, 200))
    assert (inside > 20).all()
    assert (inside < 180).all()


@pytest.mark.parametrize("name", [name for name in UPRIGHT if name != "dfdc"])
def test_a_moved_face_moves_the_crop_along(name):
    one = templates.matrix(face_at(shift=(180, 150)), Crop(name, 64), SHAPE)
    two = templates.matrix(face_at(shift=(180.25, 150.5)), Crop(name, 64), SHAPE)
    np.testing.assert_allclose(align.apply(two, (0.25, 0.5)), one[:, 2], atol=1e-3)


def test_frame_is_left_alone():
    frame = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    crop, matrix = templates.take(frame, face_at(), Crop("frame"))
    np.testing.assert_array_equal(matrix, np.eye(2, 3))
    np.testing.assert_array_equal(align.hwc(crop), frame)


@pytest.mark.parametrize(
    ("crop", "said"),
    [
        (Crop("arcfacee", 112), r"Unknown crop template 'arcfacee'. Did you mean 'arcface'\?"),
        (Crop("ffhq"), "'ffhq' needs a size in pixels; given 0"),
    ],
)
def test_matrix_refuses(crop, said):
    with pytest.raises(UsageError, match=said):
        templates.matrix(face_at(), crop, SHAPE)


@pytest.mark.parametrize("name", ["arcface", "deep3d"])
def test_a_face_in_one_spot_is_refused(name):
    face = Face(np.array([0, 0, 9, 9], np.float32), np.full((5, 2), 3, np.float32), 1)
    with pytest.raises(ValueError, match="one spot"):
        templates.matrix(face, Crop(name, 112), SHAPE)


@pytest.mark.parametrize("name", ["ffpp-xception", "hopenet", "dfdc"])
def test_a_box_beside_the_frame_is_refused(name):
    with pytest.raises(ValueError, match="nothing of the frame"):
        templates.matrix(boxed(900, 700, 1000, 800), Crop(name, 112), SHAPE)
