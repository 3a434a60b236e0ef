"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes:
        verdict: ``skipped`` where the check would say nothing about this method.
        detail: what was measured; where it failed, what was expected and what may be wrong.
    """

    verdict: Verdict
    detail: str


def judged(sound: bool, said: str, otherwise: str) -> Finding:
    """``ok`` with what was measured, or ``failed`` with what is wrong about it besides."""
    return Finding("ok", said) if sound else Finding("failed", f"{said}: {otherwise}")
