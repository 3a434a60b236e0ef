"""The shape of a face from MediaPipe's mesh, freed of pose and of most of the expression.

The mesh is moved into the frame of the canonical face and brought to its size (`hifibench.faces.canonical`), the mouth
and the eyes are left out, and the two halves of the face are averaged: a turned head is read with errors of opposite
sign on its two sides, and no side of a face is the person's more than the other. What remains is outline, nose, cheeks,
brows and forehead. An open jaw still moves the chin: no expression is subtracted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hifibench.faces.canonical import fit, in_head_frame

# Mesh indices of each point on the viewer's right and of its mirror image; points on the midline are their own. Left
# out: what lies within 1 cm of the outlines of the lips and 0.3 cm of those of the eyes, and the irises.
# fmt: off
_HALVES = (
    (248, 3), (250, 20), (251, 21), (252, 22), (253, 23), (254, 24), (257, 27), (258, 28), (259, 29),
    (260, 30), (261, 31), (262, 32), (264, 34), (265, 35), (266, 36), (274, 44), (275, 45), (276, 46),
    (277, 47), (278, 48), (279, 49), (280, 50), (281, 51), (282, 52), (283, 53), (284, 54), (285, 55),
    (286, 56), (288, 58), (289, 59), (290, 60), (293, 63), (294, 64), (295, 65), (296, 66), (297, 67),
    (298, 68), (299, 69), (300, 70), (301, 71), (305, 75), (309, 79), (323, 93), (326, 97), (327, 98),
    (328, 99), (329, 100), (330, 101), (331, 102), (332, 103), (333, 104), (334, 105), (336, 107),
    (337, 108), (338, 109), (339, 110), (340, 111), (342, 113), (343, 114), (344, 115), (345, 116),
    (346, 117), (347, 118), (348, 119), (349, 120), (350, 121), (351, 122), (352, 123), (353, 124),
    (354, 125), (355, 126), (356, 127), (357, 128), (358, 129), (360, 131), (361, 132), (363, 134),
    (364, 135), (365, 136), (366, 137), (367, 138), (368, 139), (369, 140), (370, 141), (371, 142),
    (372, 143), (376, 147), (377, 148), (378, 149), (379, 150), (383, 156), (389, 162), (392, 166),
    (394, 169), (395, 170), (396, 171), (397, 172), (399, 174), (400, 176), (401, 177), (411, 187),
    (412, 188), (413, 189), (416, 192), (417, 193), (418, 194), (419, 196), (420, 198), (421, 201),
    (422, 202), (423, 203), (424, 204), (425, 205), (426, 206), (427, 207), (428, 208), (429, 209),
    (430, 210), (431, 211), (432, 212), (433, 213), (434, 214), (435, 215), (436, 216), (437, 217),
    (438, 218), (439, 219), (440, 220), (441, 221), (442, 222), (443, 223), (444, 224), (445, 225),
    (446, 226), (447, 227), (448, 228), (449, 229), (450, 230), (451, 231), (452, 232), (453, 233),
    (454, 234), (455, 235), (456, 236), (457, 237), (458, 238), (459, 239), (460, 240), (461, 241),
    (462, 242), (464, 244), (465, 245), (467, 247), (1, 1), (2, 2), (4, 4), (5, 5), (6, 6), (8, 8), (9, 9),
    (10, 10), (19, 19), (94, 94), (151, 151), (152, 152), (168, 168), (175, 175), (195, 195), (197, 197),
    (199, 199), (200, 200),
)
# fmt: on
HALVES: NDArray[np.int64] = np.array(_HALVES)
"""``(171, 2)`` mesh indices: right, left."""


def shape_mm(landmarks: ArrayLike) -> NDArray[np.float64]:
    """The shape of a face.

    Args:
        landmarks: ``(478, 3)`` pixels of the image, y down, z smaller when nearer (as MediaPipe gives them).

    Returns:
        ``(171, 3)``: one half of the face in millimetres, as if the head had the canonical face's size; x away from
        the midline to the viewer's right, y up, z out of the face. Mirrored pictures give the same shape.

    Raises:
        ValueError: another shape, or coordinates that are not finite.
    """
    points = in_head_frame(landmarks, fit(landmarks))
    right, left = points[HALVES[:, 0]], points[HALVES[:, 1]] * (-1, 1, 1)
    half: NDArray[np.float64] = 10 * (right + left) / 2
    return half
