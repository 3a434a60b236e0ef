"""The commands that the documents show: found, spelled out, and held against what the command line accepts."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer.main

ROOT = Path(__file__).parents[1]

_BEGIN = r"hifibench|tox|torchrun|python -m hifibench\S*|python -m (?:pip|pytest|venv)|python -c|python \w+\.py|cp|grep"
_FENCE = re.compile(r"^(?:`([^`\n]+)`:\n\n)?```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = ("", "sh", "bash", "console")
_HOSTED = ("yaml", "yml")
"""Languages whose blocks may hold commands for a machine that builds: ``run: hifibench …``."""
_SHORT: Mapping[str, tuple[str, ...]] = {
    "hifibench assets list | fetch [NAME…] | verify": (
        "hifibench assets list",
        "hifibench assets fetch",
        "hifibench assets verify",
    ),
    "hifibench data prepare … --parser FILE": ("hifibench data prepare FOLDER OUT --parser FILE",),
}
"""Commands that a table shows as one."""


@dataclass(frozen=True)
class Shown:
    """A command as a reader would type it.

    Attributes:
        text: the command, placeholders and all.
        document: where it stands, relative to the root; the first one of several.
        inline: it stands in the text and not on a line of its own.
    """

    text: str
    document: str
    inline: bool

    @property
    def words(self) -> list[str]:
        """As a shell parts them."""
        return shlex.split(self.text)


def documents() -> list[Path]:
    """All documents that show commands."""
    named = [ROOT / name for name in ("README.md", "RESPONSIBLE_USE.md", "CHANGELOG.md")]
    return [path for path in (*named, *sorted((ROOT / "docs").rglob("*.md"))) if path.is_file()]


def files(document: Path) -> dict[str, str]:
    """The files that a document shows whole, by name: a fenced block below a line of its name and a colon."""
    found = _FENCE.findall(document.read_text(encoding="utf-8"))
    return {name: body for name, _, body in found if name and " " not in name}


def shown() -> list[Shown]:
    """Every command of every document, once."""
    found: dict[str, Shown] = {}
    for path in documents():
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for command, inline in (*((c, False) for c in blocks(text)), *((c, True) for c in _inline(text))):
            for variant in spelled(command):
                known = found.get(variant)
                if known is None or (known.inline and not inline):
                    found[variant] = Shown(variant, name, inline)
    return [found[command] for command in sorted(found)]


def blocks(text: str) -> Iterator[str]:
    """The commands of fenced blocks, without comments and what a table of commands says beside them."""
    for _, language, body in _FENCE.findall(text):
        if language not in (*_SHELL, *_HOSTED):
            continue
        for line in re.sub(r"\\\n\s*", "", body).splitlines():
            if language in _HOSTED:
                line = re.sub(r"^\s*(?:- )?run:\s*(?![|>])", "", line)
            for command in line.strip().split(" && "):
                if re.match(rf"(?:{_BEGIN})(?:\s|$)", command):
                    yield re.split(r"\s{2,}", re.split(r"\s+#\s", command)[0].strip())[0]


def _inline(text: str) -> Iterator[str]:
    prose = _FENCE.sub("", text)
    for quoted in re.findall(r"`([^`]+)`", prose):
        command = " ".join(quoted.replace("\\|", "|").split())
        if re.match(r"(?:hifibench|torchrun|python -m \S+) \S|python -m hifibench|tox -", command):
            yield command


def spelled(command: str) -> list[str]:
    """A command that says what may be left out, or chosen, as the commands that it stands for.

    Of several things that may be left out: none of them, each alone, and all together.

    Example:
        >>> spelled("hifibench x [--a A | --b B]")
        ['hifibench x', 'hifibench x --a A', 'hifibench x --b B']
        >>> spelled("hifibench list a|b")
        ['hifibench list a', 'hifibench list b']
    """
    if command in _SHORT:
        return list(_SHORT[command])
    choice = re.search(r"(?<!\S)[\w…-]+(?:\|[\w…-]+)+(?!\S)", command)
    if choice is not None:
        return [one for word in choice[0].split("|") for one in spelled(command.replace(choice[0], word, 1))]
    brackets = re.findall(r" \[(-[^\]]*)\]", command)
    bare = re.sub(r" \[-[^\]]*\]", "", command)
    alone = [option.strip() for bracket in brackets for option in bracket.split(" | ")]
    together = " ".join(bracket.split(" | ")[0].strip() for bracket in brackets)
    return [*dict.fromkeys((bare, *(f"{bare} {words}" for words in (*alone, together) if words)))]


@cache
def _root() -> Any:
    from hifibench.cli import app

    return typer.main.get_command(app)


def accept(words: Sequence[str], mention: bool = False) -> bool:
    """Hold a command against the command line, without running it.

    Args:
        words: what comes after ``hifibench``, stand-ins in place of placeholders.
        mention: it may be the name of an option alone, as text speaks of ``hifibench run --pairs``.

    Returns:
        Whether it is a whole command, and not the name of one or of its options.

    Raises:
        AssertionError: the command line does not accept it; says why.
    """
    command, rest, path = _root(), list(words), "hifibench"
    while (children := getattr(command, "commands", None)) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in children, f"there is no command {path} {name}"
        command, path = children[name], f"{path} {name}"
    if not rest or "--help" in rest:
        return bool(rest)
    if mention and all(word.startswith("--") for word in rest):
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert known.issuperset(rest), f"{path} has no option {' '.join(sorted({*rest} - known))}"
        return False
    try:
        command.make_context(path, rest)
    except Exception as error:  # click's own, which has no common base that typer hands on
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        raise AssertionError(f"{path} {shlex.join(words)}: {message}") from error
    return True


def accept_pip(words: Sequence[str]) -> None:
    """Hold ``pip …`` against pip's own parser, and what it would install from here against what is here or shown."""
    # In a process of its own: once pip is imported, setuptools cannot be, and torch.compile needs that.
    parse = (
        "import json, sys; from pip._internal.commands import create_command; "
        "options, named = create_command(sys.argv[1]).parse_args(sys.argv[2:]); "
        "print(json.dumps([*options.editables, *named]))"
    )
    done = subprocess.run([sys.executable, "-c", parse, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for place in json.loads(done.stdout):
        path, _, extra = place.partition("[")
        if path.startswith("."):
            project = (Path(path) / "pyproject.toml").as_posix()
            assert (ROOT / project).is_file() or any(project in files(page) for page in documents()), path
        if extra:
            settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
            assert re.search(rf"^{extra.rstrip(']')} = \[", settings, re.MULTILINE), f"there is no extra {extra}"


def accept_tox(words: Sequence[str]) -> None:
    """Hold ``tox …`` against the environments of ``tox.ini``; what stands behind ``--`` is pytest's."""
    words = [*words, "--"][: [*words, "--"].index("--")]
    settings = configparser.ConfigParser()
    settings.read(ROOT / "tox.ini", encoding="utf-8")
    for flag, value in zip(words[::2], words[1::2], strict=True):
        assert flag == "-e" and settings.has_section(f"testenv:{value}"), f"tox {flag} {value}"
