"""Swapping the face of one person through a whole video."""
