from __future__ import annotations

import numpy as np
import pytest

from hifibench.calibration.series import BY_NAME
from metrics.calibration import ALSO, LEAST_RHO, RESPONDS, calibrated_by, ceiling_row, expected, verdict
from metrics.dose_response import Response, respond

DOSES = np.tile([1.0, 2.0, 4.0], (12, 1))
NAMES = [f"v{i}" for i in range(12)]


def follow(change: np.ndarray, sign: int = 1) -> Response:
    return respond(change, np.zeros(12), DOSES, NAMES, sign=sign, seed=0, draws=50)


def test_every_series_of_the_tables_is_a_dose() -> None:
    assert set(RESPONDS) == set(BY_NAME) and set(ALSO) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("metric", "series"),
    [
        ("pose[mediapipe]", ("yaw", "pitch", "roll")),
        ("pose[hopenet,pitch]", ("pitch",)),
        ("truth[pose,3ddfa]", ("yaw", "pitch", "roll")),
        ("shape[ringnet]", ("shape",)),
        ("truth[vertices,3ddfa]", ("shape",)),
        ("expression[3ddfa]", ("expression",)),
        ("landmarks[mediapipe]", ("expression", "shift")),
        ("id_retrieval[edgeface,sources,top1]", ("identity",)),
        ("id_leak[edgeface]", ("identity",)),
        ("skin_tone[mediapipe,source]", ("skin",)),
        ("lighting[mediapipe]", ("light",)),
        ("gaze[mediapipe]", ("gaze",)),
        ("forgery_auc[blend-cnn]", ("seam",)),
        ("truth[lpips]", ("blur", "jpeg")),
        ("background[ssim]", ("blur", "jpeg")),
        ("occlusion[exact]", ("fade",)),
        ("forgery_auc[trained-on-others]", ()),
        ("jitter[mediapipe]", ()),
    ],
)
def test_a_metric_is_judged_by_what_it_measures(metric: str, series: tuple[str, ...]) -> None:
    assert calibrated_by(metric) == series


def test_a_metric_of_one_axis_ignores_the_others() -> None:
    assert expected("yaw", "pose[mediapipe,yaw]") == 1
    assert not any(expected("yaw", "pose[mediapipe,roll]", table) for table in (RESPONDS, ALSO))


def test_damage_that_makes_a_metric_better_says_so() -> None:
    assert expected("skin", "skin_tone[mediapipe,source]") == 1
    assert expected("skin", "skin_tone[mediapipe,target]") == -1


def test_the_ceiling_is_a_swap_without_the_property() -> None:
    assert ceiling_row("shape[3ddfa]") == ceiling_row("id_cosine[edgeface]") == "target-copy"
    assert ceiling_row("skin_tone[mediapipe,source]") == "target-copy"
    assert ceiling_row("skin_tone[mediapipe,target]") == ceiling_row("pose[3ddfa]") == "source-copy"
    assert ceiling_row("forgery_eer[spectrum]") == "source-paste"


def test_a_metric_that_follows_is_not_poor() -> None:
    rising, falling = (follow(way * DOSES, way) for way in (1, -1))
    assert verdict({"yaw": (rising, 1), "identity": (falling, -1)}) == (False, "")


def test_a_metric_that_goes_the_wrong_way_is_poor_however_well_it_goes() -> None:
    poor, reason = verdict({"yaw": (follow(-DOSES), 1)})
    assert poor and "wrong way with yaw" in reason


def test_a_metric_that_does_not_move_is_poor() -> None:
    poor, reason = verdict({"gaze": (follow(0 * DOSES), 1)})
    assert poor and reason == "no answer to gaze"


def test_a_series_without_values_says_nothing() -> None:
    assert verdict({"fade": (follow(np.nan * DOSES), 1)}) == (False, "")


def test_one_poor_series_is_enough_and_is_named() -> None:
    noise = np.random.default_rng(0).normal(size=DOSES.shape) * 2
    weak = follow(DOSES + noise)
    assert 0 < weak.rho < LEAST_RHO
    poor, reason = verdict({"yaw": (follow(DOSES), 1), "pitch": (weak, 1)})
    assert poor and "pitch" in reason and "yaw" not in reason
