from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import studied
import torch

from hifibench import registry
from hifibench.contracts import SwapperPlugin
from hifibench.errors import MissingError, UsageError
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.hififace import plugins, weights
from hifibench.hififace.analysis import model
from hifibench.hififace.analysis.blending import COLUMNS as BLENDING
from hifibench.hififace.analysis.faces import prepare
from hifibench.hififace.analysis.interpolation import COLUMNS as INTERPOLATION
from hifibench.hififace.analysis.judge import Judge, Judged
from hifibench.hififace.config import DENG, TDDFA, Config
from hifibench.hififace.generator import Generator
from hifibench.pipeline.observe import Observer
from hifibench.records import ImageRef, Manifest, Pair

SEEDS = (2_000_000_001, 2_000_000_002)
MANIFEST = Manifest(
    tuple(ImageRef(f"i{seed}", f"portrait:seed={seed};view=0", f"p{seed}", f"v{seed}") for seed in SEEDS),
    (Pair("there", "i2000000001", "i2000000002"), Pair("back", "i2000000002", "i2000000001")),
    {},
    "test",
)


@pytest.fixture(scope="module")
def load(portrait):
    return lambda ref: portrait(int(ref.image[1:]))


@pytest.fixture(scope="module")
def judge():
    return Judge({**INTERPOLATION, **BLENDING})


@pytest.fixture(scope="module")
def pairs(load, judge):
    return prepare(MANIFEST, load, 2, studied.CROP, judge.observer)


def test_pairs_are_cropped_as_in_a_run(pairs, portrait) -> None:
    assert [pair.pair for pair in pairs] == ["there", "back"]
    frame = portrait(SEEDS[1])
    crop, matrix = templates.take(frame, Detector().choose(frame), studied.CROP)
    np.testing.assert_array_equal(pairs[0].target.crop, crop)
    np.testing.assert_array_equal(pairs[0].target.matrix, matrix)
    assert pairs[0].target is pairs[1].source  # every image is looked at once


def test_pasting_changes_the_face_alone(pairs) -> None:
    pair, mask = pairs[0], torch.zeros(1, 1, 128, 128)
    assert np.array_equal(pair.paste(pair.source.batch, mask), pair.target.frame)
    mask[..., 40:90, 40:90] = 1
    changed = (pair.paste(pair.source.batch, mask) != pair.target.frame).any(-1).mean()
    assert 0.05 < changed < 0.5


def test_the_target_itself_scores_what_it_must(pairs, judge) -> None:
    scores = judge.score([Judged(pair, pair.target.frame) for pair in pairs])
    np.testing.assert_allclose(scores["cosine_target"], 1, atol=1e-6)
    source, target = (side.seen["edgeface"]["embedding"] for side in (pairs[0].source, pairs[0].target))
    np.testing.assert_allclose(scores["cosine_source"], source @ target, atol=1e-6)
    for column in ("shape_target_sd", "shape_target_mm", "background_l1"):
        np.testing.assert_allclose(scores[column], 0, atol=1e-6)
    assert (scores["shape_source_sd"] > 0.3).all()


def test_a_swap_without_a_face_has_no_scores_and_spoils_no_others(pairs, judge) -> None:
    pair = pairs[0]
    scores = judge.score([Judged(pair, np.full_like(pair.target.frame, 128)), Judged(pair, pair.target.frame)])
    for column, values in scores.items():
        assert np.isfinite(values[1]), column
        assert np.isnan(values[0]), column


@pytest.mark.parametrize("count", [0, 3])
def test_more_pairs_than_there_are_is_told(load, count) -> None:
    with pytest.raises(UsageError, match=f"{count} pairs were asked for and there are 2"):
        prepare(MANIFEST, load, count, studied.CROP, Observer(()))


def test_an_image_without_a_face_is_named() -> None:
    with pytest.raises(UsageError, match="No face was found in portrait:seed=2000000001"):
        prepare(MANIFEST, lambda ref: np.full((64, 64, 3), 128, np.uint8), 1, studied.CROP, Observer(()))


@pytest.fixture
def file(tmp_path):
    return partial(_file, tmp_path / "mine.safetensors")


def _file(path, face_model):
    weights.save(Generator(Config(128, 1 / 16, "concat", face_model)), {}, path)
    return path


def test_weights_in_a_file_make_a_swapper(file) -> None:
    path = file(TDDFA)
    swapper = model.from_file(path, "cpu")
    assert (swapper.card.name, swapper.generator.config.variant) == ("mine", "concat")
    assert len(swapper.card.weights) == 64
    made, _ = swapper.generate(torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128))
    assert made.i_r.shape == (1, 3, 128, 128)


def test_weights_for_another_face_model_are_refused(file) -> None:
    with pytest.raises(UsageError, match=r"80 identity and 64 expression coefficients; .* has 40 and 10"):
        model.from_file(file(DENG), "cpu")


def test_methods_that_cannot_be_studied_are_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(UsageError, match=r"'hififase'\. Did you mean 'hififace'"):
        model.by_name("hififase", "cpu")
    with pytest.raises(UsageError, match="target-copy is no HifiFace"):
        model.by_name("target-copy", "cpu")
    with pytest.raises(MissingError, match="no weights at"):
        model.from_file(tmp_path / "none.safetensors", "cpu")
    monkeypatch.setattr(plugins, "TRAINED", tmp_path)
    load = partial(plugins._load, plugins.n3d.card, tmp_path / "hififace-n3d.safetensors", {})
    monkeypatch.setitem(registry.swappers._added, "untrained", SwapperPlugin(plugins.n3d.card, load))
    with pytest.raises(MissingError, match="No trained weights of hififace-n3d"):
        model.by_name("untrained", "cpu")
