"""Pictures in rows: qualitative grids, worst and best pairs, ablations."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import figure_run
import numpy as np
import pytest
from figure_run import PAIRS, MakeRun
from PIL import Image

from hifibench.errors import UsageError
from reports.figures import ablation as figure_ablation
from reports.figures import extremes as figure_extremes
from reports.figures import figure as page
from reports.figures import grid as figure_grid
from reports.figures.drawing import Drawing
from reports.figures.pictures import EMPTY, MOST_COLUMNS, MOST_HEIGHT_IN, Column, pages
from reports.records import Run

METHODS = ("target-copy", "faceswap", "hififace")
COSINE, POSE, SHAPE = "id_cosine[edgeface]", "pose[mediapipe]", "shape[3ddfa]"
UP = np.array([0.3, 0.9, 0.5, 0.1, 0.7, 0.2, 0.8, 0.4])


def drawn(drawings) -> list[Drawing]:
    with page.style():
        return list(drawings)


def words(drawing: Drawing) -> list[str]:
    return [text.get_text() for text in drawing.figure.texts]


def squares(drawing: Drawing) -> list[list[tuple[int, ...]]]:
    """The colour in the middle of every square, row by row; a little off, where no words stand."""
    pixels = np.asarray(drawing.figure.axes[0].images[0].get_array())
    inked = (pixels != 255).any(axis=2)
    rows, columns = (_runs(inked.any(axis=1 - axis)) for axis in (0, 1))
    return [[tuple(int(c) for c in pixels[(a + 3 * b) // 4, (c + 3 * d) // 4]) for c, d in columns] for a, b in rows]


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def near(colour: tuple[int, ...], pair: str, role: int) -> bool:
    return bool(np.allclose(colour, figure_run.shade(pair, role), atol=4))


def flat(run: Run, size: tuple[int, int] = (60, 60)) -> Run:
    """The run's examples in one colour each: sources red, targets green, swaps blue."""
    for example in run.examples:
        swaps = [(path, "blue") for path in example.swaps.values()]
        for path, colour in [(example.source, "red"), (example.target, "lime"), *swaps]:
            Image.new("RGB", size, colour).save(path)
    return run


def test_source_target_and_methods_stand_in_their_columns(make_run: MakeRun) -> None:
    run = flat(figure_run.run(make_run, examples=3))
    (one,) = drawn(figure_grid.draw(run))
    red, green, blue, grey = (255, 0, 0), (0, 255, 0), (0, 0, 255), (EMPTY,) * 3
    # Reference rows are left out; faceswap made no swap of the second pair.
    assert squares(one) == [[red, green, blue, blue], [red, green, grey, blue], [red, green, blue, blue]] or (
        # Three rows of four columns stand in two blocks.
        squares(one) == [[red, green, blue, blue] * 2, [red, green, grey, blue, *[(255,) * 3] * 4]]
    )
    assert words(one).count("FaceSwap") == words(one).count("source") == 2
    assert "no image" in words(one) and one.generated
    # The numbers of the rows are those that the caption gives the pairs.
    assert [word for word in words(one) if word.isdigit()] == ["1", "2", "3"]
    assert ", ".join(f"{row} {example.pair}" for row, example in enumerate(run.examples, 1)) in one.caption
    assert all(example.pair in one.caption for example in run.examples) and "not by result" in one.caption


def test_the_picture_of_the_page_is_the_one_in_the_file(make_run: MakeRun, tmp_path: Path) -> None:
    (one,) = drawn(figure_grid.draw(figure_run.run(make_run)))
    png = page.save(one.figure, tmp_path, "one", {}, generated=True)[0]
    array = np.asarray(one.figure.axes[0].images[0].get_array())
    with Image.open(png) as image:
        assert image.size == (page.WIDTH_IN * page.DPI, array.shape[0])
        # Pixel by pixel, but for the words.
        same = (np.asarray(image) == array).all(axis=2)
    assert same.mean() > 0.97 and same[60:, 60:].mean() > 0.99


def test_wide_frames_give_way_to_the_squares_around_the_faces(make_run: MakeRun) -> None:
    run = flat(figure_run.run(make_run, METHODS), (96, 54))
    (whole,) = drawn(figure_grid.draw(run))
    assert "whole frames" in whole.caption
    assert squares(whole)[0][0] in {(EMPTY,) * 3, (255, 0, 0)}
    figure_run.write_pictures(run.folder, METHODS)
    (cut,) = drawn(figure_grid.draw(run))
    assert "the square around the face" in cut.caption
    for row, pair in zip(squares(cut), (example.pair for example in run.examples), strict=True):
        assert near(row[0], pair, 0) and near(row[1], pair, 1) and near(row[3], pair, 4)


def test_a_run_without_examples_or_without_swaps_has_no_grid(make_run: MakeRun) -> None:
    assert not drawn(figure_grid.draw(figure_run.run(make_run, examples=0)))
    run = figure_run.run(lambda *a, **k: make_run(*a, **k, name="b"))
    bare = tuple(dataclasses.replace(one, swaps={}) for one in run.examples)
    assert not drawn(figure_grid.draw(dataclasses.replace(run, examples=bare)))


@pytest.mark.parametrize(("methods", "rows"), [(1, 1), (1, 8), (4, 8), (8, 3), (9, 2), (30, 20)])
def test_pages_hold_every_picture_once_and_are_no_larger_than_allowed(tmp_path: Path, methods: int, rows: int) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    shown = tuple(tmp_path / "a.png" for _ in range(rows))
    fixed = [Column("source", shown), Column("target", shown)]
    made = [Column(f"m{k}", shown, tuple(f"m{k} r{row}" for row in range(rows))) for k in range(methods)]
    seen: list[str] = []
    with page.style():
        for figure in pages(fixed, made, [str(row) for row in range(rows)]):
            assert figure.get_figheight() < MOST_HEIGHT_IN + 0.5
            titles = [text.get_text() for text in figure.texts]
            assert "source" in titles and "target" in titles
            seen += [title for title in titles if " r" in title]
            tops = [row for row in titles if row.startswith("m") and " " not in row]
            assert len(tops) + 2 * titles.count("source") <= MOST_COLUMNS + 1
    assert sorted(seen) == sorted(f"m{k} r{row}" for k in range(methods) for row in range(rows))


def with_pictures(make_run: MakeRun, pose: np.ndarray | None = None) -> Run:
    run = figure_run.run(make_run, METHODS)
    pose = np.arange(8.0) if pose is None else pose
    figure_run.write_scores(
        run.folder,
        {COSINE: {"faceswap": UP, "hififace": UP[::-1], "target-copy": UP}, POSE: {"faceswap": pose, "hififace": pose}},
    )
    figure_run.write_pictures(run.folder, METHODS)
    return run


def test_worst_median_and_best_are_what_the_rule_says(make_run: MakeRun) -> None:
    run = with_pictures(make_run)
    by_cosine, by_pose = drawn(figure_extremes.draw(run))
    assert (by_cosine.name, by_pose.name) == ("extremes-id-cosine", "extremes-pose")
    # 0.1, the fourth of eight (0.4), 0.9; where lower is better, the worst is the highest.
    assert [one for one in words(by_cosine) if one[0] == "0"] == ["0.100", "0.100", "0.400", "0.400", "0.900", "0.900"]
    assert [one for one in words(by_pose) if one.endswith("deg")] == [
        "7.00 deg", "7.00 deg", "4.00 deg", "4.00 deg", "0.00 deg", "0.00 deg",
    ]  # fmt: skip
    rows = squares(by_cosine)
    for row, (order, role) in zip(rows, (((3, 7, 1), 3), ((4, 0, 6), 4)), strict=True):
        for rank, pair in enumerate(order):
            triple = row[3 * rank : 3 * rank + 3]
            assert (
                near(triple[0], PAIRS[pair], 0)
                and near(triple[1], PAIRS[pair], 1)
                and near(triple[2], PAIRS[pair], role)
            )
    assert "lower middle" in by_cosine.caption and "8 with a value" in by_cosine.caption


def test_of_equal_values_the_first_by_name_comes_first(make_run: MakeRun) -> None:
    by_pose = drawn(figure_extremes.draw(with_pictures(make_run, np.ones(8))))[1]
    ordered = sorted(PAIRS)
    for row in squares(by_pose):
        assert [near(row[3 * rank], pair, 0) for rank, pair in enumerate((ordered[0], ordered[3], ordered[7]))] == [
            True
        ] * 3


def test_pairs_without_a_value_or_without_pictures_are_not_chosen(make_run: MakeRun) -> None:
    run = with_pictures(make_run, np.where(np.arange(8) == 7, math.nan, np.arange(8.0)))
    (run.folder / "pictures" / "swaps" / "faceswap" / f"{PAIRS[3]}.jpg").unlink()
    (run.folder / "pictures" / "sources" / f"{PAIRS[0]}.jpg").unlink()
    by_cosine, by_pose = drawn(figure_extremes.draw(run))
    assert next(one for one in words(by_cosine) if one[0] == "0") == "0.200"
    assert [one for one in words(by_pose) if one.endswith("deg")] == [
        "6.00 deg", "6.00 deg", "4.00 deg", "4.00 deg", "1.00 deg", "1.00 deg",
    ]  # fmt: skip
    assert "Up to 2 scored pairs have lost their pictures" in by_cosine.caption


def test_without_pictures_or_with_two_pairs_there_are_no_extremes(make_run: MakeRun) -> None:
    run = with_pictures(make_run)
    for pair in PAIRS[2:]:
        (run.folder / "pictures" / "targets" / f"{pair}.jpg").unlink()
    assert not drawn(figure_extremes.draw(run))
    assert not drawn(figure_extremes.draw(dataclasses.replace(run, folder=run.folder / "none")))


def test_damaged_scores_are_told(make_run: MakeRun) -> None:
    run = with_pictures(make_run)
    (run.folder / "scores.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="is damaged"):
        drawn(figure_extremes.draw(run))


def ablated(make_run: MakeRun, methods: tuple[str, ...]) -> Run:
    """Swaps of `methods` for two pairs, and shape, identity and background of each."""
    run = figure_run.run(make_run, ("target-copy", "hififace"))
    for name in methods:
        if name not in ("target-copy", "hififace"):
            run = figure_run.with_method(run, name, 0.5)
    examples = tuple(
        dataclasses.replace(one, swaps={name: one.swaps["hififace"] for name in methods}) for one in run.examples
    )
    shapes = {name: np.full(8, k + 1.0) for k, name in enumerate(("hififace", "hififace-n3d", "target-copy"))}
    shapes["hififace-n3d"][PAIRS.index(examples[0].pair)] = 0.5
    shapes["hififace"][PAIRS.index(examples[1].pair)] = math.nan
    others = {name: np.full(8, 0.1 * k) for k, name in enumerate(methods)}
    figure_run.write_scores(run.folder, {SHAPE: shapes, COSINE: others, "background[l1]": others})
    return dataclasses.replace(run, examples=examples)


def test_n3d_tells_the_shape_error_of_every_pair_and_the_lower_one_in_bold(make_run: MakeRun) -> None:
    run = ablated(make_run, ("target-copy", "hififace", "hififace-n3d"))
    (one,) = drawn(figure_ablation.draw(run))
    assert one.name == "n3d"
    values = {
        (text.get_text(), text.get_fontweight())
        for text in one.figure.texts
        if text.get_text()[0].isdigit() or text.get_text() == "—"
    }
    # First pair: n3d is nearer. Second: HifiFace was not scored.
    assert {("0.50", "bold"), ("1.00", "normal"), ("2.00", "normal"), ("—", "normal"), ("3.00", "normal")} <= values
    assert ("2.00", "bold") not in values
    assert words(one).index("Ours-n3d") < words(one).index("HifiFace") and "target-copy" in one.caption


def test_ablation_shows_target_and_source_first_and_the_full_method_last(make_run: MakeRun) -> None:
    run = ablated(make_run, ("target-copy", "hififace", "hififace-bare", "hififace-concat"))
    (one,) = drawn(figure_ablation.draw(run))
    assert one.name == "ablation"
    titles = [word for word in words(one) if word in ("target", "source", "Bare", "Blend", "Concat", "HifiFace (full)")]
    assert titles[:5] == ["target", "source", "Bare", "Concat", "HifiFace (full)"]
    assert "id 0.200\nbackground 0.2000" in words(one) and "id 0.100\nbackground 0.1000" in words(one)


@pytest.mark.parametrize("methods", [("target-copy", "hififace"), ("hififace-n3d", "hififace-bare")])
def test_without_the_methods_there_is_no_ablation(make_run: MakeRun, methods: tuple[str, ...]) -> None:
    run = ablated(make_run, ("target-copy", "hififace", "hififace-n3d", "hififace-bare"))
    kept = tuple(
        dataclasses.replace(one, swaps={name: path for name, path in one.swaps.items() if name in methods})
        for one in run.examples
    )
    assert not drawn(figure_ablation.draw(dataclasses.replace(run, examples=kept)))
