"""The constants of an OpenVINO IR network, read without OpenVINO.

An IR network is two files: XML that describes the graph, and a BIN file that holds its constants one after the other.
A constant is a ``layer`` of type ``Const``, whose ``data`` element gives its type, its shape and where it lies:
https://docs.openvino.ai/2025/documentation/openvino-ir-format.html
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import UsageError

Array = NDArray[Any]

_TYPES: dict[str, np.dtype[Any]] = {
    "f16": np.dtype("<f2"),
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
    "i32": np.dtype("<i4"),
    "i64": np.dtype("<i8"),
}


def constants(xml: Path, weights: Path) -> dict[str, Array]:
    """All constants of a network in the order in which its XML file lists them.

    Args:
        xml: the graph.
        weights: the BIN file that belongs to it.

    Returns:
        Name -> array of the shape and type that the graph gives it, writable, with memory of its own.

    Raises:
        UsageError: the XML is malformed or declares a document type, two constants share a name, or a constant has an
            unknown type or does not lie in the BIN file as its shape demands.
    """
    data = weights.read_bytes()
    found: dict[str, Array] = {}
    for layer in _root(xml).iterfind("./layers/layer[@type='Const']"):
        name = layer.get("name", "")
        if name in found:
            raise UsageError(f"{xml} has two constants named {name!r}; it is not an IR file as OpenVINO writes them.")
        place = layer.find("data")
        found[name] = _constant(f"The constant {name!r} of {xml}", {} if place is None else place.attrib, data)
    return found


class _PlainTree(ElementTree.TreeBuilder):
    """Refuses document types, and with them entities that a few bytes let grow without bound."""

    def doctype(self, *_: object) -> NoReturn:
        raise UsageError("it declares a document type, which OpenVINO never writes")


def _root(xml: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(xml, ElementTree.XMLParser(target=_PlainTree())).getroot()
    except (ElementTree.ParseError, UsageError) as error:
        raise UsageError(f"{xml} is no OpenVINO IR file: {error}.") from error


def _constant(what: str, place: dict[str, str], data: bytes) -> Array:
    try:
        kind, shape = place["element_type"], tuple(int(n) for n in place["shape"].split(",") if n.strip())
        offset, size = int(place["offset"]), int(place["size"])
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{what} is described by {place}; expected element_type, shape, offset and size, the last three as numbers."
        ) from error
    if kind not in _TYPES:
        raise UsageError(f"{what} has the type {kind!r}; known are {', '.join(_TYPES)}.")
    count, dtype = math.prod(shape), _TYPES[kind]
    if min(shape, default=0) < 0 or size != count * dtype.itemsize:
        raise UsageError(f"{what} takes {size} bytes; expected {count * dtype.itemsize} for {kind} of shape {shape}.")
    if not 0 <= offset <= len(data) - size:
        raise UsageError(
            f"{what} takes {size} bytes from byte {offset} on, but the BIN file ends at byte {len(data)}. "
            "It is truncated or belongs to another XML file."
        )
    array: Array = np.frombuffer(data, dtype, count, offset).reshape(shape).copy()
    return array
