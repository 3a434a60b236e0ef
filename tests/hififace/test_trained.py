"""The weights that come with the package: all variants trained alike, each with a card that says how."""

from __future__ import annotations

from typing import Any

import pytest

from hifibench.hififace import plugins, weights
from hifibench.hififace.presets import presets

VARIANTS = ("full", "n3d", "bare", "blend", "concat")
LARGEST = 16_000_000


@pytest.fixture(scope="module")
def cards() -> dict[str, dict[str, Any]]:
    return {variant: weights.card(plugins.weights_file(variant)) for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_card_says_how_the_weights_came_about(cards: dict[str, dict[str, Any]], variant: str) -> None:
    card, plan = cards[variant], presets(variant)["lite"]
    assert card["method"] == plugins.method(variant) and card["config"]["variant"] == variant
    assert (card["preset"], card["steps"], card["batch"]) == ("lite", plan.steps, plan.batch)
    assert card["images_seen"] == plan.steps * plan.batch
    assert len(card["commit"]) == 40, "trained by code that is in the repository"
    assert card["hours"] > 0 and card["hardware"] and card["data"] and card["losses"]["id"] > 0
    assert "research only" in card["licence"]
    assert plugins.weights_file(variant).stat().st_size <= LARGEST


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_weights_fit_the_network_and_are_finite(variant: str) -> None:
    generator = weights.load(plugins.weights_file(variant))
    assert all(bool(value.isfinite().all()) for value in generator.state_dict().values())


def test_budgets_and_data_are_equal(cards: dict[str, dict[str, Any]]) -> None:
    for same in ("preset", "steps", "batch", "seed", "precision", "data", "data_fingerprint", "teachers", "torch"):
        assert all(card[same] == cards["full"][same] for card in cards.values()), same
    configs = [{**card["config"], "variant": ""} for card in cards.values()]
    assert all(config == configs[0] for config in configs)
