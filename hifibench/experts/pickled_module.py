"""Files that hold a whole pickled module: its tensors and settings, read without running any code.

PyTorch has two formats. Since 1.6 it writes zip archives, which its own restricted unpickler reads. Before, it wrote
pickles one after another, with the source text of every class among them; for modules in those its restricted unpickler
gives up, so they are read here. In both the classes that a file names are replaced by stand-ins that have attributes
and nothing that could be called.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from hifibench.errors import MissingError, UsageError
from hifibench.experts import checkpoint

SETTINGS = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "ceil_mode", "eps")
"""What changes the result of a module and leaves its weights alone."""

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""With these two numbers the older format begins."""


class StandIn:
    """What an instance of a class of the file becomes: its attributes.

    Attributes:
        original: full name of the class that it stands for.
    """

    original = ""


class _Ignored(StandIn):
    """The result of a call in the file that nobody looks at."""

    def __init__(self, *values: object) -> None:
        """Takes whatever the call takes, and forgets it."""

    def __setstate__(self, state: object) -> None:
        """Forgets the state too."""


def stand_ins(names: Iterable[str]) -> tuple[type[StandIn], ...]:
    """Stand-ins for the classes of these full names."""
    return tuple(type(name.rpartition(".")[2], (StandIn,), {"original": name}) for name in names)


def ignored(names: Iterable[str]) -> tuple[type[StandIn], ...]:
    """Stand-ins for functions and classes of these full names that files call for values nobody needs."""
    return tuple(type(name.rpartition(".")[2], (_Ignored,), {"original": name}) for name in names)


def read(file: Path, wanted: str, admitted: Sequence[type[StandIn]]) -> Any:
    """Read what ``torch.save`` wrote, in either format.

    Args:
        file: of tensors, plain containers and instances of the admitted classes.
        wanted: what the file should be, for messages.
        admitted: stand-ins for all other classes that the file may name.

    Returns:
        What was saved, on the CPU; instances of classes as `StandIn`.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, or asks for anything else (the message says what).
    """
    if not file.is_file():
        raise MissingError(f"There is no checkpoint {file}. Give {wanted}.")
    if zipfile.is_zipfile(file):
        return checkpoint.read(file, wanted, admitted)
    try:
        with file.open("rb") as stream:
            return _read_older(stream, {one.original: one for one in admitted}, file.stat().st_size)
    except _RefusedError as asked:
        raise UsageError(
            f"{file} asks for {asked}; expected {wanted}. It was not opened, since such a file can run any code."
        ) from None
    except Exception as error:  # unpickling raises whatever its parts raise: no common base class but this
        raise UsageError(
            f"{file} is no whole PyTorch checkpoint ({type(error).__name__}: {error}). Give {wanted}."
        ) from error


def modules(root: StandIn) -> dict[str, StandIn]:
    """All modules by path, the root under the empty one; one that lies in several places under the first of them."""
    found: dict[str, StandIn] = {}
    pending, seen = [("", root)], {id(root)}
    while pending:
        path, module = pending.pop()
        found[path] = module
        for name, child in _parts(module, "_modules").items():
            if isinstance(child, StandIn) and id(child) not in seen:
                seen.add(id(child))
                pending.append((f"{path}.{name}" if path else str(name), child))
    return found


def tensors(root: StandIn) -> dict[str, Tensor]:
    """Parameters and buffers by name, as the state dict of the original gives them."""
    return {
        f"{path}.{name}" if path else str(name): value
        for path, module in modules(root).items()
        for kind in ("_parameters", "_buffers")
        for name, value in _parts(module, kind).items()
        if isinstance(value, Tensor)
    }


def differences(held: Mapping[str, StandIn], network: nn.Module) -> list[str]:
    """Which `SETTINGS` the modules of a file have otherwise than those of the same path in a network, in words."""
    return [
        f"{path} has {setting} {vars(held[path])[setting]!r}, expected {getattr(module, setting)!r}"
        for path, module in network.named_modules()
        if path in held
        for setting in SETTINGS
        if setting in vars(held[path])
        and hasattr(module, setting)
        and repr(vars(held[path])[setting]) != repr(getattr(module, setting))
    ]


def _parts(module: StandIn, kind: str) -> dict[Any, Any]:
    parts = vars(module).get(kind)
    return dict(parts) if isinstance(parts, Mapping) else {}


class _RefusedError(Exception):
    """The file asks for the class or function of this name."""


class _Kind:
    """A class of storages, as the file names it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


def _tensor(storage: Tensor, offset: int, size: Sequence[int], stride: Sequence[int], *_: object) -> Tensor:
    """A view of a storage; raises ``RuntimeError`` where it would reach beyond it."""
    return storage.as_strided(tuple(size), tuple(stride), storage.storage_offset() + offset)


def _parameter(data: Tensor, *_: object) -> Tensor:
    return data


_ADMITTED: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.FloatStorage": _Kind(torch.float32),
    "torch.DoubleStorage": _Kind(torch.float64),
    "torch.HalfStorage": _Kind(torch.float16),
    "torch.LongStorage": _Kind(torch.int64),
    "torch.IntStorage": _Kind(torch.int32),
    "torch.BoolStorage": _Kind(torch.bool),
    **{f"torch.cuda.{kind}Storage": _Kind(dtype) for kind, dtype in (("Float", torch.float32), ("Long", torch.int64))},
}
"""All that a file of the older format may name besides its own classes; nothing else is ever called."""


class _Reader(pickle.Unpickler):
    """Unpickles tensors, containers and stand-ins; the storages get their values later.

    Args:
        stream: at the beginning of a pickle.
        admitted: full name -> what stands for it.
        longest: bytes that all storages together can have.
    """

    def __init__(self, stream: BinaryIO, admitted: Mapping[str, Any], longest: int) -> None:
        super().__init__(stream)
        self._admitted, self._left = admitted, longest
        self.storages: dict[Any, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the object of that name."""
        full = f"{module.replace('__builtin__', 'builtins')}.{name}"
        if full not in self._admitted:
            raise _RefusedError(full)
        return self._admitted[full]

    def persistent_load(self, saved: Any) -> Any:
        """A class with its source text, which is not looked at, or a storage."""
        if saved[0] == "module":
            return saved[1]
        _, kind, key, _, count, view = saved
        if key not in self.storages:
            self._left -= count * kind.dtype.itemsize
            if count < 0 or self._left < 0:
                raise pickle.UnpicklingError("the tensors are larger than the file")
            self.storages[key] = torch.empty(count, dtype=kind.dtype)
        return self.storages[key] if view is None else self.storages[key][view[1] : view[1] + view[2]]


def _read_older(stream: BinaryIO, classes: Mapping[str, type], longest: int) -> Any:
    """Numbers, a description of the machine, the object, the names of its storages, and their values one by one."""
    if (magic := _Reader(stream, {}, 0).load()) != _MAGIC:
        raise pickle.UnpicklingError(f"it begins with {magic!r}")
    protocol, machine = _Reader(stream, {}, 0).load(), _Reader(stream, {}, 0).load()
    if protocol != _PROTOCOL or not machine.get("little_endian"):
        raise pickle.UnpicklingError(f"protocol {protocol!r} on {machine!r} is not known")
    reader = _Reader(stream, {**_ADMITTED, **classes}, longest)
    saved = reader.load()
    for key in _Reader(stream, {}, 0).load():
        storage = reader.storages.pop(key)
        count = int.from_bytes(stream.read(8), "little")
        values = stream.read(storage.nbytes)
        if count != len(storage) or len(values) != storage.nbytes:
            raise EOFError("the values of a tensor are cut off")
        if values:
            storage.view(torch.uint8).numpy()[:] = np.frombuffer(values, np.uint8)
    if reader.storages:
        raise EOFError("the values of a tensor are missing")
    return saved
