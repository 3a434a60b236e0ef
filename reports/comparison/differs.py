"""In what two runs differ besides their numbers: versions, machine, seeds, suite, and the cards of what took part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports.comparison.records import Differs, MethodPair
from reports.records import Run
from reports.tables import MISSING

_PLAIN = ("hifibench", "commit", "python", "platform", "libraries", "seed", "limit", "suite")
"""What ``run.json`` says that may explain a number; the rest of it differs from run to run."""


def differs(a: Run, b: Run, methods: Sequence[MethodPair]) -> tuple[Differs, ...]:
    """All that differs, cards first: they explain a number that moved.

    Args:
        a: the run to start from.
        b: the other.
        methods: which are held against each other.
    """
    found = [Differs(f"card of {pair.label}", pair.card_a, pair.card_b) for pair in methods]
    first, second = ({expert.name: expert.card for expert in run.results.experts} for run in (a, b))
    found += [
        Differs(f"card of the expert {name}", first.get(name, MISSING), second.get(name, MISSING))
        for name in dict.fromkeys([*first, *second])
    ]
    found.append(Differs("manifest", a.results.manifest, b.results.manifest))
    one, other = _facts(a), _facts(b)
    found += [Differs(key, one.get(key, MISSING), other.get(key, MISSING)) for key in dict.fromkeys([*one, *other])]
    return tuple(entry for entry in found if entry.a != entry.b)


def _facts(run: Run) -> dict[str, str]:
    plain = {key: run.provenance[key] for key in _PLAIN if key in run.provenance}
    plain.setdefault("seed", run.results.seed)
    return {
        **dict(_flat(plain)),
        **{key: value for key, value in _flat({"machine": dict(run.timing.hardware)})},
        **dict(_flat({"protocol": dict(run.results.protocol)})),
    }


def _flat(raw: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Nested mappings -> dotted names; a list stays one line."""
    for key, value in raw.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            listed = value if isinstance(value, list) else [value]
            yield name, ", ".join("none" if one is None else str(one) for one in listed) or "none"
