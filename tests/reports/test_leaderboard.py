from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import finished_run
import pandas as pd
import pytest
import table_runs
from paper_run import MakeRun
from rich.console import Console

from hifibench.commands_leaderboard import leaderboard
from hifibench.errors import MissingError, UsageError
from reports import read
from reports.leaderboard import formats as leaderboard_formats
from reports.leaderboard import ranks
from reports.leaderboard.leaderboard import build
from reports.leaderboard.records import Block, Leaderboard, Placed
from reports.paired_scores import shifts

METHODS = ("target-copy", "source-paste", "faceswap", "hififace")
POSE = "pose[mediapipe]"


def write(make_run: MakeRun, name: str, methods: tuple[str, ...] = METHODS, **more: Any) -> Path:
    """A run folder; ``more`` are keys of ``results.json``."""
    content = finished_run.results(methods, n_failed=0) | more
    return table_runs.write_scores(make_run(content, examples=0, name=name), content)


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    path = folder / "results.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return table_runs.write_scores(folder, content)


def retrained(content: dict[str, Any], by: float = -1.0) -> None:
    """``hififace`` under another card, and so with another pose."""
    for method in content["methods"]:
        if method["name"] == "hififace":
            method["card"] = "be" * 32
    for score in content["scores"]:
        if (score["method"], score["metric"]) == ("hififace", POSE):
            for key in ("value", "low", "high", "worst_case"):
                score[key] += by


def other_estimator(content: dict[str, Any]) -> None:
    next(expert for expert in content["experts"] if expert["name"] == "mediapipe")["card"] = "99" * 32


def board(*folders: Path) -> Leaderboard:
    return build([read.run(folder) for folder in folders])


def placed(block: Block, title: str, metric: str = POSE) -> Placed:
    row = [one.title for one in block.rows].index(title)
    return block.cells[row][[column.name for column in block.columns].index(metric)]


def test_methods_of_several_runs_stand_in_one_table_and_those_alike_once(make_run: MakeRun) -> None:
    a = write(make_run, "a")
    b = write(make_run, "b", ("target-copy", "faceswap", "simswap"))
    (block,) = board(a, b).blocks
    assert [row.title for row in block.rows if row.reference] == ["target-copy", "source-paste"]
    assert {row.title for row in block.rows if not row.reference} == {"hififace", "faceswap", "simswap"}
    assert next(row for row in block.rows if row.method == "faceswap").runs == ("a", "b")


def test_a_method_that_differs_between_runs_has_a_row_for_each(make_run: MakeRun) -> None:
    a, b = write(make_run, "a"), rewrite(write(make_run, "b"), retrained)
    (block,) = board(a, b).blocks
    assert {"hififace (a)", "hififace (b)", "faceswap"} <= {row.title for row in block.rows}
    one, other = placed(block, "hififace (a)"), placed(block, "hififace (b)")
    assert one.cell.value == pytest.approx(9.6) and other.cell.value == pytest.approx(8.6)
    # faceswap's error is 7.2: all three are told apart, pair by pair, though intervals of 0.4 would tell that too.
    assert [placed(block, name).rank for name in ("faceswap", "hififace (b)", "hififace (a)")] == ["1", "2", "3"]
    assert placed(block, "faceswap").cell.leader and not other.cell.leader


def test_ranks_go_by_paired_differences_even_where_intervals_meet(make_run: MakeRun) -> None:
    # 0.1 apart in every pair, with intervals of 0.4 to both sides.
    a, b = write(make_run, "a"), rewrite(write(make_run, "b"), lambda content: retrained(content, -0.1))
    (block,) = board(a, b).blocks
    assert [placed(block, name).rank for name in ("hififace (b)", "hififace (a)")] == ["2", "3"]
    assert set(block.bases) == {"paired"}


def test_what_pairs_cannot_tell_shares_a_rank(make_run: MakeRun) -> None:
    a = write(make_run, "a")
    path = a / "scores.parquet"
    frame = pd.read_parquet(path)
    rows = (frame["metric"] == POSE) & (frame["method"].isin(["faceswap", "hififace"]))
    frame.loc[rows, "value"] = [1.0, 2, 3, 4, 5, 6, 7, 8, 2, 1, 4, 3, 6, 5, 8, 7]
    frame.to_parquet(path, index=False)
    (block,) = board(table_runs.settle(a)).blocks
    assert [placed(block, name).rank for name in ("faceswap", "hififace")] == ["1=", "1="]
    assert not any(placed(block, name).cell.leader for name in ("faceswap", "hififace"))


def test_references_do_not_compete(make_run: MakeRun) -> None:
    (block,) = board(write(make_run, "a")).blocks
    assert placed(block, "target-copy").rank == ""
    assert placed(block, "target-copy").cell.value == 0
    assert placed(block, "faceswap").rank == "1"


def test_a_method_that_was_taught_by_the_estimator_does_not_compete(make_run: MakeRun) -> None:
    def teach(content: dict[str, Any]) -> None:
        content["methods"][METHODS.index("faceswap")]["trained_with"] = ["mediapipe"]

    (block,) = board(rewrite(write(make_run, "a"), teach)).blocks
    assert placed(block, "faceswap").rank == "" and placed(block, "faceswap").cell.text.endswith("†")
    assert placed(block, "hififace").rank == "1" and not placed(block, "hififace").cell.leader


def test_without_the_scores_of_pairs_ranks_go_by_interval_and_it_is_said(make_run: MakeRun) -> None:
    a, b = write(make_run, "a"), rewrite(write(make_run, "b"), lambda content: retrained(content, -0.1))
    (b / "scores.parquet").unlink()
    made = board(a, b)
    (block,) = made.blocks
    assert [placed(block, name).rank for name in ("faceswap", "hififace (b)", "hififace (a)")] == ["1", "2=", "2="]
    assert any("b: " in note.text and "scores.parquet" in note.text for note in block.notes)
    assert any(note.text.startswith("∥: no paired differences") for note in made.notes)
    assert "Pose error ∥ (deg) ↓, mediapipe |" in leaderboard_formats.markdown(made)


def test_runs_of_other_images_have_a_block_of_their_own(make_run: MakeRun) -> None:
    a = write(make_run, "a")
    b = write(make_run, "b", manifest="ab" * 32, title="Other images")
    (b / "manifest.json").unlink()
    made = board(a, b)
    assert [block.title for block in made.blocks] == [finished_run.results()["title"], "Other images"]
    assert any(note.text.startswith("2 blocks: runs of other images") for note in made.notes)


def test_numbers_of_other_estimators_are_not_compared(make_run: MakeRun) -> None:
    a, b = write(make_run, "a"), rewrite(write(make_run, "b"), other_estimator)
    (block,) = board(a, b).blocks
    names = [column.name for column in block.columns]
    assert POSE not in names and "id_cosine[edgeface]" in names
    assert any(note.text.startswith("Measured by other estimators") and POSE in note.text for note in block.notes)
    # Of three runs, two with the same estimator are most of them.
    (block,) = board(a, b, write(make_run, "c")).blocks
    assert POSE in [column.name for column in block.columns]


@pytest.mark.parametrize("change", [{"unit": "rad"}, {"direction": "up"}, {"needs": ["edgeface"]}])
def test_numbers_of_another_kind_are_not_compared(make_run: MakeRun, change: dict[str, Any]) -> None:
    def other(content: dict[str, Any]) -> None:
        next(metric for metric in content["metrics"] if metric["name"] == POSE).update(change)

    (block,) = board(write(make_run, "a"), rewrite(write(make_run, "b"), other)).blocks
    assert POSE not in [column.name for column in block.columns]


def test_another_detector_shares_nothing(make_run: MakeRun) -> None:
    def detector(content: dict[str, Any], card: str) -> None:
        content["experts"].append(
            {"name": "scrfd", "summary": "", "paper": "", "licence": "", "limits": "", "card": card}
        )

    a, b = (
        rewrite(write(make_run, name), lambda content, name=name: detector(content, 32 * f"{name}0")) for name in "ab"
    )
    with pytest.raises(UsageError, match="No metric is shared"):
        board(a, b)


def test_a_detector_taught_by_the_other_methods_is_another_one_where_they_are(make_run: MakeRun) -> None:
    name = "forgery_auc[trained-on-others]"
    folders = []
    for label, methods in (("a", METHODS), ("b", (*METHODS, "simswap"))):
        content = table_runs.with_forgery(finished_run.results(methods, n_failed=0), (name,))
        folders.append(table_runs.write_scores(make_run(content, examples=0, name=label), content))
    (block,) = board(*folders).blocks
    assert name not in [column.name for column in block.columns]
    assert any("detector trained on other methods" in note.text and name in note.text for note in block.notes)


def test_a_reference_row_teaches_no_detector(make_run: MakeRun) -> None:
    name = "forgery_auc[trained-on-others]"
    folders = []
    for label, card in (("a", "c0ffee00"), ("b", "c0ffee01")):
        content = table_runs.with_forgery(finished_run.results(METHODS, n_failed=0), (name,))
        content["methods"][METHODS.index("target-copy")]["card"] = 8 * card
        folders.append(table_runs.write_scores(make_run(content, examples=0, name=label), content))
    (block,) = board(*folders).blocks
    assert name in [column.name for column in block.columns]


def test_one_run_is_a_table_too(make_run: MakeRun) -> None:
    (block,) = board(write(make_run, "a")).blocks
    assert len(block.columns) == len(finished_run.METRICS)


def test_folders_of_one_name_are_told_apart_by_their_parents(make_run: MakeRun, tmp_path: Path) -> None:
    a, b = write(make_run, "x/run"), rewrite(write(make_run, "y/run"), retrained)
    (block,) = board(a, b).blocks
    assert list(block.runs) == ["x/run", "y/run"]


def test_csv_and_json_hold_the_same_numbers(make_run: MakeRun) -> None:
    files = leaderboard_formats.files(
        board(write(make_run, "a"), rewrite(write(make_run, "b"), lambda content: retrained(content, -1 / 3)))
    )
    assert set(files) == {f"leaderboard.{end}" for end in ("md", "csv", "json", "tex")}
    frame = pd.read_csv(io.StringIO(files["leaderboard.csv"]), keep_default_na=False)
    cells = [cell for block in json.loads(files["leaderboard.json"])["blocks"] for cell in block["cells"]]
    assert len(cells) == len(frame) == 5 * len(finished_run.METRICS)
    for row, cell in zip(frame.to_dict("records"), cells, strict=True):
        assert {key: str(value) for key, value in row.items()} == {
            key: "" if value is None else str(value) for key, value in cell.items()
        }
    by_method = frame[frame["runs"] == "b"].set_index("metric")
    assert float(by_method.loc[POSE, "value"]) == 12.0 * 0.8 - 1 / 3


@pytest.mark.parametrize("width", [80, 140])
def test_the_terminal_cuts_nothing(make_run: MakeRun, width: int) -> None:
    made = board(write(make_run, "a"), rewrite(write(make_run, "b"), retrained))
    out = io.StringIO()
    leaderboard_formats.show(made, Console(file=out, width=width))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    (block,) = made.blocks
    for cells in block.cells:
        for at in block.key:
            assert cells[at].cell.text in text and cells[at].cell.interval in text


def test_names_do_not_steer_the_terminal(make_run: MakeRun) -> None:
    content = table_runs.renamed(finished_run.results(METHODS, n_failed=0), "faceswap", "[red]x[/red]\x1b[31m")
    content["title"] = "Title\x1b[2J"
    content["methods"][METHODS.index("hififace")] |= {"status": {"failed": 100}, "messages": ["why\x1b[2J"]}
    folder = table_runs.write_scores(make_run(content, examples=0, name="a"), content)
    out = io.StringIO()
    leaderboard_formats.show(board(folder), Console(file=out, width=80))
    text = out.getvalue()
    assert "\x1b" not in text and "[red]x[/red]\\u001b[31m" in text and "Title\\u001b[2J" in text


def test_pairs_that_contradict_the_numbers_rank_nothing_and_it_is_said(make_run: MakeRun) -> None:
    a = write(make_run, "a")
    path = a / "scores.parquet"
    frame = pd.read_parquet(path)
    frame.loc[frame["metric"] == "id_cosine[edgeface]", "value"] *= 100
    frame.to_parquet(path, index=False)
    (block,) = board(a).blocks
    assert set(block.bases) == {"interval"}
    assert any("contradicts results.json" in note.text and "id_cosine[edgeface]" in note.text for note in block.notes)


def test_the_draws_are_those_of_the_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(ranks, "shifts", lambda *args: seen.append(args[-2:]) or shifts(*args))
    folder = write(make_run, "a", seed=3)
    (folder / "run.json").write_text(json.dumps({"suite": {"draws": 70}}))
    board(folder)
    assert set(seen) == {(3, 70)}


def test_a_run_given_twice_is_an_error(make_run: MakeRun, tmp_path: Path) -> None:
    a = write(make_run, "a")
    (tmp_path / "link").symlink_to(a)
    with pytest.raises(UsageError, match="is given twice"):
        board(a, tmp_path / "link")


def test_an_unfinished_run_and_a_file_as_folder_are_errors(make_run: MakeRun, tmp_path: Path) -> None:
    a, b = write(make_run, "a"), write(make_run, "b")
    (b / "results.json").unlink()
    with pytest.raises(MissingError, match="is not finished"):
        leaderboard((a, b), tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        leaderboard((a,), tmp_path / "file")
    with pytest.raises(UsageError, match="No run was given"):
        leaderboard((), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_runs_without_a_common_metric_are_an_error_that_names_them(make_run: MakeRun) -> None:
    def keep(content: dict[str, Any], base: str) -> None:
        content["metrics"] = [metric for metric in content["metrics"] if metric["name"].startswith(base)]
        content["scores"] = [score for score in content["scores"] if score["metric"].startswith(base)]

    a = rewrite(write(make_run, "a"), lambda content: keep(content, "pose"))
    b = rewrite(write(make_run, "b"), lambda content: keep(content, "background"))
    with pytest.raises(UsageError, match=r"No metric is shared.*pose\[mediapipe\] \(a\)"):
        board(a, b)


def test_a_method_that_was_never_scored_is_a_row_of_dashes(make_run: MakeRun) -> None:
    folder = rewrite(write(make_run, "a"), lambda content: table_runs.silent(content, "faceswap") and None)
    made = board(folder)
    (block,) = made.blocks
    row = block.cells[[one.title for one in block.rows].index("faceswap")]
    assert {(one.cell.text, one.rank) for one in row} == {("—", "")}
    assert any("No number for faceswap" in note.text for note in block.notes)


def test_the_command_writes_four_files_and_prints_the_table(
    make_run: MakeRun, tmp_path: Path, cli: Callable[..., CompletedProcess[str]]
) -> None:
    a, b = write(make_run, "a"), rewrite(write(make_run, "b"), retrained)
    done = cli("leaderboard", a, b, "--out", tmp_path / "board", env={"COLUMNS": "80"})
    assert {path.name for path in (tmp_path / "board").iterdir()} == {
        f"leaderboard.{end}" for end in ("md", "csv", "json", "tex")
    }
    assert "Pose error" in done.stdout
    assert cli("leaderboard", a, a, expect=2).stderr.count("is given twice") == 1


@pytest.mark.parametrize(("card", "by"), [("be" * 32, 0.0), (None, -1.0)])
def test_another_card_or_other_numbers_make_another_row(make_run: MakeRun, card: str | None, by: float) -> None:
    def change(content: dict[str, Any]) -> None:
        kept = next(method["card"] for method in content["methods"] if method["name"] == "hififace")
        retrained(content, by)
        next(method for method in content["methods"] if method["name"] == "hififace")["card"] = card or kept

    (block,) = board(write(make_run, "a"), rewrite(write(make_run, "b"), change)).blocks
    assert {row.title for row in block.rows if row.method == "hififace"} == {"hififace (a)", "hififace (b)"}
