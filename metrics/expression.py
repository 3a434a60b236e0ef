"""Whether the swap keeps the expression of the target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import one_of, output

OUTPUTS: Mapping[str, str] = MappingProxyType({"mediapipe": "blendshapes", "3ddfa": "expression"})
"""Estimator -> its output that describes the expression."""


def expression(estimator: str) -> Metric:
    """Expression error: how far the expression of the swap is from that of the target.

    Numbers of different estimators do not compare.

    * ``expression[mediapipe]``: length of the difference of the 52 blendshape weights, each in [0, 1].
    * ``expression[3ddfa]``: length of the difference of the 10 expression coefficients, each in standard deviations
      over the estimator's training set.

    Lower is better. NaN where either face was not seen. A failed pair counts as the largest error of the run in the
    worst case: coefficients have no bound, and that of the blendshapes (all 52 wrong) is out of reach of any face.

    Args:
        estimator: one of `OUTPUTS`.

    Raises:
        UsageError: the estimator gives no expression.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"3ddfa": {"expression": np.float32([[3, 4], [1, 1]])}}
        >>> target = {"3ddfa": {"expression": np.float32([[0, 0], [1, 1]])}}
        >>> expression("3ddfa").compute(Observed(pd.DataFrame(index=range(2)), swap, {}, target, {}))
        array([5., 0.])
    """
    one_of("expression", "expression estimator", estimator, OUTPUTS)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, estimator, OUTPUTS[estimator], rows).astype(np.float64)
        target = output(observed.target, estimator, OUTPUTS[estimator], rows)
        error: NDArray[np.float64] = np.linalg.norm(swap - target, axis=1)
        return error

    return Metric(
        name=f"expression[{estimator}]",
        title="Expression error",
        unit="sd" if estimator == "3ddfa" else "",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2 if estimator == "3ddfa" else 3,
        group="attributes",
    )
