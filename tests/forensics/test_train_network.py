from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hifibench.errors import UsageError
from hifibench.forensics import train_network as t
from hifibench.forensics.faces import Faces
from hifibench.forensics.network import BlendNetwork
from hifibench.forensics.settings import Settings
from hifibench.pipeline.progress import Reporter
from hifibench.training import checkpoints

SMALL = Settings(steps=8, pairs=2, save_every=2, log_every=100)


def weights(network: torch.nn.Module) -> np.ndarray:
    return np.concatenate([value.numpy().ravel() for value in network.state_dict().values()])


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    shares = [t.schedule(step, 400) for step in range(400)]
    assert shares[0] == pytest.approx(1 / 50) and shares[49:301] == [1] * 252
    assert np.all(np.diff(shares[300:]) < 0) and 0 < shares[-1] <= 0.01
    assert [t.schedule(step, 800) for step in range(300)] == shares[:300], "longer trainings begin alike"
    assert t.decays_from(400) == 300


def test_an_interrupted_training_ends_with_the_same_weights(people: Faces, tmp_path: Path) -> None:
    whole, hours = t.train(people, SMALL, tmp_path / "whole", Reporter(quiet=True))
    # As if it had been planned for longer, and was stopped after four steps.
    longer = replace(SMALL, steps=800)

    class Stop(Exception):
        pass

    class Stopping(Reporter):
        def say(self, text: str) -> None:
            raise Stop

    with pytest.raises(Stop):
        t.train(people, replace(longer, log_every=5), tmp_path / "cut", Stopping(quiet=True))
    assert checkpoints.steps(tmp_path / "cut") == [2, 4]
    resumed, _ = t.train(people, SMALL, tmp_path / "cut", Reporter(quiet=True))
    assert 0 < hours < 0.1
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    other, _ = t.train(people, replace(SMALL, seed=1), tmp_path / "other", Reporter(quiet=True))
    assert not np.array_equal(weights(resumed), weights(other))


def test_a_checkpoint_of_other_settings_is_refused(people: Faces, tmp_path: Path) -> None:
    t.train(people, SMALL, tmp_path, Reporter(quiet=True))
    with pytest.raises(UsageError, match=r"other settings \(rate: 0\.002, now 0\.1\)"):
        t.train(people, replace(SMALL, rate=0.1), tmp_path, Reporter(quiet=True))
    with pytest.raises(UsageError, match=r"other settings \(steps: 8, now 20\)"):
        t.train(people, replace(SMALL, steps=20), tmp_path, Reporter(quiet=True))
    checkpoints.path(tmp_path, 8).write_bytes(b"PK")
    with pytest.raises(UsageError, match="cannot be read"):
        t.train(people, SMALL, tmp_path, Reporter(quiet=True))


def test_the_loss_wants_the_verdict_the_order_and_the_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    network = BlendNetwork()
    logits, places = torch.tensor([[2.0], [-1.0], [0.5], [3.0]]), torch.full((4, 24, 24), -3.0)
    monkeypatch.setattr(network, "taught", lambda crops: (logits, places))
    crops, seams = torch.zeros(4, 3, 192, 192), torch.zeros(4, 192, 192)
    got = t.losses(network, crops, seams)

    def cost(logit: float) -> float:
        return float(np.log1p(np.exp(-logit)))

    # Faces have the logits 2 and 0.5, their self-blends -1 and 3.
    assert got.verdict.item() == pytest.approx((cost(-2) + cost(-1) + cost(-0.5) + cost(3)) / 4, rel=1e-5)
    assert got.order.item() == pytest.approx((cost(-1 - 2) + cost(3 - 0.5)) / 2, rel=1e-5)
    assert got.seam.item() == pytest.approx(cost(3), rel=1e-5)
    assert got.right.item() == 0.25
    # One pixel makes a place of 8 by 8.
    seams[1, 33, 70] = 1
    assert t.losses(network, crops, seams).seam.item() - got.seam.item() == pytest.approx(3 / 2304, rel=1e-3)


def test_a_few_steps_learn_what_is_obvious(people: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = (np.full((3, 192, 192), value, np.float32) for value in (0.2, 0.8))
    pair = t.Sample(real, fake, np.zeros((192, 192), np.float32))
    monkeypatch.setattr(t, "sample", lambda faces, row, crop, rng: pair)
    said: list[str] = []
    reporter = Reporter(quiet=True)
    monkeypatch.setattr(reporter, "say", said.append)
    t.train(people, replace(SMALL, steps=40, rate=0.02, log_every=10), tmp_path, reporter)
    assert said[-1].startswith("step 40:") and said[-1].endswith("right 1.000")
