"""LaTeX of every table goes through ``pdflatex`` with ``booktabs`` alone, and fits the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import finished_run
import paper_run
import pytest
import table_runs
from hypothesis import given
from hypothesis import strategies as st
from paper_run import MakeRun

from reports import formats, read, tables
from reports.latex_letters import latex_escape, latex_running
from reports.leaderboard import formats as leaderboard_formats
from reports.leaderboard import leaderboard
from reports.paper import ablation as ablation_table
from reports.paper import formats as paper_formats
from reports.paper import table_one as paper_table
from reports.paper import table_two

TEN = ("target-copy", "re-encode", "source-paste", "hififace", "hififace-n3d", "hififace-bare", "hififace-blend",
       "hififace-concat", "faceswap", "simswap", "faceshifter", "ghost", "a method with a long name")  # fmt: skip


def documents(folder: Path) -> dict[str, str]:
    run = read.run(folder)
    paper = paper_table.build(run)
    made = {
        "table": formats.latex(tables.build(run)),
        "leaderboard": leaderboard_formats.latex(leaderboard.build([run])),
        **({"table1": paper_formats.latex(paper)} if paper is not None else {}),
    }
    for files in (table_two.files(run), ablation_table.files(run)):
        made |= {name.removesuffix(".tex"): text for name, text in files.items() if name.endswith(".tex")}
    return made


def compiled(folder: Path, name: str, body: str, options: str = "") -> str:
    """The log of ``pdflatex``; every table fits width and height of the page."""
    if not (shutil.which("pdflatex") and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).stdout):
        pytest.skip("no pdflatex with booktabs here; on Debian: apt-get install texlive-latex-recommended")
    folder.mkdir(parents=True, exist_ok=True)
    head = f"\\documentclass[{options}]{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n"
    (folder / f"{name}.tex").write_text(f"{head}{body}\n\\end{{document}}\n", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"], cwd=folder, capture_output=True
    )
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-3000:]
    wide = [float(by) for by in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(wide, default=0) < 1, (name, wide)
    assert "Float too large" not in log, name
    assert "LaTeX Error" not in log and "Missing character" not in log, name
    return log


def runs(make_run: MakeRun) -> dict[str, Path]:
    contents: dict[str, dict[str, Any]] = {
        "normal": table_runs.with_forgery(finished_run.results()),
        "hostile": table_runs.hostile(),
        "ten": table_runs.with_forgery(finished_run.results(TEN)),
        "silent": table_runs.silent(table_runs.with_forgery(finished_run.results()), "faceswap"),
    }
    folders = {
        name: table_runs.write_scores(make_run(content, examples=0, name=name), content)
        for name, content in contents.items()
    }
    names = ("target-copy", "faceshifter-ffpp", *table_runs.HOSTILE, "hififace")
    return folders | {"paper": paper_run.write(make_run, paper_run.results(methods=names), name="paper")}


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "twocolumn"])
def test_every_table_compiles_and_fits_the_page(make_run: MakeRun, tmp_path: Path, options: str) -> None:
    seen = set()
    for name, folder in runs(make_run).items():
        for document, text in documents(folder).items():
            compiled(tmp_path / "tex" / name, document, text, options)
            seen.add(document)
    assert seen == {"table", "table1", "table2", "ablation", "leaderboard"}


@pytest.mark.slow
def test_all_letters_compile(tmp_path: Path) -> None:
    letters = [chr(code) for code in [*range(0x20, 0x3000), *range(0xFB00, 0xFB07), *range(0xFE00, 0xFF70), 0x1F600]]
    lines = [latex_escape("x ".join(letters[at : at + 40])) for at in range(0, len(letters), 40)]
    compiled(tmp_path, "letters", "\\sloppy\\tiny\n" + "\n\n".join(lines))


@given(st.text())
def test_escaped_text_is_balanced_ascii_in_one_line(text: str) -> None:
    for made in (latex_escape(text), latex_running(text)):
        assert made.isascii() and "\n" not in made
        bare = re.sub(r"\\[{}]", "", made)
        depth = 0
        for letter in bare:
            depth += {"{": 1, "}": -1}.get(letter, 0)
            assert depth >= 0
        assert depth == 0
        rest = re.sub(r"\\(?:[A-Za-z]+|[%&#$_{}.'`^~=\"])|\$[^$]*\$", "", made)
        assert not set(rest) & set("%&#$_^~")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a--b", "a-{}-b"), ("''", "'{}'"), ("\u2013", "--"), ("é", r"\'{e}"), ("e\u0301", r"\'{e}"), ("ñ", r"\~{n}"),
     ("Ω", r"$\Omega$"), ("\u0391", "A"), ("ﬁ", "fi"), ("½", "1/2"), ("中", "{[}U+4E2D{]}"), ("a\u202eb", "ab"),
     ("a\n\nb", "a b"), ("µ", r"$\mu$"), ("[x]", "{[}x{]}"), ("\x00", "")],
)  # fmt: skip
def test_letters_keep_their_look_or_fall_back(text: str, expected: str) -> None:
    assert latex_escape(text) == expected


def test_long_words_of_running_text_may_be_broken() -> None:
    assert r"\allowbreak{}" in latex_running("id_retrieval[edgeface,sources,top1]")
    assert latex_running("x" * 40).count(r"\allowbreak{}") == 3
    assert latex_running("short word") == "short word"
