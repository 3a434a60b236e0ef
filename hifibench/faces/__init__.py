"""Faces in an image: detecting, aligning, cropping and pasting back."""
