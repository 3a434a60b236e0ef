"""Rows of the user's own: what may stand in one, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx_files import FLOAT, Converter, Recogniser, Swapper, write
from user_rows import EMBEDDING, SIZE, crops, load, swap, table

import baselines.onnx_swappers as package
from baselines.onnx_swappers.pixels import decode, encode
from baselines.onnx_swappers.table import Pixels, published, row_of
from hifibench import assets, methods_file, registry
from hifibench.contracts import Crop, MethodKind, SwapperPlugin
from hifibench.errors import MissingError
from hifibench.records import Status


def test_a_network_with_another_order_and_scale_of_channels(tmp_path: Path, tiny: Swapper) -> None:
    fields = table(
        source__channels="BGR",
        source__mean=[100, 110, 120],
        source__std=[255, 128, 200],
        source__range=255,
        target__channels="BGR",
        target__mean=[0.1, 0.2, 0.3],
        target__std=[0.5, 0.6, 0.7],
        output={"channels": "BGR", "mean": [1, 0.5, 0.8], "std": [1.5, 2.5, 3.5], "range": 4},
    )
    source, target = crops(2), crops(2, seed=1)
    made = swap(fields, tmp_path, source, target).image.numpy()
    bgr_source = (source[:, ::-1] * 255 - np.reshape([100, 110, 120], (3, 1, 1))) / np.reshape(
        [255, 128, 200], (3, 1, 1)
    )
    bgr_target = (target[:, ::-1] - np.reshape([0.1, 0.2, 0.3], (3, 1, 1))) / np.reshape([0.5, 0.6, 0.7], (3, 1, 1))
    for row in range(2):
        bgr = tiny.run(bgr_source[row], bgr_target[row])
        bgr = (bgr * np.reshape([1.5, 2.5, 3.5], (3, 1, 1)) + np.reshape([1, 0.5, 0.8], (3, 1, 1))) / 4
        np.testing.assert_allclose(made[row], bgr[::-1].clip(0, 1), atol=3e-6)


@pytest.mark.parametrize(("unit", "converter"), [(True, "none"), (False, "none"), (True, "c.onnx"), (False, "c.onnx")])
def test_an_embedding_is_converted_first_and_then_brought_to_length_1(
    tmp_path: Path, known: Swapper, unit: bool, converter: str
) -> None:
    Converter().write(tmp_path / "c.onnx")
    source, target = crops(1, 112), crops(1)
    made = swap(table(EMBEDDING, unit=unit, converter=converter), tmp_path, source, target).image[0]
    who = Recogniser().run(source[0] * 2 - 1)
    who = Converter().run(who) if converter == "c.onnx" else who
    who = who / np.linalg.norm(who) if unit else who
    np.testing.assert_allclose(made, known.run(who, target[0]).clip(0, 1), atol=3e-6)


def test_the_embedded_recogniser_sees_what_the_expert_of_that_name_sees(tmp_path: Path, known: Swapper) -> None:
    fields = table(EMBEDDING, recogniser="w600k-mbf", trained_with=["edgeface"])
    source, target = crops(1, 112), crops(1)
    swapper = load(fields, tmp_path)
    made = swapper.swap(torch.from_numpy(source), torch.from_numpy(target)).image[0]
    (who,) = registry.experts.get("w600k").load("cpu").observe(source)["embedding"]  # type: ignore[union-attr]
    np.testing.assert_allclose(made, known.run(who, target[0]).clip(0, 1), atol=3e-6)
    assert swapper.card.assets == ("w600k-mbf",)
    assert swapper.card.trained_with == ("edgeface", "w600k")


@pytest.mark.parametrize("shape", [(1, 1, SIZE, SIZE), (1, SIZE, SIZE), (1, 1, "h", "w")])
def test_a_mask_of_the_networks_own(tmp_path: Path, shape: tuple[int | str, ...]) -> None:
    Swapper(SIZE, (3, SIZE, SIZE), mask=shape).write(tmp_path / "tiny.onnx")
    source, target = crops(2), crops(2, seed=1)
    done = swap(table(output={"image": "output", "mask": "mask"}), tmp_path, source, target)
    assert done.mask is not None
    np.testing.assert_allclose(done.mask, target.mean(1, keepdims=True), atol=1e-6)
    assert swap(table(), tmp_path, source, target).mask is None


def test_outputs_are_found_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["target"], ["same"]), helper.make_node("Mul", ["source", "source"], ["sq"])]
    shape = (1, 3, SIZE, SIZE)
    given = {"source": shape, "target": shape}
    write(tmp_path / "tiny.onnx", nodes, given, {"same": shape, "sq": shape}, {})
    source, target = crops(1), crops(1, seed=1)
    np.testing.assert_array_equal(swap(table(), tmp_path, source, target).image, target)
    np.testing.assert_array_equal(swap(table(output__image="sq"), tmp_path, source, target).image, source**2)


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(4)), count=st.integers(1, 4))
def test_a_pair_does_not_depend_on_its_company(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], count: int
) -> None:
    folder = tmp_path_factory.mktemp("company")
    Swapper(SIZE, (3, SIZE, SIZE)).write(folder / "tiny.onnx")
    swapper = load(table(), folder)
    source, target = torch.from_numpy(crops(4)), torch.from_numpy(crops(4, seed=1))
    chosen = order[:count]
    together, some = swapper.swap(source, target).image, swapper.swap(source[chosen], target[chosen]).image
    assert torch.equal(some, together[chosen])


numbers = st.floats(-3, 3, width=32)


@given(
    mean=st.tuples(numbers, numbers, numbers),
    std=st.tuples(*[st.floats(0.125, 8, width=32)] * 3),
    white=st.sampled_from([1.0, 2.0, 255.0]),
    channels=st.sampled_from(["RGB", "BGR"]),
)
def test_decoding_undoes_encoding(mean: Any, std: Any, white: float, channels: Any) -> None:
    pixels = Pixels(mean=mean, std=std, range=white, channels=channels)
    image = crops(1)[0]
    written = encode(image, pixels)
    assert written.dtype == np.float32
    first = image[0 if channels == "RGB" else 2]
    np.testing.assert_allclose(written[0], (first * white - mean[0]) / std[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(decode(written, pixels), image, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            {"range": 0.05},
            r"image has values from [\d.]+ to 1\d\.?\d*, far outside \[0, 1\]: the row's output has a wrong",
        ),
        ({"mean": [-1, -1, -1]}, r"image has values from -[\d.e-]+ to .*, far outside"),
    ],
)
def test_a_wrong_range_fails_the_pair_instead_of_being_cut_off(
    tmp_path: Path, tiny: Swapper, output: Any, told: str
) -> None:
    done = swap(table(output=output), tmp_path, crops(2), crops(2, seed=1))
    assert done.status == (Status.FAILED, Status.FAILED)
    assert done.image.isfinite().all()
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(done.messages[0])


def test_values_that_are_no_numbers_fail_only_their_pair(tmp_path: Path) -> None:
    shape = (1, 3, SIZE, SIZE)
    nodes = [helper.make_node("Div", ["target", "source"], ["output"])]
    write(tmp_path / "tiny.onnx", nodes, {"source": shape, "target": shape}, {"output": shape}, {})
    source, target = np.ones((2, *shape[1:]), np.float32), crops(2)
    source[0, 1, 2, 3] = target[0, 1, 2, 3] = 0
    done = swap(table(), tmp_path, source, target)
    assert done.status == (Status.FAILED, Status.OK)
    assert done.messages == ("The network's image holds values that are no finite numbers.", "")
    np.testing.assert_array_equal(done.image[1], target[1])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_embedding_of_length_0_fails_its_pair(tmp_path: Path, known: Swapper) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    write(tmp_path / "who.onnx", nodes, {"x": (1, 3, 112, 112)}, {"y": (1, 512)}, {"w": np.zeros((3, 512), np.float32)})
    done = swap(table(EMBEDDING), tmp_path, crops(1, 112), crops(1))
    assert done.status == (Status.FAILED,)
    assert done.messages == ("The source's embedding holds values that are no finite numbers.",)


def test_a_published_row_is_overridden_field_by_field() -> None:
    row = row_of({"row": "ghost_1_256", "file": "x.onnx", "target": {"template": "simswap-224"}}, "x")
    assert (row.file, row.target.crop, row.target.mean) == ("x.onnx", Crop("simswap-224", 256), (0.5, 0.5, 0.5))
    assert row.converter == "crossface_ghost.onnx"
    assert published()["ghost_1_256"]["target"]["template"] == "arcface-v1"


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries of this test's own."""
    monkeypatch.setattr(registry, "kinds", registry.Registry("hifibench.no-such-group", "kind of method", MethodKind))
    monkeypatch.setattr(registry, "swappers", registry.Registry("hifibench.swappers", "method", SwapperPlugin))
    registry.kinds.add("onnx", package.kind)


@pytest.mark.usefixtures("methods")
def test_a_methods_file_gives_a_method(tmp_path: Path) -> None:
    networks = tmp_path / "networks"
    Swapper(SIZE, (512,)).write(networks / "mine.onnx")
    Recogniser().write(networks / "w600k_r50.onnx")
    Converter(3).write(tmp_path / "map.onnx")
    file = tmp_path / "methods.toml"
    file.write_text("""
        [mine]
        kind = "onnx"
        row = "simswap_256"
        file = "networks/mine.onnx"
        converter = "map.onnx"
        licence = "my own"
        [mine.target]
        template = "ffhq"
        size = 16
    """)
    assert methods_file.add(file) == ["mine"]
    plugin = registry.swappers.get("mine")
    assert (plugin.card.licence, plugin.card.target) == ("my own", Crop("ffhq", SIZE))
    source, target = crops(1, 112), crops(1)
    made = plugin.load("cpu").swap(torch.from_numpy(source), torch.from_numpy(target)).image[0]  # type: ignore[union-attr]
    who = Converter(3).run(Recogniser().run(source[0] * 2 - 1))
    who /= np.linalg.norm(who)
    mean, std = (np.reshape(one, (3, 1, 1)) for one in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    np.testing.assert_allclose(made, Swapper(SIZE, (512,)).run(who, (target[0] - mean) / std).clip(0, 1), atol=3e-6)


@pytest.mark.usefixtures("methods")
def test_what_a_methods_file_names_and_what_a_row_names_is_missed_where_it_should_lie(tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text('[a]\nkind="onnx"\nrow="ghost_1_256"\nfile="sub/x.onnx"\nrecogniser="r.onnx"\n')
    methods_file.add(file)
    with pytest.raises(MissingError, match="The method a lacks 3 files") as told:
        registry.swappers.get("a").load("cpu")
    assert f"{tmp_path / 'sub' / 'x.onnx'}: named in the methods file" in str(told.value)
    assert f"{tmp_path / 'r.onnx'}: named in the methods file" in str(told.value)
    assert f"{tmp_path / 'sub' / 'crossface_ghost.onnx'}: from https://" in str(told.value)


def test_the_card_changes_with_all_that_may_change_the_swap_and_nothing_else(tmp_path: Path, known: Swapper) -> None:
    Converter().write(tmp_path / "c.onnx")

    def hash_of(**changes: Any) -> str:
        return package.make("mine", table(EMBEDDING, **changes), tmp_path).card.hash

    first = hash_of()
    assert hash_of(licence="x", paper="y", summary="z", limits="l") == first
    others = [
        *(
            hash_of(unit=False),
            hash_of(converter="c.onnx"),
            hash_of(converter="emap"),
            hash_of(target__std=[2, 1, 1]),
            hash_of(source__range=2),
        ),
        *(hash_of(output__channels="BGR"), hash_of(target__size=32), hash_of(recogniser="w600k-mbf")),
    ]
    Converter(1).write(tmp_path / "c.onnx")
    others.append(hash_of(converter="c.onnx"))
    Recogniser(256).write(tmp_path / "who.onnx")
    others.append(hash_of())
    Swapper(SIZE, (256,)).write(tmp_path / "tiny.onnx")
    others.append(hash_of())
    assert len({first, *others}) == 1 + len(others)


def test_a_moved_file_is_the_same_method(tmp_path: Path, tiny: Swapper) -> None:
    tiny.write(tmp_path / "elsewhere" / "other.onnx")
    one, two = (package.make("mine", table(file=file), tmp_path) for file in ("tiny.onnx", "elsewhere/other.onnx"))
    assert one.card.hash == two.card.hash


def test_cost_counts_the_weights_of_all_networks(tmp_path: Path, known: Swapper) -> None:
    Converter().write(tmp_path / "c.onnx")
    swapper = load(table(EMBEDDING, converter="c.onnx"), tmp_path)
    cost = swapper.cost()
    assert (cost.params_trainable, cost.macs) == (0, None)
    # The tint and two numbers of the swapper, but not its shape; matrix and offset of the recogniser; the converter.
    assert cost.params_frozen == 512 * 3 + 2 + 3 * 512 + 512 + 512 * 512


def test_cost_counts_the_embedded_recogniser_too(tmp_path: Path, known: Swapper) -> None:
    file = onnx.load(str(assets.path("w600k-mbf")))
    size = sum(onnx.numpy_helper.to_array(one).size for one in file.graph.initializer if one.data_type == FLOAT)
    swapper = load(table(EMBEDDING, recogniser="w600k-mbf"), tmp_path)
    assert swapper.cost().params_frozen == 512 * 3 + 2 + size
    assert size > 3_000_000
