"""What was found wrong with a dataset's folder: told in a few lines each, while the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

_log = logging.getLogger("hifibench")

TOLD = 5
"""Problems of one kind that stand in the log; ``hifibench data verify ffpp`` and ``data manifest ffpp`` print all."""


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: a few words that all of its kind share.
        text: a sentence.
        missing: whether something is not there, rather than wrong.
    """

    kind: str
    text: str
    missing: bool = False


def tell(problems: Iterable[Problem]) -> None:
    """Log the first ones of each kind, and how many more there are."""
    kinds: dict[str, list[str]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem.text)
    for kind, texts in kinds.items():
        for text in texts[:TOLD]:
            _log.warning("%s", text)
        if len(texts) > TOLD:
            _log.warning("%s: %d more of %d.", kind, len(texts) - TOLD, len(texts))
