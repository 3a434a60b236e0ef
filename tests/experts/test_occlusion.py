from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from hifibench.experts import landmarker
from hifibench.experts.occlusion import CARD, LEAST_ESTIMATED, LEAST_EXACT, Occlusion, estimated
from hifibench.faces import templates
from hifibench.faces.align import apply, invert
from hifibench.faces.detect import Detector
from hifibench.faces.masks import face_mask
from hifibench.heads.labels import OCCLUDER

SEEDS = (21, 22, 23, 24)


@pytest.fixture(scope="module")
def faces(portrait):
    """Portraits, and what MediaPipe sees in each."""
    detector, expert = Detector(), landmarker.Landmarker()
    seen = []
    for seed in SEEDS:
        frame = portrait(seed)
        crop, matrix = templates.take(frame, detector.choose(frame), landmarker.CARD.crop)
        seen.append((frame, {"landmarks": expert.observe(crop[None])["landmarks"][0], "matrix": np.float32(matrix)}))
    return seen


def mesh(view):
    return apply(invert(view["matrix"].astype(np.float64)), view["landmarks"][:, :2])


def barred(frame, view, colour=(30, 60, 200)):
    """The frame with a bar across nose and cheek, and the bar's mask."""
    points = mesh(view)
    hidden = np.zeros(frame.shape[:2], np.uint8)
    ends = [tuple(int(value) for value in points[index]) for index in (234, 361)]
    cv2.line(hidden, *ends, 1, int(0.15 * np.ptp(points[:, 0])))
    covered = frame.copy()
    covered[hidden > 0] = colour
    return covered, hidden > 0


def known(parsing):
    """Facts of a 100-pixel frame whose landmarks span a square from 20 to 79."""
    landmarks = np.tile(np.float32([[20, 20], [79, 20], [79, 79], [20, 79]]), (17, 1))
    return {"exact": {"parsing": parsing, "landmarks": landmarks}}


def parsed(rows, columns):
    parsing = np.ones((100, 100), np.uint8)
    parsing[rows, columns] = OCCLUDER
    return parsing


def test_the_known_occluder_within_the_face_is_compared():
    target = np.full((100, 100, 3), 100, np.uint8)
    swap = target.copy()
    swap[40:50] += 51  # half of the occluder within the face
    swap[:20] = 0  # occluder, but not on the face
    found = Occlusion().compare(swap, target, known(parsed(slice(0, 60), slice(0, 100))))
    assert found["exact_l1"] == pytest.approx(0.2 * 10 / 40)
    assert np.isnan(found["estimated_l1"])
    assert set(found) == set(CARD.outputs)


@pytest.mark.parametrize("parsing", [parsed(slice(0, 10), slice(0, 100)), np.ones((100, 100), np.uint8)])
def test_a_face_that_nothing_hides_is_not_scored(parsing):
    frame = np.zeros((100, 100, 3), np.uint8)
    assert np.isinf(Occlusion().compare(frame, frame, known(parsing))["exact_l1"])


def test_a_few_pixels_at_the_edge_are_no_occluder():
    frame = np.zeros((100, 100, 3), np.uint8)
    enough = int(np.ceil(LEAST_EXACT * 60 * 60))
    few, many = (known(parsed(20, slice(20, 20 + count))) for count in (enough - 1, enough))
    assert np.isinf(Occlusion().compare(frame, frame, few)["exact_l1"])
    assert Occlusion().compare(frame, frame, many)["exact_l1"] == 0


def test_nothing_known_and_nothing_seen_is_no_value():
    frame = np.zeros((64, 64, 3), np.uint8)
    for seen in ({}, {"mediapipe": {"landmarks": np.full((478, 3), np.nan), "matrix": np.eye(2, 3)}}):
        assert all(np.isnan(value) for value in Occlusion().compare(frame, frame, seen).values())


def test_a_bar_is_found_and_little_else(faces):
    for frame, view in faces:
        covered, bar = barred(frame, view)
        found, points = estimated(covered, mesh(view)), mesh(view)
        oval = face_mask(points, frame.shape[:2], 0)
        assert (found & bar).sum() > 0.4 * (oval & bar).sum()
        assert (found & bar).sum() > 0.8 * found.sum()


def test_what_hides_more_than_half_of_the_face_is_not_taken_for_skin(faces):
    frame, view = faces[0]
    points = mesh(view)
    hidden = np.zeros(frame.shape[:2], np.uint8)
    surgical = np.rint(points[[234, 132, 172, 150, 152, 379, 397, 361, 454, 195]]).astype(np.int32)
    cv2.fillConvexPoly(hidden, cv2.convexHull(surgical), 1)
    covered = frame.copy()
    covered[hidden > 0] = (120, 170, 210)
    found = estimated(covered, points)
    assert found.sum() > 0.2 * face_mask(points, frame.shape[:2], 0).sum()
    assert hidden[found].mean() > 0.9


def test_what_the_swap_did_to_a_bar_is_measured(faces):
    frame, view = faces[0]
    covered, _ = barred(frame, view)
    seen = {"mediapipe": view}
    lighter = np.clip(covered.astype(int) + 25, 0, 255).astype(np.uint8)
    kept, lost, changed = (
        Occlusion().compare(swap, covered, seen)["estimated_l1"] for swap in (covered, frame, lighter)
    )
    assert kept == 0
    assert changed == pytest.approx(25 / 255, abs=0.005)
    assert lost > 0.2
    assert Occlusion().compare(jpeg(covered), covered, seen)["estimated_l1"] < 0.02


def test_a_plain_face_has_no_occluder(faces):
    found = [Occlusion().compare(frame, frame, {"mediapipe": view})["estimated_l1"] for frame, view in faces]
    assert np.isinf(found).sum() >= 3


def test_the_size_of_the_frame_hardly_matters(faces):
    frame, view = faces[0]
    covered, _ = barred(frame, view)
    points = mesh(view)
    small = cv2.resize(covered, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    first, second = estimated(covered, points), estimated(small, points / 2 - 0.25)
    assert second.shape == small.shape[:2]
    assert second.mean() == pytest.approx(first.mean(), rel=0.15)


def test_a_face_partly_outside_the_frame_and_one_of_a_few_pixels(faces):
    frame, view = faces[0]
    covered, bar = barred(frame, view)
    points = mesh(view)
    left = int(points[:, 0].mean())
    half = estimated(np.ascontiguousarray(covered[:, left:]), points - (left, 0))
    assert half.any() and (half & bar[:, left:]).sum() > 0.7 * half.sum()
    assert not estimated(frame, points / 100).any()
    assert not estimated(frame, points + 5000).any()


def test_the_least_occluder_is_a_share_of_the_face(faces):
    frame, view = faces[0]
    points = mesh(view)
    face = face_mask(points, frame.shape[:2], 0).sum()
    middle = tuple(int(value) for value in points[50])
    for share, seen in ((LEAST_ESTIMATED / 2, False), (LEAST_ESTIMATED * 1.6, True)):
        covered = frame.copy()
        cv2.circle(covered, middle, round(float(np.sqrt(share * face / np.pi))), (30, 60, 200), -1)
        assert estimated(covered, points).any() == seen


def test_frames_and_maps_of_other_sizes_are_refused():
    frame = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(ValueError, match=r"frames of one size; given \(50, 100, 3\) and \(100, 100, 3\)"):
        Occlusion().compare(frame[:50], frame, {})
    with pytest.raises(ValueError, match=r"parsing map of the frame's size \(100, 100\); given \(50, 100"):
        Occlusion().compare(frame, frame, known(np.ones((50, 100), np.uint8)))


def jpeg(frame):
    kept = io.BytesIO()
    Image.fromarray(frame).save(kept, "JPEG", quality=90)
    return np.array(Image.open(kept))
