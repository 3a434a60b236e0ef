"""Writes the report of a finished run beside it."""

from __future__ import annotations

from pathlib import Path

from hifibench.files import atomic_write
from reports import figure_six, formats, grid, page, paper_formats, paper_table, parts, read, shape_study, tables


def write_all(folder: Path) -> list[Path]:
    """Write ``report/table.md``, ``table.csv``, ``table.tex``, ``grid.png`` and ``index.html`` into a run folder.

    Every file is written atomically; ``grid.png`` only where the run kept examples. A run that fits Table 1 of the
    paper also gets ``table1.md``, ``.csv``, ``.json`` and ``.tex``; one of Fig. 6 the files of
    `reports.shape_study.write`.

    Returns:
        The files, ``index.html`` last.

    Raises:
        MissingError: the run is not finished, or the folder cannot be written to.
        UsageError: the folder holds no run, or a damaged one.
    """
    run = read.run(folder)
    table = tables.build(run)
    paper, six, parted = paper_table.build(run), figure_six.of(run), parts.build(run, table)
    files: dict[str, str | bytes] = {
        "table.md": formats.markdown(table) + parts.markdown(parted) + (_section(six) if six is not None else ""),
        "table.csv": formats.tidy_csv(run),
        "table.tex": formats.latex(table),
    }
    if run.examples:
        files["grid.png"] = grid.png(run.examples, [row.name for row in table.rows])
    if paper is not None:
        files["table1.md"] = paper_formats.markdown(paper)
        files["table1.csv"] = paper_formats.tidy_csv(paper)
        files["table1.json"] = paper_formats.as_json(paper)
        files["table1.tex"] = paper_formats.latex(paper)
    files["index.html"] = page.render(run, table, paper, six, parted)
    drawn = shape_study.write(six.study, folder / "report") if six is not None and six.study is not None else []
    written = [folder / "report" / name for name in files]
    for path, content in zip(written, files.values(), strict=True):
        atomic_write(path, content)
    return [*drawn, *written]


def _section(six: figure_six.FigureSix) -> str:
    """The figure and its sentences as a section of the Markdown file."""
    picture = [f"![{figure_six.TITLE}]({shape_study.NAME}.png)", ""] if six.study is not None else []
    lines = [f"- {formats.markdown_escape(sentence)}" for sentence in six.sentences]
    return "\n".join(["", f"## {figure_six.TITLE}", "", *picture, *lines, ""])
