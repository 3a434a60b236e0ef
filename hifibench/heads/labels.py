"""What the pixels of a rendered head can be."""

from __future__ import annotations

LABELS = (
    "background",
    "skin",
    "brow",
    "eye",
    "nose",
    "mouth",
    "inner mouth",
    "ear",
    "neck",
    "hair",
    "cloth",
    "occluder",
)
"""A label is a place in this list; ``mouth`` are the lips, ``eye`` is the eyeball's visible part."""

BACKGROUND, SKIN, BROW, EYE, NOSE, MOUTH, INNER, EAR, NECK, HAIR, CLOTH, OCCLUDER = range(len(LABELS))

FACE = (SKIN, BROW, EYE, NOSE, MOUTH, INNER)
"""Labels that count as face: not hair, ears or neck."""
