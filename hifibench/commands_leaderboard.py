"""What ``hifibench leaderboard`` does: one table over several finished runs."""

from __future__ import annotations

from pathlib import Path

from hifibench.errors import UsageError


def leaderboard(runs: tuple[Path, ...], out: Path) -> None:
    """``hifibench leaderboard``: write ``leaderboard.md``, ``.csv``, ``.json`` and ``.tex``, and show the key metrics.

    Args:
        runs: folders of finished runs.
        out: where the files go.

    Raises:
        UsageError: none is given, a folder is given twice or holds no run, ``out`` is a file, or the runs share no
            metric.
        MissingError: a run is not finished, or the folder cannot be written to.
    """
    from rich.console import Console

    from hifibench.files import atomic_write
    from reports import read
    from reports.leaderboard import formats as leaderboard_formats
    from reports.leaderboard.leaderboard import build

    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder for the tables.")
    board = build([read.run(folder) for folder in runs])
    files = {out / name: text for name, text in leaderboard_formats.files(board).items()}
    for path, text in files.items():
        atomic_write(path, text)
    leaderboard_formats.show(board, console := Console())
    for path in files:
        console.print(str(path), highlight=False, soft_wrap=True, markup=False)
