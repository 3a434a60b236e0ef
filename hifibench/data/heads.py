"""Rendered heads by seed, with everything that is known of them; made when first asked for, then kept in the cache.

A head is named ``head:v=1;person=12;shot=77``, with ``;hair=``, ``;frame=`` and ``;with=`` as needed: see
`hifibench.heads.scene`. Splits divide the seeds of people and of shots alike. How heads are made, and what they look
like and do not look like: ``docs/heads.md``.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.arrays import read_arrays, write_arrays
from hifibench.data import images, kept
from hifibench.errors import UsageError
from hifibench.heads import correspondence, geometry, render, shot
from hifibench.heads import facts as exact
from hifibench.heads import scene as scenes
from hifibench.heads.facts import Facts
from hifibench.heads.labels import FACE, LABELS
from hifibench.heads.scene import SPLITS, VERSION, WHATS, Scene, parse, split_of, uri
from hifibench.records import Frame

__all__ = [
    "FACE",
    "GENERATOR",
    "LABELS",
    "SIZE",
    "SPLITS",
    "VERSION",
    "WHATS",
    "Scene",
    "cached_path",
    "changed",
    "drawn",
    "facts",
    "fingerprint",
    "labels",
    "load",
    "mediapipe_indices",
    "parse",
    "people",
    "shots",
    "split_of",
    "swapped",
    "uri",
]

SIZE = 256
"""Side of a picture in pixels."""
GENERATOR = f"hifibench heads {VERSION}"
"""Who made a picture, as the picture says."""

_log = logging.getLogger(__name__)


@cache
def fingerprint() -> str:
    """SHA-256 over the generator's code and geometry; entries of the cache under another one are left alone."""
    digest = hashlib.sha256(str(VERSION).encode())
    folder = geometry.FILE.parent
    makers = sorted(path for path in folder.glob("*.py") if path.stem not in ("extract", "correspondence"))
    for path in (*makers, folder.parent / "faces" / "rasteriser.py", geometry.FILE):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cached_path(uri: str) -> Path:
    """Where a head's picture is kept."""
    name = scenes.uri(parse(uri))
    digest = hashlib.sha256(name.encode()).hexdigest()
    return assets.cache_root() / "heads" / f"v{VERSION}-{fingerprint()[:12]}" / digest[:2] / f"{digest[2:34]}.png"


def load(uri: str) -> Frame:
    """A head's picture, from the cache or made now.

    Threads and processes may ask at once: one of them makes it, the others wait. An entry of the cache that cannot be
    read is reported to the log and made again.

    Args:
        uri: name of a head.

    Returns:
        ``(256, 256, 3)`` uint8 RGB.

    Raises:
        UsageError: the name is malformed, or one of another version of the generator.
        MissingError: the cache cannot be written to.
    """
    scene = parse(uri)
    path = cached_path(uri)
    frame = kept.read(path, SIZE, "head")
    if frame is None:
        with kept.sole_maker(path.parent / "heads.lock", "Heads"):
            frame = kept.read(path, SIZE, "head")
            if frame is None:
                frame = _picture(scene).frame.copy()
                images.save_png(path, frame, {"generator": GENERATOR, "head": scenes.uri(scene)})
    return frame


def drawn(uri: str) -> Frame:
    """As `load`, but made now, neither looked for in the cache nor kept there.

    Raises:
        UsageError: as `load`.
    """
    return _picture(parse(uri)).frame.copy()


def facts(uri: str) -> Facts:
    """What is known of a head, exactly; float32 unless said. From the cache, or made now and kept there.

    Returns:
        ``pose_deg`` (3,) yaw, pitch, roll (signs as in `hifibench.faces.pose`); ``gaze_deg`` (2,) yaw and pitch of the
        eyes relative to their rest in the skull; ``landmarks`` (68, 2) pixels and ``landmarks3d`` (68, 3) mm in the
        head frame, iBUG's order (`hifibench.heads.marks`); ``visible`` (68,) 1 or 0; ``mediapipe_points`` (150, 3) mm
        in the head frame, those points of MediaPipe's mesh that `mediapipe_indices` names; ``vertices`` (k, 3) mm in
        the head frame with the expression and without the pose; ``shape`` (k * 3,) the same without the expression;
        ``identity`` (100,) in standard deviations; ``expression`` (52,) ARKit weights in [0, 1], lids following the
        gaze included; ``light`` (27,) harmonics of the irradiance, (9, 3) in the camera frame, see
        `hifibench.heads.light`; ``skin_rgb`` (3,) linear albedo; ``occlusion`` (1,) share of the face's pixels that an
        occluder hides; ``parsing`` (256, 256) uint8, see `LABELS`; ``depth`` (256, 256) mm along the camera's axis,
        infinity for background (a hand or bar is drawn in the picture and has no depth); ``rotation`` (3, 3), ``shift``
        (3,) and ``focal`` (1,), which take the head frame to the camera's, and that to pixels:
        ``pixel = (127.5, 127.5) + focal * (x, -y) / -z``.

    Raises:
        UsageError: as `load`.
    """
    scene = parse(uri)
    path = cached_path(uri).with_suffix(".npz")
    known = read_arrays(path)
    if known is None:
        known = dict(exact.exact(scene, _picture(scene)))
        write_arrays(path, known, compress=True)
    return {name: np.array(value) for name, value in known.items()}


def mediapipe_indices() -> NDArray[np.int64]:
    """``(150,)``: which of MediaPipe's 468 mesh points ``mediapipe_points`` are (`hifibench.heads.correspondence`)."""
    return correspondence.load().indices.copy()


def swapped(source_uri: str, target_uri: str) -> str:
    """The true swap: the source's shape and skin with all else of the target, its hair, shot and frame.

    Changes of ``shape``, ``skin`` and ``identity`` come from the source, all others from the target.
    """
    return uri(scenes.swapped(parse(source_uri), parse(target_uri)))


def changed(uri: str, what: str, amount: float, other: int = 0) -> str:
    """The name of a head with one change more.

    Args:
        uri: name of a head.
        what: ``yaw``, ``pitch``, ``roll``: degrees added to the pose; ``gaze``: degrees added to the eyes' yaw;
            ``expression``, ``light``: 0 to 1 towards those of the shot ``other``; ``shape``, ``skin`` (brows, lips,
            stubble and irises too), ``identity`` (both): 0 to 1 towards the person ``other``; ``noise``: another grain
            of the sensor, by ``amount`` and ``other``, and nothing else: the same scene taken again.
        amount: see above.
        other: seed of a shot or a person.

    Raises:
        UsageError: there is no such change, or its numbers are out of range.
    """
    return scenes.uri(scenes.changed(parse(uri), what, amount, other))


def labels(uri: str) -> dict[str, str]:
    """What a head is labelled with: ``occluder``, what hides a part of the face, or ``none``."""
    return {"occluder": shot.make(parse(uri).shot).occluder}


def people(split: str, n: int, seed: int = 0) -> list[int]:
    """Seeds of ``n`` different people of a split.

    Raises:
        UsageError: there is no such split.
    """
    return _drawn_seeds(split, n, seed, 1)


def shots(split: str, n: int, seed: int = 0) -> list[int]:
    """Seeds of ``n`` different shots of a split.

    Raises:
        UsageError: there is no such split.
    """
    return _drawn_seeds(split, n, seed, 2)


def _drawn_seeds(split: str, n: int, seed: int, stream: int) -> list[int]:
    if split not in SPLITS:
        raise UsageError(f"There is no split {split!r}; expected one of {', '.join(SPLITS)}.")
    if n < 0:
        raise UsageError(f"Cannot draw {n} seeds; expected a count of at least 0.")
    rng = np.random.default_rng((seed, stream))
    seeds = SPLITS[split]
    found: dict[int, None] = {}
    while len(found) < n:
        found[int(rng.integers(seeds.start, seeds.stop))] = None
    return list(found)


@lru_cache(32)
def _picture(scene: Scene) -> render.Picture:
    return render.render(exact.compose(scene), SIZE)
