import numpy as np
import pytest
import torch

from hifibench import assets
from hifibench.faces.morphable import MorphableModel, load_tddfa, project
from hifibench.faces.pose import rotation
from hifibench.records import Floats
from hifibench.unpickle import load_arrays


@pytest.fixture(scope="module")
def basel() -> MorphableModel[Floats]:
    return load_tddfa()


def coefficients(seed: int, rows: int = 3) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1e4, (rows, 40)).astype(np.float32), rng.normal(0, 1, (rows, 10)).astype(np.float32)


def test_documented_sizes(basel: MorphableModel[Floats]) -> None:
    assert basel.mean.shape == (38365, 3)
    assert basel.identity_basis.shape == (38365 * 3, 40)
    assert basel.expression_basis.shape == (38365 * 3, 10)
    assert basel.keypoints.shape == (68,)


def test_no_displacement_gives_the_mean(basel: MorphableModel[Floats]) -> None:
    shape = basel.shape(np.zeros((2, 40), np.float32), np.zeros((2, 10), np.float32))
    np.testing.assert_array_equal(shape, np.stack([basel.mean] * 2))


def test_shape_is_linear_in_identity_and_expression_apart(basel: MorphableModel[Floats]) -> None:
    alpha, beta = coefficients(0)
    none_a, none_b = np.zeros_like(alpha), np.zeros_like(beta)
    parts = basel.shape(alpha, none_b) + basel.shape(none_a, beta) - basel.mean
    np.testing.assert_allclose(basel.shape(alpha, beta), parts, atol=0.1)  # micrometres
    np.testing.assert_allclose(
        basel.shape(2 * alpha, none_b) - basel.mean, 2 * (basel.shape(alpha, none_b) - basel.mean), atol=0.1
    )


def test_shape_of_a_vertex_is_that_of_the_stored_rows(basel: MorphableModel[Floats]) -> None:
    stored = load_arrays(assets.path("tddfa-bfm"))
    alpha, beta = coefficients(1, 1)
    flat = stored["u"][:, 0] + stored["w_shp"] @ alpha[0] + stored["w_exp"] @ beta[0]
    np.testing.assert_allclose(basel.shape(alpha, beta)[0, 1234], flat[3 * 1234 : 3 * 1234 + 3], rtol=1e-4)


def test_keypoints_lie_where_the_ibug_scheme_says(basel: MorphableModel[Floats]) -> None:
    points = basel.mean[basel.keypoints]
    eye, other_eye, nose_tip, chin = points[36], points[45], points[30], points[8]
    assert eye[0] < 0 < other_eye[0]
    assert nose_tip[2] == points[:, 2].max()
    assert chin[1] == points[:, 1].min()
    mirrored = points[[16 - i for i in range(17)]] * (-1, 1, 1)
    np.testing.assert_allclose(points[:17], mirrored, atol=3500)  # micrometres


def test_model_of_the_keypoints_gives_the_keypoints(basel: MorphableModel[Floats]) -> None:
    alpha, beta = coefficients(2)
    few = basel.only_keypoints()
    np.testing.assert_allclose(few.shape(alpha, beta), basel.shape(alpha, beta)[:, basel.keypoints], rtol=1e-4, atol=1)
    np.testing.assert_array_equal(few.keypoints, np.arange(68))


def test_torch_agrees_with_numpy_and_gives_gradients(basel: MorphableModel[Floats]) -> None:
    few = basel.only_keypoints()
    alpha, beta = coefficients(3)
    tensor = torch.tensor(alpha, requires_grad=True)
    shape = few.to_torch().shape(tensor, torch.tensor(beta))
    np.testing.assert_allclose(shape.detach().numpy(), few.shape(alpha, beta), rtol=1e-5, atol=0.1)
    shape[0, 0, 0].backward()
    np.testing.assert_allclose(tensor.grad[0], few.identity_basis[0], rtol=1e-6)
    assert not tensor.grad[1:].any()


def test_projection_is_a_scaled_rotation_and_a_shift() -> None:
    points = np.random.default_rng(4).normal(size=(2, 5, 3)).astype(np.float32)
    turn, shift = rotation((20, -10, 5)), np.array([3.0, 4, 5])
    camera = np.concatenate([2 * turn, shift[:, None]], 1).astype(np.float32)
    expected = 2 * np.einsum("ij,bnj->bni", turn, points) + shift
    np.testing.assert_allclose(project(points, np.stack([camera] * 2)), expected, atol=1e-5)
    through_torch = project(torch.tensor(points), torch.tensor(np.stack([camera] * 2)))
    np.testing.assert_allclose(through_torch, expected, atol=1e-5)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"identity_basis has shape \(5, 2\); 6 rows"):
        MorphableModel(
            "odd",
            np.zeros((2, 3), np.float32),
            np.zeros((5, 2), np.float32),
            np.zeros((6, 1), np.float32),
            np.zeros(0, np.int64),
        )
