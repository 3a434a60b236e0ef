"""What one value of ``results.json`` demands of another: what no JSON Schema can say.

Every rule takes the file in the words of the newest version (`reports.results.migrate`), of which the schema holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from reports.results.problems import Problem, pointer, said

Raw = Mapping[str, Any]

SLACK = 1e-9
"""How far, relative to the numbers, a value may lie outside its interval: they are written with nine digits."""


class Listed(NamedTuple):
    """What scores may speak of: methods and metrics by name."""

    methods: Mapping[str, Raw]
    metrics: Mapping[str, Raw]


def check(raw: Raw) -> list[Problem]:
    """All contradictions, in the order of the rules."""
    return [problem for rule in RULES for problem in rule(raw)]


def names_are_unique(raw: Raw) -> Iterator[Problem]:
    """No two methods, metrics or checks share a name, nor two parts their split and level."""
    for key, fields in (("methods", ("name",)), ("metrics", ("name",)), ("checks", ("name",))):
        yield from _twice(raw[key], fields, key)
    yield from _twice(raw["splits"], ("split", "level"), "splits")


def leaders_compete(raw: Raw) -> Iterator[Problem]:
    """The leader of a metric is a row that competes, and has a number."""
    methods = _listed(raw).methods
    values = {(score["method"], score["metric"]): score["value"] for score in raw["scores"]}
    for index, metric in enumerate(raw["metrics"]):
        name, where = metric["leader"], pointer("metrics", index, "leader")
        if name is None:
            continue
        if name not in methods:
            yield Problem(where, said(name), "a method of this run, or null")
        elif methods[name]["kind"] != "method":
            yield Problem(where, f"{said(name)}, a reference row", "a method: reference rows do not compete")
        elif values.get((name, metric["name"])) is None:
            yield Problem(where, f"{said(name)}, which has no value here", "a method with a value, or null")


def every_score_stands_once(raw: Raw) -> Iterator[Problem]:
    """Every listed method has one score in every listed metric, and there are no others."""
    listed = _listed(raw)
    yield from _strangers(raw["scores"], listed, "scores")
    yield from _twice(raw["scores"], ("method", "metric"), "scores")
    there = {(score["method"], score["metric"]) for score in raw["scores"]}
    for method in listed.methods:
        missing = [metric for metric in listed.metrics if (method, metric) not in there]
        if missing:
            more = f" and {len(missing) - 1} metrics more" if len(missing) > 1 else ""
            yield Problem("/scores", f"no score of {said(method)}", f"one in {said(missing[0])}{more}")


def parts_are_of_the_run(raw: Raw) -> Iterator[Problem]:
    """Parts are no larger than the run, and score what it lists, once, but no numbers of sets."""
    listed = _listed(raw)
    for index, part in enumerate(raw["splits"]):
        steps = ("splits", index, "scores")
        if part["n"] > raw["n_pairs"]:
            yield Problem(pointer("splits", index, "n"), str(part["n"]), f"at most n_pairs, {raw['n_pairs']}")
        yield from _strangers(part["scores"], listed, *steps)
        yield from _twice(part["scores"], ("method", "metric"), *steps)
        for row, score in enumerate(part["scores"]):
            if listed.metrics.get(score["metric"], {}).get("whole"):
                yield Problem(
                    pointer(*steps, row, "metric"), f"{said(score['metric'])}, a number of the set", "a mean over pairs"
                )


def scores_agree_with_themselves(raw: Raw) -> Iterator[Problem]:
    """Counts, interval, value and range of each score fit each other."""
    metrics = _listed(raw).metrics
    for row, score in enumerate(raw["scores"]):
        yield from _score(score, raw["n_pairs"], metrics.get(score["metric"], {}), "scores", row)
    for index, part in enumerate(raw["splits"]):
        for row, score in enumerate(part["scores"]):
            metric = metrics.get(score["metric"], {})
            yield from _score(score, part["n"], metric, "splits", index, "scores", row)


def counts_fit_the_run(raw: Raw) -> Iterator[Problem]:
    """No more pairs ended somehow than there are; a gallery shows no more people than images."""
    for index, method in enumerate(raw["methods"]):
        ended = sum(method["status"].values())
        if ended > raw["n_pairs"]:
            where = pointer("methods", index, "status")
            yield Problem(where, f"{ended} pairs in all", f"at most n_pairs, {raw['n_pairs']}")
    for name, gallery in raw["galleries"].items():
        if gallery["identities"] > gallery["images"]:
            where = pointer("galleries", name, "identities")
            yield Problem(where, str(gallery["identities"]), f"at most its images, {gallery['images']}")


def skipped_checks_do_not_fail(raw: Raw) -> Iterator[Problem]:
    """A check that was skipped has found nothing wrong."""
    for index, check in enumerate(raw["checks"]):
        if check["skipped"] and not check["ok"]:
            yield Problem(pointer("checks", index, "ok"), "false", "true: the check was skipped")


RULES: Sequence[Callable[[Raw], Iterator[Problem]]] = (
    names_are_unique,
    every_score_stands_once,
    scores_agree_with_themselves,
    parts_are_of_the_run,
    leaders_compete,
    counts_fit_the_run,
    skipped_checks_do_not_fail,
)


def _score(score: Raw, pairs: int, metric: Raw, *steps: str | int) -> Iterator[Problem]:
    n, failed, value, low, high = (score[key] for key in ("n", "n_failed", "value", "low", "high"))
    if n > pairs:
        yield Problem(pointer(*steps, "n"), str(n), f"at most the pairs there are, {pairs}")
    if failed > n:
        yield Problem(pointer(*steps, "n_failed"), str(failed), f"at most n, {n}")
    whole = metric.get("whole")
    if value is not None and not whole and n > 0 and failed >= n:
        yield Problem(pointer(*steps, "value"), said(value), "null: all pairs failed")
    if low is not None and high is not None:
        slack = SLACK * max(1.0, abs(low), abs(high))
        if low > high + slack:
            yield Problem(pointer(*steps, "low"), said(low), f"at most high, {said(high)}")
        # Of a distance of sets, resamples are further apart than the sets: their interval need not hold it.
        elif value is not None and not whole and not low - slack <= value <= high + slack:
            yield Problem(pointer(*steps, "value"), said(value), f"within its interval, {said(low)} to {said(high)}")
    if metric.get("rate"):
        for key in ("value", "worst_case"):
            share = score.get(key)
            if share is not None and not -SLACK <= share <= 100.0 + SLACK * 100.0:
                yield Problem(pointer(*steps, key), said(share), "0 to 100: it is a share of the pairs")


def _listed(raw: Raw) -> Listed:
    return Listed(*({one["name"]: one for one in raw[key]} for key in ("methods", "metrics")))


def _strangers(scores: Sequence[Raw], listed: Listed, *steps: str | int) -> Iterator[Problem]:
    for row, score in enumerate(scores):
        for key, known in (("method", listed.methods), ("metric", listed.metrics)):
            if score[key] not in known:
                yield Problem(pointer(*steps, row, key), said(score[key]), f"a {key} of this run")


def _twice(entries: Sequence[Raw], fields: Sequence[str], *steps: str | int) -> Iterator[Problem]:
    seen: Counter[tuple[Any, ...]] = Counter()
    for index, entry in enumerate(entries):
        key = tuple(entry[field] for field in fields)
        seen[key] += 1
        if seen[key] == 2:
            named = " on ".join(said(word) for word in key)
            yield Problem(pointer(*steps, index), f"{named} once more", "each once")
