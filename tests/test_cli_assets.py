from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hifibench import assets
from hifibench.cli_assets import app
from hifibench.errors import MissingError, UsageError
from hifibench.needs import of_suite
from hifibench.suite import load

DEMO = of_suite(load("demo"))


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HIFIBENCH_OFFLINE", "1")
    return tmp_path / "cache"


def test_list_shows_every_asset_whole(empty_cache: Path) -> None:
    shown = CliRunner().invoke(app, ["list"])
    assert shown.exit_code == 0
    rows = {row.split("│")[1].strip(): row for row in shown.output.splitlines() if row.startswith("│")}
    assert list(rows) == [*assets.catalogue(), *assets.brought()]
    for name, one in assets.brought().items():
        assert "absent" in rows[name] and one.network in rows[name] and one.origin in rows[name]
        assert ("(registration)" in rows[name]) == one.registration
    for name, asset in assets.catalogue().items():
        assert "absent" in rows[name] and asset.licence.terms in rows[name] and asset.role in rows[name]
        assert ("RESEARCH ONLY" in rows[name]) == asset.licence.research_only
    assert str(empty_cache) in shown.output


def test_verify_fails_for_what_the_demo_lacks_and_for_whatever_is_corrupt(empty_cache: Path) -> None:
    false = empty_cache / "assets" / f"facenet-{assets.catalogue()['facenet'].sha256[:8]}" / "graph_final.pb"
    false.parent.mkdir(parents=True)
    false.write_bytes(b"not a graph")
    shown = CliRunner().invoke(app, ["verify"])
    assert isinstance(shown.exception, MissingError) and shown.exception.exit_code == 3
    for name in (*DEMO, "facenet"):
        assert name in str(shown.exception)
    assert "lpips-vgg16" not in str(shown.exception), "what is on request may be absent"
    expected = [["corrupt" if name == "facenet" else "absent", name] for name in assets.catalogue()]
    assert [line.split() for line in shown.output.splitlines()] == expected


def test_verify_of_a_named_asset_asks_for_it_whether_the_demo_needs_it_or_not() -> None:
    shown = CliRunner().invoke(app, ["verify", "lpips-vgg16"])
    assert isinstance(shown.exception, MissingError)
    assert "1 of 1 assets" in str(shown.exception) and "fetch lpips-vgg16" in str(shown.exception)


def test_verify_of_a_file_that_only_the_user_can_bring_says_how_to_get_it() -> None:
    shown = CliRunner().invoke(app, ["verify", "cosface"])
    assert isinstance(shown.exception, MissingError)
    assert "ACC99.28.pth" in str(shown.exception) and "assets fetch" not in str(shown.exception)


def test_fetch_means_what_the_demo_needs_unless_assets_are_named() -> None:
    shown = CliRunner().invoke(app, ["fetch"])
    assert isinstance(shown.exception, MissingError)
    missing = [name for name in assets.catalogue() if f"The asset {name!r}" in str(shown.exception)]
    assert sorted(missing) == sorted(DEMO)
    shown = CliRunner().invoke(app, ["fetch", "--quiet", "facenet"])
    assert "The asset 'facenet'" in str(shown.exception) and "scrfd-500m" not in str(shown.exception)
    shown = CliRunner().invoke(app, ["fetch", "facenett"])
    assert isinstance(shown.exception, UsageError) and "Did you mean 'facenet'?" in str(shown.exception)
