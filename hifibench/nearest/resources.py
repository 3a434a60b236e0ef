"""What a machine gives to large work: how much memory, and which device. No answer depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

from hifibench.errors import UsageError

Finder = Literal["auto", "numpy", "torch", "faiss"]


@dataclass(frozen=True)
class Resources:
    """What a search may use.

    Attributes:
        memory_mib: MiB that it may take beside what it was given and what it returns; on a GPU, there as well.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        products: what forms them; ``auto``: torch on a CUDA device, else NumPy. torch is imported for these alone.

    Raises:
        UsageError: a bound that is not positive, or an unknown word.
    """

    memory_mib: float = 512.0
    device: str = "cpu"
    products: Finder = "auto"

    def __post_init__(self) -> None:
        if not self.memory_mib > 0:
            raise UsageError(f"memory of {self.memory_mib} MiB: expected a number above 0, such as 512.")
        if self.products not in get_args(Finder):
            raise UsageError(f"products by {self.products!r}: expected one of {', '.join(get_args(Finder))}.")

    @property
    def finder(self) -> Finder:
        """What forms the products, ``auto`` decided."""
        if self.products != "auto":
            return self.products
        return "torch" if self.device.startswith("cuda") else "numpy"


_current: ContextVar[Resources] = ContextVar("hifibench_resources", default=Resources())  # noqa: B039 (it is frozen)


def current() -> Resources:
    """What holds here: that of the innermost `using`, else the defaults."""
    return _current.get()


@contextmanager
def using(resources: Resources) -> Iterator[None]:
    """Let searches within use these, as `numpy.errstate` does for errors; other threads are left alone.

    Example:
        >>> with using(Resources(memory_mib=64)):
        ...     current().memory_mib
        64
    """
    token = _current.set(resources)
    try:
        yield
    finally:
        _current.reset(token)
