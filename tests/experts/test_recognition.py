import cv2
import numpy as np
import pytest
import torch

from hifibench import assets
from hifibench.contracts import Expert, ExpertPlugin
from hifibench.experts import recognition
from hifibench.experts.recognition import w600k_module
from hifibench.records import Frame

PLUGINS = [recognition.edgeface, recognition.w600k, recognition.dlib]
SEEDS = (11, 12, 13)


def jpeg(frame: Frame, quality: int) -> Frame:
    return cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.fixture(scope="module", params=PLUGINS, ids=lambda plugin: plugin.card.name)
def expert(request: pytest.FixtureRequest) -> Expert:
    plugin: ExpertPlugin = request.param
    loaded = plugin.load("cpu")
    assert isinstance(loaded, Expert)
    return loaded


def distance(expert: Expert, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if expert.card.similarity == "cosine":
        return 1 - (a * b).sum(-1)
    return np.linalg.norm(a - b, axis=-1)


def test_the_same_face_is_closer_than_any_other(expert: Expert, portrait, crops) -> None:
    frames = [portrait(seed) for seed in SEEDS]
    gallery = expert.observe(crops(expert.card, frames))["embedding"]
    query = expert.observe(crops(expert.card, [jpeg(frame, 50) for frame in frames]))["embedding"]
    distances = distance(expert, query[:, None], gallery[None])
    same, others = np.diag(distances), distances[~np.eye(len(SEEDS), dtype=bool)]
    assert same.max() < 0.4 * others.min()


def test_output_is_what_the_card_says(expert: Expert, portrait, crops) -> None:
    seen = expert.observe(crops(expert.card, [portrait(11)]))
    assert set(seen) == set(expert.card.outputs)
    width = 128 if expert.card.name == "dlib" else 512
    assert expert.card.outputs["embedding"].startswith(f"({width},)")
    assert seen["embedding"].shape == (1, width)
    assert seen["embedding"].dtype == np.float32
    if expert.card.similarity == "cosine":
        assert np.linalg.norm(seen["embedding"]) == pytest.approx(1, abs=1e-6)


def test_a_row_depends_on_its_crop_alone(expert: Expert) -> None:
    size = expert.card.crop.size
    given = np.random.default_rng(0).random((3, 3, size, size), np.float32)
    together = expert.observe(given)["embedding"]
    alone = [expert.observe(given[row : row + 1])["embedding"][0] for row in (2, 1, 0)]
    np.testing.assert_array_equal(together, alone[::-1])


def test_channel_order_matters(expert: Expert, portrait, crops) -> None:
    rgb = crops(expert.card, [portrait(11)])
    seen = expert.observe(np.concatenate([rgb, rgb[:, ::-1]]))["embedding"]
    assert distance(expert, seen[0], seen[1]) > 0.02


def test_wrong_crops_are_refused(expert: Expert) -> None:
    with pytest.raises(ValueError, match=rf"{expert.card.name} takes crops of shape"):
        expert.observe(np.zeros((1, 3, 64, 64), np.float32))


def test_dlib_gets_rgb_bytes_as_its_own_interface_takes_them(portrait, crops) -> None:
    import dlib

    network = dlib.face_recognition_model_v1(str(assets.path("dlib-resnet")))
    chip = crops(recognition.DLIB, [portrait(11)])
    ours = recognition.dlib.load("cpu").observe(chip)["embedding"][0]
    bytes_ = np.rint(chip[0] * 255).astype(np.uint8).transpose(1, 2, 0).copy()
    np.testing.assert_allclose(ours, np.array(network.compute_face_descriptor(bytes_)), atol=2e-6)


def test_module_agrees_with_the_expert_and_gives_gradients(portrait, crops) -> None:
    given = crops(recognition.W600K, [portrait(seed) for seed in SEEDS[:2]])
    expected = recognition.w600k.load("cpu").observe(given)["embedding"]
    module = w600k_module("cpu")
    image = torch.tensor(given, requires_grad=True)
    embedding = module(image)
    np.testing.assert_allclose(embedding.detach().numpy(), expected, atol=1e-5)
    (1 - embedding[0] @ embedding[1]).backward()
    assert image.grad.abs().amax(dim=(1, 2, 3)).min() > 0
    assert not any(parameter.requires_grad for parameter in module.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        assert module(image).dtype == torch.float32
