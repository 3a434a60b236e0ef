"""Published releases as methods without a methods file: whatever is missing is said when they are loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

from baselines.released.published import RULES, Published
from baselines.released.release import get, home, make
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.errors import HifibenchError, MissingError, UsageError


def method(rule: str) -> SwapperPlugin:
    """The release of a published rule, at its place in the cache."""
    return _made(rule, home(RULES[rule]))


# Once in a process: while a release is being copied, its listing changes, and a run must not see two cards.
@cache
def _made(rule: str, folder: Path) -> SwapperPlugin:
    published = RULES[rule]
    try:
        table = _table(published, folder / f"{published.method}.toml")
        return make(published.method, {"rule": rule, "root": str(folder), **table}, folder)
    except HifibenchError as error:
        return SwapperPlugin(_card(published), partial(_refuse, error))


def _table(published: Published, file: Path) -> Mapping[str, Any]:
    """What the user adds to a published rule."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not published.lacks:
            return {}
        keys = " and ".join(published.lacks)
        raise MissingError(
            f"The release of {published.method} is not ready. {get(published)} Then say {keys} in {file.name} there, "
            "since that is not publicly described (docs: baselines.released.rule)."
        ) from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}.") from error


def _card(published: Published) -> SwapperCard:
    said = {key: published.fields[key] for key in ("summary", "paper", "licence", "limits")}
    return SwapperCard(name=published.method, source=Crop("frame"), target=Crop("frame"), **said)


def _refuse(error: HifibenchError, device: str) -> NoReturn:
    raise error
