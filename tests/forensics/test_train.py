"""The whole way on four people, and what the command says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hifibench.errors import MissingError, UsageError
from hifibench.experts.blend_cnn import load as load_blend_cnn
from hifibench.experts.spectrum import read
from hifibench.forensics import faces, measure, shipped, train
from hifibench.forensics.faces import Faces
from hifibench.forensics.settings import Settings

WORDS = ("--people", "3", "--judged", "3", "--steps", "2", "--pairs", "1", "--spectra", "6", "--quiet")


@pytest.mark.slow
def test_a_tiny_training_ends_with_both_detectors_and_their_cards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, where = tmp_path / "out", ("--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"))
    assert train.main([*WORDS, *where]) == 0
    said = capsys.readouterr().out
    for name, file in (("blend-cnn", shipped.NETWORK.name), ("spectrum", shipped.SPECTRAL.name)):
        card = json.loads(shipped.note(out / file).read_text())
        assert card["detector"] == name and card["settings"]["steps"] == 2 and card["settings"]["people"] == 3
        assert set(card["auc"]) == {"self-blends", *measure.METHODS}
        assert all(0 <= value <= 1 for value in card["auc"].values())
        assert f"{name}: self-blends {100 * card['auc']['self-blends']:.1f}" in said
        assert f"source-paste {100 * card['auc']['source-paste']:.1f}" in shipped.figures(out / file)
    crop = np.random.default_rng(0).random((1, 3, 192, 192), np.float32)
    assert np.isfinite(load_blend_cnn("cpu", out / shipped.NETWORK.name).observe(crop)["fake"]).all()
    first = read(out / shipped.SPECTRAL.name)

    # The faces are read again, and the training is known to be done; other settings are another training.
    assert train.main([*WORDS, *where]) == 0
    np.testing.assert_array_equal(read(out / shipped.SPECTRAL.name).hidden, first.hidden)
    capsys.readouterr()
    assert train.main([*WORDS, *where, "--seed", "1"]) == 2
    assert "other settings (seed: 0, now 1)" in capsys.readouterr().err


@pytest.mark.slow
def test_faces_are_made_once_and_a_damaged_file_again(tmp_path: Path) -> None:
    made = faces.prepare(tmp_path, "validation", 2)
    assert made.seeds.tolist() == [10**9, 10**9 + 1] and made.frames.shape == (2, 512, 512, 3)
    left, top, right, bottom = made.boxes[0]
    inside = (made.meshes[0] > (left - 30, top - 60)) & (made.meshes[0] < (right + 30, bottom + 30))
    assert inside.all() and made.face(0).landmarks.shape == (5, 2)
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:5000])
    again = faces.prepare(tmp_path, "validation", 2)
    np.testing.assert_array_equal(again.frames, made.frames)
    np.testing.assert_array_equal(again.meshes, made.meshes)


def test_faces_of_the_test_are_not_learned_from(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train and validation.*given 'test', 5"):
        faces.prepare(tmp_path, "test", 5)
    with pytest.raises(UsageError, match="at least one person; given 'train', 0"):
        faces.prepare(tmp_path, "train", 0)


def test_nobody_with_a_face_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "_made", lambda seeds: iter(()))
    with pytest.raises(MissingError, match="No face was found in 2 portraits"):
        faces.prepare(tmp_path, "train", 2)


@pytest.mark.parametrize(
    ("real", "fake", "expected"),
    [([1, 2, 3], [4, 5], 1.0), ([1, 2], [0], 0.0), ([1, 2, 3], [2], 0.5), ([0, 0, 0], [0, 0], 0.5)],
)
def test_auc_in_closed_form(real: list[float], fake: list[float], expected: float) -> None:
    assert measure.auc(real, fake) == pytest.approx(expected)


def test_auc_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 20, 80), rng.integers(5, 25, 60)
    expected = roc_auc_score(np.repeat([0, 1], [80, 60]), np.concatenate([real, fake]))
    assert measure.auc(real, fake) == pytest.approx(expected, abs=1e-12)


def test_swaps_need_two_people(people: Faces) -> None:
    with pytest.raises(UsageError, match="at least two people; given 1"):
        measure.on_methods({}, people.first(1))


def test_unknown_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        train.main(["--pepole", "3"])
    assert left.value.code == 2 and "--pepole" in capsys.readouterr().err


def test_settings_that_only_pace_the_work_decide_nothing() -> None:
    assert Settings(save_every=1, log_every=1).plain() == Settings().plain()
    assert Settings(seed=1).plain() != Settings().plain()
