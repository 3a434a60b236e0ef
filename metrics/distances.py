"""How far the swaps as a set lie from the original frames as a set: FID and KID."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric, Whole
from hifibench.records import Observed
from metrics.inputs import gallery, judge, output, videos_of

GALLERY = "frames"
"""The originals that swaps are held against: every frame that was sampled."""
FID_LEAST = 2048
"""Images on either side below which no FID is given: with fewer than the features have numbers, the covariances are
singular and the bias outweighs what methods differ by."""
KID_LEAST = 10
"""Images on either side below which no KID is given."""
SUBSETS, SUBSET_SIZE = 100, 1000

Values = NDArray[np.float64]


class Sides(NamedTuple):
    """Features of both sets, without the images in which no face was found.

    Attributes:
        swap: ``(n, d)``.
        real: ``(m, d)``.
        swap_videos: ``(n,)`` the target's video of each swap.
        real_videos: ``(m,)`` the video of each original.
        videos: all videos of either set, those without a face too, sorted; the same for every method.
        most: images in the larger set, those without a face too.
    """

    swap: Values
    real: Values
    swap_videos: NDArray[np.str_]
    real_videos: NDArray[np.str_]
    videos: NDArray[np.str_]
    most: int


def fid(features: str) -> Metric:
    """FID: Fréchet distance between swaps and original frames in the features of a network.

    ``fid[features]``: |m - m'|² + tr(C + C' - 2 (C C')^½) of the means and covariances of both sets (Heusel et al.,
    NIPS 2017), swaps against the gallery ``frames``. Without a unit; lower is better, 0 for equal sets. The trace of
    the root is the sum of the roots of the eigenvalues of C^½ C' C^½, which is symmetric: no complex numbers arise.

    FID of a sample is too large, by an amount that depends on its size and on the method (Bińkowski et al., ICLR 2018),
    so numbers from different numbers of swaps do not compare, and no number is given below `FID_LEAST` images on either
    side: use ``kid``. It has no interval: a bootstrap repeats images, which adds a bias of its own, so that
    the interval could lie beside the value.

    Per pair (``scores.parquet``) stands the squared distance of the swap's features to the originals' mean; NaN where
    no face was found. Failed pairs take no part, and there is no worst case.

    Args:
        features: an expert that gives ``features``.

    Raises:
        UsageError: the expert gives none; while computing: the observations lack them, or the gallery.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> swaps = rng.standard_normal((4000, 2))
        >>> round(frechet_distance(swaps, swaps + [3, 4]), 6)
        25.0
    """
    judge("fid", "feature extractor", features, lambda card: "features" in card.outputs)

    def whole(observed: Observed, seed: int, draws: int) -> Whole:
        sides = _sides(observed, features)
        if reason := _too_few(sides, FID_LEAST, "FID"):
            return Whole(np.nan, np.empty(0), f"{reason} Use kid[{features}], which small sets do not bias.")
        return Whole(frechet_distance(sides.swap, sides.real), np.empty(0))

    return _metric("fid", "FID", features, whole, 2)


def kid(features: str) -> Metric:
    """KID: squared maximum mean discrepancy between swaps and original frames in the features of a network.

    ``kid[features]``: the unbiased estimate of MMD² with the kernel (x·y / d + 1)³ (Bińkowski et al., ICLR 2018), swaps
    against the gallery ``frames``, as it is and not times 1000. Without a unit; lower is better; equal distributions
    read 0 in the mean, and so sometimes less.

    The value is the mean over `SUBSETS` seeded subsets: the swaps of a random half of the videos against the originals
    of the other half; where the larger set has more than twice `SUBSET_SIZE` images, of as many videos as hold
    `SUBSET_SIZE`. So no swap is held against frames of its own target, which it resembles whatever the method: with
    them, copies of the originals would read far below 0, the further the fewer there are. Frames of one video are not
    paired within a set either (see `mmd2`). All methods share the subsets.

    The interval is that of the subsets' values. They scatter around the whole as much as the whole does around the
    truth, or more: in simulations it held the truth in 93 to 100 % of cases, and was up to three times too wide where
    each swap resembles its target. Differences of methods, which share the subsets, are much better known.

    No number below `KID_LEAST` images on either side, or where every subset leaves fewer than two on a side. Per pair
    (``scores.parquet``) stands the squared distance of the swap's features to the originals' mean; NaN where no face
    was found. Failed pairs take no part, and there is no worst case.

    Args:
        features: an expert that gives ``features``.

    Raises:
        UsageError: the expert gives none; while computing: the observations lack them, or the gallery.

    Example:
        >>> round(mmd2(np.eye(2), np.zeros((2, 2))), 3)  # kernels (1/2 + 1)³ of equal rows, 1 of all others
        0.0
        >>> round(mmd2(np.ones((2, 2)), np.zeros((2, 2))), 3)  # (1 + 1)³ + 1 - 2
        7.0
    """
    judge("kid", "feature extractor", features, lambda card: "features" in card.outputs)

    def whole(observed: Observed, seed: int, draws: int) -> Whole:
        sides = _sides(observed, features)
        if reason := _too_few(sides, KID_LEAST, "KID"):
            return Whole(np.nan, np.empty(0), reason)
        drawn = np.array([_subset_mmd2(sides, subset) for subset in subsets(sides.videos, sides.most, seed)])
        known = drawn[np.isfinite(drawn)]
        if not known.size:
            return Whole(
                np.nan, drawn, "KID needs more videos: no half of them holds two swaps, and the other two originals."
            )
        return Whole(float(known.mean()), drawn)

    return _metric("kid", "KID", features, whole, 5)


def frechet_distance(one: Values, other: Values) -> float:
    """Fréchet distance of the normal distributions with the means and covariances of two sets.

    Args:
        one: ``(n, d)``, n > 1.
        other: ``(m, d)``, m > 1.
    """
    apart = np.square(one.mean(0) - other.mean(0)).sum()
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    values, vectors = np.linalg.eigh(first)
    # Rounding makes eigenvalues that are 0 a little less.
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    overlap = np.linalg.eigvalsh(root @ second @ root)
    return float(apart + np.trace(first) + np.trace(second) - 2 * np.sqrt(np.clip(overlap, 0, None)).sum())


def mmd2(
    one: Values,
    other: Values,
    one_videos: NDArray[np.str_] | None = None,
    other_videos: NDArray[np.str_] | None = None,
) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / d + 1)³.

    Args:
        one: ``(n, d)``.
        other: ``(m, d)``.
        one_videos: ``(n,)`` of what each image is a frame: frames of one video are no independent draws, so that
            they are not paired, as no image is paired with itself. ``None``: each is a video of its own.
        other_videos: ``(m,)`` the same for ``other``.

    Returns:
        NaN for a set of fewer than two images or videos.

    Source: A. Gretton et al., "A kernel two-sample test", JMLR 2012, eq. 3.
    """

    def kernel(a: Values, b: Values) -> Values:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    if not (len(one) and len(other)):
        return float("nan")
    within = 0.0
    for rows, videos in ((one, one_videos), (other, other_videos)):
        names = np.arange(len(rows)) if videos is None else videos
        paired = names[:, None] != names[None]
        if not paired.any():
            return float("nan")
        within += float(kernel(rows, rows)[paired].mean())
    return within - 2 * float(kernel(one, other).mean())


class Subset(NamedTuple):
    """The videos whose swaps, and those whose originals, one subset of KID holds."""

    swap: NDArray[np.str_]
    real: NDArray[np.str_]


def subsets(videos: NDArray[np.str_], images: int, seed: int) -> list[Subset]:
    """What each subset of KID holds: no video twice.

    Args:
        videos: all there are, sorted.
        images: how many images they hold in the larger of the two sets.
        seed: the subsets depend on it and on the other arguments, on nothing else.
    """
    rng = np.random.default_rng(seed)
    size = max(1, int(len(videos) * min(0.5, SUBSET_SIZE / images)))
    shuffled = [videos[rng.permutation(len(videos))] for _ in range(SUBSETS)]
    return [Subset(order[:size], order[size : 2 * size]) for order in shuffled]


def _subset_mmd2(sides: Sides, subset: Subset) -> float:
    swap, real = np.isin(sides.swap_videos, subset.swap), np.isin(sides.real_videos, subset.real)
    return mmd2(sides.swap[swap], sides.real[real], sides.swap_videos[swap], sides.real_videos[real])


def _sides(observed: Observed, features: str) -> Sides:
    originals = gallery(observed, GALLERY)
    videos = videos_of(observed, originals)
    real = output(originals.experts, features, "features", len(originals.image)).astype(np.float64)
    swap = output(observed.swap, features, "features", len(observed.pairs)).astype(np.float64)
    targets = observed.pairs["video"].to_numpy().astype(str)
    swap_seen, real_seen = (np.isfinite(rows).all(1) for rows in (swap, real))
    return Sides(
        swap[swap_seen],
        real[real_seen],
        targets[swap_seen],
        videos[real_seen],
        np.unique(np.concatenate([targets, videos])),
        max(len(swap), len(real)),
    )


def _too_few(sides: Sides, least: int, what: str) -> str:
    if min(len(sides.swap), len(sides.real)) >= least:
        return ""
    return (
        f"{what} needs at least {least:,} images on either side; there are {len(sides.swap):,} swaps and "
        f"{len(sides.real):,} original frames in which a face was found."
    )


def _metric(
    base: str, title: str, features: str, whole: Callable[[Observed, int, int], Whole], decimals: int
) -> Metric:
    def compute(observed: Observed) -> Values:
        originals = gallery(observed, GALLERY)
        real = output(originals.experts, features, "features", len(originals.image)).astype(np.float64)
        swap = output(observed.swap, features, "features", len(observed.pairs)).astype(np.float64)
        real = real[np.isfinite(real).all(1)]
        if not len(real):
            return np.full(len(swap), np.nan)
        return np.asarray(np.square(swap - real.mean(0)).sum(1))

    return Metric(
        name=f"{base}[{features}]",
        title=title,
        unit="",
        direction="down",
        needs=(features,),
        compute=compute,
        decimals=decimals,
        group="realism",
        scope="pair",
        whole=whole,
    )
