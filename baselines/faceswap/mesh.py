"""The face mesh that source and target share: triangles, mirror twins and which vertices face the viewer.

MediaPipe's landmarker finds the same 468 vertices (and ten iris points) in every face. Its bundle carries the
canonical, expressionless head that they belong to, in ``geometry_pipeline_metadata_landmarks.binarypb``: a protocol
buffer (``mediapipe/tasks/cc/vision/face_geometry/proto``) whose first field is a ``Mesh3d`` with a vertex buffer of
(x, y, z, u, v) and an index buffer of triangles.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError

Floats64 = NDArray[np.float64]
Indices = NDArray[np.int64]

VERTICES = 468
IRIS_CENTRES = (468, 473)
"""Centres of the iris on the image's left and right, as the landmarker numbers them."""

_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_MESH, _VERTEX_BUFFER, _INDEX_BUFFER = 1, 3, 4  # field numbers in the protocol buffer
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types

# Rings around the openings of the mesh, in order around each opening.
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
)
"""Where the lids end and the opening of the eye begins; the eye on the image's left, the one on its right."""
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""Where the lips end and the opening of the mouth begins."""
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))


@dataclass(frozen=True)
class Mesh:
    """The topology of the face mesh.

    Attributes:
        canonical: ``(478, 3)`` float64 expressionless head in centimetres, x right, y up, z towards the viewer; it has
            no irises, their points lie at the middle of each eye.
        triangles: ``(T, 3)`` vertex indices; all wound alike; each eye is a fan around its iris centre, so that the
            gaze of one face can be laid onto the gaze of another. The opening of the mouth is covered too.
        mirror: ``(478,)`` for each vertex its twin on the other half of the face; an involution.
    """

    canonical: Floats64
    triangles: Indices
    mirror: Indices

    @classmethod
    def load(cls, bundle: Path) -> Mesh:
        """Read the mesh out of a face landmarker bundle.

        Args:
            bundle: the ``.task`` file, a zip archive.

        Raises:
            UsageError: the file is no such bundle.
        """
        try:
            with zipfile.ZipFile(bundle) as archive:
                message = archive.read(_MEMBER)
            mesh = next(value for field, value in _fields(message) if field == _MESH and isinstance(value, bytes))
            fields = list(_fields(mesh))
            vertices = np.array(
                [struct.unpack("<f", v)[0] for f, v in fields if f == _VERTEX_BUFFER and isinstance(v, bytes)]
            ).reshape(VERTICES, 5)
            triangles = np.array([v for f, v in fields if f == _INDEX_BUFFER], dtype=np.int64).reshape(-1, 3)
        except (zipfile.BadZipFile, KeyError, StopIteration, IndexError, ValueError, struct.error) as error:
            raise UsageError(
                f"{bundle} is no face landmarker bundle ({error}). Expected MediaPipe's face_landmarker.task, a zip "
                f"archive with {_MEMBER}; run 'hifibench assets verify'."
            ) from error
        head = vertices[:, :3]
        irises = [head[list(ring)].mean(axis=0) for ring in EYES for _ in range(5)]
        return cls(np.concatenate([head, irises]), _with_eye_fans(triangles), _twins(head))

    def facing(self, landmarks: Floats64) -> Floats64:
        """How squarely each vertex of an observed face looks at the viewer.

        Args:
            landmarks: ``(478, 3)`` in pixels, x right, y down, z away from the viewer, in the scale of x.

        Returns:
            ``(478,)`` cosine between the surface's normal and the viewing direction: 1 square on, 0 edge on,
            negative for a surface that is turned away.
        """
        corner = landmarks[self.triangles]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])  # length: twice the area
        at_vertex = np.zeros_like(landmarks)
        np.add.at(at_vertex, self.triangles, normal[:, None, :])
        length = np.linalg.norm(at_vertex, axis=1)
        cosine: Floats64 = -at_vertex[:, 2] / np.maximum(length, 1e-9)
        return cosine


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walk the fields of one protocol-buffer message: (number, varint or raw bytes)."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(message):
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            yield number, varint()
            continue
        if wire not in (_FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"wire type {wire} in a protocol buffer")
        size = varint() if wire == _BYTES else 8 if wire == _FIXED64 else 4
        if at + size > len(message):
            raise ValueError("a protocol buffer that ends early")
        yield number, message[at : at + size]
        at += size


def _with_eye_fans(triangles: Indices) -> Indices:
    """Replace the flat cover of each eye by a fan around the iris centre, wound as the rest is."""
    rest = triangles
    fans: list[tuple[int, int, int]] = []
    for ring, centre in zip(EYES, IRIS_CENTRES, strict=True):
        rest = rest[~np.isin(rest, ring).all(axis=1)]
        edges = {(int(t[i]), int(t[(i + 1) % 3])) for t in rest for i in range(3)}
        for a, b in zip(ring, (*ring[1:], ring[0]), strict=True):
            # A neighbour walks a shared edge in the opposite direction.
            fans.append((b, a, centre) if (a, b) in edges else (a, b, centre))
    return np.concatenate([rest, np.array(fans, dtype=np.int64)])


def _twins(canonical: Floats64) -> Indices:
    """For each vertex the one nearest to its mirror image; the canonical head is symmetric in x."""
    reflected = canonical * (-1.0, 1.0, 1.0)
    distance = np.linalg.norm(canonical[:, None] - reflected[None], axis=2)
    twin = distance.argmin(axis=1)
    left, right = IRIS_CENTRES
    iris = np.empty(10, dtype=np.int64)
    # Centre to centre; of the four points on the rim the two horizontal ones change places.
    for here, there in ((left, right), (right, left)):
        iris[here - VERTICES : here - VERTICES + 5] = there + np.array([0, 3, 2, 1, 4])
    return np.concatenate([twin, iris]).astype(np.int64)
