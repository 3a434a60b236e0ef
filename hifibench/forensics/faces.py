"""The faces that detectors are trained on: generated portraits, where the face lies in each, and its mesh.

Half of the people are shown as the generator gives them, half moved in pose, expression and light
(`hifibench.data.views`); no recogniser is asked whether a moved face is still the same person, since identity plays no
part here. Nothing goes into the cache of portraits.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.data import generator, views
from hifibench.data.seeds import SPLITS
from hifibench.errors import MissingError, UsageError
from hifibench.experts.landmarker import CARD as MEDIAPIPE
from hifibench.files import atomic_path
from hifibench.records import Face, Floats, Frame
from hifibench.stage import Stage, quiet

ASSETS = (*generator.ASSETS, "scrfd-500m", *MEDIAPIPE.assets)
"""Files that making the faces may open."""

CHUNK = 50
"""People a file."""


@dataclass(frozen=True)
class Faces:
    """People in whom the detector and the landmarker saw one face.

    Attributes:
        seeds: ``(N,)`` int64, of the portraits.
        frames: ``(N, 512, 512, 3)`` uint8 RGB.
        boxes: ``(N, 4)`` float32, the detector's, in pixels.
        points: ``(N, 5, 2)`` float32, the detector's landmarks in pixels.
        meshes: ``(N, 478, 2)`` float32, MediaPipe's mesh in pixels.
    """

    seeds: NDArray[np.int64]
    frames: NDArray[np.uint8]
    boxes: Floats
    points: Floats
    meshes: Floats

    def __len__(self) -> int:
        return len(self.seeds)

    def face(self, row: int) -> Face:
        """Where the detector saw the face of a row."""
        return Face(self.boxes[row], self.points[row], 1.0)

    def first(self, people: int) -> Faces:
        """Those in the first rows."""
        return Faces(*(array[:people] for array in _arrays(self)))


def prepare(folder: Path, split: str, people: int, stage: Stage = quiet) -> Faces:
    """The first people of a split, from the files in a folder or made now, a file for each `CHUNK` of them.

    Args:
        folder: for the files, one of its own for each split; what is there already is read, so that an interrupted
            call goes on.
        split: ``train`` or ``validation``: test faces are not for training.
        people: how many seeds, from the first of the split; those without a visible face are left out.
        stage: told of every person.

    Raises:
        UsageError: another split, or nobody asked for.
        MissingError: an asset is absent, or the folder cannot be written to.
    """
    if split not in ("train", "validation") or people < 1:
        raise UsageError(
            f"Detectors learn from the splits train and validation, at least one person; given {split!r}, {people}."
        )
    first = SPLITS[split].start
    made = []
    with stage(f"portraits of {split}", people) as done:
        for start in range(0, people, CHUNK):
            seeds = range(first + start, first + min(start + CHUNK, people))
            file = folder / f"{split}-{start:06d}-{len(seeds):03d}.npz"
            chunk = _read(file)
            if chunk is None:
                chunk = _stack(list(_made(seeds)))
                _write(chunk, file)
            made.append(chunk)
            done(len(seeds))
    whole = Faces(*(np.concatenate(parts) for parts in zip(*map(_arrays, made), strict=True)))
    if not len(whole):
        raise MissingError(f"No face was found in {people} portraits of the split {split}; ask for more people.")
    return whole


_Row = tuple[int, Frame, Floats, Floats, Floats]


def _made(seeds: range) -> Iterator[_Row]:
    from hifibench.data import style_space
    from hifibench.experts.landmarker import mediapipe
    from hifibench.faces import align, templates
    from hifibench.faces.detect import Detector

    network, detector, landmarker = generator.shared(), Detector(), mediapipe.load("cpu")
    for seed, style in zip(seeds, network.styles(seeds), strict=True):
        moved = style + views.steps(seed, 1, 1) @ style_space.shipped().directions if seed % 2 else style
        [frame] = network.render(moved[None])
        face = detector.choose(frame)
        if face is None:
            continue
        crop, matrix = templates.take(frame, face, MEDIAPIPE.crop)
        mesh = landmarker.observe(crop[None])["landmarks"][0, :, :2]  # type: ignore[union-attr]  # no PairExpert
        if np.isfinite(mesh).all():
            yield seed, frame, face.box, face.landmarks, align.apply(align.invert(matrix), mesh).astype(np.float32)


def _stack(rows: list[_Row]) -> Faces:
    seeds, frames, boxes, points, meshes = zip(*rows, strict=True) if rows else ((),) * 5
    return Faces(
        np.array(seeds, np.int64),
        np.array(frames, np.uint8).reshape(-1, 512, 512, 3),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(points, np.float32).reshape(-1, 5, 2),
        np.array(meshes, np.float32).reshape(-1, 478, 2),
    )


def _arrays(faces: Faces) -> tuple[Any, ...]:
    return faces.seeds, faces.frames, faces.boxes, faces.points, faces.meshes


def _write(faces: Faces, file: Path) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, *_arrays(faces))


def _read(file: Path) -> Faces | None:
    """A file of earlier, ``None`` where there is none or it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as held:
            return Faces(*(held[f"arr_{part}"] for part in range(5)))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
