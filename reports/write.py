"""Writes the report of a finished run beside it."""

from __future__ import annotations

from pathlib import Path

from hifibench.files import atomic_write
from reports import formats, parts, read, tables
from reports.figures import shape_study
from reports.figures import six as figure_six
from reports.figures import write as figures
from reports.page import page, pictures
from reports.page import pairs as page_pairs
from reports.paper import ablation as ablation_table
from reports.paper import formats as paper_formats
from reports.paper import table_one as paper_table
from reports.paper import table_two
from reports.staging import staged

TABLE_1 = "table1"
"""Of the files."""
FIGURES = "figures"
"""Folder of the figures, within the report."""


def write_all(folder: Path) -> list[Path]:
    """Write the tables, the figures and the page of a finished run into its folder ``report``.

    ``table.*`` has all numbers; ``table1.*``, ``table2.*`` and ``ablation.*`` are there where the run fits those tables
    of the paper; the figures lie in ``figures``, those of `reports.figures.shape_study.write`, for Fig. 6, beside the
    tables.
    All files take their place together once the last is made: what fails leaves the report of before, or none. What
    an earlier report left there and this one does not make is removed.

    Returns:
        The files, ``index.html`` last.

    Raises:
        MissingError: the run is not finished, or the folder cannot be written to.
        UsageError: the folder holds no run, or a damaged one.
    """
    run = read.run(folder)
    table = tables.build(run)
    paper, six, parted = paper_table.build(run), figure_six.of(run), parts.build(run, table)
    files = {
        "table.md": formats.markdown(table) + parts.markdown(parted) + (_section(six) if six is not None else ""),
        "table.csv": formats.tidy_csv(run),
        "table.json": formats.as_json(table, run),
        "table.tex": formats.latex(table),
        **({} if paper is None else paper_formats.files(paper, TABLE_1)),
        **table_two.files(run),
        **ablation_table.files(run),
    }
    report = folder / "report"
    with staged(report, owned) as made:
        written = shape_study.write(six.study, made) if six is not None and six.study is not None else []
        written += figures.write(run, table, made / FIGURES)
        for name, content in files.items():
            atomic_write(made / name, content)
            written.append(made / name)
        written += page.write(run, table, paper, six, parted, made)
    return [report / path.relative_to(made) for path in written]


def owned(report: Path) -> set[str]:
    """What of a report's folder is made for some runs and not for others, by names relative to it."""
    there = {name for name in (pictures.FOLDER, page_pairs.SCRIPT) if (report / name).exists()}
    return there | {f"{FIGURES}/{name}" for name in figures.owned(report / FIGURES)}


def _section(six: figure_six.FigureSix) -> str:
    """The figure and its sentences as a section of the Markdown file."""
    picture = [f"![{figure_six.TITLE}]({shape_study.NAME}.png)", ""] if six.study is not None else []
    lines = [f"- {formats.markdown_escape(sentence)}" for sentence in six.sentences]
    return "\n".join(["", f"## {figure_six.TITLE}", "", *picture, *lines, ""])
