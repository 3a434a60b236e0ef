"""What is known of a rendered head by its making: no network looks at anything.

Source of the facts: `hifibench.data.heads.facts`.
"""

from __future__ import annotations

from typing import NoReturn

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.errors import UsageError
from hifibench.records import EXACT

CARD = ExpertCard(
    name=EXACT,
    summary="facts of a rendered head: pose, gaze, landmarks, geometry, expression, light, skin, occlusion",
    role="facts",
    crop=Crop("frame"),
    outputs={
        "pose_deg": "(3,) yaw, pitch, roll in degrees",
        "gaze_deg": "(2,) yaw, pitch of the eyes in degrees, relative to the head",
        "landmarks": "(68, 2) pixels of the frame, iBUG order",
        "landmarks3d": "(68, 3) the same points in mm, head frame (x image right, y up, z to the viewer), no pose",
        "visible": "(68,) 1 where the landmark can be seen in the frame, 0 where something hides it",
        "vertices": "(k, 3) mm, head frame: the face's vertices with identity and expression, no pose",
        "shape": "(3 k,) the same vertices without expression, x, y, z each",
        "identity": "(d,) coefficients of the head model in standard deviations",
        "expression": "(52,) ARKit's blendshape weights, 0..1",
        "light": "(27,) second-order spherical harmonics, nine each of red, green, blue",
        "skin_rgb": "(3,) albedo of the skin, 0..1",
        "occlusion": "(1,) share of the face's pixels that an occluder hides, 0..1",
    },
    licence="Apache-2.0; the head model's data CC0-1.0",
    limits="Exact for the rendered head, which is a model of people: its landmarks lie where its mesh says, and no "
    "annotator would put all of them there.",
)
"""Only what is small: maps (parsing, depth) are handed to the experts that compare, and are not stored."""


def _load(device: str) -> NoReturn:
    raise UsageError(
        f"{EXACT!r} is no network and cannot be loaded on {device!r}: its facts come with the images, from "
        "hifibench.data.heads.facts, and stand in observations of sources, targets and true swaps only. Name an "
        "estimator such as mediapipe or 3ddfa to look at images."
    )


exact = ExpertPlugin(CARD, _load)
