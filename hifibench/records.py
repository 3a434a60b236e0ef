"""What travels between the stages: frozen records with units.

Conventions, everywhere in the project:

* Frames are ``uint8`` RGB arrays ``(H, W, 3)``; on disk they are lossless PNG.
* Crops handed to networks are ``float32`` RGB in ``[0, 1]``, shape ``(B, 3, H, W)``.
* Coordinates are pixels of the named image, x right, y down, the centre of the top-left pixel at (0, 0).
* Angles are degrees in the order yaw, pitch, roll. Positive yaw turns the nose towards the right edge of the
  image, positive pitch lifts it, positive roll turns the head clockwise as the viewer sees it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

Frame = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.uint8]

Precision = Literal["auto", "fp32", "bf16"]
"""Number format of a swapper's networks; ``auto``: the quickest that agrees with fp32 on the first batch."""

EXACT = "exact"
"""Under this name stands what is known of an image by its making, among what experts only see in it."""


class Status(StrEnum):
    """How one swap ended. Everything but ``OK`` counts as failed in every metric."""

    OK = "ok"
    NO_FACE_SOURCE = "no face in source"
    NO_FACE_TARGET = "no face in target"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    FILE_MISSING = "file missing"
    UNAVAILABLE = "not available"

    @property
    def waits(self) -> bool:
        """Whether the user can mend it by bringing a file or a program: such a pair is tried again at every start."""
        return self in (Status.FILE_MISSING, Status.UNAVAILABLE)


@dataclass(frozen=True)
class Face:
    """One detected face in the pixels of its frame.

    Attributes:
        box: ``(4,)`` float32: left, top, right, bottom.
        landmarks: ``(5, 2)`` float32: the eye on the image's left, the eye on its right, nose tip, the mouth
            corner on the image's left, the one on its right.
        score: the detector's confidence in ``[0, 1]``.
    """

    box: Floats
    landmarks: Floats
    score: float


@dataclass(frozen=True)
class ImageRef:
    """One image of a manifest: how to get it and whom it shows.

    Attributes:
        image: unique within the manifest.
        uri: how to get the pixels: ``portrait:seed=…;view=…``, ``file:relative/path``, ``video:relative/path``, whose
            frame ``frame`` it is.
        identity: the person shown.
        video: the clip the frame belongs to; a still is a video of its own. Intervals are clustered by it.
        frame: index within the video, from zero.
        content: SHA-256 of the file, image or video, for images of the user's own, empty for images made by seed.
        labels: what is known of the image besides, such as ``{"occluder": "glasses"}``; splits read them.
    """

    image: str
    uri: str
    identity: str
    video: str
    frame: int = 0
    content: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """One swap to make: the face of image ``source`` goes onto image ``target``.

    Attributes:
        pair: unique within the manifest.
        source: names the `ImageRef` that gives the face.
        target: names the `ImageRef` that receives it.
        truth: names the `ImageRef` of the true swap; empty where nobody knows it.
    """

    pair: str
    source: str
    target: str
    truth: str = ""


@dataclass(frozen=True)
class Manifest:
    """The images and pairs of a run, made once; its hash stands in every result.

    Attributes:
        images: all images, those of the galleries included, in a fixed order.
        pairs: all pairs, in a fixed order.
        galleries: name -> images that identity retrieval searches (``frames``: every sampled original frame;
            ``sources``: the images that gave the source faces).
        origin: how the images come about (dataset, generator, its version), part of the hash.
    """

    images: tuple[ImageRef, ...]
    pairs: tuple[Pair, ...]
    galleries: Mapping[str, tuple[str, ...]]
    origin: str

    def to_json(self) -> str:
        """The canonical text: same manifest, same bytes."""
        return "".join(self._text())

    def _text(self) -> Iterator[str]:
        """`to_json` piece by piece, for a large manifest as a whole is many times as large in between."""

        def text(value: object, depth: int) -> str:
            return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).replace("\n", "\n" + " " * depth)

        def rows(items: Sequence[ImageRef | Pair], unknown: str) -> Iterator[str]:
            for index, item in enumerate(items):
                # What is not known is not written, so that a manifest made before it could be known keeps its hash.
                row = {name: value for name, value in asdict(item).items() if name != unknown or value}
                yield f"{',' if index else '['}\n  {text(row, 2)}"
            yield "\n ]" if items else "[]"

        yield f'{{\n "galleries": {text(dict(self.galleries), 1)},\n "images": '
        yield from rows(self.images, "labels")
        yield f',\n "origin": {text(self.origin, 1)},\n "pairs": '
        yield from rows(self.pairs, "truth")
        yield "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The inverse of `to_json`."""
        raw: dict[str, Any] = json.loads(text)
        return cls(
            images=tuple(ImageRef(**image) for image in raw["images"]),
            pairs=tuple(Pair(**pair) for pair in raw["pairs"]),
            galleries={name: tuple(images) for name, images in raw["galleries"].items()},
            origin=raw["origin"],
        )

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text, hexadecimal."""
        known: str | None = self.__dict__.get("_hash")
        if known is None:  # seconds, where there are a hundred thousand pairs
            digest = hashlib.sha256()
            for part in self._text():
                digest.update(part.encode())
            known = digest.hexdigest()
            object.__setattr__(self, "_hash", known)
        return known

    def image(self, name: str) -> ImageRef:
        """The image of that name; raises ``KeyError`` if the manifest has none."""
        index: dict[str, ImageRef] | None = self.__dict__.get("_index")
        if index is None:
            index = {ref.image: ref for ref in self.images}
            object.__setattr__(self, "_index", index)
        return index[name]


@dataclass(frozen=True)
class Swap:
    """What a swapper returns for a batch of B pairs.

    Attributes:
        image: ``(B, 3, H, W)`` float32 RGB in ``[0, 1]``, in the geometry of the target crop. Rows whose status
            is not ``OK`` are ignored.
        mask: ``(B, 1, H, W)`` float32 in ``[0, 1]``, 1 where the swap replaces the target. ``None`` lets the harness
            blend with its own soft face mask; on whole frames it replaces all of the target.
        status: one `Status` per row.
        messages: one per row, why it failed, or nothing at all.
    """

    image: Tensor
    mask: Tensor | None
    status: tuple[Status, ...]
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Swapped:
    """One pair, swapped.

    Attributes:
        frame: the target's frame with the swapped face, same size; ``None`` unless ``status`` is ``OK``.
        status: how it ended.
        message: why it failed, empty otherwise.
        seconds: time inside the swapper, for one pair: that of its batch, shared out equally. NaN where it was not
            called.
        mask: ``(H, W)`` the weight with which the method's output was laid over the target's frame, 255 is all;
            ``None`` where the frame is not made that way.
    """

    frame: Frame | None
    status: Status
    message: str = ""
    seconds: float = float("nan")
    mask: Mask | None = None


@dataclass(frozen=True)
class Cost:
    """What one swap costs, measured or counted by the swapper itself; ``None`` for what it cannot tell.

    Attributes:
        params_trainable: parameters that training the method updates.
        params_frozen: parameters of networks it needs at inference but never trains (recogniser, 3D face model).
        macs: multiply-accumulates of one swap at the card's size.
    """

    params_trainable: int | None
    params_frozen: int | None
    macs: int | None


@dataclass(frozen=True)
class Gallery:
    """What retrieval searches: ``m`` images, their people and what the experts saw in them.

    Attributes:
        identity: ``(m,)`` the person in each image.
        image: ``(m,)`` the image's name.
        experts: expert -> output name -> array ``(m, …)``; rows of NaN where the expert saw nothing.
        video: ``(m,)`` the video each image is of, the cluster of resampling; ``None``: each is one of its own.
    """

    identity: NDArray[np.str_]
    image: NDArray[np.str_]
    experts: Mapping[str, Mapping[str, Floats]]
    video: NDArray[np.str_] | None = None


@dataclass(frozen=True)
class Observed:
    """All that a metric may look at, for one method; ``n`` pairs, aligned row by row.

    Attributes:
        pairs: one row per pair: ``pair, source, target, source_id, target_id, source_video, video, frame`` (``video``
            and ``frame`` are the target's; the video is the cluster of the intervals), and ``label:<name>`` for what
            the targets are labelled with.
        swap: expert -> output name -> array ``(n, …)`` seen on the swapped frames; NaN rows where it failed. The face
            itself stands under ``detector``: ``box`` (n, 4), ``landmarks`` (n, 5, 2), ``score`` (n, 1).
        source: the same for the source images.
        target: the same for the target images.
        galleries: name -> `Gallery`.
        truth: the same for the true swaps; empty where nobody knows them. What is known of an image by its making
            stands under `EXACT`, here and in ``source`` and ``target``.
        others: method -> what ``swap`` is for it, for the other methods of the run that compete; for metrics that say
            so alone.
    """

    pairs: pd.DataFrame
    swap: Mapping[str, Mapping[str, Floats]]
    source: Mapping[str, Mapping[str, Floats]]
    target: Mapping[str, Mapping[str, Floats]]
    galleries: Mapping[str, Gallery]
    truth: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Mapping[str, Floats]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One metric of one method over ``n`` pairs.

    Attributes:
        metric: the printed name, protocol included, such as ``id_retrieval[edgeface,sources,top1]``.
        value: the mean over the pairs that could be scored, in the metric's unit; NaN if there were none.
        low: lower end of the 95 % interval (cluster bootstrap by video); NaN where it cannot be given.
        high: upper end of the same interval.
        n: pairs asked for; those in which there is nothing to score are not.
        n_failed: pairs that could not be scored (no face, swapper failed).
        worst_case: the mean when every failed pair counts as the metric's worst value.
        reason: why there is no value, where it is not that every pair failed.
    """

    metric: str
    value: float
    low: float
    high: float
    n: int
    n_failed: int
    worst_case: float
    reason: str = ""
