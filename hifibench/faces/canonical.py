"""MediaPipe's canonical face: the rigid points of its mesh, and the head pose they give.

MediaPipe finds its own pose by imagining a camera whose 63 degrees of view are exactly the picture. Handed a crop, it
puts the face at arm's length, takes part of a turn for perspective and reads the less of it the tighter the crop. Here
the camera is far away: the same points, the same weights, but a similarity transform (weighted orthogonal Procrustes
analysis; Umeyama, PAMI 1991, eq. 40-43), which knows nothing of the crop.

Source of the points and weights: the geometry metadata inside MediaPipe's face landmarker (Apache-2.0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Mesh index, the index on the other half of the face, weight, and x, y, z in centimetres (x to the viewer's right, y up,
# z out of the face) of the point on the viewer's right. The first rows lie on the midline.
_RIGID: tuple[tuple[int, int, float, float, float, float], ...] = (
    (4, 4, 0.070910, 0.0, -0.463170, 7.586580),
    (6, 6, 0.032100, 0.0, 2.473255, 5.788627),
    (10, 10, 0.008447, 0.0, 8.261778, 4.481535),
)
