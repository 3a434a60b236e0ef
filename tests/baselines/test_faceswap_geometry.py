from __future__ import annotations

import zipfile

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from baselines.faceswap.mesh import EYES, INNER_LIPS, IRIS_CENTRES, VERTICES, Mesh
from baselines.faceswap.regions import Regions, ramp
from baselines.faceswap.shape import carry, similarity_3d
from baselines.faceswap.texture import draw
from baselines.faceswap.warp import coverage, interpolate
from hifibench import assets
from hifibench.errors import UsageError
from hifibench.faces.masks import FACE_OVAL

angles = st.floats(-60, 60)


@pytest.fixture(scope="module")
def mesh():
    return Mesh.load(assets.path("mediapipe-face-landmarker"))


@pytest.fixture(scope="module")
def regions(mesh):
    return Regions.of(mesh)


def seen(mesh, yaw=0.0, pitch=0.0, roll=0.0, scale=15.0, at=(256.0, 280.0, 0.0)):
    """The canonical head as the landmarker would report it: pixels, y down, z away from the viewer."""
    turn = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    return scale * mesh.canonical @ turn.T * (1, -1, -1) + at


def edges(mesh):
    return [(int(t[i]), int(t[(i + 1) % 3])) for t in mesh.triangles for i in range(3)]


def test_the_mesh_is_a_disc_bounded_by_the_face_oval(mesh):
    directed = edges(mesh)
    assert len(set(directed)) == len(directed), "two triangles walk an edge in the same direction"
    boundary = {a for a, b in directed if (b, a) not in set(directed)}
    assert boundary == set(FACE_OVAL)
    undirected = {frozenset(edge) for edge in directed}
    assert len(np.unique(mesh.triangles)) - len(undirected) + len(mesh.triangles) == 1
    for ring, centre in zip(EYES, IRIS_CENTRES, strict=True):
        assert set(mesh.triangles[(mesh.triangles == centre).any(axis=1)].ravel()) == {*ring, centre}


def test_mirror_twins_come_in_pairs_and_change_sides(mesh):
    twin = mesh.mirror
    np.testing.assert_array_equal(twin[twin], np.arange(len(twin)))
    np.testing.assert_allclose(mesh.canonical[twin], mesh.canonical * (-1, 1, 1), atol=1e-5)
    assert twin[33] == 263
    assert twin[468] == 473


def test_facing_is_the_cosine_of_the_turn(mesh):
    flat = mesh.canonical * (1, 1, 0)
    for yaw in (0, 30, 60):
        turn = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        facing = mesh.facing(flat @ turn.T * (15, -15, -15))
        np.testing.assert_allclose(facing[[1, 10, 50, 280, 468]], np.cos(np.radians(yaw)), atol=1e-6)
    assert mesh.facing(seen(mesh, yaw=180))[1] < 0


def test_the_cheek_that_turns_away_is_the_one_that_is_hidden(mesh):
    # Positive yaw: nose to the right, so the cheek on the image's right disappears.
    facing = mesh.facing(seen(mesh, yaw=50))
    assert facing[234] > 0.2
    assert facing[454] < 0


@pytest.mark.parametrize("content", [b"", b"no archive at all", "empty zip", "cut short"])
def test_another_file_is_no_bundle(tmp_path, content):
    bundle = tmp_path / "bundle.task"
    if isinstance(content, bytes):
        bundle.write_bytes(content)
    else:
        with zipfile.ZipFile(bundle, "w") as archive:
            if content == "cut short":
                archive.writestr("geometry_pipeline_metadata_landmarks.binarypb", b"\x0a\xea\x94\x01\x08")
    with pytest.raises(UsageError, match=r"no face landmarker bundle.*face_landmarker\.task"):
        Mesh.load(bundle)


def test_regions_are_where_their_names_say(mesh, regions):
    for weights in (regions.movable, regions.skin, regions.hairline, regions.parts):
        assert weights.min() == 0
        assert weights.max() == 1
        np.testing.assert_allclose(weights[..., mesh.mirror].sum(), weights.sum(), rtol=1e-6)
    assert not regions.movable[list(FACE_OVAL)].any()
    assert regions.movable[[1, 33, 13]].min() == 1
    assert regions.hairline[[10, 127, 356]].min() == 1
    assert not regions.hairline[[1, 13, 33, 159, 152]].any()
    assert regions.skin[[50, 280, 1]].all()
    assert not regions.skin[[10, 13, 33, 468]].any()
    assert [list(part[[468, 473, 13]]) for part in regions.parts] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_ramp_is_level_at_both_ends():
    np.testing.assert_allclose(ramp(np.array([-1, 0, 0.5, 1, 2.0]), 0, 1), [0, 0, 0.5, 1, 1])
    assert ramp(0.01, 0, 1) < 0.001


@given(yaw=angles, pitch=angles, roll=angles, scale=st.floats(0.1, 20), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_known_similarity_is_found(yaw, pitch, roll, scale, seed):
    points = np.random.default_rng(seed).normal(size=(30, 3))
    turn = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    found = similarity_3d(points, scale * points @ turn.T + (5, -3, 2))
    np.testing.assert_allclose(found[0], scale, rtol=1e-9)
    np.testing.assert_allclose(found[1], turn, atol=1e-9)
    np.testing.assert_allclose(found[2], (5, -3, 2), atol=1e-8)


def test_a_similarity_never_mirrors_and_needs_an_extent():
    points = np.random.default_rng(0).normal(size=(30, 3))
    assert np.linalg.det(similarity_3d(points, points * (-1, 1, 1))[1]) == pytest.approx(1)
    with pytest.raises(ValueError, match="All points coincide"):
        similarity_3d(np.ones((5, 3)), points[:5])


@given(yaw=angles, pitch=st.floats(-30, 30), scale=st.floats(5, 30))
@settings(max_examples=20, deadline=None)
def test_the_same_head_in_another_pose_moves_nothing(mesh, regions, yaw, pitch, scale):
    target = seen(mesh)
    np.testing.assert_allclose(carry(seen(mesh, yaw, pitch, scale=scale), target, regions), target, atol=1e-6)


def test_proportions_are_carried_over_but_not_outline_or_expression(mesh, regions):
    target = seen(mesh, yaw=20)
    wide = mesh.canonical.copy()
    lids, lips = list(EYES[0]), list(INNER_LIPS)
    nose = [1, 2, 4, 5, 98, 327]
    wide[nose] += (0, -0.6, 0.3)
    wide[lips] *= (1.3, 1, 1)
    wide[13, 1] += 1.0  # open mouth
    wide[lids, 1] = wide[lids, 1].mean()  # closed eye
    source = 15 * wide * (1, -1, -1)

    np.testing.assert_array_equal(carry(source, target, regions, share=0), target)
    moved = carry(source, target, regions)
    np.testing.assert_allclose(moved[list(FACE_OVAL)], target[list(FACE_OVAL)], atol=1e-9)
    assert (moved[nose, 1] - target[nose, 1]).min() > 0.5 * 0.8 * 15 * 0.6
    for part in (lids, lips):
        shape = target[part] - target[part].mean(axis=0)
        np.testing.assert_allclose(moved[part] - moved[part].mean(axis=0), shape, atol=0.35)


def test_nearer_triangles_cover_and_turned_ones_vanish():
    vertices = np.array(
        [(1, 1, 5), (1, 30, 5), (30, 1, 5), (1, 1, 0), (1, 15, 0), (15, 1, 0), (31, 31, 0), (20, 31, 0), (31, 20, 0)],
        dtype=float,
    )
    far, near, turned = (0, 1, 2), (3, 4, 5), (6, 8, 7)
    covering = coverage(vertices, np.array([near, far, turned[::-1]]), (32, 32))
    assert covering[3, 3] == 0
    assert covering[3, 20] == 1
    assert covering[30, 30] == -1
    assert coverage(vertices, np.array([near, far, turned]), (32, 32))[30, 30] == 2
    assert coverage(vertices, np.array([[0, 1, 1]]), (8, 8)).max() == -1


def test_interpolation_agrees_with_scipy():
    rng = np.random.default_rng(0)
    points = rng.uniform(2, 60, (25, 2))
    triangulation = Delaunay(points)
    corners = points[triangulation.simplices]
    cross = np.linalg.det(np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=1))
    triangles = np.where((cross > 0)[:, None], triangulation.simplices[:, ::-1], triangulation.simplices)
    values = rng.normal(size=(25, 3))
    vertices = np.column_stack([points, np.zeros(25)])

    covering = coverage(vertices, triangles, (64, 64))
    found = interpolate(vertices, triangles, values[triangles], covering)
    y, x = np.mgrid[:64, :64]
    expected = LinearNDInterpolator(triangulation, values)(x, y)
    simplex = triangulation.find_simplex(np.stack([x, y], axis=-1))
    # A pixel on an edge may go to either side, and those at the hull are drawn a little too generously.
    same = (simplex == covering) & (simplex >= 0)
    assert same.sum() > 0.8 * (simplex >= 0).sum() > 1000
    assert (covering[simplex >= 0] >= 0).all()
    np.testing.assert_allclose(found[same], expected[same], atol=1e-3)
    assert (found[covering < 0] == 0).all()


@given(a=st.floats(-3, 3), b=st.floats(-3, 3), c=st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_a_linear_field_is_reproduced_exactly(mesh, a, b, c):
    place = seen(mesh, yaw=25)
    values = place[:, :1] * a + place[:, 1:2] * b + c
    covering = coverage(place, mesh.triangles, (512, 512))
    field = interpolate(place, mesh.triangles, values[mesh.triangles], covering)[..., 0]
    y, x = np.nonzero(covering >= 0)
    assert len(x) > 40_000
    np.testing.assert_allclose(field[y, x], a * x + b * y + c, atol=0.02)


def test_no_vertex_of_the_mesh_is_lost_from_the_front(mesh):
    place = seen(mesh)
    covering = coverage(place, mesh.triangles, (512, 512))
    inner = np.setdiff1d(np.arange(VERTICES), FACE_OVAL)
    x, y = np.rint(place[inner, :2]).astype(int).T
    assert (covering[y, x] >= 0).all()


def test_a_hidden_cheek_shows_the_visible_one_mirrored(mesh, regions):
    # A head whose colour tells the distance from its midline, seen from the side and drawn from the front.
    side, front = seen(mesh, yaw=40), seen(mesh)
    aside = np.abs(mesh.canonical[mesh.triangles][..., :1]) / 8

    def painted(place):
        covering = coverage(place, mesh.triangles, (512, 512))
        return interpolate(place, mesh.triangles, aside, covering).repeat(3, axis=2)

    drawn = draw(painted(side), side, painted(front), front, front, mesh, regions)
    depth = cv2.distanceTransform(drawn.covered.astype(np.uint8), cv2.DIST_L2, 5)
    error = np.abs(drawn.face - painted(front))[depth > 20]
    assert error.mean() < 0.01
    assert np.percentile(error, 99) < 0.06
    # Without the mirror the hidden cheek would look into the other half.
    x, y = np.rint(front[[280, 425, 411], :2]).astype(int).T
    np.testing.assert_allclose(drawn.face[y, x], painted(front)[y, x], atol=0.03)


def test_the_same_pose_needs_no_mirror(mesh, regions):
    turned = seen(mesh, yaw=45)
    picture = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32).repeat(8, 0).repeat(8, 1)
    drawn = draw(picture, turned, picture, turned, turned, mesh, regions)
    np.testing.assert_allclose(drawn.face[drawn.covered], picture[drawn.covered], atol=0.02)
    np.testing.assert_allclose(drawn.original[drawn.covered], picture[drawn.covered], atol=0.02)
