"""Checks of form: what the contract says without looking at any face."""

from __future__ import annotations

from dataclasses import astuple

from hifibench import assets
from hifibench.faces import templates
from hifibench.records import Cost
from hifibench.registry import did_you_mean
from hifibench.selftest.evidence import Evidence
from hifibench.selftest.finding import Finding, judged

SAME = 0.5 / 255
"""Mean difference that sums in another order explain; what reaches a PNG file is rounded to twice that.

Sound methods on a processor: 0. Normalised by the mean and spread of the batch: 60/255.
"""


def card(evidence: Evidence) -> Finding:
    """Finds a card that the harness cannot work by: unknown templates or assets, sizes, a cost that is none.

    That its name is the registered one, and that the loaded method bears the same card, is seen to when it is loaded.
    """
    one = evidence.card
    for side, crop in (("source", one.source), ("target", one.target)):
        if crop.template not in templates.names():
            near = did_you_mean(crop.template, templates.names())
            return Finding("failed", f"the {side}'s crop template {crop.template!r} is unknown.{near}")
        if (crop.template == "frame") != (crop.size == 0) or crop.size < 0:
            wanted = "0, since it is the whole frame" if crop.template == "frame" else "a size in pixels"
            return Finding("failed", f"the {side}'s crop {crop.template!r} has the size {crop.size}, expected {wanted}")
    for name in one.assets:
        if name not in assets.names():
            return Finding("failed", f"the asset {name!r} is unknown.{did_you_mean(name, assets.names())}")
    try:
        cost = evidence.swapper.cost()
    except Exception as error:  # a method of somebody else's may raise anything
        return Finding("failed", f"cost() raised {type(error).__name__}: {error}")
    if not isinstance(cost, Cost) or min(value or 0 for value in astuple(cost)) < 0:
        return Finding("failed", f"cost() gave {cost!r}, expected a hifibench.records.Cost without negative numbers")
    source, target = (f"{crop.template} {crop.size or ''}".strip() for crop in (one.source, one.target))
    counted = [value for value in (cost.params_trainable, cost.params_frozen) if value is not None]
    parameters = f"{sum(counted) / 1e6:.2f} M parameters" if counted else "parameters not told"
    return Finding("ok", f"source {source}, target {target}; {parameters}")


def output(evidence: Evidence) -> Finding:
    """Finds what breaks the contract in form: exceptions, shapes, types, value ranges, lengths, statuses.

    What a run itself checks (`hifibench.pipeline.swap`) is checked here; and every known pair can be swapped, so any
    status but OK is a defect too.
    """
    base = evidence.base
    if base.failed:
        return Finding("failed", f"{base.failed} of {len(evidence.jobs)} pairs: {base.reasons}")
    shape = " ".join(map(str, base.images[0].shape))
    mask = "no mask" if base.masks[0] is None else "a mask"
    return Finding("ok", f"{len(evidence.jobs)} pairs: float32 ({shape}) in [0, 1], {mask}")


def determinism(evidence: Evidence) -> Finding:
    """Finds randomness and state: the same batch twice gives the same bits."""
    if evidence.again.failed:
        return Finding("failed", f"well the first time, then {evidence.again.reasons}")
    off = evidence.base.difference(evidence.again)
    if off > 0:
        return Finding("failed", f"the same batch twice differs by {255 * off:.2g}/255 in the mean, expected not a bit")
    return Finding("ok", "the same bits twice")


def batches(evidence: Evidence) -> Finding:
    """Finds rows that depend on their company: means over the batch, rows mixed up, batches that do not work."""
    if not evidence.base.whole:
        return Finding("failed", f"a batch of {len(evidence.jobs)} fails, the same pairs one by one do not")
    others = {"in the opposite order": evidence.turned}
    if not evidence.gets_frames:
        others["alone"] = evidence.alone
    off: dict[str, float] = {}
    for words, other in others.items():
        if other.failed or not other.whole:
            return Finding("failed", f"well in a batch, but {words}: {other.reasons or 'the batch fails'}")
        off[words] = evidence.base.difference(other)
    said = "a row changes by " + " and ".join(f"{255 * value:.2g}/255 {words}" for words, value in off.items())
    return judged(max(off.values()) <= SAME, said, f"expected {255 * SAME:g}/255 or less in the mean")
