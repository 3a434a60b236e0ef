"""What every metric does first: check the words of its name and take an expert's output from the observations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.contracts import ExpertCard
from hifibench.errors import HifibenchError, UsageError
from hifibench.records import Floats, Gallery, Observed


def one_of(metric: str, noun: str, given: str, known: Iterable[str]) -> str:
    """The word ``given`` if it is among ``known``.

    Args:
        metric: base name of the metric, for the message.
        noun: what the word names, such as ``pose estimator``.
        given: the word between the brackets.
        known: the words that make sense there.

    Raises:
        UsageError: the word makes no sense there.

    Example:
        >>> one_of("pose", "pose estimator", "edgeface", ("mediapipe", "3ddfa"))
        Traceback (most recent call last):
        hifibench.errors.UsageError: pose[...]: 'edgeface' is no pose estimator; expected one of: mediapipe, 3ddfa.
    """
    known = tuple(known)
    if given not in known:
        raise UsageError(f"{metric}[...]: {given!r} is no {noun}; expected one of: {', '.join(known)}.")
    return given


def judge(metric: str, noun: str, given: str, fits: Callable[[ExpertCard], object], facts: bool = False) -> ExpertCard:
    """The card of the expert ``given``, if it can judge what the metric measures; a third party's is as good as ours.

    Args:
        metric: base name of the metric, for the message.
        noun: what such an expert is called, such as ``pose estimator``.
        given: the word between the brackets.
        fits: whether an expert of that card can.
        facts: whether what is known of an image by its making will do, which nobody knows of a swap.

    Raises:
        UsageError: no expert has that name, or it cannot.

    Example:
        >>> judge("pose", "pose estimator", "mediapipe", lambda card: "pose_deg" in card.outputs).role
        'landmarks'
    """

    def can(card: ExpertCard) -> bool:
        return bool(fits(card)) and (facts or card.role != "facts")

    if given in registry.experts.names() and can(card := registry.experts.get(given).card):
        return card
    return _refuse(metric, noun, given, can)


def _refuse(metric: str, noun: str, given: str, fits: Callable[[ExpertCard], object]) -> ExpertCard:
    known = []
    for name in registry.experts.names():
        try:
            card = registry.experts.get(name).card
        except HifibenchError:  # another package's, and broken: not what is asked for here
            continue
        if fits(card):
            known.append(name)
    one_of(metric, noun, given, known)
    raise AssertionError("an expert that fits was refused")


def base(name: str) -> str:
    """The printed name of a metric without its protocol: ``pose[mediapipe,yaw]`` -> ``pose``."""
    return name.partition("[")[0]


def words(name: str) -> tuple[str, ...]:
    """The protocol in a metric's printed name: ``pose[mediapipe,yaw]`` -> ``('mediapipe', 'yaw')``."""
    inside = name.partition("[")[2].rstrip("]")
    return tuple(word.strip() for word in inside.split(",") if word.strip())


def source_of_clip(observed: Observed) -> NDArray[np.str_]:
    """``(n,)`` what gave the face, by its video where that is known: with the target's video it names a clip."""
    column = "source_video" if "source_video" in observed.pairs else "source"
    return observed.pairs[column].to_numpy().astype(str)


def videos_of(observed: Observed, originals: Gallery) -> NDArray[np.str_]:
    """``(m,)`` the video of each original; one that nobody names is its own, unless a pair has it as its target."""
    if originals.video is not None:
        return originals.video.astype(str)
    pairs = observed.pairs
    known = dict(zip(pairs["target"], pairs["video"], strict=True)) if "target" in pairs else {}
    # No video is called so.
    return np.array([str(known.get(image, f"image\n{image}")) for image in originals.image.tolist()])


def gallery(observed: Observed, name: str) -> Gallery:
    """A gallery of that name; raises `UsageError` where it was not observed."""
    if name not in observed.galleries:
        raise UsageError(
            f"No gallery {name!r} was observed; there are: {', '.join(sorted(observed.galleries)) or 'none'}."
        )
    return observed.galleries[name]


def output(seen: Mapping[str, Mapping[str, Floats]], expert: str, name: str, rows: int) -> Floats:
    """One output of one expert, a flat vector per image.

    Args:
        seen: expert -> output -> array ``(rows, …)``.
        expert: name of the expert.
        name: name of its output.
        rows: number of images.

    Returns:
        ``(rows, d)`` float32. An expert that ran and saw nothing at all (no outputs) gives NaN, ``d`` = 1.

    Raises:
        UsageError: the expert did not run, gave another output, or another number of rows.
    """
    if expert not in seen:
        raise UsageError(
            f"No observations of {expert!r}; there are those of: {', '.join(sorted(seen)) or 'nobody'}. "
            f"Observe the images with {expert!r} first."
        )
    outputs = seen[expert]
    if not outputs:
        return np.full((rows, 1), np.nan, np.float32)
    if name not in outputs:
        raise UsageError(f"{expert!r} gave no {name!r}; it gave: {', '.join(sorted(outputs))}.")
    array = np.asarray(outputs[name], np.float32)
    if len(array) != rows:
        raise UsageError(f"{expert!r} gave {len(array)} rows of {name!r}, expected {rows}: one per image.")
    return array.reshape(rows, -1)
