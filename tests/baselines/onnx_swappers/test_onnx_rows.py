"""Every published row against a file of its contract: pixel-exact, by an independent computation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx_files import HALF, Converter, Recogniser, Swapper, weights

import baselines.onnx_swappers as package
from baselines.onnx_swappers.table import origins, published
from hifibench.contracts import Crop, SwapperPlugin
from hifibench.contracts import Swapper as Contract
from hifibench.errors import MissingError
from hifibench.faces import templates
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Status, Swap

HALVES, PLAIN = (0.5, 0.5, 0.5), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SIGNED = (HALVES, HALVES)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
EMAP = weights(512, 512, seed=9)

# Row: crop of the target, its mean and std, those of the swap, crop of the source, its mean and std, what is done to
# the embedding ("": the crop itself goes in), whether it is of length 1.
FACTS = {
    "inswapper_128": (Crop("inswapper", 128), PLAIN, PLAIN, Crop("arcface", 112), SIGNED, "emap", True),
    "simswap_256": (Crop("arcface-v1", 256), IMAGENET, PLAIN, Crop("arcface", 112), SIGNED, "crossface_simswap", True),
    "simswap_unofficial_512": (
        *(Crop("arcface-v1", 512), PLAIN, PLAIN),
        *(Crop("arcface", 112), SIGNED, "crossface_simswap", True),
    ),
    **{
        f"ghost_{blocks}_256": (
            *(Crop("arcface-v1", 256), SIGNED, SIGNED),
            *(Crop("arcface", 112), SIGNED, "crossface_ghost", False),
        )
        for blocks in (1, 2, 3)
    },
    "blendswap_256": (Crop("ffhq", 256), PLAIN, PLAIN, Crop("arcface", 112), PLAIN, "", False),
    "hififace_unofficial_256": (
        *(Crop("arcface-85", 256), SIGNED, SIGNED),
        *(Crop("arcface", 112), SIGNED, "crossface_hififace", True),
    ),
    "hyperswap_1a_256": (Crop("inswapper", 256), SIGNED, SIGNED, Crop("arcface", 112), SIGNED, "none", True),
    "uniface_256": (Crop("ffhq", 256), SIGNED, SIGNED, Crop("ffhq", 256), PLAIN, "", False),
}


def each(values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(3, 1, 1)


def crops(size: int, rows: int, seed: int) -> np.ndarray:
    """Coloured differently each, so that means differ as well as pixels."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(0, 0.6, (rows, 3, size, size)) + rng.uniform(0, 0.4, (rows, 3, 1, 1))).astype(np.float32)


def fill(row: str, folder: Path, kind: int = onnx.TensorProto.FLOAT) -> Swapper:
    """Write the files that a row needs."""
    target, _, _, source, _, converter, _ = FACTS[row]
    shape = (512,) if converter else (3, source.size, source.size)
    tiny = Swapper(target.size, shape, EMAP if converter == "emap" else None, kind)
    tiny.write(folder / f"{row}.onnx")
    if converter:
        Recogniser().write(folder / "w600k_r50.onnx")
    if converter.startswith("crossface"):
        Converter(len(converter)).write(folder / f"{converter}.onnx")
    return tiny


def expected(row: str, tiny: Swapper, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The swap of one pair, from FACTS alone."""
    _, (mean, std), (out_mean, out_std), _, (s_mean, s_std), converter, unit = FACTS[row]
    who = (source - each(s_mean)) / each(s_std)
    if converter:
        who = Recogniser().run(who)
        if converter == "emap":
            who = who / np.linalg.norm(who) @ EMAP
        elif converter != "none":
            who = Converter(len(converter)).run(who)
        who = who / np.linalg.norm(who) if unit else who
    made = tiny.run(who, (target - each(mean)) / each(std)) * each(out_std) + each(out_mean)
    return np.clip(made, 0, 1)


def swapped(plugin: SwapperPlugin, source: np.ndarray, target: np.ndarray) -> Swap:
    swapper = plugin.load("cpu")
    assert isinstance(swapper, Contract)
    assert swapper.card == plugin.card
    return swapper.swap(torch.from_numpy(source), torch.from_numpy(target))


def method(row: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **kind: int) -> tuple[SwapperPlugin, Swapper]:
    """The row as a ready method from the cache, where it is one, else as a user's."""
    monkeypatch.setenv("HIFIBENCH_CACHE", str(folder))
    if row not in package.READY:
        tiny = fill(row, folder, **kind)
        return package.make(row, {"row": row}, folder), tiny
    tiny = fill(row, folder / "methods" / package.READY[row], **kind)
    return getattr(package, row), tiny


def test_all_published_rows_are_known_here() -> None:
    assert set(FACTS) == set(published())
    assert set(package.READY) <= set(FACTS)
    files = {f"{row}.onnx" for row in FACTS} | {f"{facts[5]}.onnx" for facts in FACTS.values() if "_" in facts[5]}
    assert set(origins()) == files | {"w600k_r50.onnx"}
    assert all(origin.url.endswith(name) for name, origin in origins().items() if name != "w600k_r50.onnx")


@pytest.mark.parametrize("row", FACTS)
def test_a_swap_is_what_the_row_makes_of_it(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, tiny = method(row, tmp_path, monkeypatch)
    target_crop, _, _, source_crop, _, _, _ = FACTS[row]
    assert (plugin.card.source, plugin.card.target) == (source_crop, target_crop)
    assert plugin.card.name == package.READY.get(row, row)
    source, target = crops(source_crop.size, 2, 1), crops(target_crop.size, 2, 2)
    swap = swapped(plugin, source, target)
    assert swap.status == (Status.OK, Status.OK)
    assert swap.mask is None
    for index in range(2):
        made = expected(row, tiny, source[index], target[index])
        np.testing.assert_allclose(swap.image[index], made, atol=3e-6)
        assert ((made > 0) & (made < 1)).mean() > 0.95  # hardly anything was cut off
    # The test sees identities: exchanged sources give another picture.
    assert np.abs(swap.image[0].numpy() - expected(row, tiny, source[1], target[0])).max() > 0.002


@pytest.mark.parametrize("row", ["inswapper_128", "blendswap_256"])
def test_a_file_in_half_precision_is_given_and_gives_halves(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, tiny = method(row, tmp_path, monkeypatch, kind=HALF)
    source, target = crops(FACTS[row][3].size, 1, 1), crops(FACTS[row][0].size, 1, 2)
    swap = swapped(plugin, source, target)
    assert swap.image.dtype == torch.float32
    made = expected(row, tiny, source[0], target[0])
    np.testing.assert_allclose(swap.image[0], made, atol=4e-3)
    assert np.abs(swap.image[0].numpy() - made).max() > 1e-5  # it was rounded to halves


@pytest.mark.parametrize("row", ["inswapper_128", "blendswap_256"])
def test_a_swap_goes_through_the_harness(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, _ = method(row, tmp_path, monkeypatch)
    frames = np.random.default_rng(5).integers(0, 256, (2, 512, 512, 3), np.uint8)
    face = templates.mean_face()
    (done,) = swap_jobs(plugin.load("cpu"), [Job(frames[0], face, frames[1], face)])  # type: ignore[arg-type]
    assert done.status is Status.OK, done.message
    assert done.frame is not None
    assert (done.frame != frames[1]).any()


@pytest.mark.parametrize("row", package.READY)
def test_missing_files_are_named_with_their_origin_licence_and_place(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    folder = tmp_path / "methods" / package.READY[row]
    needed = [f"{row}.onnx", *(["w600k_r50.onnx"] if FACTS[row][5] else [])]
    needed += [f"{FACTS[row][5]}.onnx"] if "crossface" in FACTS[row][5] else []
    count = "one file" if len(needed) == 1 else f"{len(needed)} files"
    with pytest.raises(MissingError, match=f"The method {package.READY[row]} lacks {count}") as told:
        getattr(package, row).load("cpu")
    for name in needed:
        origin = origins()[name]
        assert f"{folder / name}: from {origin.url} (licence: {origin.licence})" in str(told.value)
    assert str(told.value).count(str(folder)) == len(needed)


def test_only_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _ = method("ghost_2_256", tmp_path, monkeypatch)
    folder = tmp_path / "methods" / "ghost-2-onnx"
    (folder / "crossface_ghost.onnx").unlink()
    with pytest.raises(MissingError, match="lacks one file") as told:
        package.ghost_2_256.load("cpu")
    assert "crossface_ghost.onnx: from https" in str(told.value)
    assert "w600k_r50" not in str(told.value)


def test_files_that_come_while_a_process_runs_do_not_meet_its_old_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    before = package.blendswap_256
    plugin, _ = method("blendswap_256", tmp_path, monkeypatch)
    assert plugin.card.hash != before.card.hash
    with pytest.raises(MissingError, match=r"files of blendswap-256 have changed .* Run the command again"):
        before.load("cpu")


def test_licences_and_papers_stand_on_the_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    cards = {row: getattr(package, row).card for row in package.READY}
    assert "non-commercial" in cards["inswapper_128"].licence
    assert cards["simswap_256"].licence == "CC BY-NC 4.0"
    assert cards["ghost_3_256"].licence == "Apache-2.0"
    assert cards["blendswap_256"].licence == "CC BY-NC-SA 4.0"
    assert "not stated" in cards["hififace_unofficial_256"].licence
    assert all(card.paper for row, card in cards.items() if row != "inswapper_128")
    assert all(card.kind == "method" and card.weights for card in cards.values())


def test_there_is_no_other_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'uniface_256'"):
        _ = package.uniface_256


def test_listing_opens_no_network_library(tmp_path: Path) -> None:
    code = (
        "import sys, baselines.onnx_swappers as package; [getattr(package, row).card for row in package.READY]; "
        "print([name for name in ('torch', 'onnx', 'onnxruntime', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
