"""What ``hifibench validate`` does: hold a ``results.json``, or a whole run folder, against its schema and itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from reports.results.file import ResultsFile


def validate(path: Path) -> None:
    """``hifibench validate``: say that a file is valid, or all that is wrong with it, at most twenty problems.

    Args:
        path: a ``results.json``, or the folder of a run, whose other files are looked at too.

    Raises:
        MissingError: the run in the folder is not finished.
        UsageError: there is no such file, its version is unknown, or something is wrong with it.
    """
    from reports.results import file as results_file

    file = path / "results.json" if path.is_dir() else path
    if path.is_dir() and not file.is_file():
        _explain(path)
    if not file.is_file():
        raise UsageError(f"{path} is no file; expected a results.json, or the folder of a run.")
    content = results_file.load(file)
    if content.problems:
        raise UsageError(results_file.refusal(file, content))
    notes = _folder(path) if path.is_dir() else ()
    typer.echo(f"{file}: {summary(content)}")
    for note in notes:
        typer.echo(f"  {note}")


def summary(content: ResultsFile) -> str:
    """What a valid file holds, in one or two sentences."""
    from reports.results.migrate import NEWEST

    raw = content.raw
    counted = [(len(raw["methods"]), "method"), (len(raw["metrics"]), "metric"), (raw["n_pairs"], "pair")]
    if raw["splits"]:
        counted.append((len(raw["splits"]), "part"))
    listed = ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counted)
    said = f"valid, schema {content.schema}, {listed}."
    if content.schema < NEWEST:
        said += f" An older version, read by migration to schema {NEWEST}; the file stays as it is."
    return said


def _folder(folder: Path) -> tuple[str, ...]:
    """Notes on the files beside ``results.json``; raises `UsageError` where one contradicts it."""
    from reports.results import run_files
    from reports.results.file import SHOWN

    found = run_files.check(folder)
    count = len(found.problems)
    if not count:
        return found.notes
    lines = [f"{folder}: results.json is valid, but {count} problem{'s' * (count > 1)} with the files of the run."]
    lines += [f"  {problem}" for problem in found.problems[:SHOWN]]
    if count > SHOWN:
        lines.append(f"  … and {count - SHOWN} more")
    raise UsageError("\n".join(lines))


def _explain(folder: Path) -> None:
    """Raise what `reports.read.run` says of a folder without ``results.json``."""
    from reports import read

    read.run(folder)
