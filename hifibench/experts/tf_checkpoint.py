"""Checkpoints of TensorFlow 1: a table of named arrays, read without building or running a graph.

TensorFlow is needed to read one, and nowhere else.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hifibench.errors import MissingError, UsageError, first_line
from hifibench.records import Floats

_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
# What training keeps beside the weights: the state of optimisers, counters, and the other network of a game.
_OF_TRAINING = re.compile(
    r"(^|/)(Adam|Momentum|RMSProp|Adagrad|Adadelta|Ftrl|ExponentialMovingAverage)(_\d+)?$"
    r"|(^|/)(beta[12]_power(_\d+)?|global_step|global_step/.*)$"
    r"|^D/|(^|/)discriminator[^/]*/",
    re.IGNORECASE,
)


class TfCheckpoint(NamedTuple):
    """An opened checkpoint.

    Attributes:
        prefix: path without the endings of its files.
        shapes: variable -> shape, of all but what training keeps beside the weights.
        reader: TensorFlow's.
    """

    prefix: Path
    shapes: Mapping[str, tuple[int, ...]]
    reader: Any

    def read(self, name: str) -> Floats:
        """One variable in float32.

        Raises:
            UsageError: its file is damaged, or it holds no numbers.
        """
        try:
            return np.asarray(self.reader.get_tensor(name)).astype(np.float32)
        except Exception as error:  # TensorFlow raises what its parts raise: no common base class but this
            raise UsageError(
                f"{name} cannot be read from the checkpoint {self.prefix} ({first_line(error)}). Get its files again."
            ) from error


def read(checkpoint: Path) -> TfCheckpoint:
    """Open a checkpoint.

    Args:
        checkpoint: its prefix, such as ``ring_6_68641``, or any one of its files.

    Raises:
        MissingError: TensorFlow is not installed, or there are no such files.
        UsageError: they are damaged.
    """
    prefix = checkpoint.with_name(_PART.sub("", checkpoint.name))
    index = prefix.with_name(f"{prefix.name}.index")
    if not index.is_file() or not _shards(prefix):
        raise MissingError(
            f"There is no checkpoint {prefix}: expected {index.name} and {prefix.name}.data-00000-of-00001 in "
            f"{prefix.parent}. Give the path that its files have in common."
        )
    try:
        tensorflow: Any = importlib.import_module("tensorflow")
    except ImportError as error:
        raise MissingError(
            f"A checkpoint of TensorFlow is read by TensorFlow, which cannot be imported: {error}. Install it with "
            "'python -m pip install tensorflow-cpu'; once the checkpoint is converted, it is not needed any more."
        ) from error
    try:
        reader = tensorflow.train.load_checkpoint(str(prefix))
        shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    except Exception as error:  # as above
        raise UsageError(
            f"{prefix} is no whole checkpoint of TensorFlow ({first_line(error)}). Get its files again."
        ) from error
    kept = {name: shapes[name] for name in sorted(shapes) if not _OF_TRAINING.search(name)}
    return TfCheckpoint(prefix, kept, reader)


def sha256(prefix: Path) -> str:
    """SHA-256 over the files of a checkpoint that hold its numbers, one after another; hexadecimal."""
    total = hashlib.sha256()
    for shard in _shards(prefix):
        with shard.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()


def _shards(prefix: Path) -> list[Path]:
    folder = prefix.parent
    names = re.compile(re.escape(prefix.name) + r"\.data-\d{5}-of-\d{5}")
    return sorted(file for file in folder.iterdir() if names.fullmatch(file.name)) if folder.is_dir() else []
