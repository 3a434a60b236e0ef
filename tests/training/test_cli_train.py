"""``hifibench train`` as a user meets it: bad input is told before the first step, a short training runs through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_training import write_faces

from hifibench.errors import UsageError
from hifibench.files import held
from hifibench.hififace import weights
from hifibench.hififace.presets import LITE
from hifibench.training.run import Changes, changed

TINY = ("--set", "width=0.0625", "--set", "discriminator_width=0.03125", "--batch", "2", "--no-compile", "--quiet")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("people"), (2, 2, 1), size=128)


def test_changes_of_a_preset() -> None:
    plan = changed(
        LITE, Changes(steps=3, batch=4, lr=1e-3, precision="fp32", method=("width=0.5", "weights.id=9", "lpips=vgg"))
    )
    assert (plan.steps, plan.batch, plan.precision) == (3, 4, "fp32")
    assert {one.lr for one in plan.optimisers.values()} == {1e-3}
    assert plan.method["width"] == 0.5 and plan.method["lpips"] == "vgg"
    assert plan.method["weights"] == {**LITE.method["weights"], "id": 9}
    assert LITE.method["weights"]["id"] != 9, "the preset itself must not change"
    assert changed(LITE, Changes()) == LITE


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (Changes(steps=0), "--steps 0"),
        (Changes(batch=-1), "--batch -1"),
        (Changes(lr=0.0), "--lr"),
        (Changes(precision="fp16"), "expected bf16 or fp32"),
        (Changes(method=("widht=1",)), "a name among .*width"),
        (Changes(method=("weights.idd=1",)), "weights.id"),
        (Changes(method=("width",)), "expected NAME=VALUE"),
    ],
)
def test_changes_out_of_range_are_refused(changes: Changes, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        changed(LITE, changes)


@pytest.mark.slow
def test_bad_input_is_told_before_the_first_step(cli: Callable, people: Path, tmp_path: Path) -> None:
    alone = write_faces(tmp_path / "alone", (1, 1, 1), size=128)
    small = write_faces(tmp_path / "small", (2, 2), size=64)
    for words, code, said in (
        (("faceswap",), 2, "cannot be trained"),
        (("hififace", "--preset", "light"), 2, "Did you mean 'lite'"),
        (("hififace", "--data", tmp_path), 2, "holds no prepared faces"),
        (("hififace", "--data", alone), 2, "None of the 3 identities of the training data has two images"),
        (("hififace", "--data", small), 2, "holds ffhq crops of 64 pixels"),
        (("hififace", "--preset", "paper-256", "--data", people), 2, "needs ffhq of 256"),
        (("hififace", "--data", people, "--batch", "100000"), 2, "would fit"),
    ):
        done = cli("train", *words, "--out", tmp_path / "out", expect=code)
        assert said in done.stderr, done.stderr
    assert not (tmp_path / "out" / "losses.csv").exists()


def test_half_of_a_launcher_is_refused_before_anything_is_made(cli: Callable, tmp_path: Path) -> None:
    done = cli("train", "simswap", "--out", tmp_path / "out", expect=2, env={"WORLD_SIZE": "2"})
    assert "'RANK'" in done.stderr and "unset WORLD_SIZE" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_short_training_runs_through_and_is_gone_on_with(cli: Callable, people: Path, tmp_path: Path) -> None:
    common = ("--data", people, "--out", tmp_path / "out", *TINY)
    cli("train", "hififace", *common, "--steps", "2")
    out = tmp_path / "out"
    assert (out / "losses.csv").read_text().count("\n") == 2
    assert (out / "hififace.safetensors").is_file() and [*(out / "grids").glob("*.png")]
    said = weights.card(out / "hififace.safetensors")
    assert said["data"]["source"] == {"kind": "folders"}, "weights are given away, the user's folder is not"
    assert (said["steps"], said["images_seen"], said["preset"]) == (2, 4, "lite")

    with held(out / ".lock", ""):
        assert "Another process trains in" in cli("train", "hififace", *common, "--steps", "3", expect=2).stderr
    cli("train", "hififace", *common, "--steps", "3")
    assert (out / "checkpoints" / "step-00000003.pt").is_file()

    assert "--steps asks for 1" in cli("train", "hififace", *common, "--steps", "1", expect=2).stderr
    assert "variant: 'full', now 'bare'" in cli("train", "hififace-bare", *common, "--steps", "9", expect=2).stderr
    newest = out / "checkpoints" / "step-00000003.pt"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert "may be truncated" in cli("train", "hififace", *common, "--steps", "9", expect=2).stderr
