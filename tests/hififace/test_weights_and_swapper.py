from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hifibench import registry
from hifibench.commands import add_weights, open_weights
from hifibench.errors import MissingError, UsageError
from hifibench.hififace import plugins, teacher_files, weights
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.counts import count
from hifibench.hififace.generator import Generator
from hifibench.hififace.swapper import HifiFace, blended, dilated
from hifibench.records import Status

CONFIG = Config(size=128, width=1 / 16, face_model=TDDFA)
SAID = {"steps": 7, "preset": "lite", "licence": "research only"}


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    made = Generator(CONFIG).eval().requires_grad_(False)
    for parameter in made.parameters():  # styles begin at zero; a trained generator listens to them
        parameter.add_(torch.randn_like(parameter) * 0.05)
    return made


@pytest.fixture
def file(generator: Generator, tmp_path: Path) -> Path:
    path = tmp_path / "hififace.safetensors"
    weights.save(generator, SAID, path)
    return path


@pytest.fixture(scope="module")
def swapper(generator: Generator) -> HifiFace:
    from hifibench.hififace.teachers import load_face_model, load_recogniser, make_extractor

    return HifiFace(plugins.full.card, generator, make_extractor(load_face_model(), load_recogniser()))


@pytest.fixture(scope="module")
def faces() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, 128, 128, generator=rng), torch.rand(3, 3, 128, 128, generator=rng)


def test_weights_come_back_in_half_precision_with_their_card(generator: Generator, file: Path) -> None:
    back = weights.load(file)
    assert back.config == CONFIG and not back.training
    for name, value in generator.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], value.half().float(), atol=0, rtol=0)
    said = weights.card(file)
    assert said.pop("config")["variant"] == "full" and said == SAID
    assert file.stat().st_size < 2 * sum(p.numel() for p in generator.parameters()) + 50_000


def test_broken_and_foreign_weights_are_refused(file: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    with pytest.raises(MissingError, match="no weights at"):
        weights.load(tmp_path / "absent.safetensors")
    whole = file.read_bytes()
    for content in (b"", b"not this", whole[: len(whole) // 2], whole[:-1]):
        file.write_bytes(content)
        with pytest.raises(UsageError, match="no whole safetensors file"):
            weights.load(file)
    save_file({"a": torch.zeros(1)}, file)
    with pytest.raises(UsageError, match="is of the form None; expected 'hifibench hififace 1'"):
        weights.card(file)
    save_file(
        {"a": torch.zeros(1)},
        file,
        {"format": weights.FORMAT, "config": '{"face_model": {"identity": 40, "expression": 10}}', "card": "{}"},
    )
    with pytest.raises(UsageError, match="do not fit the network"):
        weights.load(file)


def test_a_swap_is_that_of_the_row_alone_and_the_target_where_the_mask_is_empty(swapper: HifiFace, faces) -> None:
    source, target = faces
    swap = swapper.swap(source, target)
    assert swap.image.shape == (3, 3, 128, 128) and swap.mask.shape == (3, 1, 128, 128)
    assert swap.status == (Status.OK,) * 3
    assert float(swap.image.min()) >= 0 and float(swap.image.max()) <= 1
    alone = swapper.swap(source[1:2], target[1:2])
    assert torch.equal(alone.image[0], swap.image[1]) and torch.equal(alone.mask[0], swap.mask[1])
    other = swapper.swap(source.flip(0), target)
    assert not torch.equal(other.image[0], swap.image[0])


def test_a_swap_has_the_bits_of_the_studies_which_also_place_landmarks(swapper: HifiFace, faces) -> None:
    swap = swapper.swap(*faces)
    for row, (source, target) in enumerate(zip(*(one.split(1) for one in faces), strict=True)):
        made, sid = swapper.generate(source, target)
        assert torch.equal(swap.image[row], made.i_r[0]) and torch.equal(swap.mask[row], made.m_r[0])
        assert sid.q_fuse.shape == (1, 68, 3)


def test_blends_of_figure_9(swapper: HifiFace, faces) -> None:
    source, target = faces
    made, _ = swapper.generate(source, target)
    torch.testing.assert_close(blended(made, target, made.m_r), made.i_r, atol=0, rtol=0)
    assert torch.equal(blended(made, target, torch.zeros_like(made.m_r)), target)
    assert torch.equal(blended(made, target, torch.ones_like(made.m_r)), made.i_out)
    dot = torch.zeros(1, 1, 9, 9)
    dot[..., 4, 4] = 1
    assert float(dilated(dot, 2).sum()) == 25 and float(dilated(dot, 0).sum()) == 1


def test_costs_are_counted_with_and_without_weights(swapper: HifiFace) -> None:
    cost, alone = swapper.cost(), count(CONFIG)
    assert cost.params_trainable == alone.params_trainable == sum(p.numel() for p in swapper.generator.parameters())
    assert cost.macs is not None and alone.macs is not None
    assert cost.macs > alone.macs > 1e6 and cost.params_frozen > 5e6 and alone.params_frozen == 0


@pytest.mark.parametrize("variant", ["full", "n3d", "bare", "blend", "concat"])
def test_every_variant_is_listed_and_can_be_trained_alike(variant) -> None:
    plugin = registry.swappers.get(plugins.method(variant))
    assert plugin.training is not None and plugin.count is not None
    presets = plugin.training().presets
    assert set(presets) == {"paper-256", "paper-512", "lite"}
    for plan in presets.values():
        same = plugins.full.training().presets[plan.name]
        assert plan.method["variant"] == variant
        assert {**plan.method, "variant": ""} == {**same.method, "variant": ""}
        assert (plan.steps, plan.batch, plan.optimisers) == (same.steps, same.batch, same.optimisers)
    assert plugin.count() == plugin.training().count(presets["lite"])


def test_weights_of_ones_own_become_a_method(file: Path) -> None:
    try:
        assert add_weights(f"mine={file}") == "mine"
        plugin = registry.swappers.get("mine")
        assert plugin.card.trained_with == ("w600k", "3ddfa") and "7 steps of lite" in plugin.card.summary
        assert plugin.card.hash != plugins.full.card.hash and "mine" in registry.swappers.names()
        assert isinstance(plugin.load("cpu"), HifiFace)
        with pytest.raises(UsageError, match="already"):
            add_weights(f"mine={file}")
    finally:
        registry.swappers._added.clear()


@pytest.mark.parametrize("words", ["mine", "=x", "mine="])
def test_words_that_name_no_weights_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=FILE"):
        add_weights(words)


def test_names_that_are_no_folder_are_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot name a method"):
        add_weights(f"a/b={file}")


def test_files_of_teachers_are_kept_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    mine = tmp_path / "teacher.onnx"
    mine.write_bytes(b"weights")
    digest = teacher_files.keep(mine)
    assert digest == teacher_files.keep(mine)
    mine.unlink()
    assert teacher_files.kept(digest).read_bytes() == b"weights" and teacher_files.kept(digest).suffix == ".onnx"
    with pytest.raises(MissingError, match="whose SHA-256 is"):
        teacher_files.kept("0" * 64)
    with pytest.raises(UsageError, match="cannot be read"):
        teacher_files.keep(mine)


def test_weights_trained_with_an_absent_teacher_say_which(generator: Generator, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "w.safetensors"
    weights.save(generator, {**SAID, "teachers": {"shape_model": "3ddfa", "recogniser_file": "ab" * 32}}, path)
    with pytest.raises(MissingError, match="abababab"):
        open_weights("mine", path)


def test_a_variant_without_weights_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "TRAINED", tmp_path)
    with pytest.raises(MissingError, match="hifibench train hififace-bare --preset lite"):
        plugins._load(plugins.bare.card, plugins.weights_file("bare"), {}, "cpu")
