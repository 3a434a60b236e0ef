"""What both estimators of pose must read: turned pictures, mirrored pictures, turned heads, and each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from turned import draw, head_of

from hifibench.contracts import Expert
from hifibench.experts import landmarker, reconstruction
from hifibench.records import Frame

SEEDS = (21, 22, 23, 24)
PLUGINS = [landmarker.mediapipe, reconstruction.tddfa]
# Largest error of the mean over four portraits, yaw, pitch, roll: two to three standard errors by the cards' limits.
FLOOR_DEG = {"mediapipe": (0.8, 0.8, 0.4), "3ddfa": (1.5, 1.5, 1.0)}
# What part of a head's turn is read, yaw and pitch, as on the cards.
GAIN = {"mediapipe": (0.8, 0.8), "3ddfa": (0.9, 0.8)}


@pytest.fixture(scope="module", params=PLUGINS, ids=lambda plugin: plugin.card.name)
def expert(request: pytest.FixtureRequest) -> Expert:
    loaded = request.param.load("cpu")
    assert isinstance(loaded, Expert)
    return loaded


def poses(expert: Expert, crops, frames: list[Frame]) -> np.ndarray:
    return expert.observe(crops(expert.card, frames))["pose_deg"]


def turned_picture(frame: Frame, clockwise_deg: float) -> Frame:
    middle = (frame.shape[1] / 2, frame.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, -clockwise_deg, 1)
    return cv2.warpAffine(frame, matrix, frame.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("clockwise_deg", [10, -15])
def test_a_turned_picture_reads_its_angle_as_roll_and_nothing_else(expert, portrait, crops, clockwise_deg) -> None:
    frames = [portrait(seed) for seed in SEEDS]
    before, after = (
        poses(expert, crops, frames),
        poses(expert, crops, [turned_picture(frame, clockwise_deg) for frame in frames]),
    )
    error = (after - before - (0, 0, clockwise_deg)).mean(0)
    assert (np.abs(error) < FLOOR_DEG[expert.card.name]).all(), error


def test_a_mirrored_picture_negates_yaw_and_roll_and_keeps_pitch(expert, portrait, crops) -> None:
    frames = [portrait(seed) for seed in SEEDS]
    before = poses(expert, crops, frames)
    after = poses(expert, crops, [np.ascontiguousarray(frame[:, ::-1]) for frame in frames])
    error = (after * (-1, 1, -1) - before).mean(0)
    assert (np.abs(error) < FLOOR_DEG[expert.card.name]).all(), error


@pytest.mark.parametrize("axis", [0, 1], ids=["yaw", "pitch"])
def test_a_head_turned_by_a_known_angle_reads_that_angle_within_the_stated_gain(expert, portrait, crops, axis) -> None:
    gains = []
    for seed in SEEDS[:3]:
        head = head_of(portrait(seed))
        angles = np.array([-30, 0, 30])
        seen = poses(expert, crops, [draw(head, np.eye(3)[axis] * angle) for angle in angles])
        gains.append(np.polyfit(angles, seen[:, axis], 1)[0])
    assert np.mean(gains) == pytest.approx(GAIN[expert.card.name][axis], abs=0.15)


def test_the_two_estimators_agree_on_yaw(portrait, crops) -> None:
    frames = [portrait(seed) for seed in range(21, 37)]
    one, other = (poses(plugin.load("cpu"), crops, frames)[:, 0] for plugin in PLUGINS)
    assert np.ptp(one) > 15
    assert np.corrcoef(one, other)[0, 1] > 0.95
    clear = np.minimum(np.abs(one), np.abs(other)) > 2
    assert (np.sign(one[clear]) == np.sign(other[clear])).all()


def test_re_encoding_stays_below_half_a_degree(expert, portrait, crops) -> None:
    frames = [portrait(seed) for seed in SEEDS]
    again = [cv2.imdecode(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], 1) for frame in frames]
    moved = np.linalg.norm(poses(expert, crops, again) - poses(expert, crops, frames), axis=1)
    assert 0 < moved.mean() < 0.5
