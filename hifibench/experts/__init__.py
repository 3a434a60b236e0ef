"""Frozen networks that look at faces, one file a role."""
