"""Whether the swap has the face shape of the source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import judge, output

OUTPUTS = ("shape", "identity")
"""What experts call that which describes the shape of a face apart from pose and expression."""
UNITS: Mapping[str, str] = MappingProxyType({"3ddfa": "sd", "deep3d": "sd", "mediapipe": "mm"})
"""Estimator -> unit of its error; none for the others."""


def shape(estimator: str) -> Metric:
    """Shape error: how far the shape of the swapped face is from that of the source.

    After HifiFace (IJCAI 2021, section 4.2), where RingNet judges; numbers of different estimators do not compare.

    * ``shape[3ddfa]``: length of the difference of the 40 identity coefficients, each in standard deviations over the
      estimator's training set.
    * ``shape[ringnet]``: length of the difference of the 100 FLAME shape coefficients, unweighted: the paper's own.
    * ``shape[deep3d]``: length of the difference of the 80 identity coefficients, in standard deviations of the Basel
      model.
    * ``shape[mediapipe]``: root mean square distance of the points of the face's mesh without pose and expression, in
      mm of a head of canonical size.

    Lower is better. NaN where either face was not seen. The error has no bound: a failed pair counts as the largest
    of the run in the worst case.

    Args:
        estimator: an expert that gives one of `OUTPUTS`.

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
    card = judge("shape", "shape estimator", estimator, lambda card: {*OUTPUTS} & {*card.outputs})
    described = next(name for name in OUTPUTS if name in card.outputs)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, estimator, described, rows).astype(np.float64)
        source = output(observed.source, estimator, described, rows)
        if estimator == "mediapipe":
            return rms_distance(swap, source)
        error: NDArray[np.float64] = np.linalg.norm(swap - source, axis=1)
        return error

    return Metric(
        name=f"shape[{estimator}]",
        title="Shape error",
        unit=UNITS.get(estimator, ""),
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="identity",
        scope="pair",
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
