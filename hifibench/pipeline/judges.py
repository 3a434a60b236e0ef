"""Which experts may not judge a method, since they took part in its training."""

from __future__ import annotations

from collections.abc import Iterable

from hifibench import assets, registry
from hifibench.contracts import SwapperCard

BY_CONTENT = "sha256:"
"""Before the hash of a file in a card's ``trained_with``: a network of the user's own, which has no name."""


def took_part(card: SwapperCard, experts: Iterable[str]) -> list[str]:
    """The experts that took part in a method's training, under whatever name.

    Those that the card names; and since one file may serve several experts (InsightFace's packs hold each other's),
    all that see with a network file of those, or with a file that the card names by its hash.

    Args:
        card: of the method.
        experts: names of the experts to choose from.

    Returns:
        Their names, sorted.
    """
    files = {word.removeprefix(BY_CONTENT) for word in card.trained_with if word.startswith(BY_CONTENT)}
    for name in card.trained_with:
        if name in registry.experts.names():
            files |= _network(name)
    return sorted(name for name in experts if name in card.trained_with or files & _network(name))


def _network(expert: str) -> set[str]:
    """Hash of the file with an expert's network, the first of its assets; empty where it has none here."""
    return {assets.sha256(name) for name in registry.experts.get(expert).card.assets[:1]} - {""}
