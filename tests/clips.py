"""A FaceForensics++ in small whose real H.264 videos show faces that move, grow, and are lit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mini_release import encode

from hifibench.records import Floats, Frame

SIDE = 256

PAIRS = (("000", "003"), ("001", "002"))
"""Unordered, as split files have them: the first is of ``train``, the second of ``test``; ``val`` has none."""

LENGTHS: Mapping[str, int] = {"000": 24, "001": 20, "002": 18, "003": 22}
"""Frames of the originals."""

SHORTER: Mapping[str, int] = {"FaceSwap": 2, "FaceShifter": 4, "Deepfakes": 0, "Face2Face": 0, "NeuralTextures": 0}
"""By how many frames a method's swap is shorter than its target."""

_CRF = {"raw": 0, "c23": 23, "c40": 40}
_FACE = (0.5, 0.56, 0.24, 0.33)  # middle and half axes of the face of an aligned portrait, in sides


@dataclass(frozen=True)
class FaceTree:
    """What `face_tree` has written.

    Attributes:
        root: holds ``original_sequences``, ``manipulated_sequences`` and ``splits``.
        pairs: (target, source) of all swaps, sorted.
        frames: for each (target, source), the frames of the shortest of the target and its swaps.
    """

    root: Path
    pairs: tuple[tuple[str, str], ...]
    frames: Mapping[tuple[str, str], int]


def face_tree(
    folder: Path,
    portraits: Mapping[str, Frame],
    *,
    methods: Sequence[str] = ("FaceSwap", "FaceShifter"),
    compressions: Sequence[str] = ("c23", "c40"),
    lengths: Mapping[str, int] = LENGTHS,
    splits: bool = True,
) -> FaceTree:
    """Write a FaceForensics++ in small, with the real names of folders, videos and split files.

    Videos 000 to 003 show one portrait each, moved, turned, scaled and lit a little more from frame to frame, each in a
    way of its own. The swaps, ``<target>_<source>.mp4``, show the target's clip with an oval of the source's portrait
    in place of the face, which moves with it: FaceShifter's border is soft, FaceSwap's is hard and the face is tinted.
    They are shorter than the target by `SHORTER`. Four portraits at one compression take about a second.

    Args:
        folder: where to; the tree is ``folder/ffpp``.
        portraits: aligned portraits of the four videos `LENGTHS`, as the fixture ``portrait(seed)`` gives them.
        methods: folders below ``manipulated_sequences``.
        compressions: ``raw``, ``c23``, ``c40``.
        lengths: frames of each video; pairs of other videos are left out.
        splits: whether to write the split files.

    Returns:
        Where it is, and what a plan must find in it.
    """
    root = folder / "ffpp"
    unordered = [pair for pair in PAIRS if set(pair) <= set(lengths)]
    pairs = sorted([*unordered, *((source, target) for target, source in unordered)])
    for compression in compressions:
        crf = _CRF[compression]
        for video, count in lengths.items():
            path = root / f"original_sequences/youtube/{compression}/videos/{video}.mp4"
            encode(path, clip(portraits[video], count, int(video)), crf=crf, gop=250)
        for method in methods:
            for target, source in pairs:
                path = root / f"manipulated_sequences/{method}/{compression}/videos/{target}_{source}.mp4"
                face = swapped(portraits[target], portraits[source], method)
                encode(path, clip(face, lengths[target] - SHORTER[method], int(target)), crf=crf, gop=250)
    if splits:
        (root / "splits").mkdir(parents=True)
        for split, listed in (("train", unordered[:1]), ("val", []), ("test", unordered[1:])):
            (root / f"splits/{split}.json").write_text(json.dumps([list(pair) for pair in listed]))
    shorter = max((SHORTER[method] for method in methods), default=0)
    return FaceTree(root, tuple(pairs), {pair: lengths[pair[0]] - shorter for pair in pairs})


def clip(portrait: Frame, count: int, seed: int, side: int = SIDE) -> Iterator[Frame]:
    """A portrait as a video: moved by up to 4 %, turned by up to 5 degrees, scaled and lit by up to 8 %, smoothly.

    Args:
        portrait: square, ``uint8`` RGB.
        count: of frames.
        seed: decides on the motion; equal seeds move alike.
        side: of the frames.
    """
    rng = np.random.default_rng(seed)
    speed, phase = rng.uniform(0.1, 0.3, 5), rng.uniform(0, 2 * np.pi, 5)
    small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    for number in range(count):
        right, down, turn, scale, light = np.sin(speed * number + phase)
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), 5 * turn, 0.92 + 0.08 * scale)
        matrix[:, 2] += 0.04 * side * np.array([right, down])
        moved = cv2.warpAffine(small, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        yield np.clip(moved * (1 + 0.08 * light), 0, 255).round().astype(np.uint8)


def swapped(target: Frame, source: Frame, method: str) -> Frame:
    """The target's portrait with an oval of the source's in place of its face."""
    side = target.shape[0]
    mask = oval(side)
    face = source.astype(np.float32)
    if method == "FaceSwap":
        mask = (mask > 0.5).astype(np.float32)
        face = 0.95 * face + 0.05 * np.array([200, 60, 60], np.float32)
    mixed = mask[..., None] * face + (1 - mask[..., None]) * target
    return mixed.round().astype(np.uint8)


def oval(side: int) -> Floats:
    """Where the face of an aligned portrait is, ``(side, side)`` from 0 to 1 with a soft border."""
    y, x = np.mgrid[:side, :side] / side
    across, down, wide, high = _FACE
    inside = 1 - np.hypot((x - across) / wide, (y - down) / high)
    return np.asarray(np.clip(inside / 0.25, 0, 1), np.float32)


def two_people(one: Frame, other: Frame, count: int, side: int = SIDE) -> Iterator[Frame]:
    """Two portraits of one size, side by side, as a video of twice the width."""
    for left, right in zip(clip(one, count, 0, side), clip(other, count, 1, side), strict=True):
        yield np.concatenate([left, right], axis=1)


def nobody(count: int, side: int = SIDE) -> Iterator[Frame]:
    """A video of a wall that grows lighter."""
    for number in range(count):
        yield np.full((side, side, 3), 90 + number, np.uint8)
