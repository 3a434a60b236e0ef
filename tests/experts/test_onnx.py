from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from hifibench import assets
from hifibench.errors import UsageError
from hifibench.experts.onnx import run_rows, to_torch
from hifibench.onnx_session import session

NETWORKS = [("w600k-mbf", 112), ("tddfa-mb1", 120)]


def images(size: int, rows: int = 3) -> np.ndarray:
    return np.random.default_rng(size).uniform(-1, 1, (rows, 3, size, size)).astype(np.float32)


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a graph of ``nodes`` from ``x`` to ``y`` and gives its path."""

    def write(nodes: Sequence[onnx.NodeProto], shape: Sequence[int | str], **weights: np.ndarray) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in weights.items()],
        )
        path = tmp_path / "graph.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
        return path

    return write


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_torch_module_agrees_with_onnx_runtime_at_any_batch_size(name: str, size: int) -> None:
    x = images(size)
    expected = run_rows(session(assets.path(name)), x)
    network = to_torch(assets.path(name))
    np.testing.assert_allclose(network(torch.tensor(x)), expected, atol=1e-4)
    np.testing.assert_allclose(network(torch.tensor(x[:1])), expected[:1], atol=1e-4)
    assert np.abs(expected).max() > 0.5


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_gradient_to_the_image_agrees_with_finite_differences(name: str, size: int) -> None:
    network = to_torch(assets.path(name)).double()
    x = torch.tensor(images(size, 1), dtype=torch.float64, requires_grad=True)
    rng = np.random.default_rng(1)
    along = torch.tensor(rng.normal(size=x.shape))
    weigh = torch.tensor(rng.normal(size=network(x).shape))
    (weigh * network(x)).sum().backward()
    slope = float((x.grad * along).sum())
    step = 1e-6
    with torch.no_grad():
        difference = (weigh * (network(x + step * along) - network(x - step * along))).sum() / (2 * step)
    assert abs(slope) > 1e-3
    assert slope == pytest.approx(float(difference), rel=1e-4)


@pytest.mark.parametrize(("name", "size"), NETWORKS)
def test_runs_under_autocast_and_channels_last(name: str, size: int) -> None:
    network = to_torch(assets.path(name))
    x = torch.tensor(images(size), requires_grad=True)
    exact = network(x)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(x.to(memory_format=torch.channels_last))
    assert rounded.dtype == torch.bfloat16
    assert torch.cosine_similarity(rounded.float(), exact).min() > 0.99
    rounded.float().sum().backward()
    assert x.grad.isfinite().all()


def test_weights_are_frozen_and_training_mode_does_not_take_hold() -> None:
    network = to_torch(assets.path("w600k-mbf"))
    x = torch.tensor(images(112, 2))
    before = network(x)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    torch.nn.Sequential(network).train()
    assert not network.training
    torch.testing.assert_close(network(x), before)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    network, x = session(assets.path("edgeface-s")), images(112, 4)
    together = run_rows(network, x)
    for row in range(4):
        np.testing.assert_array_equal(run_rows(network, x[row : row + 1])[0], together[row])
    np.testing.assert_array_equal(run_rows(network, x[::-1])[::-1], together)
    assert run_rows(network, x[:0]).shape == (0, 512)


def test_sessions_have_one_thread() -> None:
    options = session(assets.path("tddfa-mb1")).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("nodes", "given", "constants"),
    [
        pytest.param(
            [helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 1], pads=[1, 2, 1, 2], dilations=[1, 2], group=2)],
            (2, 4, 9, 9),
            {"w": weights(6, 2, 3, 3)},
            id="grouped strided dilated convolution without bias",
        ),
        pytest.param(
            [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], (2, 5), {"w": weights(5, 3), "b": weights(3)}, id="Gemm"
        ),
        pytest.param([helper.make_node("Flatten", ["x"], ["y"])], (2, 3, 4), {}, id="Flatten"),
        pytest.param(
            [helper.make_node("PRelu", ["x", "w"], ["y"])], (2, 3, 4, 4), {"w": weights(3, 1, 1)}, id="PRelu a channel"
        ),
        pytest.param(
            [helper.make_node("PRelu", ["x", "w"], ["y"])], (2, 3, 4, 4), {"w": weights(1, 1, 1)}, id="PRelu shared"
        ),
        pytest.param(
            [helper.make_node("Add", ["x", "w"], ["y"])], (2, 3, 4), {"w": weights(3, 1)}, id="Add broadcasts"
        ),
        pytest.param(
            [helper.make_node("Reshape", ["x", "s"], ["y"])],
            (2, 3, 4),
            {"s": np.array([0, -1, 2])},
            id="Reshape keeps a dimension",
        ),
        pytest.param(
            [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.1)],
            (4, 3, 2, 2),
            {"s": weights(3), "b": weights(3), "m": weights(3), "v": np.abs(weights(3))},
            id="BatchNormalization",
        ),
    ],
)
def test_single_operations_agree_with_onnx_runtime(
    save: Save, nodes: list[onnx.NodeProto], given: tuple[int, ...], constants: dict[str, np.ndarray]
) -> None:
    path = save(nodes, given, **constants)
    x = weights(*given)
    (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    np.testing.assert_allclose(to_torch(path)(torch.tensor(x)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        ([helper.make_node("Erf", ["x"], ["y"])], {}, "graph.onnx uses the ONNX operation Erf; .* only Constant, Add"),
        (
            [helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, 0, 1, 1])],
            {"w": weights(1, 1, 2, 2)},
            "Conv with different padding on opposite sides",
        ),
        (
            [helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER")],
            {"w": weights(1, 1, 2, 2)},
            "automatic padding",
        ),
        (
            [helper.make_node("Gemm", ["x", "w"], ["y"], alpha=2.0)],
            {"w": weights(2, 2)},
            "Gemm with a transposed first factor",
        ),
        ([helper.make_node("Flatten", ["x"], ["y"], axis=2)], {}, "Flatten along another axis"),
    ],
)
def test_what_is_not_known_is_refused_when_loading(
    save: Save, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        to_torch(save(nodes, [1, 1, 4, 4], **constants))


def test_two_inputs_are_refused(save: Save) -> None:
    path = save([helper.make_node("Add", ["x", "z"], ["y"])], [1])
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    onnx.save(model, path)
    with pytest.raises(UsageError, match="has 2 inputs and 1 outputs"):
        to_torch(path)


@pytest.mark.parametrize("opening", [session, to_torch])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    path = tmp_path / "words.onnx"
    path.write_text("no network at all, only words")
    with pytest.raises(UsageError, match=r"words\.onnx cannot be .* as an ONNX network.*Give an \.onnx file"):
        opening(path)
