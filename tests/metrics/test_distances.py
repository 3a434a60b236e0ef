from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel

from hifibench.errors import UsageError
from hifibench.records import Gallery, Observed
from metrics import distances
from metrics.distances import FID_LEAST, KID_LEAST, SUBSETS, fid, frechet_distance, kid, mmd2, subsets

RNG = np.random.default_rng(0)


def features(n, d=8, shift=0.0):
    return np.abs(RNG.standard_normal((n, d)) @ RNG.standard_normal((d, d)) + shift)


def observed(swap, real, videos=None, real_videos=None):
    """Swaps ``(n, d)`` beside original frames ``(m, d)``."""
    names = [f"v{row:04d}" for row in range(max(len(swap), len(real)))]
    pairs = pd.DataFrame({"video": list(videos or names[: len(swap)])})
    of_real = np.array(real_videos or names[: len(real)])
    images = np.array([f"i{row}" for row in range(len(real))])
    gallery = Gallery(of_real, images, {"inception": {"features": np.asarray(real, np.float32)}}, of_real)
    swap_seen = {"inception": {"features": np.asarray(swap, np.float32)}}
    return Observed(pairs, swap_seen, {}, {}, {"frames": gallery})


def naive_fid(one, other):
    """The formula as it is commonly written, with the root of a matrix that is not symmetric."""
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    return np.square(one.mean(0) - other.mean(0)).sum() + np.trace(first + second - 2 * sqrtm(first @ second))


def test_fid_is_the_formula_where_that_is_sound():
    for shift in (0.0, 0.5):
        one, other = features(300), features(200, shift=shift)
        assert frechet_distance(one, other) == pytest.approx(naive_fid(one, other).real, rel=1e-6)


def test_fid_of_known_normals():
    n = 4000
    one = RNG.standard_normal((n, 3))
    one = (one - one.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(one, rowvar=False))).T
    # Covariances I and diag(4, 9, 1) commute: the sum of (sd - sd')² and the squared shift.
    other = one * (2, 3, 1) + np.array([1, 0, 2])
    assert frechet_distance(one, other) == pytest.approx(1 + 4 + 5, abs=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))


def test_a_naive_fid_of_few_images_is_complex_and_ours_is_refused():
    swap, real = features(20, d=64), features(20, d=64)
    root = sqrtm(np.cov(swap, rowvar=False) @ np.cov(real, rowvar=False))
    assert np.iscomplexobj(root) and np.abs(root.imag).max() > 0
    assert np.isreal(frechet_distance(swap, real)) and frechet_distance(swap, real) > 0
    whole = fid("inception").whole(observed(swap, real), 0, 100)
    assert np.isnan(whole.value) and whole.draws.size == 0
    assert whole.reason == (
        "FID needs at least 2,048 images on either side; there are 20 swaps and 20 original frames in which a face was "
        "found. Use kid[inception], which small sets do not bias."
    )


@pytest.mark.parametrize(("n", "m"), [(FID_LEAST - 1, FID_LEAST), (FID_LEAST, FID_LEAST - 1)])
def test_fid_is_refused_below_its_least_on_either_side(n, m):
    whole = fid("inception").whole(observed(features(n, 3), features(m, 3)), 0, 100)
    assert np.isnan(whole.value) and f"{n:,} swaps and {m:,} original" in whole.reason


def test_fid_of_enough_images_is_given_without_an_interval():
    swap, real = features(FID_LEAST + 2, 3), features(FID_LEAST, 3, shift=1)
    unseen = swap.copy()
    unseen[:2] = np.nan
    whole = fid("inception").whole(observed(unseen, real), 0, 100)
    assert whole.value == pytest.approx(frechet_distance(swap[2:], real), rel=1e-4)
    assert whole.draws.size == 0 and not whole.reason


def test_kid_is_the_unbiased_estimate():
    one, other = features(30), features(40, shift=0.3)
    d = one.shape[1]
    within = [polynomial_kernel(rows, rows, degree=3, gamma=1 / d, coef0=1) for rows in (one, other)]
    means = [(kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in within]
    between = polynomial_kernel(one, other, degree=3, gamma=1 / d, coef0=1).mean()
    assert mmd2(one, other) == pytest.approx(sum(means) - 2 * between, rel=1e-10)
    assert np.isnan(mmd2(one[:1], other))


def test_kid_of_equal_distributions_is_0_in_the_mean_at_any_size():
    for n in (4, 50):
        values = [mmd2(*RNG.standard_normal((2, n, 4))) for _ in range(2000)]
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_kid_of_a_run_is_near_that_of_all_its_images():
    swap, real = features(200), features(300, shift=0.5)
    whole = kid("inception").whole(observed(swap, real), 1, 1000)
    assert whole.draws.shape == (SUBSETS,)
    assert whole.value == pytest.approx(whole.draws.mean())
    low, high = np.quantile(whole.draws, [0.025, 0.975])
    assert low < mmd2(swap, real) < high
    assert whole.value == pytest.approx(mmd2(swap, real), rel=0.2)


def test_copies_of_the_originals_read_0_and_not_less():
    sets = RNG.standard_normal((60, 40, 4))
    values = np.array([kid("inception").whole(observed(real, real), seed, 100).value for seed, real in enumerate(sets)])
    with_their_own = np.array([mmd2(real, real) for real in sets])
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(sets))
    assert with_their_own.mean() < -4 * with_their_own.std() / np.sqrt(len(sets))
    assert with_their_own.mean() < 10 * -abs(values.mean())


def test_frames_of_one_video_are_not_paired():
    n, d = 60, 4
    people = 3 * RNG.standard_normal((2, 300, n // 5, 1, d))
    values, unaware = [], []
    videos = np.repeat([f"v{row}" for row in range(n // 5)], 5)
    for one, other in people.transpose(1, 0, 2, 3, 4) + RNG.standard_normal((300, 2, n // 5, 5, d)):
        pair = one.reshape(n, d), other.reshape(n, d)
        values.append(mmd2(*pair, videos, videos))
        unaware.append(mmd2(*pair))
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert np.mean(unaware) > 10 * np.std(unaware) / np.sqrt(len(unaware))
    assert np.isnan(mmd2(*pair, np.repeat("v", n), videos))


def test_methods_share_the_subsets_and_seeds_change_them():
    real, swap = features(60), features(60, shift=0.5)
    blind = swap.copy()
    blind[7] = np.nan
    first, other, again = (kid("inception").whole(observed(rows, real), 3, 100).draws for rows in (swap, blind, swap))
    np.testing.assert_array_equal(first, again)
    names = np.array([f"v{row:04d}" for row in range(60)])
    untouched = ["v0007" not in subset.swap for subset in subsets(names, 60, 3)]
    assert 30 < sum(untouched) < 70
    np.testing.assert_allclose(other[untouched], first[untouched], rtol=1e-9)
    assert not np.isclose(other[~np.array(untouched)], first[~np.array(untouched)]).any()
    assert not np.array_equal(kid("inception").whole(observed(swap, real), 4, 100).draws, first)


def test_frames_of_one_video_stay_together(monkeypatch):
    videos = [f"v{row // 5}" for row in range(50)]
    looked = []

    def spy(swap, real, swap_videos, real_videos):
        looked.append((len(swap), len(real)))
        assert not {*swap_videos} & {*real_videos}
        return 0.0

    monkeypatch.setattr(distances, "mmd2", spy)
    kid("inception").whole(observed(features(50), features(50), videos, videos), 0, 100)
    assert set(looked) == {(25, 25)}  # 5 of 10 videos


def test_originals_without_a_named_video_go_with_the_pair_they_are_the_target_of():
    run = observed(features(20), features(20), [f"v{row}" for row in range(20)], [f"v{row}" for row in range(20)])
    gallery = run.galleries["frames"]
    unnamed = Gallery(gallery.identity, gallery.image, gallery.experts)
    pairs = run.pairs.assign(target=gallery.image)
    bare = Observed(pairs, run.swap, {}, {}, {"frames": unnamed})
    np.testing.assert_array_equal(kid("inception").whole(bare, 0, 100).draws, kid("inception").whole(run, 0, 100).draws)


def test_subsets_of_large_sets_hold_about_a_thousand_images():
    names = np.array([f"v{row:05d}" for row in range(4000)])
    for videos, images, size in ((names, 40000, 100), (names[:11], 11, 5)):
        for subset in subsets(videos, images, 0):
            assert len(subset.swap) == len(subset.real) == size
            assert len({*subset.swap, *subset.real}) == 2 * size


def test_kid_of_too_few_images_is_refused():
    whole = kid("inception").whole(observed(features(KID_LEAST - 1), features(40)), 0, 100)
    assert np.isnan(whole.value) and whole.draws.size == 0
    assert whole.reason.startswith("KID needs at least 10 images on either side; there are 9 swaps and 40 original")
    one_video = kid("inception").whole(observed(features(20), features(20), ["v"] * 20, ["w"] * 20), 0, 100)
    assert np.isnan(one_video.value) and "more videos" in one_video.reason


@pytest.mark.parametrize("metric", [fid, kid])
def test_a_pair_contributes_its_distance_to_the_originals_mean(metric):
    swap, real = features(6), features(9)
    swap[2], real[4] = np.nan, np.nan
    values = metric("inception").compute(observed(swap, real))
    mean = real[np.isfinite(real).all(1)].mean(0)
    np.testing.assert_allclose(values, np.square(swap - mean).sum(1), rtol=1e-4)
    assert np.isnan(values[2]) and np.isfinite(np.delete(values, 2)).all()
    assert np.isnan(metric("inception").compute(observed(swap, real * np.nan))).all()


def test_who_gives_no_features_is_refused_and_so_is_a_run_without_frames():
    with pytest.raises(UsageError, match=r"'mediapipe' is no feature extractor; expected one of: inception"):
        fid("mediapipe")
    rows = observed(features(3), features(3))
    with pytest.raises(UsageError, match="No gallery 'frames' was observed"):
        kid("inception").compute(Observed(rows.pairs, rows.swap, {}, {}, {}))
