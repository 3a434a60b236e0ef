"""Writes the report of a finished run beside it."""

from __future__ import annotations

from pathlib import Path

from hifibench.files import atomic_write
from reports import formats, grid, page, read, tables


def write_all(folder: Path) -> list[Path]:
    """Write ``report/table.md``, ``table.csv``, ``table.tex``, ``grid.png`` and ``index.html`` into a run folder.

    Every file is written atomically; ``grid.png`` only where the run kept examples.

    Returns:
        The files, in the order above.

    Raises:
        MissingError: the run is not finished, or the folder cannot be written to.
        UsageError: the folder holds no run, or a damaged one.
    """
    run = read.run(folder)
    table = tables.build(run)
    files: dict[str, str | bytes] = {
        "table.md": formats.markdown(table),
        "table.csv": formats.tidy_csv(run),
        "table.tex": formats.latex(table),
    }
    if run.examples:
        files["grid.png"] = grid.png(run.examples, [row.name for row in table.rows])
    files["index.html"] = page.render(run, table)
    written = [folder / "report" / name for name in files]
    for path, content in zip(written, files.values(), strict=True):
        atomic_write(path, content)
    return written
