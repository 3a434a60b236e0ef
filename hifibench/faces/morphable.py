"""The 3D morphable face model: identity and expression as linear displacements of a mean shape.

    S(alpha, beta) = S_mean + B_id alpha + B_exp beta

(V. Blanz, T. Vetter, "A morphable model for the synthesis of 3D faces", SIGGRAPH 1999, eq. 1-2, with the expression
term of the HifiFace paper, eq. 1). The same type holds NumPy arrays for measuring and torch tensors for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.records import Floats
from hifibench.unpickle import load_arrays

if TYPE_CHECKING:
    from torch import Tensor

ArrayT = TypeVar("ArrayT", Floats, "Tensor")


@dataclass(frozen=True)
class MorphableModel(Generic[ArrayT]):
    """A linear face model with V vertices, I identity and E expression coefficients.

    Coordinates are the model's own length unit, x to the viewer's right, y up, z out of the face. Coefficients are in
    the units of their basis: what scale they have is up to the model.

    Attributes:
        name: which model, such as ``bfm-tddfa``.
        mean: ``(V, 3)`` float32.
        identity_basis: ``(V * 3, I)`` float32, rows in the order x, y, z of the first vertex and so on.
        expression_basis: ``(V * 3, E)`` float32.
        keypoints: ``(N,)`` indices of the vertices that are landmarks, in the landmarks' order.
    """

    name: str
    mean: ArrayT
    identity_basis: ArrayT
    expression_basis: ArrayT
    keypoints: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raises ``ValueError`` if the arrays do not belong together."""
        rows = 3 * len(self.mean)
        bases = {"identity_basis": self.identity_basis.shape, "expression_basis": self.expression_basis.shape}
        for field, shape in bases.items():
            if len(shape) != 2 or shape[0] != rows:
                raise ValueError(
                    f"{self.name}: {field} has shape {tuple(shape)}; {rows} rows, three a vertex, go with the mean."
                )

    def shape(self, alpha: ArrayT, beta: ArrayT) -> ArrayT:
        """S(alpha, beta) for identities ``alpha`` ``(B, I)`` and expressions ``beta`` ``(B, E)``: ``(B, V, 3)``."""
        moved = alpha @ self.identity_basis.T + beta @ self.expression_basis.T
        return self.mean + moved.reshape(len(alpha), -1, 3)

    def only(self, vertices: NDArray[np.int64]) -> MorphableModel[ArrayT]:
        """The model of some of its vertices, ``(K,)`` indices; ``keypoints`` that fall away are dropped."""
        rows = (3 * vertices[:, None] + np.arange(3)).ravel()
        place = {int(vertex): position for position, vertex in enumerate(vertices)}
        kept = [place[int(vertex)] for vertex in self.keypoints if int(vertex) in place]
        return MorphableModel(
            self.name,
            self.mean[vertices],
            self.identity_basis[rows],
            self.expression_basis[rows],
            np.array(kept, np.int64),
        )

    def only_keypoints(self) -> MorphableModel[ArrayT]:
        """The model of its N landmarks alone, in their order: all that a landmark loss needs."""
        return self.only(self.keypoints)

    def to_torch(self, device: str = "cpu") -> MorphableModel[Tensor]:
        """The same model in float32 tensors on ``device``."""
        import torch

        def tensor(array: Any) -> Tensor:
            return torch.as_tensor(array, dtype=torch.float32, device=device)

        return MorphableModel(
            self.name,
            tensor(self.mean),
            tensor(self.identity_basis),
            tensor(self.expression_basis),
            self.keypoints,
        )


def project(points: ArrayT, camera: ArrayT) -> ArrayT:
    """Scaled orthographic projection, V = s R S + t (3DDFA, X. Zhu et al., PAMI 2019, eq. 2), depth kept.

    Args:
        points: ``(B, N, 3)`` in the model's coordinates.
        camera: ``(B, 3, 4)``: s R beside t.

    Returns:
        ``(B, N, 3)`` in the camera's coordinates.
    """
    rotation, shift = camera[:, :, :3], camera[:, None, :, 3]
    return points @ rotation.swapaxes(1, 2) + shift


def load_tddfa() -> MorphableModel[Floats]:
    """The face model of 3DDFA_V2: Basel face without ears and neck.

    38,365 vertices in micrometres, 40 identity and 10 expression coefficients, 68 landmarks (iBUG order). Its
    coefficients are small pseudo-units times the basis: `hifibench.experts.reconstruction` knows their spread.

    Source: J. Guo et al., "Towards fast, accurate and stable 3D dense face alignment", ECCV 2020; P. Paysan et al.,
    "A 3D face model for pose and illumination invariant face recognition", AVSS 2009.
    """
    arrays = load_arrays(assets.path("tddfa-bfm"))
    return MorphableModel(
        name="bfm-tddfa",
        mean=np.ascontiguousarray(arrays["u"].reshape(-1, 3), np.float32),
        identity_basis=np.ascontiguousarray(arrays["w_shp"], np.float32),
        expression_basis=np.ascontiguousarray(arrays["w_exp"], np.float32),
        # Stored as the rows of x, y and z of each landmark.
        keypoints=arrays["keypoints"].reshape(-1, 3)[:, 0].astype(np.int64) // 3,
    )
