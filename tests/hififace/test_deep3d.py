import argparse
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from deep3d_files import WIDTHS, basel_arrays, flat_state, state, write_basel, write_checkpoint
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat
from torchvision.models import resnet50

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.experts.deep3d import Deep3dNetwork
from hifibench.faces import align, pose, templates
from hifibench.faces.basel import load_basel_front
from hifibench.faces.morphable import load_tddfa
from hifibench.faces.recrop import recrop
from hifibench.hififace.config import DENG, Config
from hifibench.hififace.deep3d import Deep3dModel, project, rotation
from hifibench.hififace.extractor import FaceCoefficients, SidExtractor, angles
from hifibench.hififace.identity import Coefficients, fuse, v_sid

FFHQ = Crop("ffhq", 128)
OWN = Crop("deep3d", 224)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deep3d")
    write_checkpoint(path / "epoch_20.pth", state())
    write_basel(path / "BFM_model_front.mat")
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Deep3dModel:
    return Deep3dModel(folder / "epoch_20.pth", folder / "BFM_model_front.mat")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.rand(2, 3, FFHQ.size, FFHQ.size, generator=torch.Generator().manual_seed(1))


def coefficients(model: Deep3dModel, rows: int, seed: int = 0) -> FaceCoefficients:
    generator = torch.Generator().manual_seed(seed)
    turns = torch.randn(rows, 3, generator=generator) * 0.3
    shift = torch.randn(rows, 3, 1, generator=generator) * 0.2
    shape = Coefficients(
        torch.randn(rows, 80, generator=generator), torch.randn(rows, 64, generator=generator), torch.zeros(rows, 3)
    )
    return FaceCoefficients(shape, torch.cat([rotation(turns), shift], dim=2))


def by_hand(alpha: np.ndarray, beta: np.ndarray, turns: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Landmarks of one face in pixels, point by point from the arrays of the file."""
    arrays = basel_arrays()
    vertices = arrays["meanshape"].reshape(-1, 3)
    vertices = vertices - vertices.mean(0)
    moved = (arrays["idBase"] @ alpha + arrays["exBase"] @ beta).reshape(-1, 3)
    (cx, cy, cz), (sx, sy, sz) = np.cos(turns), np.sin(turns)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rows = []
    for vertex in arrays["keypoints"].ravel().astype(int) - 1:
        x, y, z = rz @ ry @ rx @ (vertices[vertex] + moved[vertex])
        away = 10 - (z + shift[2])
        depth = 1015 * z / (10 - shift[2])
        rows.append((1015 * (x + shift[0]) / away + 112, 1015 * (y + shift[1]) / away + 112, depth))
    return np.array(rows)


def test_coefficients_are_those_of_the_seven_heads_on_the_trunks_features(folder: Path, images: torch.Tensor) -> None:
    crops = recrop(images, FFHQ, OWN)
    saved = torch.load(folder / "epoch_20.pth", weights_only=True)["net_recon"]
    trunk = resnet50(weights=None).eval()
    trunk.fc = torch.nn.Identity()
    trunk.load_state_dict({key.removeprefix("backbone."): value for key, value in saved.items() if "backbone" in key})
    with torch.no_grad():
        features = trunk(crops).numpy().astype(np.float64)
        seen = Deep3dNetwork(folder / "epoch_20.pth")(crops)
    heads = {}
    for number, name in enumerate(WIDTHS):
        weight, bias = (saved[f"final_layers.{number}.{part}"].numpy() for part in ("weight", "bias"))
        heads[name] = features @ weight[:, :, 0, 0].T + bias
    expected = {
        "identity": heads["id"],
        "expression": heads["exp"],
        "texture": heads["tex"],
        "angles": heads["angle"],
        "light": heads["gamma"],
        "translation": np.hstack([heads["txy"], heads["tz"]]),
    }
    assert sum(part.shape[1] for part in expected.values()) == 257
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(seen, name), value, atol=1e-4)
    assert np.abs(heads["id"] - heads["id"].mean(0)).max() > 1e-3  # the image matters


def test_landmarks_agree_with_the_formulas_written_out(model: Deep3dModel, images: torch.Tensor) -> None:
    with torch.no_grad():
        seen = model.network(recrop(images, FFHQ, OWN))
        landmarks = model.landmarks(*model(images, FFHQ))
    for row in range(2):
        parts = (seen.identity, seen.expression, seen.angles, seen.translation)
        expected = by_hand(*(part[row].double().numpy() for part in parts))
        np.testing.assert_allclose(landmarks[row] * 224, expected, atol=1e-2)


@given(st.lists(st.floats(-80, 80), min_size=3, max_size=3))
def test_rotation_is_that_of_the_pose_in_the_projects_signs(pose_deg: list[float]) -> None:
    yaw, pitch, roll = np.radians(pose_deg)
    turned = rotation(torch.tensor([[-pitch, yaw, -roll]], dtype=torch.float64))
    np.testing.assert_allclose(turned[0], pose.rotation(pose_deg), atol=1e-12)


def test_pose_is_that_of_the_camera(model: Deep3dModel, images: torch.Tensor) -> None:
    with torch.no_grad():
        seen = model(images, FFHQ)
    assert float(seen.coefficients.pose.abs().min()) > 1e-3
    torch.testing.assert_close(seen.coefficients.pose, angles(seen.camera), atol=1e-5, rtol=0)


def test_the_origin_falls_on_the_centre_and_a_decimetre_there_is_a_hundredth_of_the_focal_length() -> None:
    still = torch.eye(3, 4)[None]
    points = torch.tensor([[(0.0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]])
    expected = torch.tensor([[(112.0, 112, 0), (213.5, 112, 0), (112, 213.5, 0), (112, 112, 101.5)]])
    torch.testing.assert_close(project(points, still), expected)


@given(st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1))
def test_a_nearer_head_is_drawn_larger_in_all_three_directions(nearer: float, x: float, y: float) -> None:
    camera = torch.eye(3, 4, dtype=torch.float64)[None]
    camera[0, 2, 3] = nearer
    [[projected, in_front]] = project(torch.tensor([[(x, y, 0.0), (x, y, 0.1)]], dtype=torch.float64), camera)
    scale = 1015 / (10 - nearer)
    np.testing.assert_allclose(projected, (112 + scale * x, 112 + scale * y, 0), atol=1e-9)
    np.testing.assert_allclose(in_front[2], 0.1 * scale)


def test_basels_mean_face_lies_on_the_mean_face_of_the_crop(folder: Path, tmp_path: Path) -> None:
    # The same Basel face, in micrometres and cut along another line, which moves its middle by a few pixels.
    basel = load_tddfa()
    zeros = {name: np.zeros((basel.mean.size, width)) for name, width in (("idBase", 80), ("exBase", 64))}
    arrays = {"meanshape": basel.mean.reshape(1, -1) / 1e5, "keypoints": basel.keypoints[None] + 1.0, **zeros}
    model = Deep3dModel(folder / "epoch_20.pth", write_basel(tmp_path / "bfm.mat", **arrays))
    nothing = Coefficients(torch.zeros(1, 80), torch.zeros(1, 64), torch.zeros(1, 3))
    points = model.landmarks(nothing, torch.eye(3, 4)[None])[0].numpy() * 224
    upright = np.column_stack([points[:, 0], 223 - points[:, 1]])
    five = [upright[36:42].mean(0), upright[42:48].mean(0), upright[30], upright[48], upright[54]]
    face = templates.mean_face(300)
    expected = align.apply(templates.matrix(face, OWN, (1200, 1200)), face.landmarks)
    np.testing.assert_allclose(five, expected, atol=7)
    assert points[:, 2].argmax() == 30  # nothing is nearer than the tip of the nose


def test_the_swap_should_have_the_sources_shape_under_the_targets_camera(model: Deep3dModel) -> None:
    source, target = coefficients(model, 2, seed=1), coefficients(model, 2, seed=2)
    q_fuse = model.landmarks(fuse(source.coefficients, target.coefficients), target.camera)
    mixed = Coefficients(source.coefficients.identity, target.coefficients.expression, source.coefficients.pose)
    torch.testing.assert_close(q_fuse, model.landmarks(mixed, target.camera))
    assert float((q_fuse - model.landmarks(target.coefficients, target.camera)).abs().max()) > 0.01


def test_it_makes_v_sid_in_the_extractor(model: Deep3dModel, images: torch.Tensor) -> None:
    class Mean(torch.nn.Module):
        def forward(self, crops: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.normalize(crops.mean((1, 2, 3))[:, None].expand(-1, 512), dim=1)

    with torch.no_grad():
        sid = SidExtractor(model, Mean())(images, images.flip(0), FFHQ)
    config = Config(face_model=DENG)
    assert v_sid(sid.c_fuse, sid.v_id, config).shape == (2, config.style_dim) == (2, 659)
    assert sid.q_fuse.shape == (2, 68, 3)


def test_gradients_reach_the_image_and_no_weight(model: Deep3dModel, images: torch.Tensor) -> None:
    image = images.clone().requires_grad_(True)
    seen = model(image, FFHQ)
    (model.landmarks(*seen).square().sum() + seen.coefficients.pose.sum()).backward()
    assert image.grad is not None and bool(image.grad.isfinite().all())
    assert (image.grad.abs() > 0).float().mean() > 0.3
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_landmarks_pass_gradients_to_every_coefficient_that_moves_them(model: Deep3dModel) -> None:
    shape, camera = coefficients(model, 1)
    parts = [shape.identity.requires_grad_(), shape.expression.requires_grad_(), camera.requires_grad_()]
    model.landmarks(shape, camera).square().sum().backward()
    assert all(bool((part.grad != 0).all()) for part in parts)


def test_under_autocast_the_trunk_alone_is_rough(model: Deep3dModel, images: torch.Tensor) -> None:
    seen = coefficients(model, 2)
    with torch.no_grad():
        exact, exact_landmarks = model(images, FFHQ), model.landmarks(*seen)
        with torch.autocast("cpu", torch.bfloat16):
            rough, rough_landmarks = model(images, FFHQ), model.landmarks(*seen)
    torch.testing.assert_close(rough_landmarks, exact_landmarks, rtol=0, atol=0)
    for one, other in zip([*rough.coefficients, rough.camera], [*exact.coefficients, exact.camera], strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.05, rtol=0)


def test_it_stays_in_evaluation_mode(model: Deep3dModel, images: torch.Tensor) -> None:
    with torch.no_grad():
        before = model(images, FFHQ).camera
        after = model.train()(images, FFHQ).camera
    torch.testing.assert_close(before, after, rtol=0, atol=0)


def test_to_moves_weights_and_mesh(folder: Path) -> None:
    moved = Deep3dModel(folder / "epoch_20.pth", folder / "BFM_model_front.mat").to("meta")
    assert {"mean", "identity_basis", "expression_basis"} <= dict(moved.named_buffers()).keys()
    assert {tensor.device.type for tensor in [*moved.parameters(), *moved.buffers()]} == {"meta"}


def test_a_checkpoint_in_half_precision_is_used_in_single(folder: Path, images: torch.Tensor, tmp_path: Path) -> None:
    halves = {name: value.half() if value.is_floating_point() else value for name, value in state().items()}
    network = Deep3dNetwork(write_checkpoint(tmp_path / "half.pth", halves))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    with torch.no_grad():
        crops = recrop(images, FFHQ, OWN)
        expected = Deep3dNetwork(folder / "epoch_20.pth")(crops).identity
        torch.testing.assert_close(network(crops).identity, expected, atol=0.02, rtol=0)


def test_basel_is_centred_on_all_vertices_and_counted_from_one(folder: Path) -> None:
    basel = load_basel_front(folder / "BFM_model_front.mat")
    arrays = basel_arrays()
    np.testing.assert_allclose(basel.mean.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(
        basel.mean - basel.mean[0],
        (arrays["meanshape"] - np.tile(arrays["meanshape"][0, :3], 90)).reshape(-1, 3),
        atol=1e-6,
    )
    np.testing.assert_array_equal(basel.keypoints, arrays["keypoints"][0] - 1)


@pytest.mark.parametrize("turned", [False, True])
def test_basel_vectors_may_lie_or_stand(turned: bool, folder: Path, tmp_path: Path) -> None:
    vectors = {
        name: basel_arrays()[name].T if turned else basel_arrays()[name].ravel() for name in ("meanshape", "keypoints")
    }
    other = load_basel_front(write_basel(tmp_path / "b.mat", **vectors))
    expected = load_basel_front(folder / "BFM_model_front.mat")
    np.testing.assert_array_equal(other.mean, expected.mean)
    np.testing.assert_array_equal(other.keypoints, expected.keypoints)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idBase": None, "exBase": None}, r"has no idBase, exBase; .* converted first"),
        ({"meanshape": np.zeros((1, 271))}, r"meanshape has shape \(1, 271\); expected three numbers a vertex"),
        ({"meanshape": np.zeros((1, 273))}, r"idBase has shape \(270, 80\); expected \(273, 80\)"),
        ({"meanshape": np.zeros((0, 0))}, r"meanshape has shape \(0, 0\)"),
        (
            {"idBase": np.zeros((270, 199))},
            r"idBase has shape \(270, 199\); expected \(270, 80\)\. Give .* made from the Basel Face Model of 2009",
        ),
        ({"exBase": np.zeros((64, 270))}, r"exBase has shape \(64, 270\); expected \(270, 64\)"),
        ({"keypoints": np.ones((1, 5))}, r"keypoints has shape \(1, 5\); expected 68 vertices"),
        ({"keypoints": np.arange(68.0)}, r"keypoints name vertices 0 to 67; expected 1 to 90"),
        ({"keypoints": np.arange(68.0) + 24}, r"keypoints name vertices 24 to 91; expected 1 to 90"),
        ({"meanshape": np.full((1, 270), np.nan)}, r"meanshape holds something else than finite numbers"),
        ({"exBase": np.full((270, 64), 1e300)}, r"exBase holds something else than finite numbers"),
        ({"idBase": "text"}, r"idBase holds something else than finite numbers"),
    ],
)
def test_a_wrong_basel_model_is_refused(changes: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        load_basel_front(write_basel(tmp_path / "bfm.mat", **changes))


def test_a_missing_truncated_or_foreign_basel_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no Basel face model .*absent\.mat"):
        load_basel_front(tmp_path / "absent.mat")
    whole = (folder / "BFM_model_front.mat").read_bytes()
    for content in (b"", b"no model", whole[:100], whole[: len(whole) // 2]):
        (tmp_path / "b.mat").write_bytes(content)
        with pytest.raises(UsageError, match=r"is no whole MATLAB file|has no "):
            load_basel_front(tmp_path / "b.mat")
    # What MATLAB writes at the head of its version 7.3.
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF".ljust(400, b"\0"))
    with pytest.raises(UsageError, match=r"of version 7\.3\. Save it as version 7"):
        load_basel_front(tmp_path / "b.mat")


def test_basel_models_of_other_years_are_refused_and_told_which_is_wanted(tmp_path: Path) -> None:
    for year, name in ((2017, "model2017-1_bfm_nomouth.h5"), (2019, "model2019_bfm.h5")):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(2000))
        with pytest.raises(
            UsageError, match=rf"HDF5 file, as .* {year}.* Give .*made from the Basel Face Model of 2009"
        ):
            load_basel_front(tmp_path / name)
    # As Basel gives out that of 2009: 53,490 vertices and 199 components, here 4 and 3.
    savemat(tmp_path / "01_MorphableModel.mat", {"shapeMU": np.zeros((12, 1)), "shapePC": np.zeros((12, 3))})
    with pytest.raises(UsageError, match=r"has no meanshape.* converted first.* those of 2017 and 2019 .* cannot be"):
        load_basel_front(tmp_path / "01_MorphableModel.mat")


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in flat_state().items() if key != name}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lambda: without("final_layers.3.bias"), r"final_layers\.3\.bias is missing\. Give"),
        (
            lambda: {**flat_state(), "backbone.fc.weight": torch.zeros(257, 2048)},
            r"backbone\.fc\.weight is unknown\. Give",
        ),
        (
            lambda: {**flat_state(), "final_layers.0.weight": torch.zeros(100, 2048, 1, 1)},
            r"final_layers\.0\.weight has shape \(100, 2048, 1, 1\), expected \(80, 2048, 1, 1\)\. Give",
        ),
        (lambda: {}, r"backbone\.conv1\.weight is missing; .* and \d+ more\. Give"),
    ],
)
def test_a_checkpoint_of_another_network_is_refused(tensors, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        Deep3dNetwork(write_checkpoint(tmp_path / "c.pth", tensors()))


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"generator": {}, "step": 3}, r"has no network 'net_recon' \(it holds: generator, step\)"),
        ({"net_recon": [1, 2]}, r"has no network 'net_recon'"),
        ({"net_recon": {"backbone.conv1.weight": 3}}, r"has no network 'net_recon'"),
        (torch.zeros(3), r"has no network 'net_recon' \(it holds: Tensor\)"),
    ],
)
def test_a_checkpoint_without_the_network_is_refused(saved: object, message: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "c.pth")
    with pytest.raises(UsageError, match=message):
        Deep3dNetwork(tmp_path / "c.pth")


class Intruder:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("by_torch", [False, True])
def test_a_checkpoint_that_carries_code_is_refused_and_the_code_not_run(by_torch: bool, tmp_path: Path) -> None:
    saved, path = {"net_recon": flat_state(), "more": Intruder(tmp_path / "trace")}, tmp_path / "c.pth"
    if by_torch:
        torch.save(saved, path)
    else:
        path.write_bytes(pickle.dumps(saved["more"], protocol=2))
    with pytest.raises(UsageError, match=r"asks for \w+\.mkdir; .* It was not opened"):
        Deep3dNetwork(path)
    assert not (tmp_path / "trace").exists()


def test_a_checkpoint_that_pickles_a_class_is_refused(tmp_path: Path) -> None:
    torch.save({"net_recon": flat_state(), "options": argparse.Namespace(lr=1)}, tmp_path / "c.pth")
    with pytest.raises(
        UsageError, match=r"asks for argparse\.Namespace; expected the epoch_20\.pth of Deep3DFaceRecon"
    ):
        Deep3dNetwork(tmp_path / "c.pth")


def test_a_missing_truncated_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no checkpoint .*absent\.pth"):
        Deep3dNetwork(tmp_path / "absent.pth")
    whole = write_checkpoint(tmp_path / "c.pth", flat_state()).read_bytes()
    for content in (b"", b"no checkpoint", whole[:1000], whole[: len(whole) // 2], whole[:-1]):
        (tmp_path / "c.pth").write_bytes(content)
        with pytest.raises(UsageError, match=r"is no whole PyTorch checkpoint"):
            Deep3dNetwork(tmp_path / "c.pth")
