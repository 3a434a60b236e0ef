from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import graphs
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from test_iresnet import Malicious

from hifibench import assets
from hifibench.contracts import Expert
from hifibench.errors import MissingError, UsageError
from hifibench.experts import published_recognition
from hifibench.experts.published_recognition import arcface_r100, cosface, curricularface

CURRICULAR = ARCFACE = (3, 13, 30, 3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own; its large files are not left behind."""
    root = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIFIBENCH_CACHE", str(root))
        yield root
    for file in root.rglob("*.*"):
        file.unlink()


def bring(cache: Path, name: str, filename: str) -> Path:
    place = cache / "networks" / name / filename
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture(scope="module")
def judge(cache: Path) -> Expert:
    """CosFace, from a file of the official layout."""
    torch.save(graphs.sphere20(), bring(cache, "cosface", "ACC99.28.pth"))
    return loaded(cosface)


def loaded(plugin: object) -> Expert:
    expert = plugin.load("cpu")
    assert isinstance(expert, Expert)
    return expert


def crops(rows: int = 2) -> np.ndarray:
    return np.random.default_rng(6).random((rows, 3, 112, 112), np.float32)


def scaled(images: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(images) - 127.5 / 255) * (255 / 127.5)


def test_cosface_sees_what_its_authors_code_shows_it(judge: Expert, tmp_path: Path) -> None:
    graph = graphs.sphere20_graph(graphs.sphere20(), tmp_path / "sphere20.onnx")
    narrow = scaled(crops())[..., 8:104]
    expected = np.concatenate([graphs.run(graph, narrow), graphs.run(graph, narrow.flip(-1))], axis=1)
    seen = judge.observe(crops())["embedding"]
    np.testing.assert_allclose(seen, graphs.unit(expected), atol=1e-5)
    assert judge.card.outputs["embedding"].startswith(f"({seen.shape[1]},)") and seen.dtype == np.float32
    assert np.abs(judge.observe(crops()[:, ::-1].copy())["embedding"] - seen).max() > 1e-3


def test_a_row_depends_on_its_crop_alone(judge: Expert) -> None:
    given = crops(3)
    together = judge.observe(given)["embedding"]
    alone = [judge.observe(given[row : row + 1])["embedding"][0] for row in (2, 1, 0)]
    np.testing.assert_array_equal(together, alone[::-1])


def test_wrong_crops_are_refused(judge: Expert) -> None:
    with pytest.raises(ValueError, match=r"cosface takes crops of shape \(B, 3, 112, 112\)"):
        judge.observe(np.zeros((1, 3, 112, 96), np.float32))
    with pytest.raises(ValueError, match=r"cosface takes RGB in \[0, 1\]"):
        judge.observe(np.full((1, 3, 112, 112), 2, np.float32))


@pytest.mark.slow
def test_curricularface_sees_what_its_authors_code_shows_it(cache: Path, tmp_path: Path) -> None:
    state = graphs.curricular(CURRICULAR, half=True)
    torch.save(state, bring(cache, "curricularface", "CurricularFace_Backbone.pth"))
    graph = graphs.curricular_graph(state, CURRICULAR, tmp_path / "c.onnx")
    expected = graphs.unit(graphs.run(graph, scaled(crops())))
    graph.unlink()
    expert = loaded(curricularface)
    seen = expert.observe(crops())["embedding"]
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert np.abs(expert.observe(crops()[:, ::-1].copy())["embedding"] - seen).max() > 1e-3


@pytest.mark.slow
def test_arcface_sees_the_same_from_its_checkpoint_and_from_its_export(cache: Path) -> None:
    state = graphs.iresnet(ARCFACE, half=True)
    export = graphs.iresnet_graph(state, ARCFACE, bring(cache, "arcface-r100", "glintr100.onnx"))
    expected = graphs.unit(graphs.run(export, scaled(crops())))
    of_export = loaded(arcface_r100)
    assert isinstance(of_export, published_recognition.OnnxRecogniser)
    np.testing.assert_allclose(of_export.observe(crops())["embedding"], expected, atol=1e-5)
    torch.save(state, bring(cache, "arcface-r100", "backbone.pth"))
    of_checkpoint = loaded(arcface_r100)
    assert isinstance(of_checkpoint, published_recognition.TorchRecogniser)
    np.testing.assert_allclose(of_checkpoint.observe(crops())["embedding"], expected, atol=1e-5)


def export(
    path: Path, side: int = 112, width: int = 512, first: str = "", images: int = 1, free: bool = False, by: float = 1.0
) -> Path:
    """A small network; ``first``: an operation before its convolution; ``free``: no fixed sides; ``by``: its scale."""
    rng = np.random.default_rng(7)
    weights = {
        "kernel": rng.normal(size=(4, 3, 8, 8)),
        "matrix": rng.normal(size=(4 * (side // 8) ** 2, width)) / side * by,
        "two": np.full(1, 2),
    }
    nodes = [helper.make_node(first, ["x0", "two"], ["scaled"])] if first else []
    nodes += [
        helper.make_node("Conv", ["scaled" if first else "x0", "kernel"], ["maps"], strides=[8, 8]),
        helper.make_node("Flatten", ["maps"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["y"]),
    ]
    sides = ("h", "w") if free else (side, side)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, ("b", 3, *sides)) for i in range(images)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("b", "width"))],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an export of ArcFace belongs, in an empty cache."""
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return bring(tmp_path, "arcface-r100", "backbone.onnx")


def test_an_export_whose_shapes_have_names_is_taken(place: Path) -> None:
    export(place)
    seen = loaded(arcface_r100).observe(crops(1))["embedding"]
    assert seen.shape == (1, 512) and np.linalg.norm(seen) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"none"), r"backbone\.onnx cannot be opened as an ONNX network"),
        (
            lambda path: export(path, side=96),
            r"maps x0 \['b', 3, 96, 96\] to y .* expected one image \(1, 3, 112, 112\)",
        ),
        (lambda path: export(path, width=128), r"to one embedding \(1, 512\)\. Give an iResNet-100"),
        (lambda path: export(path, by=np.nan), r"makes something else than finite numbers .* Give an iResNet-100"),
        (lambda path: export(path, images=2), r"maps x0 .*, x1 .* to y"),
        (lambda path: export(path, first="Sub"), r"scales its input itself \(Sub before the first convolution\)"),
        (lambda path: export(path, first="Mul"), r"scales its input itself \(Mul before .* Give an iResNet-100"),
    ],
)
def test_other_exports_are_refused(make: Callable[[Path], object], message: str, place: Path) -> None:
    make(place)
    with pytest.raises(UsageError, match=message):
        loaded(arcface_r100)


@pytest.mark.parametrize(
    ("name", "filename", "message"),
    [
        ("cosface", "ACC99.28.pth", r"another network: layer1\.0\.weight is missing"),
        ("curricularface", "CurricularFace_Backbone.pth", r"another network: input_layer\.0\.weight is missing"),
        ("arcface-r100", "backbone.pth", r"another network: conv1\.weight is missing"),
    ],
)
def test_other_checkpoints_and_code_are_refused(
    name: str, filename: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    plugin = {card.name: plugin for card, plugin in ((p.card, p) for p in (cosface, curricularface, arcface_r100))}[
        name
    ]
    place = bring(tmp_path, name, filename)
    torch.save({"fc.weight": torch.zeros(1)}, place)
    with pytest.raises(UsageError, match=message):
        plugin.load("cpu")
    torch.save({"fc.weight": Malicious(f"touch {tmp_path / 'ran'}")}, place)
    with pytest.raises(UsageError, match=r"asks for \w+\.system"):
        plugin.load("cpu")
    assert not (tmp_path / "ran").exists()


def test_what_is_missing_is_told_in_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    for plugin in (cosface, curricularface, arcface_r100):
        with pytest.raises(MissingError, match=r"One file is missing that hifibench does not fetch"):
            plugin.load("cpu")
    with pytest.raises(MissingError) as caught:
        assets.ensure(["cosface", "curricularface", "arcface-r100"])
    rows = str(caught.value).splitlines()
    assert rows[0].startswith("3 files are missing")
    wanted = {
        "CosFace, sphere20": ("ACC99.28.pth", "MuggleWang/CosFace_pytorch", "(registration)", "MIT"),
        "CurricularFace, IR-101": ("CurricularFace_Backbone.pth", "HuangYG123/CurricularFace", "MIT", "networks"),
        "ArcFace, iResNet-100": ("backbone.pth or backbone.onnx or glintr100.onnx", "insightface", "RESEARCH ONLY"),
    }
    for network, words in wanted.items():
        (row,) = [row for row in rows if row.startswith(network)]
        assert all(word in row for word in words)


def test_cards_are_had_without_torch() -> None:
    code = (
        "import sys\n"
        "from hifibench.experts import insightface_packs, published_recognition\n"
        "assert not {'torch', 'onnxruntime', 'insightface'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
