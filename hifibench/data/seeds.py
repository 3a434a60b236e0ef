"""Names of generated portraits, and the division of their seeds among training, validation and test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from hifibench.errors import UsageError

_BILLION = 10**9
SPLITS: Mapping[str, range] = MappingProxyType(
    {
        "train": range(0, _BILLION),
        "validation": range(_BILLION, 2 * _BILLION),
        "test": range(2 * _BILLION, 3 * _BILLION),
    }
)
"""Split -> its seeds. Frozen: to move a border would let faces of the test into training."""

_MAX_VIEW = 9999
_URI = re.compile(r"portrait:seed=(?P<seed>0|[1-9][0-9]{0,9});view=(?P<view>0|[1-9][0-9]{0,3})")


def uri(seed: int, view: int = 0) -> str:
    """The name of a portrait, ``portrait:seed=<seed>;view=<view>``.

    Raises:
        UsageError: the seed lies in no split, or the view is not in 0..9999.
    """
    split_of(seed)
    if not 0 <= view <= _MAX_VIEW:
        raise UsageError(f"A portrait has views 0 to {_MAX_VIEW}, not {view}.")
    return f"portrait:seed={seed};view={view}"


def parse(uri: str) -> tuple[int, int]:
    """The seed and the view in a portrait's name; the inverse of `uri`.

    Raises:
        UsageError: it is no such name, or its seed lies in no split.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(f"{uri!r} names no portrait; expected the form 'portrait:seed=17;view=0'.")
    seed = int(match["seed"])
    split_of(seed)
    return seed, int(match["view"])


def split_of(seed: int) -> str:
    """``train``, ``validation`` or ``test``.

    Raises:
        UsageError: the seed lies in no split.
    """
    for split, seeds in SPLITS.items():
        if seed in seeds:
            return split
    last = max(seeds.stop for seeds in SPLITS.values()) - 1
    raise UsageError(f"The seed {seed} lies in no split; seeds run from 0 to {last}.")
