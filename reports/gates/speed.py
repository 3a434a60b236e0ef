"""Whether one command takes more processor time than another, from rounds in which both ran in turns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import NamedTuple
from xml.etree import ElementTree as XML

from reports.formats import markdown_row
from reports.gates.formats import clean, escape, heading, junit_suite

LEVEL = 0.95
"""Least probability with which the interval holds the median, where there are rounds enough."""

ENOUGH = 6
"""Rounds from which on an interval of that level exists: of fewer, all lie on one side too often by chance."""

TOO_SHORT_S = 0.05
"""Median processor time below which the clock's own ticks are a large part of it."""


class Round(NamedTuple):
    """Seconds of processor time, user and system, of both commands in one round."""

    base: float
    head: float


class Outcome(StrEnum):
    """What rounds say."""

    HELD = "not slower"
    SLOWER = "slower"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True)
class Speed:
    """What the rounds say of the head's processor time over the base's.

    Attributes:
        rounds: what was measured.
        ratio: the median of head over base.
        low: lower end of its interval.
        high: upper end of it.
        level: probability that the interval holds the median.
        limit: the ratio that is still allowed.
        outcome: ``SLOWER`` where the whole interval lies above the limit, ``HELD`` where none of it does.
    """

    rounds: tuple[Round, ...]
    ratio: float
    low: float
    high: float
    level: float
    limit: float
    outcome: Outcome

    @property
    def short(self) -> bool:
        """Whether a command took too little time for the clock."""
        return min(median(one.base for one in self.rounds), median(one.head for one in self.rounds)) < TOO_SHORT_S

    @property
    def verdict(self) -> str:
        """One sentence."""
        said = (
            f"head takes {self.ratio:.3f} times the processor time of base, interval [{self.low:.3f}, {self.high:.3f}] "
            f"({100 * self.level:.0f} %)"
        )
        return {
            Outcome.HELD: f"{said}: within the limit of {self.limit:.3f}",
            Outcome.SLOWER: f"{said}: slower than the limit of {self.limit:.3f}",
            Outcome.UNKNOWN: f"cannot tell: {said} holds the limit of {self.limit:.3f}",
        }[self.outcome]


def judge(rounds: tuple[Round, ...], slower_percent: float) -> Speed:
    """Median ratio, its interval, and what that says.

    The ratios of single rounds are compared, since what else a machine does changes from round to round and weighs on
    both. The interval is the narrowest between two of the sorted ratios that holds their median with `LEVEL`, whatever
    their distribution (sign test); with fewer than `ENOUGH` rounds the widest, with the level that it has.

    Args:
        rounds: at least one; all times above zero.
        slower_percent: how much slower the head may be.

    Source:
        Conover, Practical Nonparametric Statistics, 1999, section 3.2.
    """
    ratios = sorted(one.head / one.base for one in rounds)
    n, cut = len(ratios), 0
    while cut + 1 < n / 2 and _level(n, cut + 1) >= LEVEL:
        cut += 1
    low, high, limit = ratios[cut], ratios[n - 1 - cut], 1 + slower_percent / 100
    outcome = Outcome.SLOWER if low > limit else Outcome.HELD if high <= limit else Outcome.UNKNOWN
    return Speed(rounds, median(ratios), low, high, _level(n, cut), limit, outcome)


def _level(n: int, cut: int) -> float:
    """Probability that the median lies between the ratios that are left when ``cut`` are left out on either side."""
    below: float = sum(math.comb(n, k) for k in range(cut + 1)) / 2**n
    return max(0.0, 1 - 2 * below)


def notes(speed: Speed, threads: str) -> Iterator[str]:
    """What to know besides: how it was measured, and what weakens it.

    Args:
        speed: what was measured.
        threads: ``OMP_NUM_THREADS`` of the commands.
    """
    yield (
        f"User and system time of the commands and of the processes that they waited for, {len(speed.rounds)} rounds "
        "in turns after one run of each that does not count."
    )
    yield (
        f"OMP_NUM_THREADS={threads} (1 unless you set it): threads that wait for work spin, and their spinning counts "
        "as processor time."
    )
    if len(speed.rounds) < ENOUGH:
        yield f"Fewer than {ENOUGH} rounds give no interval of {100 * LEVEL:.0f} %: take more with --rounds."
    if speed.short:
        yield f"A command takes under {TOO_SHORT_S} s, near the ticks of the clock: give both more to do."
    if speed.outcome is Outcome.UNKNOWN:
        yield "More rounds (--rounds) or a quieter machine make the interval narrower."


def junit(speed: Speed, head: str, said: tuple[str, ...]) -> str:
    """JUnit XML of one test case, which is skipped where the rounds cannot tell."""
    case = XML.Element("testcase", {"classname": "hifibench.gate-speed", "name": clean(head), "time": "0"})
    verdict = clean(speed.verdict)
    if speed.outcome is Outcome.SLOWER:
        XML.SubElement(case, "failure", {"message": verdict, "type": speed.outcome.value}).text = verdict
    if speed.outcome is Outcome.UNKNOWN:
        XML.SubElement(case, "skipped", {"message": verdict})
    failed, skipped = speed.outcome is Outcome.SLOWER, speed.outcome is Outcome.UNKNOWN
    return junit_suite("hifibench gate-speed", [case], int(failed), int(skipped), "\n".join((verdict, *said)))


def markdown(speed: Speed, base: str, head: str, said: tuple[str, ...]) -> str:
    """GitHub-flavoured Markdown: the verdict, what to know, and the rounds folded away."""
    lines = [heading(speed.outcome is not Outcome.SLOWER, f"hifibench gate-speed: {speed.verdict}"), ""]
    lines += [f"- base: {escape(base)}", f"- head: {escape(head)}", *(f"- {escape(note)}" for note in said), ""]
    lines += [f"<details><summary>All {len(speed.rounds)} rounds</summary>", ""]
    lines += [markdown_row(["round", "base, s", "head, s", "head / base"]), markdown_row(["--:"] * 4)]
    lines += [
        markdown_row([str(index), f"{one.base:.3f}", f"{one.head:.3f}", f"{one.head / one.base:.3f}"])
        for index, one in enumerate(speed.rounds, 1)
    ]
    return "\n".join([*lines, "", "</details>"]) + "\n"
