"""How well a forgery detector tells swapped frames from original ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import gallery, judge, output

GALLERY = "frames"
"""The original frames that swaps are held against: every one that was sampled."""


def forgery_auc(detector: str) -> Metric:
    """Forgery AUC: how often a detector finds the swap more suspicious than an original frame.

    ``forgery_auc[detector]``. Per pair the share of the original frames (gallery ``frames``) whose score lies below
    the swap's, a tie counting half, in %: the mean over pairs is the area under the ROC curve, swaps against originals
    (Mann and Whitney, 1947). Lower is better: 50 is chance, 100 a detector that is never deceived, 0 one that takes
    swaps for more real than reality. Originals and swaps pass through the same detector and cropper. A detector that
    gives every image the same score reads 50, which then says nothing of the swaps.

    NaN where no face is found in the swap, or in no original; originals without a face are left out. Neither enters as
    a score of 0.5. The worst case is 100.

    Args:
        detector: an expert that gives ``fake``: the higher, the more likely forged.

    Raises:
        UsageError: no such detector; while computing: the observations lack it, or the gallery.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Gallery, Observed
        >>> scores = {"spectrum": {"fake": np.float32([[1], [2], [3], [4]])}}
        >>> gallery = Gallery(np.array(list("abcd")), np.array(list("abcd")), scores)
        >>> swap = {"spectrum": {"fake": np.float32([[2.5], [4], [np.nan]])}}
        >>> observed = Observed(pd.DataFrame(index=range(3)), swap, {}, {}, {"frames": gallery})
        >>> forgery_auc("spectrum").compute(observed)
        array([50. , 87.5,  nan])
    """
    judge("forgery_auc", "forgery detector", detector, lambda card: "fake" in card.outputs)

    def compute(observed: Observed) -> NDArray[np.float64]:
        originals = gallery(observed, GALLERY)
        real = output(originals.experts, detector, "fake", len(originals.image))[:, 0].astype(np.float64)
        swap = output(observed.swap, detector, "fake", len(observed.pairs))[:, 0].astype(np.float64)
        real = np.sort(real[np.isfinite(real)])
        values = np.full(len(swap), np.nan)
        seen = np.isfinite(swap)
        if real.size:
            below, not_above = (np.searchsorted(real, swap[seen], side) for side in ("left", "right"))
            values[seen] = 100.0 * (below + not_above) / (2 * real.size)
        return values

    return Metric(
        name=f"forgery_auc[{detector}]",
        title="Forgery AUC",
        unit="%",
        direction="down",
        needs=(detector,),
        compute=compute,
        worst=100.0,
        decimals=1,
        group="realism",
    )
