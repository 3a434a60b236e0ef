"""The classical face swap, step by step."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from baselines.faceswap.blend import poisson, soft_edge
from baselines.faceswap.colour import relight, to_lab, to_rgb, transfer
from baselines.faceswap.hair import is_hair, unlike_skin, within
from baselines.faceswap.mesh import BROWS, INNER_LIPS, Mesh
from baselines.faceswap.regions import Regions
from baselines.faceswap.shape import carry
from baselines.faceswap.texture import Drawn, draw
from hifibench.contracts import Expert, SwapperCard
from hifibench.records import Cost, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor

Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The part of an aligned crop that the landmarker looks at: left, top and side as shares of the crop's side.
_VIEW_LEFT, _VIEW_TOP, _VIEW_SIDE = 42 / 512, 84 / 512, 428 / 512
_BRIDGE = 168  # vertex between the eyes: the middle from which hair is looked for
_MARGIN_PX = 16  # around the face, for filters and the Poisson solver
_INSET, _FEATHER = 0.015, 0.05  # of the face's size: the mask's edge
_CLONED_FROM = 0.2  # value of the mask at the edge of the Poisson problem
_BROW_PX, _LIP_SIGMA_PX = 7, 1.5  # at a face of some 250 pixels
# Weights and constants of the BlazeFace detector and the attention mesh in the landmarker's bundle.
_LANDMARKER_PARAMETERS = 101_390 + 1_199_316

_log = logging.getLogger(__name__)


class FaceSwap:
    """Warps the source's face onto the target by a 478-point mesh, matches tone and light, and blends.

    After the FaceSwap baseline of FaceForensics++ (Rössler et al., ICCV 2019, section 3; M. Kowalski's program): fit
    a mesh, draw the source's texture, correct colours, blend.

    Args:
        card: the card it is loaded under.
        landmarker: gives ``landmarks`` ``(478, 3)`` in pixels of its crop, NaN where it sees no face.
        mesh: the topology of those landmarks.
    """

    def __init__(self, card: SwapperCard, landmarker: Expert, mesh: Mesh) -> None:
        self._card = card
        self._landmarker = landmarker
        self._mesh = mesh
        self._regions = Regions.of(mesh)

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; rows without a swap hold the target and an empty mask."""
        import torch

        sources, targets = _pictures(source), _pictures(target)
        masks = np.zeros((*targets.shape[:3], 1), dtype=np.float32)
        images = targets.copy()
        status = []
        for row, (giver, taker) in enumerate(zip(sources, targets, strict=True)):
            try:
                done, images[row], masks[row, ..., 0] = self._swap_one(giver, taker)
            except Exception:
                # One strange face must not end a run: the row counts as failed, the log says why.
                _log.warning("faceswap: row %d failed", row, exc_info=True)
                done, images[row], masks[row] = Status.FAILED, taker, 0.0
            status.append(done)
        return Swap(
            image=torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).to(target.device),
            mask=torch.from_numpy(np.ascontiguousarray(masks.transpose(0, 3, 1, 2))).to(target.device),
            status=tuple(status),
        )

    def cost(self) -> Cost:
        """Nothing is trained; frozen are the landmarker's detector and mesh network, the rest is geometry."""
        return Cost(params_trainable=0, params_frozen=_LANDMARKER_PARAMETERS, macs=None)

    def _swap_one(self, source: Floats32, target: Floats32) -> tuple[Status, Floats32, Floats32]:
        """``(H, W, 3)`` pictures -> status, image ``(H, W, 3)``, mask ``(H, W)``."""
        nothing = np.zeros(target.shape[:2], dtype=np.float32)
        source_landmarks = self._landmarks(source)
        if source_landmarks is None:
            return Status.NO_FACE_SOURCE, target, nothing
        target_landmarks = self._landmarks(target)
        if target_landmarks is None:
            return Status.NO_FACE_TARGET, target, nothing
        # All that follows happens in a window around the face.
        place = carry(source_landmarks, target_landmarks, self._regions)
        window, corner = _window(target_landmarks, target.shape[:2])
        image, mask = target.copy(), nothing
        image[window], mask[window] = swap_face(
            source,
            source_landmarks,
            np.ascontiguousarray(target[window]),
            target_landmarks - corner,
            place - corner,
            self._mesh,
            self._regions,
        )
        return Status.OK, image, mask

    def _landmarks(self, picture: Floats32) -> Floats64 | None:
        """``(S, S, 3)`` aligned crop -> ``(478, 3)`` in its pixels, or ``None`` without a face."""
        import cv2

        side = picture.shape[0]
        left, top, span = (round(share * side) for share in (_VIEW_LEFT, _VIEW_TOP, _VIEW_SIDE))
        size = self._landmarker.card.crop.size
        view = cv2.resize(picture[top : top + span, left : left + span], (size, size), interpolation=cv2.INTER_AREA)
        crops: Floats32 = np.clip(view, 0.0, 1.0).astype(np.float32).transpose(2, 0, 1)[None]
        seen = self._landmarker.observe(crops)["landmarks"][0].astype(np.float64)
        if not np.isfinite(seen).all():
            return None
        scale = span / size
        # The centre of the first pixel is at (0, 0) before and after the resize, which keeps the outer edges.
        landmarks: Floats64 = seen * scale + (left + (scale - 1) / 2, top + (scale - 1) / 2, 0.0)
        return landmarks


def swap_face(
    source: Floats32,
    source_landmarks: Floats64,
    target: Floats32,
    target_landmarks: Floats64,
    place: Floats64,
    mesh: Mesh,
    regions: Regions,
) -> tuple[Floats32, Floats32]:
    """Draw, colour and blend one face.

    Args:
        source: ``(Hs, Ws, 3)`` RGB in ``[0, 1]``.
        source_landmarks: ``(478, 3)`` pixels of the source.
        target: ``(H, W, 3)`` RGB in ``[0, 1]``.
        target_landmarks: ``(478, 3)`` pixels of the target.
        place: ``(478, 3)`` pixels of the target where the vertices come.
        mesh: the triangles.
        regions: of the mesh.

    Returns:
        The swapped picture ``(H, W, 3)`` in ``[0, 1]`` and its mask ``(H, W)`` in ``[0, 1]``.

    Raises:
        ValueError: too little of the face is in the picture, or free of hair, to be blended.
    """
    import cv2

    drawn = draw(source, source_landmarks, target, target_landmarks, place, mesh, regions)
    size = float(np.sqrt(drawn.covered.sum()))
    lab, target_lab = to_lab(drawn.face), to_lab(target)

    hair = _hair(lab, target_lab, drawn, (target_landmarks, place))
    x, y = place[_BRIDGE, :2]
    free = (soft_edge(drawn.covered, _INSET * size, 1.0) > 0) & within(hair, (float(x), float(y)))
    mask = soft_edge(free, 0.0, _FEATHER * size)

    # Teeth and tongue belong to the expression: the target's own are kept, moved with the lips.
    opening = _polygons([place[list(INNER_LIPS)]], target.shape[:2])
    skin = free & (opening == 0)
    lab = relight(transfer(lab, target_lab, skin), target_lab, skin, size)
    face = to_rgb(lab)
    keep = cv2.GaussianBlur(opening, (0, 0), _LIP_SIGMA_PX)[..., None]
    face = keep * drawn.original + (1 - keep) * face

    image = np.where(free[..., None], face, target)
    blended = poisson(image, target, mask > _CLONED_FROM)
    return np.where(mask[..., None] > 0, blended, target), mask


def _hair(lab: Floats32, target_lab: Floats32, drawn: Drawn, brows_at: tuple[Floats64, ...]) -> Bools:
    """Where the source or the target has hair in its face; brows, wherever they are, are none."""
    import cv2

    brows = _polygons([at[list(brow)] for at in brows_at for brow in BROWS], drawn.covered.shape, hull=True)
    elsewhere = 1 - cv2.dilate(brows, np.ones((_BROW_PX, _BROW_PX), dtype=np.uint8))
    unlike = np.maximum(unlike_skin(lab, drawn.skin), unlike_skin(target_lab, drawn.skin))
    return is_hair((unlike * drawn.hairline * elsewhere).astype(np.float32))


def _polygons(outlines: list[Floats64], shape: tuple[int, ...], hull: bool = False) -> Floats32:
    """Filled outlines, each ``(N, ≥2)``, as a picture of zeros and ones; on request their convex hulls."""
    import cv2

    picture = np.zeros(shape, dtype=np.float32)
    for outline in outlines:
        points = np.rint(outline[:, :2] * 16).astype(np.int32)
        cv2.fillPoly(picture, [cv2.convexHull(points) if hull else points], 1.0, shift=4)
    return picture


def _window(landmarks: Floats64, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], Floats64]:
    """Rows and columns around a face, and the corner to take off its coordinates."""
    height, width = shape
    left, top = np.floor(landmarks[:, :2].min(axis=0)).astype(int) - _MARGIN_PX
    right, bottom = np.ceil(landmarks[:, :2].max(axis=0)).astype(int) + _MARGIN_PX
    left, top = max(int(left), 0), max(int(top), 0)
    rows, columns = slice(top, min(int(bottom), height)), slice(left, min(int(right), width))
    return (rows, columns), np.array([left, top, 0.0])


def _pictures(crops: Tensor) -> Floats32:
    """``(B, 3, H, W)`` tensor on any device -> ``(B, H, W, 3)`` array."""
    array = crops.detach().float().cpu().numpy()
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1))
