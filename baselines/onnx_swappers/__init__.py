"""Face swappers that exist as ONNX files, driven by a table of what each takes and gives.

Well-known ones are methods as soon as their files lie in ``<cache>/methods/<method>/``; any other becomes one by a
table in a methods file (``kind = "onnx"``), which names a published row, or gives all fields of
`baselines.onnx_swappers.table.Row`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench import registry, user_files
from hifibench.contracts import MethodKind, Swapper, SwapperCard, SwapperPlugin
from hifibench.errors import MissingError, UsageError

if TYPE_CHECKING:
    from baselines.onnx_swappers.files import Files
    from baselines.onnx_swappers.table import Row

READY = {
    "inswapper_128": "inswapper-128",
    "simswap_256": "simswap-256-onnx",
    "ghost_1_256": "ghost-1-onnx",
    "ghost_2_256": "ghost-2-onnx",
    "ghost_3_256": "ghost-3-onnx",
    "blendswap_256": "blendswap-256",
    "hififace_unofficial_256": "hififace-unofficial-256",
}
"""Published rows that are methods without any methods file: row to method. Each is an attribute of this module."""


def ready(row: str) -> SwapperPlugin:
    """A published row as a method, its files in ``<cache>/methods/<method>/``."""
    name = READY[row]
    return make(name, {"row": row}, user_files.place(name))


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """A table of a methods file as a method: `hifibench.contracts.MethodKind.make`."""
    from baselines.onnx_swappers.files import place
    from baselines.onnx_swappers.table import row_of

    row = row_of(table, f"The ONNX method {name}")
    for expert in row.trained_with:
        if expert not in registry.experts.names():
            hint = registry.did_you_mean(expert, registry.experts.names())
            raise UsageError(f"The ONNX method {name}: trained_with names the unknown expert {expert!r}.{hint}")
    files = place(row, folder, table)
    card = _card(name, row, files)
    return SwapperPlugin(card, partial(_load, card, row, files))


def _card(name: str, row: Row, files: Files) -> SwapperCard:
    from baselines.onnx_swappers.files import fingerprint
    from baselines.onnx_swappers.table import EMBEDDED

    embedded = row.recogniser == EMBEDDED
    # A swapper that takes the embeddings of w600k-mbf has been trained with it.
    trained_with = dict.fromkeys((*row.trained_with, *(["w600k"] if embedded else [])))
    return SwapperCard(
        name=name,
        summary=row.summary or f"{files.swapper.name}, through ONNX Runtime",
        source=row.source.crop,
        target=row.target.crop,
        paper=row.paper,
        licence=row.licence,
        assets=(EMBEDDED,) if embedded else (),
        trained_with=tuple(trained_with),
        limits=row.limits,
        weights=fingerprint(row, files),
    )


def _load(card: SwapperCard, row: Row, files: Files, device: str) -> Swapper:
    from baselines.onnx_swappers.files import fingerprint, need

    need(files, card.name)
    if fingerprint(row, files) != card.weights:
        raise MissingError(f"The files of {card.name} have changed since this process began. Run the command again.")
    from baselines.onnx_swappers.swapper import open_swapper

    return open_swapper(card, row, files, device)


def __getattr__(name: str) -> SwapperPlugin:
    """The ready methods. Made when they are asked for: their cards hash files of up to a gigabyte."""
    if name in READY:
        return ready(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


kind = MethodKind("an ONNX file, driven by a row of templates, sizes, ranges and identity input", make)
