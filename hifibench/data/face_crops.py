"""From one original to one training crop, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from hifibench.contracts import Crop
from hifibench.data.originals import Original, Person, Source
from hifibench.data.prepared import CROPS
from hifibench.errors import ImageError
from hifibench.records import Face, Frame

CONFIDENT = 0.7
"""Score of the detector from which on a face of a video may be a source; it reports faces from 0.5 on, among them some
that are none. Photographs are taken as they are."""

_VERSION = 1  # raised by whoever changes what `Cropper` computes


class Reason(StrEnum):
    """Why an image is dropped."""

    UNREADABLE = "unreadable"
    DUPLICATE = "duplicate"
    NO_FACE = "no face"
    SEVERAL = "several faces"
    SMALL = "too small"
    MASK = "implausible mask"


@dataclass(frozen=True)
class Kept:
    """A row of the index; see `hifibench.data.prepared`. The identity is that of the person it was made for."""

    image: str
    file: str
    source: str
    side: float
    landmarks: tuple[float, ...]
    content: str
    label: str = ""


@dataclass(frozen=True)
class Dropped:
    """A row of the dropped images; ``detail`` says more where there is more to say."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Done:
    """What became of one person's images, in the order of their names."""

    identity: str
    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]

    @property
    def sources(self) -> frozenset[str]:
        """The originals it was made from."""
        return frozenset({row.source for row in self.kept} | {row.source for row in self.dropped})


@dataclass(frozen=True)
class Cropping:
    """What decides a crop and whether it is kept.

    Attributes:
        crop: template and size.
        min_side: least side of the crop in pixels of the original; the paper drops images under 256 pixels (Sec. 4).
        parser: a face-parsing network for the masks; ``None`` for the embedded ones.
        enhance: a portrait-enhancement network that all crops go through; ``None`` for none.
        enhance_range: what its numbers mean, one of `hifibench.data.enhance.RANGES`.
    """

    crop: Crop
    min_side: float
    parser: Path | None = None
    enhance: Path | None = None
    enhance_range: str = "-1..1"


class DropError(Exception):
    """An image is not kept, and why."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Cropper:
    """Detector, segmenter and, if asked for, enhancer, loaded once; crops one person after the other.

    Args:
        source: where the originals are read from.
        cropping: what decides a crop.
        out: the folder of the prepared set.

    Raises:
        UsageError: the crop, the parser or the enhancement network cannot be used.
        MissingError: an asset cannot be had.
    """

    def __init__(self, source: Source, cropping: Cropping, out: Path) -> None:
        from hifibench.data.enhance import Enhancer
        from hifibench.data.segment import make_segmenter
        from hifibench.faces import templates
        from hifibench.faces.detect import Detector

        templates.matrix(templates.mean_face(), cropping.crop, (templates.MEAN_SIDE,) * 2)  # is there such a crop?
        self._source, self._cropping, self._out = source, cropping, out
        self._detector = Detector()
        self._segmenter = make_segmenter(cropping.crop, cropping.parser)
        self._enhancer = (
            None if cropping.enhance is None else Enhancer(cropping.enhance, cropping.crop.size, cropping.enhance_range)
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides a crop and whether it is kept; plain data."""
        enhanced = {} if self._enhancer is None else {"enhancer": self._enhancer.settings}
        from hifibench.faces import detect

        return {
            "crop": asdict(self._cropping.crop),
            "min_side": self._cropping.min_side,
            "ambiguous": detect.AMBIGUOUS,
            "detector": self._detector.card.hash,
            "segmenter": self._segmenter.fingerprint,
            "version": _VERSION,
            **enhanced,
        }

    def person(self, person: Person) -> Done:
        """Crop all images of a person and write the crops.

        The same person gives the same crops and rows, whoever was cropped before.

        Raises:
            MissingError: a crop cannot be written.
        """
        kept: list[Kept] = []
        dropped: list[Dropped] = []
        seen: dict[str, str] = {}
        for original in person.originals:
            try:
                row = self._image(person.identity, original, seen)
            except DropError as drop:
                dropped.append(Dropped(original.source, drop.reason, drop.detail))
                continue
            except Exception as error:
                error.add_note(f"This happened to {original.source} of {person.identity}.")
                raise
            kept.append(row)
            if row.content:
                seen[row.content] = row.source
        return Done(person.identity, tuple(kept), tuple(dropped))

    def _image(self, identity: str, original: Original, seen: dict[str, str]) -> Kept:
        from hifibench.data import images
        from hifibench.faces import align, templates

        try:
            frame, content = self._source.read(original)
        except ImageError as error:
            raise DropError(Reason.UNREADABLE, str(error)) from error
        if content in seen:
            raise DropError(Reason.DUPLICATE, f"of {seen[content]}")
        face = the_face(self._detector.detect(frame))
        try:
            pixels, matrix = templates.take(frame, face, self._cropping.crop)
        except ValueError as error:  # landmarks on one spot
            raise DropError(Reason.NO_FACE, str(error)) from error
        size = self._cropping.crop.size
        side = size * align.shrinkage(matrix)
        if side < self._cropping.min_side:
            raise DropError(Reason.SMALL, f"the crop's side is {side:.0f} pixels of the original")
        crop = self._enhanced(align.hwc(pixels))
        image = f"{identity}/{original.name}"
        file = f"{CROPS}/{image}.png"
        images.save_png(self._out / file, self._with_mask(crop), self._provenance(original))
        landmarks = align.apply(matrix, face.landmarks).astype(np.float32).ravel()
        return Kept(image, file, original.source, side, tuple(map(float, landmarks)), content, original.label)

    def _enhanced(self, crop: Frame) -> Frame:
        if self._enhancer is None:
            return crop
        try:
            return self._enhancer.enhance(crop)
        except ValueError as error:
            raise DropError(Reason.UNREADABLE, str(error)) from error

    def _provenance(self, original: Original) -> Mapping[str, str] | None:
        """How the crop came about, where a network had a hand in it."""
        made = self._source.provenance(original)
        if self._enhancer is None:
            return made
        return {**(made or {}), "enhanced by": self._enhancer.settings["network"], "original": original.source}

    def _with_mask(self, crop: Frame) -> Frame:
        """RGBA, ``(S, S, 4)``.

        The mask is that of the pixels which are stored and trained with: enhancement may move an outline a little, and
        sharp ones are found more exactly.
        """
        from hifibench.faces.segment import fault

        mask = self._segmenter.segment(crop)
        wrong = fault(mask, self._cropping.crop)
        if wrong:
            raise DropError(Reason.MASK, wrong)
        return np.dstack([crop, mask.astype(np.uint8) * np.uint8(255)])


def the_face(faces: Sequence[Face]) -> Face:
    """The face that an image of one person shows.

    Args:
        faces: as the detector gives them, best first.

    Raises:
        DropError: there is none, or it has rivals (`hifibench.faces.detect.rivals`).
    """
    from hifibench.faces.detect import rivals

    if not faces:
        raise DropError(Reason.NO_FACE)
    if others := rivals(faces):
        raise DropError(Reason.SEVERAL, f"{1 + len(others)} faces of about one size")
    return faces[0]
