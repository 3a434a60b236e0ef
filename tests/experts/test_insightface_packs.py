from __future__ import annotations

import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from test_published_recognition import bring, crops, export

from hifibench import assets
from hifibench.contracts import Expert
from hifibench.errors import MissingError, UsageError
from hifibench.experts import insightface_packs
from hifibench.experts.insightface_packs import buffalo_l, plugins
from hifibench.onnx_session import session


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of buffalo_l's recogniser, in an empty cache."""
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    return bring(tmp_path, "buffalo-l", "w600k_r50.onnx")


def loaded() -> Expert:
    expert = buffalo_l.load("cpu")
    assert isinstance(expert, Expert)
    return expert


def test_sees_rgb_between_minus_one_and_one(pack: Path) -> None:
    pytest.importorskip("insightface")
    network = session(export(pack))
    raw = np.concatenate([network.run(None, {"x0": crop[None] * 2 - 1})[0] for crop in crops()])
    seen = loaded().observe(crops())["embedding"]
    np.testing.assert_allclose(seen, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)
    assert seen.shape == (2, 512) and seen.dtype == np.float32
    assert np.abs(loaded().observe(crops()[:, ::-1].copy())["embedding"] - seen).max() > 1e-3


@pytest.mark.parametrize("first", ["", "Mul"])
def test_agrees_with_the_package_on_bytes_however_it_scales_them(pack: Path, first: str) -> None:
    model_zoo = pytest.importorskip("insightface.model_zoo")
    bytes_ = np.rint(crops(1)[0] * 255).astype(np.uint8)
    expected = model_zoo.get_model(str(export(pack, first=first)), providers=["CPUExecutionProvider"]).get_feat(
        np.ascontiguousarray(bytes_[::-1].transpose(1, 2, 0))
    )
    seen = loaded().observe(bytes_[None].astype(np.float32) / 255)["embedding"]
    np.testing.assert_allclose(seen, expected / np.linalg.norm(expected), atol=1e-5)


def test_a_row_depends_on_its_crop_alone(pack: Path) -> None:
    pytest.importorskip("insightface")
    export(pack)
    expert, given = loaded(), crops(3)
    together = expert.observe(given)["embedding"]
    alone = [expert.observe(given[row : row + 1])["embedding"][0] for row in (2, 1, 0)]
    np.testing.assert_array_equal(together, alone[::-1])


def test_an_export_whose_sides_have_names_is_seen_at_the_size_of_the_crop(pack: Path) -> None:
    pytest.importorskip("insightface")
    export(pack)
    fixed = loaded().observe(crops())["embedding"]
    export(pack, free=True)
    np.testing.assert_array_equal(loaded().observe(crops())["embedding"], fixed)


def test_nothing_is_asked_of_the_network(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("insightface")
    export(pack)

    def refuse(*words: object) -> None:
        raise AssertionError(f"asked for {words}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded().observe(crops(1))


def test_other_networks_are_refused(pack: Path) -> None:
    pytest.importorskip("insightface")
    pack.write_bytes(b"none")
    with pytest.raises(UsageError, match=r"w600k_r50\.onnx cannot be opened as an ONNX network"):
        loaded()
    export(pack, side=192)
    with pytest.raises(UsageError, match=r"expected one image .* Give the recogniser of the pack buffalo_l\."):
        loaded()


def test_without_the_package_it_is_told_how_to_get_it(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(pack)
    monkeypatch.setitem(sys.modules, "insightface.model_zoo", None)
    message = r"need the package insightface, .* 'python -m pip install --no-deps insightface tqdm'"
    with pytest.raises(MissingError, match=message):
        loaded()


@pytest.mark.usefixtures("pack")
def test_a_pack_that_is_not_there_is_told_in_a_table() -> None:
    with pytest.raises(MissingError) as caught:
        assets.ensure(plugins)
    said = str(caught.value)
    assert said.startswith("5 files are missing")
    for card in insightface_packs.CARDS:
        archive = card.name.replace("-", "_")
        assert f"InsightFace {archive}, " in said and f"/releases/download/v0.7/{archive}.zip" in said
    with pytest.raises(MissingError, match=r"One file is missing"):
        loaded()
