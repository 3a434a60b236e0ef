"""Whether the swap leaves the picture around the face alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import one_of, output

EXPERTS: Mapping[str, str] = MappingProxyType({"l1": "pixels", "ssim": "pixels", "lpips": "lpips"})
"""Comparison -> the expert that compares a swapped frame with its target frame by it."""
COMPARISONS = tuple(EXPERTS)
_WORST: Mapping[str, float | None] = MappingProxyType({"l1": 1.0, "ssim": -1.0, "lpips": None})


def background(comparison: str) -> Metric:
    """Background: how much the picture changed outside the dilated face of the target.

    * ``background[l1]``: mean absolute difference of RGB values in [0, 1]; lower is better, 1 in the worst case.
    * ``background[ssim]``: mean structural similarity (Wang et al., IEEE TIP 2004); 1 is unchanged, higher is
      better, -1 in the worst case.
    * ``background[lpips]``: mean learned perceptual distance (Zhang et al., CVPR 2018, AlexNet); 0 is unchanged,
      lower is better, without a bound.

    NaN where the target's face, and so the background, is not known.

    Args:
        comparison: one of `COMPARISONS`.

    Raises:
        UsageError: no such comparison.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"pixels": {"background_l1": np.float32([0.25, np.nan])}}
        >>> background("l1").compute(Observed(pd.DataFrame(index=range(2)), swap, {}, {}, {}))
        array([0.25,  nan])
    """
    one_of("background", "comparison", comparison, COMPARISONS)
    direction: Literal["up", "down"] = "up" if comparison == "ssim" else "down"
    expert = EXPERTS[comparison]

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        return output(observed.swap, expert, f"background_{comparison}", rows)[:, 0].astype(np.float64)

    return Metric(
        name=f"background[{comparison}]",
        title=f"Background {comparison.upper()}",
        unit="",
        direction=direction,
        needs=(expert,),
        compute=compute,
        worst=_WORST[comparison],
        decimals=4,
        group="background",
        scope="pair",
    )
