"""The z-buffer against a slow one that is written differently, and in cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hifibench.faces.rasteriser import BACK, BOTH, FRONT, rasterise

Floats = NDArray[np.float64]


def slow(points: Floats, faces: NDArray[np.int32], shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Depth and weights by solving, for every pixel and triangle, for the ray that meets the triangle's plane in space.

    The pinhole has a focal length of one pixel, so that x, y, depth stand for the point (x * depth, y * depth, depth).
    """
    space = np.concatenate([points[:, :2] * points[:, 2:], points[:, 2:]], 1)
    depth = np.full(shape, np.inf)
    weights = np.zeros((*shape, 3))
    for y, x in np.ndindex(*shape):
        for face in faces:
            corners = space[face].T  # columns are corners: corners @ w = t * (x, y, 1)
            if abs(np.linalg.det(corners)) < 1e-9:
                continue
            w = np.linalg.solve(corners, [x, y, 1.0])
            if w.min() < 0:
                continue
            t = 1 / w.sum()
            if t < depth[y, x]:
                depth[y, x] = t
                weights[y, x] = w * t
    return depth, weights


def scene(seed: int, count: int = 12) -> tuple[Floats, NDArray[np.int32]]:
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(-4, 28, (count * 3, 2)), rng.uniform(1, 6, count * 3)])
    return np.round(points * 1024) / 1024, np.arange(count * 3, dtype=np.int32).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(4))
def test_as_rays_through_planes(seed: int) -> None:
    points, faces = scene(seed)
    seen = rasterise(points, faces, (24, 24))
    depth, weights = slow(points, faces, (24, 24))
    assert np.array_equal(np.isfinite(seen.depth), np.isfinite(depth))
    drawn = np.isfinite(depth)
    assert drawn.mean() > 0.3
    assert np.allclose(seen.depth[drawn], depth[drawn], rtol=1e-5)
    assert np.allclose(seen.weights[drawn], weights[drawn], atol=1e-4)


def test_perspective_pulls_the_middle_of_an_edge_to_its_near_end() -> None:
    # Halfway between depths 1 and 3 in the picture is the point at depth 1.5: weights 3/4 and 1/4.
    points = np.array([[0.0, 0.0, 1.0], [10.0, 0.0, 3.0], [0.0, 10.0, 1.0]])
    seen = rasterise(points, np.array([[0, 1, 2]], np.int32), (11, 11))
    assert seen.depth[0, 5] == pytest.approx(1.5)
    assert seen.weights[0, 5] == pytest.approx([0.75, 0.25, 0.0])


def test_every_pixel_of_a_fan_is_drawn_by_exactly_one_triangle() -> None:
    rng = np.random.default_rng(3)
    turns = np.sort(rng.uniform(0, 2 * np.pi, 9))
    turns[:2] = 0, np.pi / 4  # edges through pixel centres
    turns.sort()
    rim = 200 * np.stack([np.cos(turns), np.sin(turns)], 1) + 16
    points = np.column_stack([np.vstack([[16, 16], rim]), np.ones(10)])
    count = np.zeros((33, 33), int)
    for i in range(9):
        face = np.array([[0, 1 + i, 1 + (i + 1) % 9]], np.int32)
        count += rasterise(points, face, (33, 33)).face >= 0
    assert (count == 1).all()


def test_the_nearer_wins_whatever_the_order_and_at_one_depth_the_first() -> None:
    square = np.array([[-1.0, -1], [40, -1], [-1, 40]])
    points = np.concatenate([np.column_stack([square, np.full(3, depth)]) for depth in (5.0, 2.0, 2.0)])
    faces = np.arange(9, dtype=np.int32).reshape(3, 3)
    assert (rasterise(points, faces, (8, 8)).face == 1).all()
    assert (rasterise(points, faces[::-1], (8, 8)).face == 0).all()


def test_triangles_that_cross_hide_each_other_in_part() -> None:
    flat = np.array([[-50.0, -50, 2], [50, -50, 2], [0, 90, 2]])
    tilted = np.array([[-50.0, -50, 1], [50, -50, 4], [0, 90, 2]])
    seen = rasterise(np.concatenate([flat, tilted]), np.array([[0, 1, 2], [3, 4, 5]], np.int32), (16, 16))
    assert set(np.unique(seen.face)) == {0, 1}
    assert (seen.depth <= 2 + 1e-6).all()


def test_only_the_side_that_was_asked_for() -> None:
    points = np.array([[0.0, 0, 1], [0, 9, 1], [9, 0, 1]])  # counter-clockwise as seen, y down
    face = np.array([[0, 1, 2]], np.int32)
    assert (rasterise(points, face, (9, 9), FRONT).face >= 0).any()
    assert (rasterise(points, face, (9, 9), BACK).face < 0).all()
    turned = face[:, ::-1]
    assert (rasterise(points, turned, (9, 9), FRONT).face < 0).all()
    both = rasterise(points, turned, (9, 9), BOTH)
    assert np.allclose(both.weights[0, 2], [2 / 9, 0, 7 / 9])  # in the order of the corners that were given


def test_what_lies_behind_the_viewer_or_is_no_number_is_left_out() -> None:
    points = np.array([[0.0, 0, 1], [9, 0, -1], [0, 9, 1], [np.nan, 0, 1], [0, 1e9, 1]])
    faces = np.array([[0, 1, 2], [0, 3, 2], [0, 4, 2], [0, 0, 0]], np.int32)
    assert (rasterise(points, faces, (9, 9)).face < 0).all()


def test_what_sticks_out_of_the_picture_is_cut_off() -> None:
    points = np.array([[-1000.0, -1000, 2], [3000, -1000, 2], [-1000, 3000, 2]])
    seen = rasterise(points, np.array([[0, 1, 2]], np.int32), (5, 7))
    assert seen.face.shape == (5, 7) and (seen.face == 0).all()
    assert np.allclose(seen.weights.sum(-1), 1)


def test_nothing_to_draw() -> None:
    seen = rasterise(np.zeros((0, 3)), np.zeros((0, 3), np.int32), (4, 4))
    assert (seen.face == -1).all() and np.isinf(seen.depth).all() and not seen.weights.any()
