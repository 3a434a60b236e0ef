from __future__ import annotations

import pytest

from hifibench.errors import UsageError
from hifibench.experts.exact import CARD, exact
from hifibench.records import EXACT


def test_the_facts_are_named_as_in_observations_and_looked_at_by_nobody() -> None:
    assert (CARD.name, CARD.role) == (EXACT, "facts")
    with pytest.raises(UsageError, match=r"'exact' is no network.*hifibench\.data\.heads\.facts.*such as mediapipe"):
        exact.load("cpu")


def test_every_fact_on_the_card_is_one_that_the_renderer_knows() -> None:
    from hifibench.data import heads

    uri = heads.uri(heads.Scene(person=1, shot=2))
    facts = heads.facts(uri)
    missing = {*CARD.outputs} - {*facts}
    assert not missing
    assert facts["landmarks"].shape == (68, 2)
    assert facts["landmarks3d"].shape == (68, 3)
    assert facts["visible"].shape == (68,)
    assert facts["parsing"].shape == heads.load(uri).shape[:2]


def test_maps_are_not_stored() -> None:
    assert not {"parsing", "depth"} & {*CARD.outputs}
