"""Whether the swap keeps the head pose of the target."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.records import Observed
from metrics.inputs import judge, one_of, output

AXES = ("yaw", "pitch", "roll")


def pose(estimator: str, axis: str = "") -> Metric:
    """Pose error: how far the swap's head is turned away from the target's.

    ``pose[estimator]`` is the length of the difference in (yaw, pitch, roll), ``pose[estimator,yaw]`` (``pitch``,
    ``roll``) the absolute difference of that angle alone (HifiFace, IJCAI 2021, section 4.2). In degrees, differences
    taken around the circle (179° and -179° are 2° apart); lower is better. NaN where either head was not seen.

    The bound of 180° per angle is out of reach of any face that is found at all, so a failed pair counts as the
    largest error of the run in the worst case.

    Args:
        estimator: an expert that gives ``pose_deg``: yaw, pitch, roll.
        axis: one of `AXES`, or empty for all three together.

    Raises:
        UsageError: the estimator gives no pose, or there is no such axis.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"mediapipe": {"pose_deg": np.float32([[13, 4, 0], [0, 0, 179]])}}
        >>> target = {"mediapipe": {"pose_deg": np.float32([[10, 0, 0], [0, 0, -179]])}}
        >>> observed = Observed(pd.DataFrame(index=range(2)), swap, {}, target, {})
        >>> pose("mediapipe").compute(observed)
        array([5., 2.])
        >>> pose("mediapipe", "yaw").compute(observed)
        array([3., 0.])
    """
    judge("pose", "pose estimator", estimator, lambda card: "pose_deg" in card.outputs)
    axes = slice(None)
    if axis:
        one_of("pose", "axis", axis, AXES)
        axes = slice(AXES.index(axis), AXES.index(axis) + 1)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, estimator, "pose_deg", rows)[:, axes]
        target = output(observed.target, estimator, "pose_deg", rows)[:, axes]
        error: NDArray[np.float64] = np.linalg.norm(difference_deg(swap, target), axis=1)
        return error

    return Metric(
        name=f"pose[{estimator},{axis}]" if axis else f"pose[{estimator}]",
        title="Pose error",
        unit="deg",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="attributes",
        scope="pair",
    )


def difference_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """``a - b`` of angles in degrees, any shape, taken around the circle: in [-180, 180).

    Example:
        >>> difference_deg(np.array([10.0, 179.0]), np.array([350.0, -179.0]))
        array([20., -2.])
    """
    difference: NDArray[np.float64] = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return (difference + 180.0) % 360.0 - 180.0
