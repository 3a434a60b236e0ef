"""What a run keeps, makes again and refuses, on a few portraits, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from hifibench import assets, registry
from hifibench.contracts import Crop, Metric, SwapperCard, SwapperPlugin
from hifibench.data.images import load, save_png
from hifibench.errors import ImageError, UsageError
from hifibench.pipeline.run import run
from hifibench.pipeline.store import Shard
from hifibench.records import Cost, Status, Swap
from hifibench.suite import PortraitData, Suite

pytestmark = pytest.mark.slow

DATA = PortraitData(kind="portraits", split="test", identities=100, views=2, pairs=20)


class Fake:
    """A swapper that gives its target back, or nothing."""

    def __init__(self, name: str = "fake", version: int = 1, fails: bool = False, asset: str = "") -> None:
        used = (asset,) if asset else ()
        self.card = SwapperCard(
            name, "", source=Crop("arcface", 112), target=Crop("ffhq", 64), version=version, assets=used
        )
        self.fails = fails
        self.calls = 0

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.calls += 1
        return Swap(target, None, ((Status.FAILED if self.fails else Status.OK),) * len(target))

    def cost(self) -> Cost:
        return Cost(1, 2, 3)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    """``install(version=2)`` offers such a `Fake` under its name."""
    there: dict[str, SwapperPlugin] = {}
    get = type(registry.swappers).get

    def patched(self: Any, name: str) -> Any:
        return there[name] if self.noun == "method" and name in there else get(self, name)

    monkeypatch.setattr(type(registry.swappers), "get", patched)

    def add(**how: Any) -> Fake:
        made = Fake(**how)
        there[made.card.name] = SwapperPlugin(made.card, lambda device: made)
        return made

    return add


def suite(*methods: str, metrics: tuple[str, ...] = ("pose[3ddfa]",)) -> Suite:
    return Suite(name="small", title="Small", data=DATA, methods=methods or ("fake",), metrics=metrics)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_share_does_not_score_swaps_that_another_share_made_under_an_older_card(
    install: Callable[..., Fake], tmp_path: Path
) -> None:
    install()
    assert run(suite(), tmp_path).results is not None
    install(version=2)
    assert run(suite(), tmp_path, shard=Shard(1, 2)).results is None
    assert not (tmp_path / "results.json").exists(), "the numbers of the old card pass for those of the new one"
    done = run(suite(), tmp_path, shard=Shard(2, 2))
    assert done.results is not None
    marks = [read(path)["card"] for path in sorted((tmp_path / "swaps" / "fake").glob("chunk-*.json"))]
    assert marks == [done.results["methods"][0]["card"]] * 2


def test_a_method_that_fails_on_every_pair_is_scored_as_failed(
    install: Callable[..., Fake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(fails=True)
    # A metric that reads the face alone names no expert that it needs.
    size = Metric("size", "", "", "up", (), lambda observed: observed.swap["detector"]["box"][:, 3].astype(np.float64))
    monkeypatch.setattr(registry, "metric", lambda name: size)
    done = run(suite(metrics=("size",)), tmp_path, limit=4)
    assert done.results is not None
    assert done.results["methods"][0]["status"] == {"failed": 4}
    assert done.results["scores"][0]["n_failed"] == 4


def test_a_swap_that_was_exchanged_or_damaged_before_it_was_observed_is_made_again(
    install: Callable[..., Fake], tmp_path: Path
) -> None:
    install()
    before = run(suite(), tmp_path, limit=4).results
    victim, other = sorted((tmp_path / "swaps" / "fake").glob("*.png"))[:2]
    frame = load(victim)
    for damage in (lambda: save_png(victim, load(other)), lambda: victim.write_bytes(victim.read_bytes()[:500])):
        damage()
        (tmp_path / "observations" / "fake" / "done" / "chunk-00000.json").unlink()
        with pytest.raises(ImageError, match="same command again"):
            run(suite(), tmp_path, limit=4)
        assert not (tmp_path / "results.json").exists()
        assert run(suite(), tmp_path, limit=4).results == before
        np.testing.assert_array_equal(load(victim), frame)


def test_what_was_taken_out_of_the_folder_comes_back(install: Callable[..., Fake], tmp_path: Path) -> None:
    fake = install()
    run(suite(), tmp_path, limit=4)
    names = ("manifest.json", "pairs.parquet", "results.json", "swaps/fake/cost.json")
    before = {name: (tmp_path / name).read_bytes() for name in names}
    for name in names:
        (tmp_path / name).unlink()
    calls = fake.calls
    run(suite(), tmp_path, limit=4)
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    assert fake.calls == calls


def test_the_run_file_names_the_methods_and_licences_of_the_last_call(
    install: Callable[..., Fake], tmp_path: Path
) -> None:
    install()
    install(name="other", asset="edgeface-s")
    run(suite("fake"), tmp_path, limit=4)
    first = read(tmp_path / "run.json")
    run(suite("fake", "other"), tmp_path, limit=4)
    second = read(tmp_path / "run.json")
    assert first["suite"]["methods"] == ["fake"] and second["suite"]["methods"] == ["fake", "other"]
    added = {row["asset"] for row in second["licences"]} - {row["asset"] for row in first["licences"]}
    assert added == {"edgeface-s"}
    assert second["created"] == first["created"] and second["run_id"] == first["run_id"]


def test_a_card_names_the_contents_of_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    card = Fake(asset="scrfd-500m").card
    before = card.hash
    changed = {**assets.catalogue(), "scrfd-500m": replace(assets.catalogue()["scrfd-500m"], sha256="0" * 64)}
    monkeypatch.setattr(assets, "CATALOGUE", changed)
    assert card.hash != before
    assert Fake().card.hash == Fake().card.hash != Fake(version=2).card.hash


def test_a_mended_sentence_on_a_card_undoes_no_work() -> None:
    from dataclasses import replace

    card = Fake().card
    assert replace(card, limits="none", summary="better said", paper="x", licence="y").hash == card.hash
    assert replace(card, trained_with=("w600k",)).hash != card.hash


def test_an_asset_that_no_catalogue_knows_is_named(install: Callable[..., Fake], tmp_path: Path) -> None:
    install(asset="scrfd-500")
    with pytest.raises(UsageError, match="Did you mean 'scrfd-500m'"):
        run(suite(), tmp_path / "run", limit=4)
    assert not (tmp_path / "run").exists()


def test_a_plugin_that_loads_something_else_is_not_available(install: Callable[..., Fake], tmp_path: Path) -> None:
    fake = install()
    fake.card = SwapperCard("fake", "another card", source=Crop("arcface", 112), target=Crop("ffhq", 64))
    done = run(suite(), tmp_path, limit=4)
    assert done.results is not None
    (method,) = done.results["methods"]
    assert method["status"] == {"not available": 4} and "own card" in method["messages"][0]


def test_swaps_are_made_without_gradients(install: Callable[..., Fake], tmp_path: Path) -> None:
    fake = install()
    weight = torch.ones(1, requires_grad=True)
    made = fake.swap

    def swap(source: Tensor, target: Tensor) -> Swap:
        assert not (target * weight).requires_grad
        return made(source, target)

    fake.swap = swap  # type: ignore[method-assign]
    done = run(suite(), tmp_path, limit=4)
    assert done.results is not None and done.results["methods"][0]["status"] == {"ok": 4}


def test_pictures_of_all_pairs_are_kept_and_those_of_swaps_that_are_gone_go(
    install: Callable[..., Fake], tmp_path: Path
) -> None:
    install()
    run(suite(), tmp_path, limit=3)
    kept = {path.relative_to(tmp_path / "pictures").parts[:-1] for path in (tmp_path / "pictures").rglob("*.jpg")}
    assert kept == {("sources",), ("targets",), ("swaps", "fake"), ("masks", "fake")}
    pairs = {pair["pair"] for pair in read(tmp_path / "manifest.json")["pairs"]}
    for folder in kept:
        assert {path.stem for path in (tmp_path / "pictures").joinpath(*folder).iterdir()} == pairs
    target = load(next((tmp_path / "pictures" / "targets").iterdir()))
    swap = load(next((tmp_path / "pictures" / "swaps" / "fake").iterdir()))
    assert target.shape == swap.shape == (256, 256, 3)
    drawn = [path for path in tmp_path.rglob("*") if path.suffix in (".png", ".jpg") and "masks" not in path.parts]
    assert drawn and all(b"trainedAlgorithmicMedia" in path.read_bytes() for path in drawn), "portraits are generated"
    assert np.abs(target.astype(float) - swap).mean() < 4

    install(version=2, fails=True)
    run(suite(), tmp_path, limit=3)
    assert not list((tmp_path / "pictures" / "swaps").rglob("*.jpg"))
    assert not list((tmp_path / "pictures" / "masks").rglob("*.jpg"))
    assert len(list((tmp_path / "pictures" / "targets").iterdir())) == 3


def test_the_part_of_each_pair_is_kept_beside_the_scores(install: Callable[..., Fake], tmp_path: Path) -> None:
    install()
    chosen = suite().model_copy(update={"splits": ("yaw[3ddfa]",)})
    results = run(chosen, tmp_path, limit=6).results
    assert results is not None
    levels = pd.read_parquet(tmp_path / "splits.parquet")
    assert set(levels["split"]) == {"yaw[3ddfa]"} and not levels.duplicated(["pair", "split"]).any()
    assert levels.groupby("level")["pair"].nunique().to_dict() == {
        part["level"]: part["n"] for part in results["splits"]
    }
    run(suite(), tmp_path, limit=6)
    assert pd.read_parquet(tmp_path / "splits.parquet").empty
