"""Which pairs are hard: parts of a run by pose, expression, identity, shape, occlusion, light and labels.

A part is chosen by source and target alone, never by what a method made of them: all methods meet the same pairs in it.
Quantities are cut at fixed values where such values are in use, or where they mean something; all others into thirds of
the run's own pairs, which depend on its manifest and on the estimator, and so compare within a run only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import ExpertCard, Split
from hifibench.errors import UsageError
from hifibench.records import EXACT, Floats, Observed
from metrics import expression, shape
from metrics.inputs import judge, output
from metrics.pose import difference_deg

UNKNOWN = "unknown"
"""The part of pairs of which the quantity, or the label, is not known; the last one."""

THIRDS = ("easy", "middle", "hard")
"""Parts where there are no fixed cuts: up to the first tercile of the run's pairs, up to the second, above it."""

COLUMN = "label:"
"""Begins the names of the columns of `Observed.pairs` that hold labels of the targets."""

Parts = tuple[NDArray[np.str_], tuple[str, ...]]
"""Of each of n pairs the name of its part, and the names of all parts in order."""


class Cuts(NamedTuple):
    """Parts at fixed values.

    Attributes:
        at: k ascending values; a pair belongs to the part after the last value that it reaches.
        names: ``k + 1`` parts in ascending order.
    """

    at: tuple[float, ...]
    names: tuple[str, ...]


YAW = Cuts((15.0, 30.0), ("below 15", "15 to 30", "30 and more"))
"""Of degrees: frontal, turned, and far turned."""

OCCLUSION = Cuts((1e-6, 0.1), ("none", "below 10 %", "10 % and more"))
"""Of the share of the face that is hidden; nobody's convention."""


def parts(values: NDArray[np.floating], cuts: Cuts | None = None) -> Parts:
    """Cut a quantity into parts.

    Args:
        values: ``(n,)``, the higher the harder; NaN where it is not known.
        cuts: fixed ones; ``None`` for thirds of the known values. Values that are equal are never parted, so that of a
            quantity with few values a third may be empty.

    Example:
        >>> parts(np.array([3.0, 1.0, 2.0, np.nan]))[0].tolist()
        ['hard', 'easy', 'middle', 'unknown']
        >>> parts(np.array([14.9, 15.0, 30.0]), YAW)[0].tolist()
        ['below 15', '15 to 30', '30 and more']
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    names = THIRDS if cuts is None else cuts.names
    if cuts is not None:
        index = np.searchsorted(cuts.at, values[known], side="right")
    elif known.any():
        # Of the values themselves, not between them: rounding of a mean would part equal ones.
        ends = np.quantile(values[known], [1 / 3, 2 / 3], method="inverted_cdf")
        index = np.searchsorted(ends, values[known], side="left")
    else:
        index = np.zeros(0, int)
    labels = np.full(len(values), UNKNOWN, dtype=f"<U{max(map(len, (*names, UNKNOWN)))}")
    labels[known] = np.array(names)[index]
    return labels, (*names, UNKNOWN)


def yaw(estimator: str) -> Split:
    """Yaw of the target: how far its head is turned from the camera, as ``yaw[estimator]``.

    Its absolute yaw in degrees, cut at 15 and 30.

    Args:
        estimator: an expert that gives ``pose_deg``; ``exact`` on rendered heads.

    Raises:
        UsageError: the estimator gives no pose.
    """
    _pose("yaw", estimator)

    def values(observed: Observed) -> NDArray[np.float64]:
        return np.abs(_both(observed, estimator, "pose_deg")[1][:, 0])

    return _split("yaw", "Yaw of the target", "deg", estimator, values, YAW)


def yaw_distance(estimator: str) -> Split:
    """Yaw distance: how differently the heads of source and target are turned, as ``yaw_distance[estimator]``.

    The absolute difference of their yaws in degrees, taken around the circle, cut at 15 and 30.

    Args:
        estimator: an expert that gives ``pose_deg``; ``exact`` on rendered heads.

    Raises:
        UsageError: the estimator gives no pose.
    """
    _pose("yaw_distance", estimator)

    def values(observed: Observed) -> NDArray[np.float64]:
        source, target = _both(observed, estimator, "pose_deg")
        return np.abs(difference_deg(source[:, 0], target[:, 0]))

    return _split("yaw_distance", "Yaw of source from target", "deg", estimator, values, YAW)


def expression_distance(estimator: str) -> Split:
    """Expression distance: how differently source and target move their faces, as ``expression_distance[estimator]``.

    Length of the difference, in the unit of the metric ``expression[estimator]``, cut into thirds.

    Args:
        estimator: an expert that gives an expression.

    Raises:
        UsageError: the estimator gives none.
    """
    noun = "expression estimator"
    card = judge("expression_distance", noun, estimator, lambda card: _first(card, expression.OUTPUTS), facts=True)

    def values(observed: Observed) -> NDArray[np.float64]:
        return _length(*_both(observed, estimator, _first(card, expression.OUTPUTS)))

    unit = "sd" if estimator in expression.IN_SD else ""
    return _split("expression_distance", "Expression of source from target", unit, estimator, values)


def identity_distance(recogniser: str) -> Split:
    """Identity distance: how unlike source and target are to a recogniser, as ``identity_distance[recogniser]``.

    One minus their cosine, or their distance where the recogniser was trained for that, cut into thirds.

    Args:
        recogniser: an expert whose role is ``recognition``.

    Raises:
        UsageError: no such recogniser.
    """
    card = judge("identity_distance", "recogniser", recogniser, _recognises)

    def values(observed: Observed) -> NDArray[np.float64]:
        source, target = _both(observed, recogniser, "embedding")
        if card.similarity == "l2":
            return _length(source, target)
        with np.errstate(invalid="ignore"):
            lengths = np.linalg.norm(source, axis=1) * np.linalg.norm(target, axis=1)
            return np.asarray(1.0 - (source * target).sum(axis=1) / lengths)

    return _split("identity_distance", "Identity of source from target", "", recogniser, values)


def shape_distance(estimator: str) -> Split:
    """Shape distance: how differently the faces of source and target are built, as ``shape_distance[estimator]``.

    In the unit of the metric ``shape[estimator]``, cut into thirds.

    Args:
        estimator: an expert that gives a shape.

    Raises:
        UsageError: the estimator gives none.
    """
    card = judge("shape_distance", "shape estimator", estimator, lambda card: _first(card, shape.OUTPUTS), facts=True)
    described = _first(card, shape.OUTPUTS)

    def values(observed: Observed) -> NDArray[np.float64]:
        source, target = _both(observed, estimator, described)
        return shape.rms_distance(source, target) if unit == "mm" else _length(source, target)

    unit = "mm" if estimator == EXACT and described == "shape" else shape.UNITS.get(estimator, "")
    return _split("shape_distance", "Shape of source from target", unit, estimator, values)


def occlusion() -> Split:
    """Occlusion: what share of the target's face is hidden, of rendered heads, cut at nothing and at a tenth.

    Known by the making of an image; pairs of other images are ``unknown``.
    """
    return _split("occlusion", "Occlusion of the target", "", EXACT, _occlusion, OCCLUSION)


def light_distance() -> Split:
    """Light distance: how differently source and target are lit, of rendered heads, cut into thirds.

    Length of the difference of the spherical-harmonic coefficients of the three colours. Known by the making of an
    image; pairs of other images are ``unknown``.
    """
    return _split("light_distance", "Light of source from target", "", EXACT, _light)


def label(name: str) -> Split:
    """Label: what is known of the target besides, as ``label[occluder]``: one part for each of its words.

    Parts stand in the order of the alphabet; targets without the label are ``unknown``.

    Args:
        name: of the label.

    Raises:
        UsageError: while dividing: no image of the run has the label.
    """

    def labels(observed: Observed) -> Parts:
        if COLUMN + name not in observed.pairs:
            known = sorted(str(one).removeprefix(COLUMN) for one in observed.pairs if str(one).startswith(COLUMN))
            raise UsageError(
                f"label[{name}]: no image has that label; there are: {', '.join(known) or 'none'}. Leave the split "
                "out, or run it on images that are labelled."
            )
        words = [one if isinstance(one, str) and one else UNKNOWN for one in observed.pairs[COLUMN + name]]
        return np.array(words, np.str_), (*sorted({*words} - {UNKNOWN}), UNKNOWN)

    return Split(f"label[{name}]", f"Label {name} of the target", "", (), labels)


def _split(
    name: str,
    title: str,
    unit: str,
    expert: str,
    values: Callable[[Observed], NDArray[np.float64]],
    cuts: Cuts | None = None,
) -> Split:
    printed = name if expert == EXACT and name in ("occlusion", "light_distance") else f"{name}[{expert}]"
    return Split(printed, title, unit, (expert,), lambda observed: parts(values(observed), cuts))


def _pose(split: str, estimator: str) -> None:
    judge(split, "pose estimator", estimator, lambda card: "pose_deg" in card.outputs, facts=True)


def _recognises(card: ExpertCard) -> object:
    return card.role == "recognition" and card.similarity


def _first(card: ExpertCard, outputs: Sequence[str]) -> str:
    """The first of the outputs that an expert gives; empty where it gives none."""
    return next((name for name in outputs if name in card.outputs), "")


def _occlusion(observed: Observed) -> NDArray[np.float64]:
    return _rows(observed.target, observed, EXACT, "occlusion")[:, 0]


def _light(observed: Observed) -> NDArray[np.float64]:
    return _length(*_both(observed, EXACT, "light"))


def _both(observed: Observed, expert: str, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One output of one expert for sources and targets, ``(n, d)`` each."""
    return _rows(observed.source, observed, expert, name), _rows(observed.target, observed, expert, name)


def _rows(seen: Mapping[str, Mapping[str, Floats]], observed: Observed, expert: str, name: str) -> NDArray[np.float64]:
    return output(seen, expert, name, len(observed.pairs)).astype(np.float64)


def _length(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a - b, axis=1))
