from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hifibench.contracts import Crop
from hifibench.data.segment import GeometricSegmenter, face_vertices, make_segmenter
from hifibench.errors import UsageError
from hifibench.experts import landmarker
from hifibench.experts.reconstruction import Tddfa
from hifibench.faces import align, recrop, templates
from hifibench.faces.detect import Detector
from hifibench.faces.masks import FACE_OVAL
from hifibench.faces.morphable import load_tddfa
from hifibench.faces.parsing import ParsingSegmenter
from hifibench.faces.segment import fault
from hifibench.records import Frame

CROP = Crop("ffhq", 256)
SEEDS = (11, 2_000_000_001, 2_000_000_002)
Cut = Callable[..., Frame]


@pytest.fixture(scope="module")
def segmenter() -> GeometricSegmenter:
    return GeometricSegmenter(CROP)


@pytest.fixture(scope="module")
def cut(portrait: Callable[..., Frame]) -> Cut:
    """``cut(seed, crop)`` gives a portrait's face as the crop."""
    detector = Detector()

    def of(seed: int, crop: Crop = CROP) -> Frame:
        frame = portrait(seed)
        face = detector.choose(frame)
        assert face is not None
        return align.hwc(templates.take(frame, face, crop)[0])

    return of


def landmarks(expert: landmarker.Landmarker | Tddfa, image: Frame) -> np.ndarray:
    """What a network sees, ``(N, 2)`` pixels of the crop."""
    matrix = recrop.matrix(CROP, expert.card.crop)
    view = align.cut(image, matrix, expert.card.crop.size)
    return align.apply(align.invert(matrix), expert.observe(view[None])["landmarks"][0, :, :2])


def oval(image: Frame) -> np.ndarray:
    """MediaPipe's outline of the face, from the top of the forehead."""
    return landmarks(landmarker.Landmarker(), image)[list(FACE_OVAL)]


def ibug(image: Frame) -> np.ndarray:
    """3DDFA_V2's 68 landmarks, the jaw first."""
    return landmarks(Tddfa(), image)


def inside(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    x, y = np.rint(points).astype(int).T
    return mask[y, x]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_outline_jaw_and_chin_are_inside_with_room_around_them(
    seed: int, segmenter: GeometricSegmenter, cut: Cut
) -> None:
    image = cut(seed)
    mask, points = segmenter.segment(image), ibug(image)
    assert inside(mask, oval(image)).all()
    away = points[3:14] - points.mean(0)  # the ends of the jaw line lie at the ears
    assert inside(mask, points[3:14] + 2 * away / np.linalg.norm(away, axis=1)[:, None]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_neck_hair_and_background_are_outside(seed: int, segmenter: GeometricSegmenter, cut: Cut) -> None:
    image = cut(seed)
    mask, outline = segmenter.segment(image), oval(image)
    height = np.ptp(outline[:, 1])
    hair, neck = outline[0] - (0, 0.15 * height), ibug(image)[8] + (0, 0.12 * height)
    assert not inside(mask, np.array([hair, neck]).clip(0, 255)).any()
    assert not mask[:, :10].any() and not mask[:, -10:].any() and not mask[:10].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_one_plausible_piece_without_holes(seed: int, segmenter: GeometricSegmenter, cut: Cut) -> None:
    mask = segmenter.segment(cut(seed))
    assert fault(mask, CROP) == ""
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2
    assert cv2.connectedComponents((~mask).astype(np.uint8))[0] == 2


def test_a_mirrored_face_gives_the_mirrored_mask(segmenter: GeometricSegmenter, cut: Cut) -> None:
    image = cut(SEEDS[0])
    mirrored = segmenter.segment(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]
    assert overlap(segmenter.segment(image), mirrored) > 0.95


@pytest.mark.parametrize("size", [128, 512])
def test_the_mask_scales_with_the_crop(size: int, segmenter: GeometricSegmenter, cut: Cut) -> None:
    crop = Crop("ffhq", size)
    mask = GeometricSegmenter(crop).segment(cut(SEEDS[0], crop)).astype(np.float32)
    resized = cv2.resize(mask, (256, 256), interpolation=cv2.INTER_LINEAR) > 0.5
    assert overlap(segmenter.segment(cut(SEEDS[0])), resized) > 0.97


def test_the_mesh_stands_alone_where_mediapipe_sees_no_face(
    segmenter: GeometricSegmenter, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = cut(SEEDS[0])
    both = segmenter.segment(image)
    nothing = {"landmarks": np.full((1, 478, 3), np.nan, np.float32)}
    monkeypatch.setattr(landmarker.Landmarker, "observe", lambda self, crops: nothing)
    alone = segmenter.segment(image)
    assert (alone != both).any() and overlap(alone, both) > 0.9
    assert inside(alone, ibug(image)[17:]).all()


def test_the_ends_of_the_jaw_line_at_the_ears_are_no_face_and_all_other_landmarks_are() -> None:
    model = load_tddfa()
    is_face = face_vertices(model.mean)[model.keypoints]
    np.testing.assert_array_equal(np.flatnonzero(~is_face), [0, 1, 2, 14, 15, 16])


def test_fingerprint_is_the_same_for_the_same_crop_only(segmenter: GeometricSegmenter) -> None:
    assert make_segmenter(CROP).fingerprint == segmenter.fingerprint
    assert make_segmenter(Crop("ffhq", 128)).fingerprint != segmenter.fingerprint


def test_a_parser_takes_the_place_of_the_geometry(tmp_path: Path) -> None:
    everything_is_skin = {"weight": np.zeros((19, 3, 1, 1), np.float32), "bias": np.eye(19, dtype=np.float32)[1]}
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weight", "bias"], ["scores"])],
        "parser",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 512, 512))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in everything_is_skin.items()],
    )
    path = tmp_path / "parser.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    segmenter = make_segmenter(CROP, path)
    assert isinstance(segmenter, ParsingSegmenter)
    assert segmenter.segment(np.zeros((256, 256, 3), np.uint8)).all()


@pytest.mark.parametrize("parser", [None, Path("parser.onnx")])
@pytest.mark.parametrize("crop", [Crop("frame"), Crop("ffhq", 0)])
def test_a_crop_that_is_not_aligned_is_refused(crop: Crop, parser: Path | None) -> None:
    with pytest.raises(UsageError, match=rf"given template '{crop.template}', size 0\. Give"):
        make_segmenter(crop, parser)


def test_an_image_of_another_size_is_refused(segmenter: GeometricSegmenter) -> None:
    with pytest.raises(ValueError, match=r"takes ffhq crops \(256, 256, 3\)"):
        segmenter.segment(np.zeros((128, 128, 3), np.uint8))
