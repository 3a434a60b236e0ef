"""Whether what hides the target's face still hides it in the swap."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import EXACT, Observed
from metrics.inputs import one_of, output

EXPERT = "occlusion"
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"exact": (EXACT, EXPERT), "estimated": (EXPERT,)})
"""How the occluder is known -> experts."""


def occlusion(occluder: str) -> Metric:
    """Occlusion error: how much the swap changed what hides the target's face (hair, a hand, a mask, a bar).

    Mean absolute difference of RGB values in [0, 1] between swap and target over the occluder's pixels in the target's
    face; a swap should leave them alone. Lower is better, 1 in the worst case. Re-encoding alone reads about 0.01.

    * ``occlusion[exact]``: the occluder is known by the picture's making (rendered heads), within the hull of the 68
      known landmarks.
    * ``occlusion[estimated]``: it is what in MediaPipe's face oval does not look like the skin around it, if that is
      2 % of the oval or more; the limits of the expert `hifibench.experts.occlusion` say what that misses.

    Infinite, and so not asked for, where nothing hides the target's face: most pairs of most data have no occluder, and
    the number is the mean over those that have. NaN where that is not known, or where the swap failed, unless it is
    known without the swap that nothing hides the face (``exact``).

    Args:
        occluder: ``exact`` or ``estimated``.

    Raises:
        UsageError: no such word.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"occlusion": {"estimated_l1": np.float32([0.25, np.inf])}}
        >>> occlusion("estimated").compute(Observed(pd.DataFrame(index=range(2)), swap, {}, {}, {}))
        array([0.25,  inf])
    """
    one_of("occlusion", "way to know the occluder", occluder, NEEDS)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        values = output(observed.swap, EXPERT, f"{occluder}_l1", rows)[:, 0].astype(np.float64)
        if occluder == "exact" and observed.target.get(EXACT):
            bare = output(observed.target, EXACT, "occlusion", rows)[:, 0] == 0
            values[np.isnan(values) & bare] = np.inf
        return values

    return Metric(
        name=f"occlusion[{occluder}]",
        title="Occlusion error",
        unit="",
        direction="down",
        needs=NEEDS[occluder],
        compute=compute,
        worst=1.0,
        decimals=4,
        group="attributes",
        scope="pair",
    )
