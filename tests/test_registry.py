"""Plugins of others that are broken, misnamed or offered twice, found in folders laid out as pip does."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hifibench import registry
from hifibench.cli import app
from hifibench.errors import MissingError, UsageError

CARD = """
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
plugin = SwapperPlugin(SwapperCard("right", "as it should be", Crop("ffhq", 64), Crop("ffhq", 64)), None)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path with three packages of third parties."""

    def package(name: str, code: str, points: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[hifibench.swappers]\n{points}\n")

    package("party_broken", "raise RuntimeError('no driver')", "broken = party_broken:plugin\nshared = party_broken:x")
    package("party_right", CARD, "right = party_right:plugin\nwrong-name = party_right:plugin\nshared = party_right:x")
    package("party_empty", "", "nothing-there = party_empty:plugin")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("broken", MissingError, "RuntimeError: no driver"),
        ("nothing-there", MissingError, "has no attribute 'plugin'"),
        ("wrong-name", UsageError, "calls itself 'right'"),
        ("shared", UsageError, "party_broken:x and party_right:x. Uninstall one"),
    ],
)
def test_a_plugin_that_cannot_be_used_says_why(site: Path, name: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        registry.swappers.get(name)


def test_the_others_work_and_are_listed_beside_it(site: Path) -> None:
    assert registry.swappers.get("right").card.name == "right"
    assert registry.swappers.get("target-copy").card.kind == "reference"
    done = CliRunner().invoke(app, ["list", "methods"], env={"COLUMNS": "250"})
    assert done.exit_code == 0, done.output
    for words in ("as it should be", "no driver", "faceswap", "Two installed packages offer"):
        assert words in done.output
