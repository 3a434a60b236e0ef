"""hifibench: a benchmark and evaluation harness for face swapping."""

__version__ = "0.1.0"
