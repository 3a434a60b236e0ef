"""Metrics: pure functions from observations to numbers, one file a metric."""
