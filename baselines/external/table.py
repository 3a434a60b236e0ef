"""The table of an external method in a user's TOML file, and what of it makes the method another one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from baselines.external.checkout import Checkout
from baselines.external.swapper import LIMITS, Program
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.errors import UsageError
from hifibench.faces import templates
from hifibench.registry import did_you_mean
from hifibench.tables import Table, read
from hifibench.user_files import digest

Seconds = Annotated[float, Field(gt=0, le=86400)]

_COMMIT = re.compile(r"[0-9a-fA-F]{7,40}")


class CropTable(Table):
    """A crop, such as ``{template = "ffhq", size = 256}``; ``{template = "frame"}`` is the whole image."""

    template: str
    size: int = Field(0, ge=0, le=4096)

    def crop(self, origin: str) -> Crop:
        """As cards have it.

        Raises:
            UsageError: there is no such template, or its size is missing or too much.
        """
        if self.template not in templates.names():
            near = did_you_mean(self.template, templates.names())
            raise UsageError(f"{origin}: unknown crop template {self.template!r}.{near}")
        if (self.size > 0) is (self.template == "frame"):
            given = f"The template {self.template!r} was given the size {self.size}"
            raise UsageError(f"{origin}: {given}; 'frame' has none, all others need one in pixels.")
        return Crop(self.template, self.size)


class CommonTable(Table):
    """The keys that all kinds of external methods have.

    Attributes:
        start_timeout_s: seconds until the program must be ready.
        pair_timeout_s: seconds that one swap may take.
        commit: of the checkout, at least seven digits.
        any_commit: take a checkout at another commit too.
        env: environment variables on top of the harness's own.
        trained_with: experts that took part in the method's training.
        version: raised by the user where outputs change for a reason that the table and its files do not show.
    """

    start_timeout_s: Seconds = 120.0
    pair_timeout_s: Seconds = 60.0
    commit: str = ""
    any_commit: bool = False
    env: dict[str, str] = Field(default_factory=dict)
    licence: str = "not stated"
    paper: str = ""
    summary: str = ""
    trained_with: tuple[str, ...] = ()
    version: int = 1

    def at(self, folder: Path, origin: str, where: str) -> Checkout:
        """The checkout, held to the commit of the table.

        Args:
            folder: its root.
            origin: named in errors.
            where: how to get it, a sentence for messages.

        Raises:
            UsageError: the commit is none.
        """
        if self.commit and not _COMMIT.fullmatch(self.commit):
            raise UsageError(f"{origin}: commit = {self.commit!r}; expected 7 to 40 hexadecimal digits.")
        return Checkout(folder, self.commit, self.any_commit, where)


class ExternalTable(CommonTable):
    """A method of kind ``external``.

    Attributes:
        command: program and arguments; what names a file beside the TOML file is taken from there.
        cwd: working folder, that of the TOML file by default.
        source: crop of the source face.
        target: crop of the target face, which is the geometry of the result.
        checkout: the code base, if it is in git.
        files: files that decide what comes out, such as weights; they must be there.
        parameters: of its networks.
    """

    command: tuple[str, ...] = Field(min_length=1)
    source: CropTable
    target: CropTable
    cwd: Path = Path()
    checkout: Path | None = None
    files: tuple[Path, ...] = ()
    parameters: int | None = Field(None, ge=0)


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """See `hifibench.contracts.MethodKind.make`."""
    origin = f"The method {name!r}"
    chosen = read(ExternalTable, table, origin)
    if chosen.checkout is None and (chosen.commit or chosen.any_commit):
        raise UsageError(f"{origin}: commit says nothing without the key 'checkout'.")
    checkout = None
    if chosen.checkout is not None:
        checkout = chosen.at(resolved(chosen.checkout, folder), origin, "Clone it, or mend the key 'checkout'.")
    files = tuple(resolved(file, folder) for file in chosen.files)
    command = (program(chosen.command[0], folder), *(_argument(word, folder) for word in chosen.command[1:]))
    card = SwapperCard(
        name,
        chosen.summary or f"external program {Path(chosen.command[0]).name}",
        source=chosen.source.crop(origin),
        target=chosen.target.crop(origin),
        paper=chosen.paper,
        licence=chosen.licence,
        trained_with=chosen.trained_with,
        limits=LIMITS,
        version=chosen.version,
    )
    made = Program(
        card=card,
        command=command,
        cwd=resolved(chosen.cwd, folder),
        env=chosen.env,
        start_timeout_s=chosen.start_timeout_s,
        pair_timeout_s=chosen.pair_timeout_s,
        checkout=checkout,
        files=files,
        parameters=chosen.parameters,
    )
    return stamped(made, {"command": chosen.command, "env": chosen.env}).plugin()


def stamped(made: Program, settings: Mapping[str, Any]) -> Program:
    """The program with ``weights`` on its card: a hash of all that may change what comes out.

    That is the settings, the files (of the command too), and the state of the checkout.

    Args:
        made: without it.
        settings: plain JSON values of the table that decide what comes out; time limits do not.
    """
    files = [Path(word) for word in made.command[1:] if _is_file(Path(word))]
    seen = {
        "settings": settings,
        "files": [(file.name, digest(file)) for file in _unique([*files, *made.files])],
        "checkout": "" if made.checkout is None else made.checkout.state(),
    }
    stamp = hashlib.sha256(json.dumps(seen, sort_keys=True, default=str).encode()).hexdigest()
    return replace(made, card=replace(made.card, weights=stamp))


def program(word: str, folder: Path) -> str:
    """An interpreter as it can be started from any folder: a bare name is left to the search path."""
    bare = Path(word).name == word
    # Not resolved: the interpreter of a virtual environment is a link, and finds its packages by where that lies.
    return word if bare else str(folder / Path(word).expanduser())


def resolved(path: Path, folder: Path) -> Path:
    """A path of a table, made absolute."""
    return (folder / path.expanduser()).absolute()


def _argument(word: str, folder: Path) -> str:
    file = folder / word
    return str(file) if _is_file(file) else word


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an argument that is no path may be too long for one
        return False


def _unique(files: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(files))
