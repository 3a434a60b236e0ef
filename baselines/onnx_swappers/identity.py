"""What stands for the source's identity: its crop, or an embedding turned into what the swapper was trained with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from baselines.onnx_swappers import fit
from baselines.onnx_swappers.files import Files
from baselines.onnx_swappers.pixels import encode
from baselines.onnx_swappers.table import EMBEDDED, Row
from hifibench import assets
from hifibench.errors import UsageError
from hifibench.experts import embedding_map
from hifibench.experts.onnx import run_rows
from hifibench.onnx_session import session
from hifibench.records import Floats


class Identity(NamedTuple):
    """How a source becomes an input.

    Attributes:
        of: crop ``(3, S, S)`` RGB in [0, 1] to ``(1, *shape)`` float32.
        shape: without the batch.
        networks: files of the networks that take part.
    """

    of: Callable[[Floats], Floats]
    shape: tuple[int, ...]
    networks: tuple[Path, ...] = ()


def identity(row: Row, files: Files, device: str) -> Identity:
    """The identity input of a row, its networks opened.

    Raises:
        MissingError: the embedded recogniser cannot be fetched.
        UsageError: a network is no recogniser, no converter, or does not fit the others.
    """
    if row.identity == "crop":
        side = row.source.size
        return Identity(lambda crop: encode(crop, row.source)[None], (3, side, side))
    file = files.recogniser or assets.path(EMBEDDED)
    recogniser = session(file, device)
    length = fit.check_recogniser(recogniser, row.source.size, file)
    if row.converter != "none" and length != embedding_map.FEATURES:
        raise UsageError(
            f"{file} gives embeddings of {length} numbers; the converter {row.converter!r} takes "
            f"{embedding_map.FEATURES}. Give the recogniser that it was made for, or converter = 'none'."
        )
    convert = _conversion(row, files)

    def of(crop: Floats) -> Floats:
        return convert(run_rows(recogniser, encode(crop, row.source)[None]))

    return Identity(of, (length,), tuple(one for one in (file, files.converter) if one is not None))


def _conversion(row: Row, files: Files) -> Callable[[Floats], Floats]:
    """``(1, K)`` embeddings as the recogniser gives them, to what the swapper takes."""
    if row.converter == "emap":
        matrix = embedding_map.emap(files.swapper)
        return lambda embeddings: embedding_map.through_emap(embeddings, matrix)
    if files.converter is not None:
        network = embedding_map.converter(files.converter)
        return lambda embeddings: embedding_map.convert(embeddings, network, row.unit)
    return embedding_map.unit if row.unit else lambda embeddings: embeddings
