"""Whether the swap keeps the expression of the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import judge, output

OUTPUTS = ("blendshapes", "expression")
"""What experts call that which describes the expression."""
IN_SD = ("3ddfa", "deep3d")
"""Estimators whose coefficients are in standard deviations."""


def expression(estimator: str) -> Metric:
    """Expression error: how far the expression of the swap is from that of the target.

    Numbers of different estimators do not compare.

    * ``expression[mediapipe]``: length of the difference of the 52 blendshape weights, each in [0, 1].
    * ``expression[3ddfa]``: length of the difference of the 10 expression coefficients, each in standard deviations
      over the estimator's training set.
    * ``expression[deep3d]``, ``expression[ringnet]``: the same of 64 coefficients (in standard deviations of the model)
      and of FLAME's 50, unweighted.

    Lower is better. NaN where either face was not seen. A failed pair counts as the largest error of the run in the
    worst case: coefficients have no bound, and that of the blendshapes (all 52 wrong) is out of reach of any face.

    Args:
        estimator: an expert that gives one of `OUTPUTS`.

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
    card = judge("expression", "expression estimator", estimator, lambda card: {*OUTPUTS} & {*card.outputs})
    described = next(name for name in OUTPUTS if name in card.outputs)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, estimator, described, rows).astype(np.float64)
        target = output(observed.target, estimator, described, rows)
        error: NDArray[np.float64] = np.linalg.norm(swap - target, axis=1)
        return error

    return Metric(
        name=f"expression[{estimator}]",
        title="Expression error",
        unit="sd" if estimator in IN_SD else "",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2 if described == "expression" else 3,
        group="attributes",
        scope="pair",
    )
