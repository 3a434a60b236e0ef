"""Methods from the user's TOML files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hifibench import methods_file, registry
from hifibench.contracts import Crop, MethodKind, SwapperCard, SwapperPlugin
from hifibench.errors import UsageError
from hifibench.tables import Table, read


class Mirror(Table):
    """What a table of the kind ``mirror`` holds."""

    times: int
    path: str = "."


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    chosen = read(Mirror, table, f"The method {name}")
    card = SwapperCard(name, f"{chosen.times} {folder / chosen.path}", source=Crop("frame"), target=Crop("frame"))
    return SwapperPlugin(card, lambda device: None)  # type: ignore[arg-type, return-value]


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "kinds", registry.Registry("hifibench.no-such-group", "kind of method", MethodKind))
    monkeypatch.setattr(registry, "swappers", registry.Registry("hifibench.swappers", "method", SwapperPlugin))
    registry.kinds.add("mirror", MethodKind("turns around", make))


def test_every_table_is_a_method_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "methods.toml"
    file.write_text('[one]\nkind = "mirror"\ntimes = 2\n\n[two]\nkind = "mirror"\ntimes = 3\npath = "x"\n')
    assert methods_file.add(file) == ["one", "two"]
    assert registry.swappers.get("two").card.summary == f"3 {tmp_path / 'x'}"
    assert "one" in registry.swappers.names()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; expected a table for each method"),
        ("kind = ", "is no TOML"),
        ('kind = "mirror"', "kind is no table; expected .kind. with a kind and its settings"),
        ("[one]\ntimes = 2", r"\[one\]: no kind; expected one of mirror"),
        ('[one]\nkind = "miror"\ntimes = 2', "Unknown kind of method 'miror'. Did you mean 'mirror'"),
        ('[one]\nkind = "mirror"\ntime = 2', "time: no such key. Did you mean 'times'"),
        ('[one]\nkind = "mirror"\ntimes = "x"', "times: .*integer"),
        ('[target-copy]\nkind = "mirror"\ntimes = 2', "There is a method 'target-copy' already"),
        ('["a b"]\nkind = "mirror"\ntimes = 2', "'a b' cannot name a method"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "methods.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=told):
        methods_file.add(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read"):
        methods_file.add(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b"[\xe4]\n")
    with pytest.raises(UsageError, match="is no TOML"):
        methods_file.add(tmp_path / "latin.toml")
