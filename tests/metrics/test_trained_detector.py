"""The detector trained on the other methods: what it may see, what it finds, and when there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hifibench.records import Gallery, Observed
from metrics import trained_detector
from metrics.forgery import forgery_ap, forgery_auc, forgery_eer

PEOPLE, DEPTH = 24, 6


def seen(features):
    return {
        "blend-cnn": {"embedding": features[:, :4].astype(np.float32)},
        "spectrum": {"spectrum": features[:, 4:].astype(np.float32)},
    }


def a_run(methods, rng, mark=3.0):
    """Everybody is a source once and a target once; every video has two frames. ``mark``: what swaps have in common."""
    target = np.repeat(np.arange(PEOPLE), 2)
    source = (target + 7) % PEOPLE
    pairs = pd.DataFrame(
        {
            "pair": [f"p{row:03d}" for row in range(2 * PEOPLE)],
            "source": [f"photo{person}" for person in source],
            "target": [f"frame{row}" for row in range(2 * PEOPLE)],
            "source_id": [f"person{person}" for person in source],
            "target_id": [f"person{person}" for person in target],
            "video": [f"video{person}" for person in target],
        }
    )
    peculiar = rng.normal(0, 1, (PEOPLE, DEPTH))
    real = peculiar[target] + rng.normal(0, 0.3, (2 * PEOPLE, DEPTH))
    shift = np.zeros(DEPTH)
    shift[1] = mark
    swaps = {
        name: seen(peculiar[target] + shift + rng.normal(0, 0.3, (2 * PEOPLE, DEPTH))) for name in ("judged", *methods)
    }
    gallery = Gallery(
        np.array([f"person{person}" for person in target]),
        np.array([f"frame{row}" for row in range(2 * PEOPLE)]),
        seen(real),
        np.array([f"video{person}" for person in target]),
    )
    others = {name: swaps[name] for name in methods}
    return Observed(pairs, swaps["judged"], {}, {}, {"frames": gallery}, {}, others)


def value(observed, metric=forgery_auc, unit=""):
    return metric("trained-on-others", unit).whole(observed, 0, 100)


def test_it_finds_what_the_other_methods_share_and_nothing_where_they_share_nothing():
    marked = a_run(["a", "b", "c"], np.random.default_rng(0))
    assert value(marked).value > 90
    assert value(marked, forgery_ap).value > 90
    assert value(marked, forgery_eer).value < 20
    assert value(marked, unit="video").value > 90
    assert value(marked).draws.shape == (100,)
    chance = [value(a_run(["a", "b", "c"], np.random.default_rng(seed), mark=0.0)).value for seed in range(4)]
    assert 40 < np.mean(chance) < 60
    values = forgery_auc("trained-on-others").compute(marked)
    assert values.shape == (2 * PEOPLE,) and values.mean() == pytest.approx(value(marked).value)


def test_the_judged_methods_own_swaps_teach_nothing():
    observed = a_run(["a", "b"], np.random.default_rng(1))
    said = trained_detector.verdicts(observed, observed.galleries["frames"], observed.galleries["frames"].video)
    moved = {name: {key: array * -5 for key, array in outputs.items()} for name, outputs in observed.swap.items()}
    other = Observed(observed.pairs, moved, {}, {}, observed.galleries, {}, observed.others)
    again = trained_detector.verdicts(other, other.galleries["frames"], other.galleries["frames"].video)
    np.testing.assert_array_equal(said.real, again.real)
    assert (said.swap != again.swap).all()


@pytest.mark.parametrize("leak", [False, True])
def test_whoever_scores_an_image_has_seen_neither_its_video_nor_its_person(monkeypatch, leak):
    observed = a_run(["a", "b"], np.random.default_rng(2))
    pairs, originals = observed.pairs, observed.galleries["frames"]
    # The features say which image each row is: kind (0 original, 1 other, 2 judged) and number.
    number = np.arange(2 * PEOPLE)

    def marks(kind):
        return seen(np.stack([np.full(2 * PEOPLE, kind), number, *np.zeros((DEPTH - 2, 2 * PEOPLE))], axis=1))

    gallery = Gallery(originals.identity, originals.image, marks(0), originals.video)
    observed = Observed(pairs, marks(2), {}, {}, {"frames": gallery}, {}, {"a": marks(1), "b": marks(1)})
    checked = []

    class Spy:
        def __init__(self, forged, real):
            self.forged, self.real = forged[:, 1].astype(int), real[:, 1].astype(int)
            assert (forged[:, 0] == 1).all() and (real[:, 0] == 0).all()

        def decision_function(self, asked):
            videos = set(pairs["video"][self.forged]) | set(gallery.video[self.real])
            people = {*pairs["source_id"][self.forged], *pairs["target_id"][self.forged]}
            people |= set(gallery.identity[self.real])
            for kind, row in asked[:, :2].astype(int):
                own = gallery.identity[row] if kind == 0 else pairs["source_id"][row]
                checked.append(pairs["video"][row] in videos or own in people)
            return np.zeros(len(asked))

    monkeypatch.setattr(trained_detector, "_classifier", Spy)
    if leak:
        monkeypatch.setattr(trained_detector, "_unseen", lambda rows, *part: np.ones(len(rows.video), bool))
    trained_detector.verdicts(observed, gallery, gallery.video)
    assert len(checked) == 4 * PEOPLE
    assert all(checked) if leak else not any(checked)


def test_neither_the_order_of_pairs_nor_that_of_methods_changes_a_bit():
    observed = a_run(["a", "b"], np.random.default_rng(3))
    order = np.random.default_rng(4).permutation(2 * PEOPLE)

    def moved(seen):
        return {name: {key: array[order] for key, array in outputs.items()} for name, outputs in seen.items()}

    others = {name: moved(observed.others[name]) for name in ("b", "a")}
    frames = observed.galleries["frames"]
    gallery = Gallery(frames.identity[order], frames.image[order], moved(frames.experts), frames.video[order])
    shuffled = Observed(
        observed.pairs.iloc[order].reset_index(drop=True), moved(observed.swap), {}, {}, {"frames": gallery}, {}, others
    )
    one, other = value(observed), value(shuffled)
    assert one.value == other.value
    np.testing.assert_array_equal(one.draws, other.draws)
    straight = trained_detector.verdicts(observed, frames, frames.video)
    turned = trained_detector.verdicts(shuffled, gallery, gallery.video)
    np.testing.assert_array_equal(straight.swap[order], turned.swap)


def test_the_same_swaps_under_two_methods_stay_two_methods():
    observed = a_run(["a", "b"], np.random.default_rng(5))
    twins = {"a": observed.others["a"], "b": observed.others["a"]}
    two = Observed(observed.pairs, observed.swap, {}, {}, observed.galleries, {}, twins)
    assert np.isfinite(value(two).value)
    one = Observed(observed.pairs, observed.swap, {}, {}, observed.galleries, {}, {"a": twins["a"]})
    assert value(one).reason.startswith("1 other method with swaps that were observed: a")


def test_swaps_without_a_face_are_neither_learned_from_nor_scored():
    observed = a_run(["a", "b"], np.random.default_rng(6))
    for seen in (observed.swap, observed.others["a"], observed.galleries["frames"].experts):
        seen["blend-cnn"]["embedding"][::5] = np.nan
    values = forgery_auc("trained-on-others").compute(observed)
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(0, 2 * PEOPLE, 5))
    assert value(observed).value > 80


@pytest.mark.parametrize(
    ("methods", "keep", "reason"),
    [
        ([], 48, "0 other methods with swaps that were observed; a detector trained on others needs 2"),
        (["a"], 48, "1 other method with swaps that were observed: a; a detector trained on others needs 2"),
        (["a", "b"], 6, "3 videos; a detector trained on others needs 8, to judge none that it has seen"),
    ],
)
@pytest.mark.parametrize("metric", [forgery_auc, forgery_ap, forgery_eer])
def test_with_too_few_methods_or_videos_there_is_a_reason(metric, methods, keep, reason):
    observed = a_run(methods, np.random.default_rng(7))

    def first(seen):
        return {name: {key: array[:keep] for key, array in outputs.items()} for name, outputs in seen.items()}

    frames = observed.galleries["frames"]
    gallery = Gallery(frames.identity[:keep], frames.image[:keep], first(frames.experts), frames.video[:keep])
    others = {name: first(swap) for name, swap in observed.others.items()}
    few = Observed(observed.pairs[:keep], first(observed.swap), {}, {}, {"frames": gallery}, {}, others)
    found = value(few, metric)
    assert np.isnan(found.value) and found.draws.shape == (0,)
    assert found.reason == reason
    assert np.isnan(metric("trained-on-others").compute(few)).all()


def test_a_method_that_never_succeeded_is_no_other_method():
    observed = a_run(["a", "b"], np.random.default_rng(8))
    nothing = {"blend-cnn": {}, "spectrum": {}}
    others = {"a": observed.others["a"], "b": nothing}
    assert (
        "1 other method"
        in value(Observed(observed.pairs, observed.swap, {}, {}, observed.galleries, {}, others)).reason
    )


def test_it_is_trained_once_for_all_metrics(monkeypatch):
    observed = a_run(["a", "b"], np.random.default_rng(9))
    calls = []
    real = trained_detector._classifier
    monkeypatch.setattr(trained_detector, "_classifier", lambda *rows: calls.append(1) or real(*rows))
    for metric in (forgery_auc, forgery_ap, forgery_eer):
        metric("trained-on-others").compute(observed)
        value(observed, metric, "video")
    assert 0 < len(calls) <= trained_detector.FOLDS**2


def test_many_images_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr(trained_detector, "MOST_ROWS", 5)
    rows = np.arange(41.0)[:, None]
    assert trained_detector._thinned(rows).ravel().tolist() == [0, 10, 20, 30, 40]
    assert trained_detector._thinned(rows[:5]).shape == (5, 1)
