from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import forgery_weights
import numpy as np
import pytest
import torch

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard
from hifibench.errors import MissingError, UsageError
from hifibench.experts import dfdc, forgery, xception

B0 = "tf_efficientnet_b0"


def crops(size: int, rows: int = 2) -> np.ndarray:
    coarse = np.random.default_rng(1).random((rows, 3, 8, 8), np.float32)
    times = -(-size // 8)
    return np.ascontiguousarray(coarse.repeat(times, 2).repeat(times, 3)[:, :, :size, :size])


@pytest.fixture(scope="module")
def model() -> forgery_weights.TransferModel:
    return forgery_weights.transfer_model(torch.from_numpy(crops(299)))


@torch.inference_mode()
def expected(whole: forgery_weights.TransferModel, images: np.ndarray) -> np.ndarray:
    logits = whole.model((torch.from_numpy(images) - 0.5) / 0.5).numpy().astype(np.float64)
    return 1 / (1 + np.exp(logits[:, :1] - logits[:, 1:]))


@pytest.fixture(scope="module", params=["older", "zip"])
def pickled(request: pytest.FixtureRequest, model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's file: a whole module, in the format of its time or in that of today.

    Its classes cannot be imported where it is loaded.
    """
    path = tmp_path_factory.mktemp(request.param) / "all_c23.p"
    with forgery_weights.release(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        torch.save(model, path, _use_new_zipfile_serialization=request.param == "zip")
    return path


def test_a_whole_pickled_module_computes_the_probability_of_a_forgery(pickled: Path, model) -> None:
    detector = forgery.ForgeryDetector(forgery.XCEPTION, [xception.load(pickled)], "cpu")
    images = crops(299)
    got = detector.observe(images)["fake"]
    want = expected(model, images)
    assert got.shape == (2, 1)
    assert sorted(want[:, 0]) == pytest.approx([0.27, 0.73], abs=0.02)
    np.testing.assert_allclose(got, want, atol=1e-4)
    np.testing.assert_array_equal(detector.observe(images[1:])["fake"], got[1:])


@torch.inference_mode()
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("counters", [False, True])
def test_a_state_dict_does_too(dropout: bool, counters: bool, tmp_path: Path) -> None:
    images = crops(128)
    whole = forgery_weights.transfer_model(torch.from_numpy(images), dropout, seed=3)
    state = {
        f"module.{name}": value
        for name, value in whole.state_dict().items()
        if counters or not name.endswith("num_batches_tracked")
    }
    torch.save({"state_dict": state}, tmp_path / "best.pth")
    got = xception.load(tmp_path / "best.pth")(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(got, expected(whole, images), atol=1e-4)


class Hostile:
    def __reduce__(self) -> tuple:
        return os.system, ("touch hacked",)


@pytest.mark.parametrize("older", [True, False])
@pytest.mark.parametrize("load", [xception.load, dfdc.load])
def test_code_is_refused_and_not_run(load, older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Hostile()}, "file.p", _use_new_zipfile_serialization=not older)
    with pytest.raises(UsageError, match=r"asks for \w+\.system; expected .*not opened, since such a file can run any"):
        load(Path("file.p"))
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize("cut", [100, 5_000, 1_000_000])
def test_a_file_that_was_cut_off_is_refused(cut: int, pickled: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.p").write_bytes(pickled.read_bytes()[:-cut])
    with pytest.raises(UsageError, match=r"no whole PyTorch checkpoint .*Give face_detection/xception/all_c23\.p"):
        xception.load(tmp_path / "cut.p")


def test_tensors_larger_than_their_file_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "a.p", _use_new_zipfile_serialization=False)
    content = (tmp_path / "a.p").read_bytes()
    # 1000 as the pickle writes it, made 1 + 1000 * 2**16 elsewhere in the same four bytes.
    (tmp_path / "b.p").write_bytes(content.replace(b"M\xe8\x03", b"J\xe8\x03\x00\x7f", 1))
    with pytest.raises(UsageError, match=r"no whole PyTorch checkpoint \(UnpicklingError: the tensors are larger"):
        xception.load(tmp_path / "b.p")


def test_another_module_of_the_same_weights_is_refused(tmp_path: Path) -> None:
    whole = forgery_weights.transfer_model(torch.from_numpy(crops(64)))
    whole.model.conv1.stride = (1, 1)
    with forgery_weights.release():
        torch.save(whole, tmp_path / "all_c23.p")
    with pytest.raises(UsageError, match=r"another network: conv1 has stride \(1, 1\), expected \(2, 2\)"):
        xception.load(tmp_path / "all_c23.p")


@pytest.mark.parametrize("load", [xception.load, dfdc.load])
@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"conv1.weight": torch.zeros(3)}, r"another network: .*is missing"),
        ({"epoch": 3}, r"holds no state dict"),
        (torch.zeros(3), r"holds no state dict"),
    ],
)
def test_other_files_are_refused(load, saved, message: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "file.p")
    with pytest.raises(UsageError, match=message):
        load(tmp_path / "file.p")
    with pytest.raises(MissingError, match=r"no checkpoint .*absent\.p. Give "):
        load(tmp_path / "absent.p")


def saved_as_released(state: forgery_weights.State, path: Path, older: bool) -> Path:
    held = {f"module.{name}": value for name, value in state.items()}
    whole = {"epoch": 37, "state_dict": held, "bce_best": np.float64(0.2)}
    torch.save(whole, path, _use_new_zipfile_serialization=not older)
    return path


@pytest.mark.parametrize("older", [True, False])
@torch.inference_mode()
def test_the_classifier_computes_what_its_layout_says(older: bool, tmp_path: Path) -> None:
    images = torch.from_numpy(crops(95))
    state = forgery_weights.dfdc_state(images)
    network = dfdc.load(saved_as_released(state, tmp_path / "final", older), B0)
    want = forgery_weights.dfdc(state, images).sigmoid()
    assert sorted(want.tolist()) == pytest.approx([0.27, 0.73], abs=0.02)
    np.testing.assert_allclose(network(images)[:, 0].numpy(), want.numpy(), atol=1e-4)


def test_the_ensemble_is_the_mean_of_probabilities(tmp_path: Path) -> None:
    images = crops(64)
    states = [forgery_weights.dfdc_state(torch.from_numpy(images), seed=seed) for seed in (1, 2, 3)]
    for seed, state in enumerate(states):
        state["fc.bias"] += seed
    paths = [saved_as_released(state, tmp_path / str(i), False) for i, state in enumerate(states)]
    card = ExpertCard("small", "", "forgery", Crop("dfdc", 64), {"fake": ""})
    ensemble = forgery.ForgeryDetector(card, [dfdc.load(path, B0) for path in paths], "cpu")
    with torch.inference_mode():
        single = [forgery_weights.dfdc(state, torch.from_numpy(images)).sigmoid().numpy() for state in states]
    got = ensemble.observe(images)["fake"]
    np.testing.assert_allclose(got[:, 0], np.mean(single, 0), atol=1e-4)
    logits = np.log(single) - np.log1p(np.negative(single))
    assert np.abs(got[:, 0] - 1 / (1 + np.exp(-logits.mean(0)))).max() > 1e-2
    np.testing.assert_array_equal(ensemble.observe(images[1:])["fake"], got[1:])


@pytest.mark.slow
@torch.inference_mode()
def test_the_released_size_is_b7(tmp_path: Path) -> None:
    images = torch.from_numpy(crops(64))
    state = forgery_weights.dfdc_state(images, 2.0, 3.1)
    assert state["fc.weight"].shape == (1, 2560)
    network = dfdc.load(saved_as_released(state, tmp_path / "final", True))
    # Doubled, since 55 random blocks magnify the rounding of single precision beyond 1e-4.
    doubled = {name: value.double() for name, value in state.items()}
    want = forgery_weights.dfdc(doubled, images.double()).sigmoid()
    np.testing.assert_allclose(network.double()(images.double())[:, 0].numpy(), want.numpy(), atol=1e-8)


def test_what_is_missing_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"7 files are missing(?s:.*)releases/download/0\.0\.1/final_999_Deep"):
        forgery.dfdc_ensemble.load("cpu")
    with pytest.raises(MissingError, match=r"One file is missing(?s:.*)face_detection/xception/all_c23\.p"):
        forgery.xception_ffpp.load("cpu")


def test_files_are_named_as_the_release_names_them() -> None:
    runs = ("111", "0_36"), ("555", "0_19"), ("777", "0_29"), ("777", "0_31"), ("888", "0_37"), ("888", "0_40")
    names = [f"final_{seed}_DeepFakeClassifier_tf_efficientnet_b7_ns_{rest}" for seed, rest in (*runs, ("999", "0_23"))]
    assert [assets.brought()[name].filenames[0] for name in forgery.DFDC.assets] == names


def test_the_cards_need_no_heavy_package() -> None:
    code = "import sys, hifibench.experts.forgery; print([n for n in ('torch', 'timm', 'cv2') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_crops_of_another_size_are_refused() -> None:
    detector = forgery.ForgeryDetector(forgery.XCEPTION, [], "cpu")
    with pytest.raises(ValueError, match=r"xception-ffpp takes crops of shape \(B, 3, 299, 299\); given"):
        detector.observe(crops(256))
