"""Names of rendered heads: who, in which shot, with whose hair, in which frame, and what was changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hifibench.errors import UsageError

VERSION = 1
"""Of the generator, part of every name: raised when pixels or facts change."""

WHATS = ("yaw", "pitch", "roll", "expression", "shape", "skin", "identity", "light", "gaze", "noise")
"""What can be changed; `hifibench.data.heads.changed` says how."""
_DEGREES = ("yaw", "pitch", "roll", "gaze")
_OF_PERSON = ("shape", "skin", "identity")

_BILLION = 10**9
SPLITS: Mapping[str, range] = MappingProxyType(
    {
        "train": range(0, _BILLION),
        "validation": range(_BILLION, 2 * _BILLION),
        "test": range(2 * _BILLION, 3 * _BILLION),
    }
)
"""Split -> its seeds, of people and of shots. Frozen: to move a border would let heads of the test into training."""
LAST_SEED = 3 * _BILLION - 1
LAST_FRAME = 99_999

_NUMBER = r"(?:0|[1-9][0-9]{0,9})"
_URI = re.compile(
    rf"head:v=(?P<version>{_NUMBER});person=(?P<person>{_NUMBER});shot=(?P<shot>{_NUMBER})"
    rf"(?:;hair=(?P<hair>{_NUMBER}))?(?:;frame=(?P<frame>{_NUMBER}))?(?:;with=(?P<changes>[^;]+))?"
)
_CHANGE = re.compile(rf"(?P<what>[a-z]+):(?P<amount>-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?):(?P<other>{_NUMBER})")


@dataclass(frozen=True)
class Scene:
    """A head in a picture; everything follows from these numbers."""

    person: int
    """Seed of shape, skin, brows, stubble, irises and lips."""
    shot: int
    """Seed of expression, pose, gaze, light, background, clothes, occluder, camera and sensor noise."""
    hair: int | None = None
    """Whose hair (style and colour) is worn; none: the person's own."""
    frame: int = 0
    """Of a clip of 25 frames per second: pose, gaze and expression move on, the rest stays."""
    changes: tuple[tuple[str, float, int], ...] = ()
    """(what, amount, other), applied in order."""


def uri(scene: Scene) -> str:
    """The canonical name: ``head:v=1;person=12;shot=77;hair=5;frame=3;with=yaw:10:0,shape:0.25:99``.

    Hair of one's own, frame 0 and no changes are left out.

    Raises:
        UsageError: a number is out of range.
    """
    _check(scene)
    parts = [f"head:v={VERSION}", f"person={scene.person}", f"shot={scene.shot}"]
    if scene.hair is not None and scene.hair != scene.person:
        parts.append(f"hair={scene.hair}")
    if scene.frame:
        parts.append(f"frame={scene.frame}")
    if scene.changes:
        parts.append("with=" + ",".join(f"{what}:{_plain(amount)}:{other}" for what, amount, other in scene.changes))
    return ";".join(parts)


def parse(uri: str) -> Scene:
    """The scene of a name; the inverse of `uri`.

    Raises:
        UsageError: it is no such name, or one of another version of the generator.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise UsageError(
            f"{uri!r} names no rendered head; expected the form 'head:v={VERSION};person=12;shot=77', followed by "
            "';hair=5', ';frame=3' and ';with=yaw:10:0,shape:0.25:99' as needed, in this order."
        )
    if int(match["version"]) != VERSION:
        raise UsageError(
            f"{uri!r} is a head of version {match['version']} of the generator; this is version {VERSION}, which draws "
            "it differently. Plan the pairs anew with this hifibench, or install the one that planned them."
        )
    changes = []
    for text in (match["changes"] or "").split(","):
        if not text:
            continue
        change = _CHANGE.fullmatch(text)
        if change is None:
            raise UsageError(f"{uri!r}: {text!r} is no change; expected the form 'yaw:10:0' (what, amount, seed).")
        changes.append((change["what"], float(change["amount"]), int(change["other"])))
    person = int(match["person"])
    hair = None if match["hair"] is None or int(match["hair"]) == person else int(match["hair"])
    scene = Scene(person, int(match["shot"]), hair, int(match["frame"] or 0), tuple(changes))
    _check(scene)
    return scene


def swapped(source: Scene, target: Scene) -> Scene:
    """The true swap: the source's shape and skin in the target's shot and frame, with the target's hair.

    Changes of the person come from the source, all others from the target.
    """
    hair = target.person if target.hair is None else target.hair
    changes = tuple(change for change in source.changes if change[0] in _OF_PERSON)
    changes += tuple(change for change in target.changes if change[0] not in _OF_PERSON)
    return Scene(source.person, target.shot, None if hair == source.person else hair, target.frame, changes)


def changed(scene: Scene, what: str, amount: float, other: int = 0) -> Scene:
    """The scene with one more change.

    Raises:
        UsageError: there is no such change, or its numbers are out of range.
    """
    scene = replace(scene, changes=(*scene.changes, (what, float(amount), other)))
    _check(scene)
    return scene


def split_of(seed: int) -> str:
    """``train``, ``validation`` or ``test``.

    Raises:
        UsageError: the seed lies in no split.
    """
    for split, seeds in SPLITS.items():
        if seed in seeds:
            return split
    raise UsageError(f"The seed {seed} lies in no split; seeds run from 0 to {LAST_SEED}.")


def _check(scene: Scene) -> None:
    for name in ("person", "shot", "hair"):
        seed = getattr(scene, name)
        if seed is not None and not 0 <= seed <= LAST_SEED:
            raise UsageError(f"The seed {name}={seed} lies in no split; seeds run from 0 to {LAST_SEED}.")
    if not 0 <= scene.frame <= LAST_FRAME:
        raise UsageError(f"A clip has the frames 0 to {LAST_FRAME}, not {scene.frame}.")
    for what, amount, other in scene.changes:
        if what not in WHATS:
            raise UsageError(f"{what!r} of a head cannot be changed; expected one of {', '.join(WHATS)}.")
        low, high = (-90.0, 90.0) if what in _DEGREES else (0.0, 1.0)
        if not low <= amount <= high:
            raise UsageError(f"A change of {what} runs from {low:g} to {high:g}, not {amount:g}.")
        if not 0 <= other <= LAST_SEED:
            raise UsageError(f"The seed {other} of a change of {what} lies in no split (0 to {LAST_SEED}).")


def _plain(amount: float) -> str:
    """A number's shortest form that reads back the same."""
    text = repr(float(amount))
    return text.removesuffix(".0") if text.endswith(".0") else text
