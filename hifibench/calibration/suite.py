"""The suite of a calibration: rendered heads, and as methods the true swap and all its doses."""

from __future__ import annotations

import re
from pathlib import Path

from hifibench import registry, suite
from hifibench.errors import UsageError
from hifibench.suite import Suite
from metrics.calibration import RESPONDS, calibrated_by

FILE = Path(__file__).parent.with_name("suites") / "calibrate.yaml"

_NAMES = re.compile(r"[^,\[\]]+(?:\[[^\]]*\])?")


def build(metrics: str | None = None) -> Suite:
    """The suite, its methods known to this process.

    Args:
        metrics: names separated by commas, in place of those that the suite has.

    Raises:
        UsageError: a metric is unknown, or no dose moves what it measures.
    """
    from baselines import doses

    doses.offer()
    loaded = suite.load(str(FILE))
    chosen = loaded.metrics if metrics is None else names(metrics)
    methods = tuple(dict.fromkeys((*doses.NAMES, *loaded.methods)))
    changed = loaded.model_copy(update={"metrics": chosen, "methods": methods})
    changed.check()
    for name in chosen:
        if not calibrated_by(registry.metric(name).name):
            raise UsageError(
                f"{name} cannot be calibrated: no dose is made of what it measures. There are doses of: "
                f"{', '.join(RESPONDS)}."
            )
    return changed


def names(text: str) -> tuple[str, ...]:
    """Metric names of a text, cut at the commas outside of brackets.

    Raises:
        UsageError: there is none.

    Example:
        >>> names("pose[mediapipe,yaw], shape[3ddfa]")
        ('pose[mediapipe,yaw]', 'shape[3ddfa]')
    """
    found = tuple(name.strip() for name in _NAMES.findall(text) if name.strip())
    if not found:
        raise UsageError("--metrics is empty; name metrics separated by commas, such as pose[mediapipe],shape[3ddfa].")
    return found
