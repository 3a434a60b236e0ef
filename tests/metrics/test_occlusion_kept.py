from __future__ import annotations

import numpy as np
import pytest

from hifibench.errors import UsageError
from hifibench.records import EXACT
from metrics.occlusion import occlusion


@pytest.mark.parametrize("word", ["exact", "estimated"])
def test_the_value_is_the_experts(word, observe):
    other = {"exact": "estimated", "estimated": "exact"}[word]
    swap = {"occlusion": {f"{word}_l1": [0.25, np.inf, 0.0], f"{other}_l1": [0.5, 0.5, 0.5]}}
    np.testing.assert_array_equal(occlusion(word).compute(observe(3, swap=swap)), [0.25, np.inf, 0])


def test_a_swap_that_failed_fails_unless_nothing_is_known_to_hide_the_face(observe):
    swap = {"occlusion": {word + "_l1": [np.nan, np.nan, np.nan, 0.5] for word in ("exact", "estimated")}}
    target = {"exact": {"occlusion": [[0.0], [0.2], [np.nan], [0.0]]}}
    seen = observe(4, swap=swap, target=target)
    np.testing.assert_array_equal(occlusion("exact").compute(seen), [np.inf, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(occlusion("estimated").compute(seen), [np.nan, np.nan, np.nan, 0.5])


def test_facts_are_asked_for_where_they_are_needed():
    assert occlusion("exact").needs == (EXACT, "occlusion")
    assert occlusion("estimated").needs == ("occlusion",)


def test_no_swap_at_all_is_no_value(observe):
    assert np.isnan(occlusion("exact").compute(observe(2, swap={"occlusion": {}}))).all()


def test_other_words_are_refused():
    with pytest.raises(UsageError, match="'guessed' is no way to know the occluder; expected one of: exact, estimated"):
        occlusion("guessed")
