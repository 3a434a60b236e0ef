"""Whether the swap has the face shape of the source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import one_of, output

OUTPUTS: Mapping[str, str] = MappingProxyType({"3ddfa": "identity", "mediapipe": "shape"})
"""Estimator -> its output that describes the shape of a face apart from pose and expression."""
UNITS: Mapping[str, str] = MappingProxyType({"3ddfa": "sd", "mediapipe": "mm"})
"""Estimator -> unit of its error."""


def shape(estimator: str) -> Metric:
    """Shape error: how far the shape of the swapped face is from that of the source.

    After HifiFace (IJCAI 2021, section 4.2), where RingNet judges; numbers of different estimators do not compare.

    * ``shape[3ddfa]``: length of the difference of the 40 identity coefficients, each in standard deviations over the
      estimator's training set.
    * ``shape[mediapipe]``: root mean square distance of the points of the face's mesh without pose and expression, in
      mm of a head of canonical size.

    Lower is better. NaN where either face was not seen. The error has no bound: a failed pair counts as the largest
    of the run in the worst case.

    Args:
        estimator: one of `OUTPUTS`.

    Raises:
        UsageError: the estimator gives no shape.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"3ddfa": {"identity": np.float32([[3, 4], [1, 1]])}}
        >>> source = {"3ddfa": {"identity": np.float32([[0, 0], [1, np.nan]])}}
        >>> shape("3ddfa").compute(Observed(pd.DataFrame(index=range(2)), swap, source, {}, {}))
        array([ 5., nan])
    """
    one_of("shape", "shape estimator", estimator, OUTPUTS)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, estimator, OUTPUTS[estimator], rows).astype(np.float64)
        source = output(observed.source, estimator, OUTPUTS[estimator], rows)
        if estimator == "mediapipe":
            return rms_distance(swap, source)
        error: NDArray[np.float64] = np.linalg.norm(swap - source, axis=1)
        return error

    return Metric(
        name=f"shape[{estimator}]",
        title="Shape error",
        unit=UNITS[estimator],
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="identity",
    )


def rms_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Root mean square distance between corresponding points in space.

    Args:
        a: ``(n, 3 K)``: K points after one another, x, y, z each.
        b: the same.

    Returns:
        ``(n,)`` in the unit of the points; NaN where any coordinate is NaN.
    """
    squares: NDArray[np.float64] = np.square(np.asarray(a, np.float64) - b)
    return np.asarray(np.sqrt(3.0 * squares.mean(axis=1)))
