"""Golden numbers: what a suite once said, and how far each number may move before a gate fails.

The file is JSON in a fixed order with one line per number, so that a pull request shows what moved. It is made by
``hifibench gate RUN --golden FILE --update`` and may be edited: a tolerance with ``by_hand`` beside it is kept by every
later update. Its keys and the reasons of the tolerances: docs/gate.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from hifibench.errors import UsageError
from hifibench.files import atomic_write
from hifibench.tables import Table
from hifibench.tables import read as read_table
from reports.gates import tolerances
from reports.gates.tolerances import Chance, rounded_up
from reports.records import Metric, Result, Run

SCHEMA = 1
"""Version of the file."""

CARD = 12
"""Digits of a card's hash that the file keeps: enough to tell two cards apart, and short enough to read."""

Key = tuple[str, str]
"""Method and metric."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
Tolerance = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Count = Annotated[int, Field(ge=0)]


class GoldenMethod(Table):
    """What a method was: prefix of its card's hash, and its cost, which is compared exactly."""

    card: str = ""
    params_trainable: Count | None = None
    params_frozen: Count | None = None
    macs: Count | None = None


class GoldenMetric(Table):
    """How a metric was measured: ``experts`` are those whose observations it read."""

    unit: str
    direction: Literal["up", "down"]
    decimals: Count
    rate: bool = False
    experts: tuple[str, ...] = ()


class Number(Table):
    """One metric of one method.

    Attributes:
        method: the row's name.
        metric: printed name with its protocol.
        value: ``None`` where there is no number, and must be none.
        low: lower end of the 95 % interval; ``None`` where it cannot be given.
        high: upper end of it.
        n: pairs asked for.
        n_failed: those of them that could not be scored.
        tolerance: how far it may move over the same pairs, in the metric's unit.
        tolerance_other: how far over other pairs of the same suite. The gate takes the other run's own interval into
            account; what is written holds where that is as wide as this one. ``None``: not gated there.
        by_hand: the two tolerances were set by a person: they hold as they stand, and updates keep them.
    """

    method: str
    metric: str
    value: Finite | None
    low: Finite | None = None
    high: Finite | None = None
    n: Count
    n_failed: Count = 0
    tolerance: Tolerance | None = None
    tolerance_other: Tolerance | None = None
    by_hand: bool = False

    @property
    def key(self) -> Key:
        """Method and metric."""
        return self.method, self.metric


class Golden(Table):
    """A golden file.

    Attributes:
        suite: name of the suite.
        origin: how its images come about.
        manifest: hash of the images and pairs.
        seed: of the run.
        n_pairs: pairs of the run.
        n_videos: videos of its targets, which are what was drawn; 0 where that is not known.
        hifibench: version that made the run.
        detector: the expert that found the faces, on which every number rests.
        may_fail: checks of the run that are known to fail; written by hand, and kept by updates.
        experts: expert -> prefix of its card's hash.
        methods: name -> what it was.
        metrics: printed name -> how it was measured.
        numbers: sorted by method and metric.
    """

    suite: str
    origin: str = ""
    manifest: str = ""
    seed: int = 0
    n_pairs: Count = 0
    n_videos: Count = 0
    hifibench: str = ""
    detector: str = ""
    may_fail: tuple[str, ...] = ()
    experts: Mapping[str, str] = {}
    methods: Mapping[str, GoldenMethod] = {}
    metrics: Mapping[str, GoldenMetric] = {}
    numbers: tuple[Number, ...] = ()

    @property
    def family(self) -> int:
        """How many comparisons a gate makes."""
        return tolerances.family(one.value for one in self.numbers)


def of(run: Run, old: Golden | None = None) -> Golden:
    """The golden numbers of a run, with what a person wrote into the ``old`` file."""
    results = run.results
    hands = {} if old is None else {one.key: one for one in old.numbers if one.by_hand}
    metrics = {metric.name: measured(metric) for metric in sorted(results.metrics, key=lambda metric: metric.name)}
    bare = [number(score) for score in results.scores]
    chance = Chance(tolerances.family(one.value for one in bare), (videos(run), videos(run)))
    made = (_tolerated(one, metrics[one.metric], chance) for one in bare)
    return Golden(
        suite=results.suite,
        origin=results.origin,
        manifest=results.manifest,
        seed=results.seed,
        n_pairs=results.n_pairs,
        n_videos=videos(run),
        hifibench=str(run.provenance.get("hifibench", "")),
        detector=results.protocol.get("detector", ""),
        may_fail=() if old is None else old.may_fail,
        experts=cards(run),
        methods={
            method.name: GoldenMethod(card=method.card[:CARD], **({} if method.cost is None else vars(method.cost)))
            for method in sorted(results.methods, key=lambda method: method.name)
        },
        metrics=metrics,
        numbers=tuple(sorted((_kept(one, hands.get(one.key)) for one in made), key=lambda one: one.key)),
    )


def videos(run: Run) -> int:
    """Videos of the targets of a run; 0 where its manifest is gone."""
    return len(set(run.videos.values()))


def cards(run: Run) -> dict[str, str]:
    """Expert -> prefix of its card's hash."""
    return {expert.name: expert.card[:CARD] for expert in sorted(run.results.experts, key=lambda one: one.name)}


def measured(metric: Metric) -> GoldenMetric:
    """How a metric of a run is measured."""
    return GoldenMetric(
        unit=metric.unit,
        direction=metric.direction,
        decimals=metric.decimals,
        rate=metric.rate,
        experts=tuple(sorted(metric.needs)),
    )


def number(score: Result) -> Number:
    """A number of a run, without tolerances."""
    value, low, high = map(finite, (score.value, score.low, score.high))
    return Number(
        method=score.method, metric=score.metric, value=value, low=low, high=high, n=score.n, n_failed=score.n_failed
    )


def _tolerated(bare: Number, metric: GoldenMetric, chance: Chance) -> Number:
    if bare.value is None:
        return bare
    same, other = tolerances.same(bare, metric), tolerances.other(bare, bare, metric, chance)
    own = {"tolerance": rounded_up(same), "tolerance_other": None if other is None else rounded_up(other)}
    return bare.model_copy(update=own)


def finite(value: float | None) -> float | None:
    """``None`` for what is no number, infinity among it."""
    return value if value is not None and math.isfinite(value) else None


def _kept(made: Number, hand: Number | None) -> Number:
    if hand is None:
        return made
    own = {"tolerance": hand.tolerance, "tolerance_other": hand.tolerance_other, "by_hand": True}
    return made.model_copy(update=own)


def text(golden: Golden) -> str:
    """The file: the same golden gives the same bytes; one line per number."""
    raw = golden.model_dump()
    lines = [f' "schema": {SCHEMA}']
    for name, value in raw.items():
        if name in ("experts", "methods", "metrics"):
            lines.append(f" {_json(name)}: {{{_block(f'{_json(key)}: {_json(value[key])}' for key in sorted(value))}}}")
        elif name == "numbers":
            lines.append(f" {_json(name)}: [{_block(_line(one) for one in value)}]")
        else:
            lines.append(f" {_json(name)}: {_json(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(one: Mapping[str, Any]) -> str:
    return _json({name: value for name, value in one.items() if name != "by_hand" or value})


def _block(entries: Iterable[str]) -> str:
    joined = ",\n  ".join(entries)
    return f"\n  {joined}\n " if joined else ""


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def write(golden: Golden, path: Path) -> None:
    """Write the file, all of it or nothing.

    Raises:
        MissingError: it cannot be written.
    """
    atomic_write(path, text(golden))


def read(path: Path, begun: bool = False) -> Golden:
    """Read a golden file; with ``begun`` one without numbers will do, which a person began by hand.

    Raises:
        UsageError: there is none, it is damaged, or it is of another version.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no golden file {path}. Make it from a run that you trust: hifibench gate RUN --golden {path} "
            "--update."
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}. Name a golden file.") from error
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(raw, dict):
        raise _damaged(path, f"it holds a {type(raw).__name__}, expected a JSON object")
    if "numbers" not in raw and "schema" not in raw:
        raise _damaged(path, "it has neither schema nor numbers, so it is no golden file")
    version = raw.pop("schema", None)
    if version != SCHEMA:
        raise UsageError(
            f"{path} has schema {version!r}, expected {SCHEMA}. Use the version of hifibench that made it, or delete "
            "it and make it anew with --update."
        )
    golden = read_table(Golden, raw, f"The golden file {path}")
    _check(golden, path, begun)
    return golden


def _check(golden: Golden, path: Path, begun: bool) -> None:
    if not golden.numbers and not begun:
        raise _damaged(path, "it holds no numbers")
    seen: set[Key] = set()
    for one in golden.numbers:
        what = f"{one.method!r} on {one.metric!r}"
        if one.key in seen:
            raise _damaged(path, f"it has two numbers of {what}")
        if one.method not in golden.methods or one.metric not in golden.metrics:
            raise _damaged(path, f"it has a number of {what}, but does not list both")
        if one.value is not None and one.tolerance is None:
            raise _damaged(path, f"the number of {what} has no tolerance")
        seen.add(one.key)


def _damaged(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is damaged: {why}. Bring it back from version control, or delete it and use --update.")
