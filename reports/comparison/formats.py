"""The comparison of two runs in words, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from reports.comparison.records import LEVEL, Compared, Comparison, Differs, MethodPair, Side, Verdict, count
from reports.formats import markdown_escape, markdown_row
from reports.printed import column
from reports.records import Metric
from reports.tables import MISSING, number

SCHEMA = 1
"""Version of ``compare.json``."""
MARK = "*"
"""Behind a verdict that holds after Holm's correction, too."""
TITLE = "B against A"

_SHOWN = ("name", "title", "unit", "direction", "decimals", "group", "rate", "whole", "needs")


def as_json(made: Compared) -> str:
    """All numbers with all digits, as documented in ``docs/compare.md``."""
    raw = {
        "schema": SCHEMA,
        "a": asdict(made.a),
        "b": asdict(made.b),
        "pairing": made.pairing,
        "n_common": made.n_common,
        "seed": made.seed,
        "draws": made.draws,
        "level": LEVEL,
        "family": made.family,
        "methods": [asdict(method) for method in made.methods],
        "metrics": [{name: getattr(metric, name) for name in _SHOWN} for metric in made.metrics],
        "comparisons": [_comparison(one) for one in made.comparisons],
        "differs": [one._asdict() for one in made.differs],
        "cautions": made.cautions,
        "left_out": made.left_out,
    }
    return json.dumps(raw, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _comparison(one: Comparison) -> dict[str, Any]:
    told = {field.name: getattr(one, field.name) for field in fields(one) if field.name != "method"}
    return {
        "method_a": one.method.a,
        "method_b": one.method.b,
        **told,
        "mcnemar": None if one.mcnemar is None else one.mcnemar._asdict(),
        "survives": one.survives,
        "moved": [pair._asdict() for pair in one.moved],
    }


def heading(metric: Metric) -> str:
    """``Pose error (deg) ↓ mediapipe``."""
    made = column(metric)
    return " ".join([made.heading, ", ".join(made.words)]).strip()


def signed(value: float | None, decimals: int) -> str:
    """A difference with its sign; one too small for the decimals in powers of ten, and 0 only where it is.

    Example:
        >>> signed(0.125, 2), signed(-3.0, 1), signed(-4.2e-7, 2), signed(0.0, 2)
        ('+0.12', '-3.0', '-4e-07', '0.00')
    """
    text = number(value, decimals)
    if not value or text == MISSING:
        return text
    if not text.strip("0."):
        return f"{value:+.1g}"
    return text if text.startswith("-") else f"+{text}"


def interval(one: Comparison, decimals: int) -> str:
    """``[-0.12, +0.03]``; empty where there is none."""
    return "" if one.low is None or one.high is None else f"[{signed(one.low, decimals)}, {signed(one.high, decimals)}]"


def verdict(one: Comparison) -> str:
    """The verdict, with `MARK` where it survives the correction."""
    return f"{one.verdict} {MARK}" if one.survives else one.verdict.value


def counted(n: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def lost_and_won(one: Comparison) -> str:
    """How many pairs are no longer scored, or newly so, in words; empty where none."""
    told = [
        f"{counted(n, 'pair')} {what}"
        for n, what in ((one.newly_failed, "newly failed"), (one.newly_scored, "newly scored"))
        if n
    ]
    return ", ".join(told)


def p_values(one: Comparison) -> str:
    """p-values in words, McNemar's too; empty where there are none."""
    told = [] if one.p is None or one.p_holm is None else [f"p {one.p:.2g}, {one.p_holm:.2g} by Holm"]
    if one.mcnemar is not None and one.verdict is not Verdict.UNCHANGED:
        b, c, p = one.mcnemar
        told.append(f"McNemar: A alone {b}, B alone {c}, p {p:.2g}")
    return "; ".join(told)


def side(one: Side) -> str:
    """A run in one line."""
    told = [one.folder, one.title, counted(one.n_pairs, "pair"), f"suite {one.suite}", f"seed {one.seed}"]
    told += [f"manifest {one.manifest[:12]}"]
    told += [f"hifibench {one.hifibench}"] if one.hifibench else []
    told += [f"commit {one.commit[:12]}{'+' * one.commit.endswith('+')}"] if one.commit else []
    told += [one.created[: len("2000-12-31")]] if one.created else []
    return ", ".join(told)


def paired(made: Compared) -> str:
    """How the pairs were brought together, in a sentence."""
    if made.pairing == "unpaired":
        return "Not paired: the runs share no pair. Differences of means, two-sample intervals by target video."
    which = "of both runs" if made.pairing == "same manifest" else "that are in both runs"
    return f"Paired: the {counted(made.n_common, 'pair')} {which}. 95 % intervals by target video, {made.draws} draws."


def ranked(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those with a difference that was told, the surest first: the worse before the better of equal ones."""
    told = [one for one in comparisons if one.verdict.told]
    return sorted(told, key=lambda one: (not one.survives, one.p is None, one.p or 0.0, one.verdict is Verdict.BETTER))


def card(method: MethodPair) -> str:
    """Whether a method is the same in both runs, in words."""
    if method.a != method.b:
        return "two methods"
    return "same card" if method.same_card else "card changed"


def incomparable(made: Compared) -> dict[str, list[str]]:
    """Reason -> what is not comparable for it: ``simswap: all 25 metrics``, ``hififace: pose[3ddfa], shape[3ddfa]``.

    Methods that lack the same metrics for the same reason stand together.
    """
    found: dict[str, list[str]] = {}
    for reason, of in _lacking(made.comparisons).items():
        alike: dict[str, list[str]] = {}
        for label, metrics in of.items():
            alike.setdefault(_all(made, metrics), []).append(label)
        for metrics_said, labels in alike.items():
            who = "all methods" if len(labels) == len(made.methods) > 1 else ", ".join(labels)
            found.setdefault(reason, []).append(f"{who}: {metrics_said}")
    return found


def _lacking(comparisons: Sequence[Comparison]) -> dict[str, dict[str, list[str]]]:
    """Reason -> method -> metrics that are not comparable for it."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in comparisons:
        if one.verdict is Verdict.INCOMPARABLE:
            found.setdefault(one.reason, {}).setdefault(one.method.label, []).append(one.metric)
    return found


def _all(made: Compared, metrics: Sequence[str]) -> str:
    """Metrics by name, or that it is all of them."""
    return ", ".join(metrics) if len(metrics) < max(len(made.metrics), 2) else f"all {len(metrics)} metrics"


def short(one: Differs) -> tuple[str, str]:
    """Both values; hashes by their first digits."""
    hashed = one.what.startswith("card of") or one.what in ("manifest", "commit")
    values = (value[:12] + "+" * (value.endswith("+") and len(value) > 12) if hashed else value for value in one[1:])
    first, second = (value or MISSING for value in values)
    return first, second


def notes(made: Compared) -> Iterator[str]:
    """What a reader must know."""
    yield (
        "A, B: the numbers of the two runs, over all pairs that each scored. B - A: "
        + (
            "the difference of both."
            if made.pairing == "unpaired"
            else "the mean difference over the pairs scored both times. Pairs that one run alone scored are in neither "
            "difference nor interval: where there are many, look at them first."
        )
    )
    yield (
        "better, worse: the 95 % interval of the difference leaves 0 out, and so many pairs moved that an exact test "
        "would tell it, too. no difference told: it does not, which is no proof that there is none. unchanged: every "
        "pair has the same value. not comparable: the numbers were not measured alike."
    )
    if made.family:
        yield (
            f"{MARK}: told after Holm's correction for {counted(made.family, 'comparison')}, too. Without it, about "
            "one in twenty differences is told where there is none."
        )
    if any(one.of_set and one.verdict not in (Verdict.UNCHANGED, Verdict.INCOMPARABLE) for one in made.comparisons):
        yield (
            "Numbers of a set are no means over pairs (AP, EER, FID, KID): a difference is told only where the "
            "intervals of the two runs do not meet, which takes a large one."
        )
    if any(column(metric).poor for metric in made.metrics):
        yield "§: does not follow what it is to measure, where the truth is known."


def markdown(made: Compared) -> str:
    """GitHub-flavoured Markdown: what was found, method by method, the pairs that moved, and what else differs."""
    lines = [f"# {TITLE}: {markdown_escape(made.b.title)}", ""]
    lines += [f"- **{name}**: {markdown_escape(side(one))}" for name, one in (("A", made.a), ("B", made.b))]
    lines += [f"- {paired(made)}", *(f"- **{markdown_escape(text)}**" for text in made.cautions)]
    lines += [f"- {markdown_escape(text)}" for text in made.left_out]
    lines += ["", "## Verdicts", "", markdown_row(["method", *Verdict, "card"])]
    lines.append(markdown_row([":--", *("--:" for _ in Verdict), ":--"]))
    for method in made.methods:
        numbers = [str(n or "") for n in count(made.of(method)).values()]
        lines.append(markdown_row([markdown_escape(method.label), *numbers, card(method)]))
    for method in made.methods:
        lines += ["", f"## {markdown_escape(method.label)}", *_method(made, made.of(method))]
    if moved := [one for one in ranked(made.comparisons) if one.moved]:
        lines += ["", "## Pairs that moved most"]
        for one in moved:
            lines += ["", *_moved(one, made.metric(one))]
    lines += ["", "## What else differs", ""]
    if made.differs:
        lines += [markdown_row(["what", "A", "B"]), markdown_row([":--"] * 3)]
        lines += [markdown_row([*map(markdown_escape, (one.what, *short(one)))]) for one in made.differs]
    else:
        lines.append("Nothing that the runs tell of.")
    lines += ["", "## How to read this", "", *(f"- {markdown_escape(note)}" for note in notes(made))]
    return "\n".join(lines) + "\n"


def _method(made: Compared, comparisons: Sequence[Comparison]) -> Iterator[str]:
    shown = [one for one in comparisons if one.verdict.told or one.verdict is Verdict.UNTOLD]
    if shown:
        yield ""
        yield markdown_row(["measured", "A", "B", "B - A", "95 % interval", "pairs", "verdict", "why"])
        yield markdown_row([":--", *["--:"] * 5, ":--", ":--"])
    for one in shown:
        metric = made.metric(one)
        values = [number(value, metric.decimals) for value in (one.a, one.b)]
        pairs = f"{one.n_a}, {one.n_b}" if one.n_both is None else str(one.n_both)
        bold = f"**{markdown_escape(verdict(one))}**" if one.verdict.told else verdict(one)
        why = "; ".join(filter(None, (one.reason, lost_and_won(one), p_values(one))))
        yield markdown_row(
            [markdown_escape(heading(metric)), *values, signed(one.difference, metric.decimals),
             interval(one, metric.decimals), pairs, bold, markdown_escape(why)]
        )  # fmt: skip
    same = [one.metric for one in comparisons if one.verdict is Verdict.UNCHANGED]
    if same:
        yield ""
        yield f"Unchanged: {markdown_escape(_all(made, same))}."
    for reason, of in _lacking(comparisons).items():
        for metrics in of.values():
            yield ""
            yield f"Not comparable: {markdown_escape(reason)} ({markdown_escape(_all(made, metrics))})."


def _moved(one: Comparison, metric: Metric) -> Iterator[str]:
    yield f"### {markdown_escape(one.method.label)}: {markdown_escape(heading(metric))}, {one.verdict}"
    yield ""
    yield markdown_row(["pair", "A", "B", "B - A"])
    yield markdown_row([":--", "--:", "--:", "--:"])
    for pair in one.moved:
        values = [number(value, metric.decimals) for value in (pair.a, pair.b)]
        yield markdown_row([markdown_escape(pair.pair), *values, signed(pair.difference, metric.decimals)])
