"""Finds plugins by entry point, lazily, and says "did you mean" when a name is unknown.

What is in the tree is registered in ``pyproject.toml`` just as a third party's package would do it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar, cast

from hifibench.contracts import ExpertPlugin, MethodKind, Metric, Split, SwapperPlugin
from hifibench.errors import MissingError, UsageError

T = TypeVar("T")

_NAME = re.compile(r"^(?P<name>[\w-]+)(?:\[(?P<words>[^\[\]]*)\])?$")


def did_you_mean(name: str, known: list[str]) -> str:
    """`` Did you mean 'x'?`` for the nearest known name, else all known names."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if known else " None is installed: run 'python -m pip install -e .' again."


@cache
def _points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group, read once for each ``sys.path``: every installed package is looked into."""
    del path
    return tuple(entry_points(group=group))


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The plugins of one entry-point group.

    Attributes:
        group: the entry-point group.
        noun: what one entry is called in messages.
        kind: the type an entry must load to; ``None`` where any callable will do.
    """

    group: str
    noun: str
    kind: type | None = None
    _added: dict[str, T] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All names, sorted; loads nothing."""
        return sorted({point.name for point in _points(self.group, tuple(sys.path))} | set(self._added))

    def add(self, name: str, plugin: T) -> None:
        """Offer an entry in this process that no package registers, such as weights of the user's own.

        Raises:
            UsageError: the name is taken, or no name for a folder.
        """
        if name in self.names():
            raise UsageError(f"There is a {self.noun} {name!r} already; choose another name.")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise UsageError(f"{name!r} cannot name a {self.noun}: use letters, digits, '.', '_' and '-'.")
        self._added[name] = plugin

    @contextmanager
    def standing_in(self, plugins: Mapping[str, T]) -> Iterator[None]:
        """Let other entries answer to names that may be taken, within the block."""
        before = dict(self._added)
        self._added.update(plugins)
        try:
            yield
        finally:
            self._added.clear()
            self._added.update(before)

    def _point(self, name: str) -> EntryPoint:
        # A package may be found twice (installed, and in the working folder): then both say the same.
        points = _points(self.group, tuple(sys.path))
        found = {point.value: point for point in points if point.name == name}
        if not found:
            raise UsageError(f"Unknown {self.noun} {name!r}.{did_you_mean(name, self.names())}")
        if len(found) > 1:
            raise UsageError(
                f"Two installed packages offer the {self.noun} {name!r}: {' and '.join(sorted(found))}. "
                "Uninstall one of them."
            )
        return next(iter(found.values()))

    def get(self, name: str) -> T:
        """Load one entry.

        Raises:
            UsageError: no such name, two packages offer it, or the entry is not what the group holds.
            MissingError: the module behind it cannot be imported.
        """
        if name in self._added:
            return self._added[name]
        point = self._point(name)
        try:
            plugin = point.load()
        except Exception as error:  # a module of somebody else's may raise anything while it is imported
            raise MissingError(
                f"The {self.noun} {name!r} ({point.value}) cannot be imported: {type(error).__name__}: {error}. "
                "Install what its package asks for, or uninstall the package."
            ) from error
        if self.kind is not None and not isinstance(plugin, self.kind):
            raise UsageError(
                f"The {self.noun} {name!r} ({point.value}) is a {type(plugin).__name__}; "
                f"the group {self.group} holds {self.kind.__name__} objects."
            )
        if isinstance(plugin, SwapperPlugin | ExpertPlugin) and plugin.card.name != name:
            raise UsageError(
                f"The {self.noun} {name!r} ({point.value}) calls itself {plugin.card.name!r} on its card; "
                "its package must register it under that name."
            )
        return cast(T, plugin)


swappers: Registry[SwapperPlugin] = Registry("hifibench.swappers", "method", SwapperPlugin)
experts: Registry[ExpertPlugin] = Registry("hifibench.experts", "expert", ExpertPlugin)
metrics: Registry[object] = Registry("hifibench.metrics", "metric")
splits: Registry[object] = Registry("hifibench.splits", "split")
kinds: Registry[MethodKind] = Registry("hifibench.kinds", "kind of method", MethodKind)
suites: Registry[Path] = Registry("hifibench.suites", "suite", Path)


@cache
def metric(name: str) -> Metric:
    """The metric of a printed name such as ``id_retrieval[edgeface,sources,top1]``.

    Raises:
        UsageError: the name is malformed, unknown, or its words do not suit the metric.
    """
    return _made(metrics, name, Metric, "pose[mediapipe]")


@cache
def split(name: str) -> Split:
    """The split of a printed name such as ``yaw[mediapipe]``.

    Raises:
        UsageError: the name is malformed, unknown, or its words do not suit the split.
    """
    return _made(splits, name, Split, "yaw[mediapipe]")


def seen_through(needs: Iterable[str]) -> tuple[str, ...]:
    """Experts, and before each those whose view it is handed; every name once.

    Raises:
        UsageError: there is no such expert.
    """
    return tuple(dict.fromkeys(name for need in needs for name in (*experts.get(need).card.needs, need)))


def _made(registry: Registry[object], name: str, kind: type[T], example: str) -> T:
    """What the factory registered under the name before the brackets makes of the words between them."""
    match = _NAME.match(name)
    noun = registry.noun
    if match is None:
        raise UsageError(f"{name!r} is no {noun} name; expected the form {example!r} or 'name[word,word]'.")
    factory = registry.get(match["name"])
    words = [word.strip() for word in (match["words"] or "").split(",") if word.strip()]
    if not callable(factory):
        raise UsageError(f"The {noun} {match['name']!r} is no function that makes a {noun}.")
    try:
        made = factory(*words)
    except TypeError as error:
        raise UsageError(f"The {noun} {name!r} cannot be made: {error}.") from error
    if not isinstance(made, kind):
        raise UsageError(f"The {noun} {name!r} makes a {type(made).__name__}, expected a {kind.__name__}.")
    return made
