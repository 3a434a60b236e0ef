"""The example of docs/external.md is run as it stands there."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from baselines.external.process import Launch
from baselines.external.simswap import SimSwapTable
from baselines.external.supervisor import MOST_LOSSES
from baselines.external.swapper import External
from baselines.external.table import CommonTable, ExternalTable
from baselines.fsgan.table import FsganTable
from hifibench.contracts import Crop
from hifibench.records import Status

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "external.md").read_text(encoding="utf-8")

_MODEL = """
class FaceSwapper:
    def __init__(self, weights, device):
        assert open(weights).read() == "weights" and device == "cpu"

    def __call__(self, source, target):
        assert source.shape == (112, 112, 3) and target.shape == (256, 256, 3)
        return (target + source.mean(axis=(0, 1))) / 2
"""


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.usefixtures("no_children")
def test_the_example_runs(start: Callable[..., External], tmp_path: Path) -> None:
    wrapper, methods = block("python"), block("toml")
    assert len((wrapper + methods).splitlines()) <= 40
    (tmp_path / "wrap_mine.py").write_text(wrapper)
    (tmp_path / "child.py").write_text((ROOT / "baselines" / "external" / "child.py").read_text())
    (tmp_path / "checkout" / "mine").mkdir(parents=True)
    (tmp_path / "checkout" / "mine" / "model.py").write_text(_MODEL)
    (tmp_path / "checkout" / "weights.pth").write_text("weights")
    table = tomllib.loads(methods)["mine"]
    assert table.pop("kind") == "external"
    assert table["command"][0].endswith("python")
    table["command"][0] = sys.executable
    swapper = start(table)
    assert swapper.card.source == Crop("arcface", 112) and swapper.card.target == Crop("ffhq", 256)
    source, target = torch.rand(1, 3, 112, 112), torch.rand(1, 3, 256, 256)
    swap = swapper.swap(source, target)
    assert swap.status == (Status.OK,)
    expected = (target + source.mean(dim=(2, 3), keepdim=True)) / 2
    assert float((swap.image - expected).abs().max()) < 1.5 / 255


def test_every_key_is_documented() -> None:
    fields = {*ExternalTable.model_fields, *SimSwapTable.model_fields, *FsganTable.model_fields}
    assert fields >= set(CommonTable.model_fields)
    for key in fields:
        assert re.search(rf"\b{key}\b", TEXT), key


def test_what_it_says_of_defaults_is_so() -> None:
    fields = CommonTable.model_fields
    assert f"{fields['start_timeout_s'].default:g} and {fields['pair_timeout_s'].default:g} by default" in TEXT
    assert MOST_LOSSES == 5 and "five times in a row" in TEXT
    assert "PYTHONPATH" not in Launch(("x",), Path(), {}, 1, 1).environment()
    fsgan = FsganTable.model_fields
    assert f'frames = {fsgan["frames"].default}, codec = "{fsgan["codec"].default}"' in TEXT
    assert fsgan["finetune"].default is False and SimSwapTable.model_fields["size"].default == 224


def test_every_link_leads_to_a_file() -> None:
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (ROOT / "docs" / link).is_file(), link
