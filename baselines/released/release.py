"""A table of a methods file as a released method: its card, and what must be there before the first pair."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from baselines.released.finder import Finder
from baselines.released.published import RULES, Published
from baselines.released.rule import Rule
from hifibench import assets, registry
from hifibench.contracts import Crop, ReleasedSwapper, SwapperCard, SwapperPlugin
from hifibench.data import frame_tables
from hifibench.data.ffpp_layout import default_root
from hifibench.errors import MissingError, UsageError
from hifibench.registry import did_you_mean
from hifibench.tables import read
from hifibench.training import shipped


class Release(Rule):
    """A rule, where it holds, and what the card says.

    Attributes:
        root: folder of the release; other files of the table are relative to the methods file, as it is itself.
        summary, paper, licence, limits, trained_with: for the card (`hifibench.contracts.SwapperCard`).
    """

    root: str
    summary: str = ""
    paper: str = ""
    licence: str = "not stated"
    limits: str = ""
    trained_with: tuple[str, ...] = ()


def home(published: Published) -> Path:
    """Where a published release is looked for if no table says otherwise: FaceForensics++'s beside its originals."""
    return default_root() if published.home == "ffpp" else assets.cache_root() / "methods" / published.home


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """A table as a method: `hifibench.contracts.MethodKind.make`.

    Args:
        name: its row in the tables.
        table: all fields of a `Release`; or the name of a published one under ``rule``, and the fields that differ.
        folder: what paths in the table are relative to.

    Raises:
        UsageError: the table is wrong.
    """
    origin = f"The released method {name}"
    fields = dict(table)
    published = None
    if (rule := fields.pop("rule", None)) is not None:
        if not isinstance(rule, str) or rule not in RULES:
            raise UsageError(f"{origin}: rule = {rule!r} is no published rule.{did_you_mean(str(rule), [*RULES])}")
        published = RULES[rule]
        _complete(origin, rule, published, fields)
        known = dict(published.fields)
        if "{compression}" not in str(fields.get("path", "{compression}")):
            known.pop("compression", None)
        fields = {"root": str(home(published)), **known, **fields}
    release = read(Release, fields, origin)
    for expert in release.trained_with:
        if expert not in registry.experts.names():
            hint = did_you_mean(expert, registry.experts.names())
            raise UsageError(f"{origin}: trained_with names the unknown expert {expert!r}.{hint}")
    root = folder / Path(release.root).expanduser()
    card = SwapperCard(
        name=name,
        summary=release.summary or "released by its authors",
        source=Crop("frame"),
        target=Crop("frame"),
        paper=release.paper,
        licence=release.licence,
        trained_with=release.trained_with,
        limits=release.limits,
        weights=_fingerprint(release, root, folder),
    )
    return SwapperPlugin(card, partial(_load, card, release, root, folder, published))


def _complete(origin: str, rule: str, published: Published, fields: Mapping[str, Any]) -> None:
    missing = [key for key in published.lacks if key not in fields]
    if missing:
        raise UsageError(
            f"{origin}: rule = {rule!r} cannot say {' and '.join(missing)}, since that is not publicly described: add "
            f"{' and '.join(missing)} to the table."
        )
    given = fields.get("compression", published.fields.get("compression"))
    if published.compressions and "path" not in fields and given not in published.compressions:
        hint = did_you_mean(str(given), list(published.compressions))
        raise UsageError(f"{origin}: there is no compression {given!r} of {published.home}.{hint}")


def _load(
    card: SwapperCard, release: Release, root: Path, folder: Path, published: Published | None, device: str
) -> ReleasedSwapper:
    _need(card.name, release, root, published)
    frames = frame_tables.read(folder / release.table) if release.table else {}
    sources = frame_tables.read(folder / release.source_frames) if release.source_frames else {}
    return Finder(card, release, root, frames, sources)


def _need(method: str, release: Release, root: Path, published: Published | None) -> None:
    """Raise `MissingError` where the folder, or the part of it that the rule names, is not there."""
    if not root.is_dir():
        raise MissingError(
            f"The release of {method} is not there: no folder {root}. {get(published)}"
            if published
            else f"The release of {method} is not there: no folder {root}. Put it there, or name its folder as root."
        )
    wanted = root / release.folder
    if not wanted.is_dir():
        there = wanted
        while not there.is_dir():
            there = there.parent
        names = sorted(entry.name for entry in there.iterdir() if entry.is_dir())[:8]
        raise MissingError(
            f"The release of {method} has no folder {wanted}; {there} holds {', '.join(names) or 'no folders'}. Get "
            "that part too, or let the table name another (compression, path)."
        )


def get(published: Published) -> str:
    """Where to get a release, and where to put it; one or two sentences."""
    return f"{published.origin} Put it, or a link to it, at {home(published)}, so that this holds {published.holds}."


def _fingerprint(release: Release, root: Path, folder: Path) -> str:
    """SHA-256 of all that decides which pixels a pair gets, short of the pixels: videos are too large to be read."""
    decides = release.model_dump(include=set(Rule.model_fields), mode="json")
    for key in ("table", "source_frames"):
        if decides[key]:
            decides[key] = shipped.digest(folder / decides[key])
    text = json.dumps([decides, _listing(root / release.folder)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _listing(folder: Path) -> list[tuple[str, int]]:
    """Files with their sizes, and folders with the time of their last change; nothing where the folder is missing."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, _state(entry)) for entry in entries)
    except OSError:
        return []


def _state(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns if entry.is_dir() else entry.stat().st_size
    except OSError:  # a link that leads nowhere
        return -1
