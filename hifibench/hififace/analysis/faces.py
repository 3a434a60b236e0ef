"""Pairs of faces made ready for a study: found and cropped as in a benchmark run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hifibench.contracts import Crop
from hifibench.data import Loader
from hifibench.errors import UsageError
from hifibench.faces import align, paste, templates
from hifibench.pipeline.observe import Look, Observer, Seen, face_of
from hifibench.records import Floats, Frame, Manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class Side:
    """One face of a pair.

    Attributes:
        frame: ``(H, W, 3)`` the whole image.
        seen: what the experts saw in it.
        crop: ``(3, S, S)`` float32 RGB in [0, 1].
        matrix: ``(2, 3)`` frame to crop.
    """

    frame: Frame
    seen: Seen
    crop: Floats
    matrix: align.Matrix

    @property
    def batch(self) -> Tensor:
        """The crop as a batch of one."""
        import torch

        return torch.from_numpy(self.crop)[None]


@dataclass(frozen=True)
class AlignedPair:
    """A source and a target, both cropped as the swapper wants them."""

    pair: str
    source: Side
    target: Side

    def paste(self, image: Tensor, mask: Tensor) -> Frame:
        """The target's frame with a swapped crop in it, as `hifibench.pipeline.swap` puts it there.

        Args:
            image: ``(1, 3, S, S)``.
            mask: ``(1, 1, S, S)``.
        """
        pixels, alpha = image[0].float().cpu().numpy(), mask[0, 0].float().cpu().numpy()
        return paste.paste_back(self.target.frame, pixels, self.target.matrix, alpha)


def prepare(manifest: Manifest, load: Loader, count: int, crop: Crop, observer: Observer) -> list[AlignedPair]:
    """The first pairs of a manifest.

    Args:
        manifest: who is swapped with whom.
        load: from an image of the manifest to its frame.
        count: how many pairs.
        crop: what the swapper wants.
        observer: whose experts look at sources and targets.

    Raises:
        UsageError: there are fewer pairs, or an image shows no face.
    """
    if not 1 <= count <= len(manifest.pairs):
        raise UsageError(f"{count} pairs were asked for and there are {len(manifest.pairs)}; name 1 to that many.")
    pairs = manifest.pairs[:count]
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.source, pair.target)))

    def side(name: str) -> Side:
        ref = manifest.image(name)
        frame = load(ref)
        seen = observer.look(Look(frame))
        face = face_of(seen)
        if face is None:
            raise UsageError(f"No face was found in {ref.uri}. Take it out of the pairs, or give another photograph.")
        return Side(frame, seen, *templates.take(frame, face, crop))

    sides = dict(zip(names, observer.map(side, names), strict=True))
    return [AlignedPair(pair.pair, sides[pair.source], sides[pair.target]) for pair in pairs]


def picture(image: Tensor) -> Frame:
    """An image ``(1, 3, S, S)`` in [0, 1] as ``(S, S, 3)`` uint8."""
    return align.hwc(image[0].float().cpu().numpy())


def flat(mask: Tensor) -> Floats:
    """A map ``(1, 1, h, w)`` as ``(h, w)`` float32."""
    values: Floats = mask[0, 0].float().cpu().numpy()
    return values


def ends(pairs: Sequence[AlignedPair]) -> dict[str, NDArray[np.generic]]:
    """What every study shows of its n pairs: names ``(n,)``, source and target crops ``(n, S, S, 3)`` uint8."""
    return {
        "pair": np.array([pair.pair for pair in pairs]),
        "source": np.stack([align.hwc(pair.source.crop) for pair in pairs]),
        "target": np.stack([align.hwc(pair.target.crop) for pair in pairs]),
    }
