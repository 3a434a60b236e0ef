"""What ``hifibench compare`` does: hold one finished run against another, and write what was found beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records import Run

FOLDER = "compare"
"""In the second run's folder, where no other is named."""


def compare(
    run_a: Path, run_b: Path, methods: str | None = None, out: Path | None = None, other_manifest: bool = False
) -> None:
    """``hifibench compare``: writes ``compare.json``, ``compare.md``, ``index.html`` and ``moved.png``, and shows them.

    Args:
        run_a: folder of a finished run, the one to start from.
        run_b: of another.
        methods: names, separated by commas; ``A=B`` holds method ``A`` of the first run against ``B`` of the second.
        out: where to write; ``RUN_B/compare`` where left out.
        other_manifest: allow runs of different images and pairs.

    Raises:
        UsageError: both are one folder, a folder holds no run, the runs do not compare, or a method is unknown.
        MissingError: a run is not finished, or its single scores are gone.
    """
    from rich.console import Console

    from hifibench.files import atomic_write
    from reports import read
    from reports.comparison import page as compare_page
    from reports.comparison import terminal as compare_terminal
    from reports.comparison.compare import build

    if run_a.resolve() == run_b.resolve():
        raise UsageError(f"{run_a} and {run_b} are one folder: name two runs.")
    a, b = read.run(run_a), read.run(run_b)
    made = build(a, b, None if methods is None else chosen(methods, a, b), other_manifest=other_manifest)
    folder = run_b / FOLDER if out is None else out
    files = compare_page.files(made, a, b)
    for name, content in files.items():
        atomic_write(folder / name, content)
    for stale in compare_page.NAMES - files.keys():
        (folder / stale).unlink(missing_ok=True)
    compare_terminal.show(made, console := Console())
    console.print()
    for name in files:
        console.print(str(folder / name), highlight=False, soft_wrap=True, markup=False)


def chosen(methods: str, a: Run, b: Run) -> Sequence[tuple[str, str]]:
    """``faceswap,old=new`` -> the methods of both runs, pair by pair, each once.

    Raises:
        UsageError: a name is unknown, or none is given.
    """
    from hifibench.registry import did_you_mean

    known = [[method.name for method in run.results.methods] for run in (a, b)]
    found = []
    for word in filter(None, map(str.strip, methods.split(","))):
        first, equals, second = (part.strip() for part in word.partition("="))
        # A name may hold the sign itself.
        pair = (word, word) if not equals or (word in known[0] and word in known[1]) else (first, second)
        for name, names, run in zip(pair, known, (a, b), strict=True):
            if name not in names:
                raise UsageError(f"{run.folder} has no method {name!r}.{did_you_mean(name, names)}")
        found.append(pair)
    if not found:
        raise UsageError(f"--methods {methods!r} names none; expected names such as {known[0][0]}, or A=B.")
    return list(dict.fromkeys(found))
