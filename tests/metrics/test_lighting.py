from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from hifibench.errors import UsageError
from metrics.lighting import DIRECTIONS, VERTICES, coefficients, harmonics, lighting, normals, shading
from metrics.skin_tone import linear

AMBIENT = np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0])
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def mesh(portrait):
    """The mesh of a real face, ``(1, 478, 3)`` pixels."""
    from hifibench.experts.landmarker import Landmarker
    from hifibench.faces import templates
    from hifibench.faces.detect import Detector

    frame = portrait(21)
    face = Detector().choose(frame)
    crop, _ = templates.take(frame, face, Landmarker.card.crop)
    return Landmarker().observe(crop[None])["landmarks"].astype(np.float64)


def lit(mesh, light, albedo=0.4, strength=1.0):
    """Colours ``(n, 468, 3)`` of matt skin under a light of 9 coefficients."""
    luminance = np.clip(albedo * strength * harmonics(normals(mesh)) @ light, 0.001, 1)
    stored = np.where(luminance <= 0.0031308, 12.92 * luminance, 1.055 * luminance ** (1 / 2.4) - 0.055)
    colours = np.full((len(mesh), 468, 3), 0.5)
    colours[:, VERTICES] = stored[..., None]
    return colours


def light_from(x, y, share=0.4):
    """Ambient light and a lamp beside the camera; linear in the normal."""
    direction = np.array([x, y, 1.0]) / np.linalg.norm([x, y, 1.0])
    return AMBIENT + share * np.array([0, *direction, 0, 0, 0, 0, 0])


def seen(mesh, colours):
    return {"mediapipe": {"landmarks": mesh, "colours": colours}}


def error(observe, mesh, swap, target):
    observed = observe(len(mesh), swap=seen(mesh, swap), target=seen(mesh, target))
    return lighting("mediapipe").compute(observed)


def true_difference(one, other):
    first, second = (harmonics(DIRECTIONS) @ light for light in (one, other))
    return np.sqrt(np.square(first / first.mean() - second / second.mean()).mean())


def test_normals_are_those_of_mediapipes_triangles():
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Mesh

    edges = [(edge.start, edge.end) for edge in Mesh.FACE_LANDMARKS_TESSELATION]
    triangles = np.array([[edge[0] for edge in edges[i : i + 3]] for i in range(0, len(edges), 3)])
    points = RNG.standard_normal((1, 478, 3))
    upright = points[0] * (1, -1, -1)
    a, b, c = upright[triangles].swapaxes(0, 1)
    total = np.zeros((478, 3))
    for corner in triangles.T:
        np.add.at(total, corner, np.cross(b - a, c - a))
    expected = total[VERTICES] / np.linalg.norm(total[VERTICES], axis=1, keepdims=True)
    np.testing.assert_allclose(normals(points)[0], expected, atol=1e-9)


def test_normals_point_out_of_a_face(mesh):
    found = normals(mesh)[0]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert np.mean(found[:, 2] > 0) > 0.9
    x = mesh[0, VERTICES, 0] - mesh[0, VERTICES, 0].mean()
    assert np.corrcoef(x, found[:, 0])[0, 1] > 0.7
    y = mesh[0, VERTICES, 1] - mesh[0, VERTICES, 1].mean()
    assert np.corrcoef(y, found[:, 1])[0, 1] < -0.5  # pixels go down, normals go up


def test_directions_face_the_camera():
    np.testing.assert_allclose(np.linalg.norm(DIRECTIONS, axis=1), 1)
    assert DIRECTIONS[:, 2].min() >= 0.6
    np.testing.assert_allclose(DIRECTIONS[:, :2].mean(0), 0, atol=0.01)


@pytest.mark.parametrize("light", [AMBIENT, light_from(1, 0), light_from(-0.5, 0.8), light_from(0, -1, 0.6)])
def test_a_known_light_is_found(mesh, light):
    [found] = shading(coefficients(mesh, lit(mesh, light)))
    truth = harmonics(DIRECTIONS) @ light
    np.testing.assert_allclose(found, truth / truth.mean(), atol=0.04)


def test_the_error_is_the_difference_of_the_lights(mesh, observe):
    one = light_from(1, 0)
    errors = []
    for other in (light_from(1, 0), light_from(0.7, 0.1), light_from(0, 0), light_from(-1, 0)):
        errors.append(error(observe, mesh, lit(mesh, one), lit(mesh, other)).item())
        assert errors[-1] == pytest.approx(true_difference(one, other), rel=0.1, abs=1e-6)
    assert errors == sorted(errors)
    assert errors[0] == 0


def test_strength_and_skin_colour_do_not_count(mesh, observe):
    light = light_from(0.6, 0.3)
    assert error(observe, mesh, lit(mesh, light, albedo=0.2, strength=0.7), lit(mesh, light)).item() < 1e-5


def test_a_beard_or_hair_over_a_few_vertices_counts_little(mesh, observe):
    light = light_from(0.6, 0.3)
    target, swap = lit(mesh, light), lit(mesh, light)
    swap[:, RNG.permutation(VERTICES)[:10]] = 0.05
    assert error(observe, mesh, swap, target).item() < 0.03


def test_left_is_not_right(mesh, observe):
    swap, target = lit(mesh, light_from(1, 0)), lit(mesh, light_from(-1, 0))
    assert error(observe, mesh, swap, target).item() > 0.15
    coefficient = coefficients(mesh, swap)[0]
    assert coefficient[1] > 0.1  # the lamp stands on the image's right


def test_light_is_linear():
    level = np.array([0.0, 0.02, 0.04045, 0.5, 1.0])
    np.testing.assert_allclose(linear(level), [0, 0.02 / 12.92, 0.04045 / 12.92, 0.214041, 1], rtol=1e-4)


def test_what_was_not_seen_is_not_scored(mesh, observe):
    colours = np.repeat(lit(mesh, AMBIENT), 3, 0)
    swap = colours.copy()
    swap[0, VERTICES[19:]] = np.nan
    swap[1] = 0
    values = error(observe, np.repeat(mesh, 3, 0), swap, colours)
    np.testing.assert_array_equal(np.isnan(values), [True, True, False])
    unseen = np.repeat(mesh, 3, 0)
    unseen[2] = np.nan
    assert np.isnan(coefficients(unseen, colours)[2]).all()
    nobody = observe(3, swap={"mediapipe": {}}, target=seen(np.repeat(mesh, 3, 0), colours))
    assert np.isnan(lighting("mediapipe").compute(nobody)).all()
    assert coefficients(mesh[:0], colours[:0]).shape == (0, 9)


def test_rows_do_not_depend_on_one_another(mesh):
    colours = np.concatenate([lit(mesh, light) for light in (AMBIENT, light_from(1, 0), light_from(0, 1))])
    meshes = np.repeat(mesh, 3, 0)
    together = coefficients(meshes, colours)
    np.testing.assert_allclose(coefficients(meshes[1:2], colours[1:2])[0], together[1], rtol=1e-9)


def test_the_last_bit_does_not_depend_on_how_many_rows_there_are():
    # OpenBLAS multiplies a few rows otherwise than many on processors with AVX2; here it takes this one for such.
    program = """
import numpy as np
from metrics.lighting import shading
light = np.random.default_rng(0).normal(size=(500, 9)) + 3
print([n for n in (1, 3, 7, 64) if not np.array_equal(shading(light[:n]), shading(light)[:n])])
"""
    environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_who_gives_no_colours_is_no_estimator():
    with pytest.raises(UsageError, match=r"'3ddfa' is no estimator of light; expected one of: .*mediapipe"):
        lighting("3ddfa")
