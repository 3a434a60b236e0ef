"""Forgery AUC, AP and EER as the numbers of a method: value, draws of videos, reasons, clips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from hifibench.errors import UsageError
from hifibench.records import Gallery, Observed
from metrics.forgery import forgery_ap, forgery_auc, forgery_eer
from metrics.resampling import cluster_weights

METRICS = (forgery_auc, forgery_ap, forgery_eer)


def observed_of(swap, real, swap_video=None, real_video=None, source=None):
    """A method's swaps and the originals with the scores of a detector."""
    swap_video = [f"v{row}" for row in range(len(swap))] if swap_video is None else swap_video
    real_video = [f"v{row}" for row in range(len(real))] if real_video is None else real_video
    pairs = pd.DataFrame(
        {
            "pair": [f"p{row}" for row in range(len(swap))],
            "source": ["face"] * len(swap) if source is None else source,
            "target": [f"t{row}" for row in range(len(swap))],
            "video": swap_video,
        }
    )
    names = np.array([f"image{row}" for row in range(len(real))])
    seen = [{"spectrum": {"fake": np.reshape(scores, (-1, 1)).astype(np.float32)}} for scores in (swap, real)]
    gallery = Gallery(names, names, seen[1], None if real_video == "unknown" else np.array(real_video))
    return Observed(pairs, seen[0], {}, {}, {"frames": gallery})


def whole(metric, observed, unit="", seed=0, draws=200):
    return metric("spectrum", unit).whole(observed, seed, draws)


def some(n=40, m=60, shift=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, n).round(1), rng.normal(0, 1, m).round(1)


def test_the_numbers_are_those_of_scikit_learn():
    swap, real = some()
    observed = observed_of(swap, real)
    labels, both = np.repeat([1, 0], [40, 60]), np.concatenate([swap, real]).astype(np.float32)
    balanced = np.repeat([1 / 40, 1 / 60], [40, 60])
    alarms, caught, _ = roc_curve(labels, both)
    at = np.linspace(0, 1, 200_001)
    expected = (
        roc_auc_score(labels, both),
        average_precision_score(labels, both, sample_weight=balanced),
        at[np.argmax(np.interp(at, alarms, caught) >= 1 - at)],
    )
    for metric, value in zip(METRICS, expected, strict=True):
        assert whole(metric, observed).value == pytest.approx(100 * value, abs=1e-3)
    assert forgery_auc("spectrum").compute(observed).mean() == pytest.approx(100 * expected[0])
    for metric in (forgery_ap, forgery_eer):
        np.testing.assert_array_equal(metric("spectrum").compute(observed), swap.astype(np.float32))


@pytest.mark.parametrize("metric", METRICS)
def test_draws_hold_originals_and_swaps_of_the_same_videos(metric):
    swap, real = some(12, 16)
    swap_video, real_video = [f"v{row % 4}" for row in range(12)], [f"v{row % 4}" for row in range(16)]
    found = whole(metric, observed_of(swap, real, swap_video, real_video), seed=5, draws=50)
    weights = cluster_weights(4, 5, 50)
    assert found.draws.shape == (50,) and found.reason == ""
    for draw, sample in zip(found.draws, weights, strict=True):
        times, real_times = np.resize(sample, 12), np.resize(sample, 16)
        repeated = observed_of(np.repeat(swap, times), np.repeat(real, real_times))
        assert whole(metric, repeated).value == pytest.approx(draw, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_covers_the_number_and_clusters_widen_it(metric):
    rng = np.random.default_rng(3)
    of_video = rng.normal(0, 1, 60)
    video = np.repeat(np.arange(60), 8)
    swap, real = (of_video[video] + rng.normal(mean, 0.3, 480) for mean in (0.8, 0.0))
    names = [f"v{one}" for one in video]
    clustered = whole(metric, observed_of(swap, real, names, names))
    single = whole(metric, observed_of(swap, real, [f"a{i}" for i in range(480)], [f"b{i}" for i in range(480)]))
    assert clustered.value == single.value
    low, high = np.quantile(clustered.draws, [0.025, 0.975])
    assert low < clustered.value < high
    # A video's originals and swaps share what is peculiar to it, and are drawn together.
    apart = whole(metric, observed_of(swap, real, [f"a{one}" for one in names], [f"b{one}" for one in names]))
    assert clustered.draws.std() < 0.75 * apart.draws.std()
    assert apart.draws.std() > 1.5 * single.draws.std()


@pytest.mark.parametrize("metric", METRICS)
def test_draws_are_the_same_videos_for_every_method_whatever_it_failed_on(metric):
    swap, real = some(30, 30)
    failed = swap.copy()
    failed[::7] = np.nan
    elsewhere = [f"o{row}" for row in range(30)]
    one, other = (whole(metric, observed_of(scores, real, None, elsewhere), seed=2) for scores in (swap, failed))
    assert np.corrcoef(one.draws, other.draws)[0, 1] > 0.8
    apart = whole(metric, observed_of(failed, real, None, elsewhere), seed=3)
    assert abs(np.corrcoef(one.draws, apart.draws)[0, 1]) < 0.4


@pytest.mark.parametrize("unit", ["", "video"])
@pytest.mark.parametrize("metric", METRICS)
def test_the_order_of_pairs_and_originals_changes_no_bit(metric, unit):
    rng = np.random.default_rng(4)
    swap, real = rng.normal(1, 1, 40), rng.normal(0, 1, 50)
    swap[::9] = np.nan
    video, real_video = [f"v{row % 7}" for row in range(40)], [f"v{row % 9}" for row in range(50)]
    source = [f"s{row % 3}" for row in range(40)]
    straight = whole(metric, observed_of(swap, real, video, real_video, source), unit)
    p, q = rng.permutation(40), rng.permutation(50)
    moved = [list(np.array(names)[order]) for names, order in ((video, p), (real_video, q), (source, p))]
    shuffled = whole(metric, observed_of(swap[p], real[q], *moved), unit)
    assert shuffled.value == straight.value
    np.testing.assert_array_equal(shuffled.draws, straight.draws)


@pytest.mark.parametrize("metric", METRICS)
def test_faces_that_were_not_found_are_counted_and_enter_nowhere(metric):
    with_failed = observed_of([1, np.nan, 3, 0.5, np.nan], [0, np.nan, 1, 2])
    without = observed_of([1, 3, 0.5], [0, 1, 2])
    assert whole(metric, with_failed).value == whole(metric, without).value
    values = metric("spectrum").compute(with_failed)
    assert np.flatnonzero(np.isnan(values)).tolist() == [1, 4]
    as_chance = observed_of([1, 0.5, 3, 0.5, 0.5], [0, 0.5, 1, 2])
    assert whole(metric, as_chance).value != whole(metric, with_failed).value


@pytest.mark.parametrize("unit", ["", "video"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("swap", "real", "reason"),
    [
        ([0.5, 0.5, 0.5], [0.5, 0.5], "all 5 scores are 0.5: the detector tells nothing apart"),
        ([np.nan, np.nan], [0.5, 0.6], "none of the swaps has a score"),
        ([0.5, 0.6], [np.nan, np.nan], "none of the originals has a score"),
        ([np.nan], [np.nan], "none of the swaps and none of the originals has a score"),
    ],
)
def test_a_number_that_is_undefined_has_a_reason_and_is_not_50(metric, unit, swap, real, reason):
    source = [f"s{row}" for row in range(len(swap))]
    found = whole(metric, observed_of(swap, real, source=source), unit)
    assert np.isnan(found.value) and found.draws.shape == (0,)
    assert found.reason == reason


@pytest.mark.parametrize("metric", METRICS)
def test_an_expert_that_saw_nothing_at_all_gives_a_reason_too(metric):
    observed = observed_of([1, 2], [0, 1])
    blind = Observed(observed.pairs, {"spectrum": {}}, {}, {}, observed.galleries)
    assert whole(metric, blind).reason == "none of the swaps has a score"


@pytest.mark.parametrize("metric", METRICS)
def test_there_is_no_interval_from_one_video(metric):
    for videos in ((["v"] * 3, ["v"] * 4), (["v"] * 3, list("abcd")), (list("abc"), ["v"] * 4)):
        found = whole(metric, observed_of([1, 2, 3], [0, 1, 2, 2.5], *videos))
        assert np.isfinite(found.value) and found.draws.shape == (0,)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_of_clips_are_means_over_their_frames(metric):
    # Two source images onto two videos; one frame has no face, one clip none at all.
    swap = [1, 3, 5, 0, 0, np.nan, 4, 6, np.nan, np.nan]
    video = ["v", "v", "w", "v", "v", "v", "w", "w", "u", "u"]
    source = ["a", "a", "a", "b", "b", "b", "b", "b", "a", "a"]
    real, real_video = [0, 1, 2.5, np.nan, 7], ["v", "v", "w", "w", "u"]
    clips = observed_of([2, 5, 0, 5], [0.5, 2.5, 7], ["v", "w", "v", "w"], ["v", "w", "u"])
    observed = observed_of(swap, real, video, real_video, source)
    assert whole(metric, observed, "video").value == whole(metric, clips).value
    values = metric("spectrum", "video").compute(observed)
    of_clips = metric("spectrum").compute(clips)
    expected = [*of_clips[[0, 0, 1, 2, 2]], np.nan, *of_clips[[3, 3]], np.nan, np.nan]
    np.testing.assert_array_equal(values, expected)
    assert whole(metric, observed).value != whole(metric, observed, "video").value


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_video_under_two_methods_is_scored_apart(metric):
    # Keyed by the clip's name alone, both methods would share one average, and a detector at chance would be perfect.
    real = [0.0, 1.0, 2.0, 3.0]
    good, bad = [0.25, 0.75, 2.25, 2.75], [9.0, 9.5, 9.0, 9.5]
    video = ["v", "v", "w", "w"]
    apart = [whole(metric, observed_of(scores, real, video, video), "video").value for scores in (good, bad)]
    alone = whole(metric, observed_of([0.5, 2.5], [0.5, 2.5], ["v", "w"], ["v", "w"])).value
    assert apart[0] == alone
    assert apart[1] == (0.0 if metric is forgery_eer else 100.0)


def test_originals_that_no_video_is_known_of_stand_alone_or_with_the_pair_they_are_the_target_of():
    observed = observed_of([1.0, 2.0], [0.0, 1.5, 0.5], ["v", "w"], "unknown")
    gallery = observed.galleries["frames"]
    known = Gallery(gallery.identity, np.array(["t0", "t1", "else"]), gallery.experts)
    named = Gallery(gallery.identity, gallery.image, gallery.experts, np.array(["v", "w", "x"]))
    one, other = (
        whole(forgery_auc, Observed(observed.pairs, observed.swap, {}, {}, {"frames": each})) for each in (known, named)
    )
    assert np.isfinite(one.draws).sum() > 150
    # Three clusters each, sorted differently: the same kinds of draws.
    assert set(np.round(one.draws[np.isfinite(one.draws)], 6)) == set(
        np.round(other.draws[np.isfinite(other.draws)], 6)
    )
    assert whole(forgery_auc, observed).value == one.value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pixels",), r"'pixels' is no forgery detector; expected one of: .*\. Or 'trained-on-others'"),
        (("spectrum", "clip"), r"'clip' is no unit; expected one of: video"),
    ],
)
@pytest.mark.parametrize("metric", METRICS)
def test_words_without_sense_are_refused(metric, words, message):
    with pytest.raises(UsageError, match=message):
        metric(*words)


@pytest.mark.parametrize(
    ("metric", "name", "title", "direction", "worst"),
    [
        (forgery_auc, "forgery_auc", "Forgery AUC", "down", 100),
        (forgery_ap, "forgery_ap", "Forgery AP", "down", 100),
        (forgery_eer, "forgery_eer", "Forgery EER", "up", 0),
    ],
)
def test_what_the_metrics_say_of_themselves(metric, name, title, direction, worst):
    made, of_clips, trained = metric("spectrum"), metric("spectrum", "video"), metric("trained-on-others")
    assert (made.name, of_clips.name) == (f"{name}[spectrum]", f"{name}[spectrum,video]")
    assert (made.title, made.unit, made.direction, made.worst) == (title, "%", direction, worst)
    assert made.needs == ("spectrum",) and trained.needs == ("blend-cnn", "spectrum")
    assert metric("trained-on-others", "video").name == f"{name}[trained-on-others,video]"
