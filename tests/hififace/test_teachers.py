from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from deep3d_files import flat_state, write_basel, write_checkpoint
from onnx import TensorProto, helper, numpy_helper

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.experts import curricular, iresnet
from hifibench.experts.published_recognition import curricularface
from hifibench.experts.recognition import w600k_module
from hifibench.hififace.config import DENG, TDDFA
from hifibench.hififace.extractor import TddfaModel
from hifibench.hififace.teachers import LAYOUTS, layout, load_face_model, load_recogniser, make_extractor
from hifibench.onnx_session import session


def recogniser(path: Path, width: int = 512, side: int = 112, last: str = "Gemm") -> Path:
    """A small network of the ArcFace kind as ONNX: convolution, PReLU, batch norm, flatten, Gemm."""
    rng = np.random.default_rng(4)
    cells = 4 * (side // 8) ** 2
    weights = {
        "kernel": rng.normal(0, 0.3, (4, 3, 8, 8)),
        "slope": rng.uniform(0, 0.5, (4, 1, 1)),
        "scale": np.ones(4),
        "bias": np.zeros(4),
        "mean": rng.normal(size=4),
        "var": np.ones(4),
        "matrix": rng.normal(0, 0.05, (width, cells)),
        "offset": rng.normal(size=width),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"], strides=[8, 8]),
        helper.make_node("PRelu", ["a", "slope"], ["b"]),
        helper.make_node("BatchNormalization", ["b", "scale", "bias", "mean", "var"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "matrix", "offset"], ["e"], transB=1),
        helper.make_node("Softmax" if last == "Softmax" else "Flatten", ["e"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("batch", 3, side, side))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def crops(rows: int) -> torch.Tensor:
    return torch.rand(rows, 3, 112, 112, generator=torch.Generator().manual_seed(2))


def test_layouts_are_those_of_the_models() -> None:
    assert dict(LAYOUTS) == {"3ddfa": TDDFA, "deep3d": DENG}
    assert layout("deep3d").total == 147


def test_the_embedded_face_model_is_the_default() -> None:
    assert isinstance(load_face_model(), TddfaModel)


def test_deep3d_comes_from_its_two_files(tmp_path: Path) -> None:
    checkpoint, basel = write_checkpoint(tmp_path / "c.pth", flat_state()), write_basel(tmp_path / "b.mat")
    model = load_face_model("deep3d", face_model_file=checkpoint, bfm_file=basel)
    assert model.layout == layout("deep3d")
    # All weights are zero: no turn, no shift, the mean shape.
    seen = model(torch.rand(1, 3, 64, 64), Crop("ffhq", 64))
    torch.testing.assert_close(seen.camera, torch.eye(3, 4)[None])
    assert not seen.coefficients.identity.any()


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("deep3", {}, r"There is no face model 'deep3'\. Did you mean 'deep3d'\?"),
        ("deep3d", {}, r"name your file of its checkpoint \(epoch_20\.pth\) and its Basel face"),
        ("deep3d", {"face_model_file": Path("e.pth")}, r"name your file of its Basel face \(BFM_model_front\.mat\)\."),
        ("deep3d", {"bfm_file": Path("b.mat")}, r"name your file of its checkpoint \(epoch_20\.pth\)\."),
        ("3ddfa", {"bfm_file": Path("b.mat")}, r"'3ddfa' brings its own files; given a Basel face .* b\.mat"),
        ("3ddfa", {"face_model_file": Path("e.pth")}, r"'3ddfa' brings its own files; given a checkpoint .* e\.pth"),
    ],
)
def test_a_wrong_choice_of_face_model_is_refused(name: str, files: dict[str, Path], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_face_model(name, **files)


def test_the_embedded_recogniser_is_the_default() -> None:
    images = crops(1)
    torch.testing.assert_close(load_recogniser()(images), w600k_module()(images))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_recogniser_from_a_file_agrees_with_onnx_runtime(rows: int, tmp_path: Path) -> None:
    path, images = recogniser(tmp_path / "r.onnx"), crops(rows)
    raw = session(path).run(None, {"x": (images * 2 - 1).numpy()})[0]
    vectors = load_recogniser(path)(images)
    np.testing.assert_allclose(vectors, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)


def test_a_recogniser_from_a_file_is_frozen_and_differentiable(tmp_path: Path) -> None:
    network, images = load_recogniser(recogniser(tmp_path / "r.onnx")), crops(2).requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        vectors = network(images)
    assert vectors.dtype == torch.float32
    vectors[:, 0].sum().backward()
    assert images.grad is not None and bool((images.grad != 0).any())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, r"There is no recogniser .*r\.onnx"),
        (lambda path: path.write_bytes(b"no network"), r"cannot be read as an ONNX network"),
        (lambda path: recogniser(path, width=128), r"gives \(2, 128\) for two images; expected \(2, 512\)"),
        (lambda path: recogniser(path, side=224), r"does not run on images \(2, 3, 112, 112\)"),
        (lambda path: recogniser(path, last="Softmax"), r"uses the ONNX operation Softmax"),
    ],
)
def test_a_wrong_recogniser_is_refused(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "r.onnx")
    with pytest.raises(UsageError, match=message):
        load_recogniser(tmp_path / "r.onnx")


def randomised(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A state dict of official names whose statistics and slopes are no longer those of fresh weights."""
    random = torch.Generator().manual_seed(8)
    return {
        name: torch.rand(value.shape, generator=random) * 0.5 + 0.25
        if name.endswith("running_var") or value.dim() == 1
        else value
        for name, value in network.state_dict().items()
    }


@pytest.mark.parametrize(
    "network", [lambda: iresnet.IResNet(18), lambda: curricular.CurricularFace(50)], ids=["arcface", "curricularface"]
)
def test_a_recogniser_from_a_checkpoint_is_what_its_keys_say(
    network: Callable[[], torch.nn.Module], tmp_path: Path
) -> None:
    original = network()
    original.load_state_dict(randomised(original))
    torch.save(original.state_dict(), tmp_path / "Backbone.pth")
    recogniser, images = load_recogniser(tmp_path / "Backbone.pth"), crops(2).requires_grad_(True)
    with torch.no_grad():
        raw = original((images - 0.5) / 0.5)
    vectors = recogniser(images)
    torch.testing.assert_close(vectors, raw / raw.norm(dim=1, keepdim=True), atol=1e-5, rtol=0)
    vectors[:, 0].sum().backward()
    assert images.grad is not None and bool((images.grad != 0).any())
    assert not any(parameter.requires_grad for parameter in recogniser.train().parameters())
    assert not any(module.training for module in recogniser.network.modules())
    with torch.autocast("cpu", torch.bfloat16):
        assert recogniser(images).dtype == torch.float32


@pytest.mark.slow
def test_the_teacher_and_the_expert_see_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    file = tmp_path / "networks" / "curricularface" / "CurricularFace_Backbone.pth"
    file.parent.mkdir(parents=True)
    torch.save(randomised(curricular.CurricularFace()), file)
    seen = curricularface.load("cpu").observe(crops(2).numpy())["embedding"]
    np.testing.assert_allclose(load_recogniser(file)(crops(2)), seen, atol=1e-5)
    file.unlink()


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"layer1.0.weight": torch.zeros(1)}, tmp_path / "ACC99.28.pth")
    with pytest.raises(UsageError, match=r"none of the known recognisers .* Give the state dict of an ArcFace IResNet"):
        load_recogniser(tmp_path / "ACC99.28.pth")
    (tmp_path / "half.pth").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"half\.pth is no whole PyTorch checkpoint"):
        load_recogniser(tmp_path / "half.pth")


def test_the_extractor_is_frozen_and_sees_with_both(tmp_path: Path) -> None:
    face_model = load_face_model(
        "deep3d",
        face_model_file=write_checkpoint(tmp_path / "c.pth", flat_state()),
        bfm_file=write_basel(tmp_path / "b.mat"),
    )
    network = load_recogniser(recogniser(tmp_path / "r.onnx"))
    extractor = make_extractor(face_model, network)
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(3))
    sid = extractor(images, images.flip(0), Crop("ffhq", 128))
    assert sid.v_id.shape == (2, 512) and sid.q_fuse.shape == (2, 68, 3)
    torch.testing.assert_close(sid.v_id, extractor.identity(images, Crop("ffhq", 128)))
