"""Identity against attributes, speed against quality, names beside points."""

from __future__ import annotations

import dataclasses
import math

import figure_run
import finished_run
import numpy as np
import pytest
from figure_run import HOSTILE, MakeRun

from hifibench.records import Cost
from reports.figures import figure as page
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures import speed as figure_speed
from reports.figures import tradeoff as figure_tradeoff
from reports.figures.drawing import Drawing
from reports.records import Latency, Run, Timing

NAMES = tuple(finished_run.METHODS)


def only(drawings) -> Drawing:
    with page.style():
        (one,) = drawings
    return one


def points(axes) -> dict[str, tuple[float, float]]:
    return {one.get_label(): tuple(one.get_offsets()[0]) for one in axes.collections}


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    known = [line for line in axes.lines if line.get_label()[:2] in ("x ", "y ")]
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in known}


def score(run: Run, method: str, metric: str):
    return next(one for one in run.results.scores if (one.method, one.metric) == (method, metric))


def test_points_and_crosses_are_the_numbers_of_the_run(make_run: MakeRun) -> None:
    run = figure_run.run(make_run)
    figure = only(figure_tradeoff.draw(run)).figure
    metrics = [
        (x, y)
        for y in ("id_retrieval[edgeface,sources,top1]", "id_cosine[edgeface]")
        for x in ("pose[mediapipe]", "expression[mediapipe]")
    ]
    assert len(figure.axes) == 4
    for axes, (x, y) in zip(figure.axes, metrics, strict=True):
        assert set(points(axes)) == set(NAMES)
        for name, (at, up) in points(axes).items():
            across, down = score(run, name, x), score(run, name, y)
            assert (at, up) == (across.value, down.value)
            assert lines(axes)[f"x {name}"] == ([across.low, across.high], [up, up])
            assert lines(axes)[f"y {name}"] == ([at, at], [down.low, down.high])


def test_reference_rows_are_hollow_and_methods_keep_their_colour(make_run: MakeRun) -> None:
    run = figure_run.run(make_run, (*NAMES, *HOSTILE))
    looks = figure_looks.of(run)
    assert looks["faceswap"].colour == figure_looks.COLOURS[0] and looks["hififace"].colour == figure_looks.COLOURS[1]
    for drawing in (only(figure_tradeoff.draw(run)), only(figure_speed.draw(run))):
        for axes in drawing.figure.axes:
            for one in axes.collections:
                look = looks[one.get_label()]
                face = one.get_facecolor()
                colour = one.get_edgecolor() if look.reference or not len(face) else face
                from matplotlib.colors import to_rgba

                assert tuple(colour[0]) == to_rgba(look.colour)
                if look.reference:
                    assert tuple(face[0]) == to_rgba("white")


def test_more_methods_than_colours_get_other_marks(make_run: MakeRun) -> None:
    names = [f"m{k}" for k in range(3 * len(figure_looks.COLOURS))]
    looks = figure_looks.of(figure_run.run(make_run, ("target-copy", *names)))
    assert len({(looks[name].colour, looks[name].mark) for name in names}) == len(names)
    assert {looks[name].mark for name in names[:8]} == {"o"} and looks["m8"].mark != "o"


def test_names_are_those_of_the_paper_unless_two_would_be_alike(make_run: MakeRun) -> None:
    looks = figure_looks.of(figure_run.run(make_run, ("hififace", "faceshifter", "faceshifter-ffpp", "mine")))
    assert [looks[name].title for name in looks] == [
        "HifiFace", "FaceShifter (faceshifter)", "FaceShifter (faceshifter-ffpp)", "mine",
    ]  # fmt: skip


def test_a_reference_row_far_off_stands_at_the_edge_with_its_number(make_run: MakeRun) -> None:
    run = figure_run.changed(
        figure_run.run(make_run),
        lambda one: (
            dataclasses.replace(one, value=90.0, low=89.0, high=91.0)
            if (one.method, one.metric) == ("source-paste", "pose[mediapipe]")
            else one
        ),
    )
    drawing = only(figure_tradeoff.draw(run))
    axes = drawing.figure.axes[0]
    assert axes.get_xlim()[1] < 20 and points(axes)["source-paste"][0] == axes.get_xlim()[1]
    assert "x source-paste" not in lines(axes)
    assert "source-paste (90.00)" in {text.get_text() for text in axes.texts}
    assert "stand at the edge" in drawing.caption


def test_a_method_is_never_cut_off(make_run: MakeRun) -> None:
    run = figure_run.changed(
        figure_run.run(make_run),
        lambda one: (
            dataclasses.replace(one, value=90.0, low=80.0, high=99.0)
            if (one.method, one.metric) == ("faceswap", "pose[mediapipe]")
            else one
        ),
    )
    assert only(figure_tradeoff.draw(run)).figure.axes[0].get_xlim()[1] > 99


@pytest.mark.parametrize("broken", [None, math.nan, math.inf])
def test_methods_without_a_number_are_left_out_and_named(make_run: MakeRun, broken: float | None) -> None:
    run = figure_run.changed(
        figure_run.run(make_run),
        lambda one: (
            dataclasses.replace(one, value=broken, low=broken, high=broken) if one.method == "faceswap" else one
        ),
    )
    for drawing in (only(figure_tradeoff.draw(run)), *figure_speed.draw(dataclasses.replace(run, timing=Timing()))):
        assert all("faceswap" not in points(axes) for axes in drawing.figure.axes)
        assert "for want of a number: FaceSwap" in drawing.caption


def test_numbers_without_an_interval_have_no_cross(make_run: MakeRun) -> None:
    run = figure_run.changed(figure_run.run(make_run), lambda one: dataclasses.replace(one, low=None, high=None))
    assert all(not lines(axes) for axes in only(figure_tradeoff.draw(run)).figure.axes)


def test_numbers_that_are_all_alike_are_drawn(make_run: MakeRun) -> None:
    run = figure_run.changed(
        figure_run.run(make_run), lambda one: dataclasses.replace(one, value=0.0, low=0.0, high=0.0)
    )
    for axes in only(figure_tradeoff.draw(run)).figure.axes:
        assert axes.get_xlim()[0] < 0 < axes.get_xlim()[1] and axes.get_ylim()[0] < 0 < axes.get_ylim()[1]


def test_a_run_without_attributes_or_with_one_method_only(make_run: MakeRun) -> None:
    alone = figure_run.run(make_run, ("hififace",))
    assert set(points(only(figure_tradeoff.draw(alone)).figure.axes[0])) == {"hififace"}
    kept = [one for one in alone.results.metrics if one.group == "identity"]
    scores = [one for one in alone.results.scores if one.metric in {metric.name for metric in kept}]
    results = dataclasses.replace(alone.results, metrics=tuple(kept), scores=tuple(scores))
    assert not list(figure_tradeoff.draw(dataclasses.replace(alone, results=results)))


def test_no_name_lies_on_another_or_off_the_page(make_run: MakeRun) -> None:
    run = figure_run.run(make_run, (*NAMES, *HOSTILE, *(f"method {k}" for k in range(6))))
    for drawing in (only(figure_tradeoff.draw(run)), only(figure_speed.draw(run))):
        with page.style():
            drawing.figure.canvas.draw()
            width, height = drawing.figure.canvas.get_width_height()
            for axes in drawing.figure.axes:
                # The box of the words alone: that of an annotation reaches along its line to the point.
                boxes = [text.get_bbox_patch() or super(type(text), text).get_window_extent() for text in axes.texts]
                for index, box in enumerate(boxes):
                    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
                    for other in boxes[index + 1 :]:
                        assert not box.shrunk(0.95, 0.95).overlaps(other.shrunk(0.95, 0.95))


def test_of_two_estimators_the_one_that_taught_no_method_is_taken(make_run: MakeRun) -> None:
    run = figure_run.run(make_run)
    assert figure_metrics.choose(run, "pose").name == "pose[mediapipe]"
    methods = tuple(
        dataclasses.replace(one, trained_with=("mediapipe",)) if one.name == "hififace" else one
        for one in run.results.methods
    )
    experts = (*run.results.experts, dataclasses.replace(run.results.experts[0], name="3ddfa"))
    taught = dataclasses.replace(run, results=dataclasses.replace(run.results, methods=methods, experts=experts))
    assert figure_metrics.choose(taught, "pose").name == "pose[3ddfa]"
    assert figure_metrics.choose(run, "gaze") is None
    # Where no other estimator is left, the method is marked.
    drawing = only(figure_tradeoff.draw(taught))
    assert "HifiFace †" in {text.get_text() for text in drawing.figure.axes[1].texts}
    assert "†" in drawing.caption


def timed(run: Run, times: dict[str, float], costs: dict[str, Cost | None]) -> Run:
    methods = tuple(dataclasses.replace(one, cost=costs.get(one.name)) for one in run.results.methods)
    timing = Timing(run.timing.hardware, {name: Latency(9, ms, ms, "swap") for name, ms in times.items()})
    return dataclasses.replace(run, results=dataclasses.replace(run.results, methods=methods), timing=timing)


def test_speed_shows_times_and_numbers_and_areas_by_parameters(make_run: MakeRun) -> None:
    costs = {"faceswap": Cost(1_000_000, 1_000_000, None), "hififace": Cost(None, 8_000_000, None)}
    run = timed(figure_run.run(make_run), {"faceswap": 60.0, "hififace": 80.0, "target-copy": 0.1}, costs)
    left, right = only(figure_speed.draw(run)).figure.axes
    for axes, metric in ((left, "id_retrieval[edgeface,sources,top1]"), (right, "pose[mediapipe]")):
        assert axes.get_xscale() == "log" and set(points(axes)) == {"faceswap", "hififace"}
        for name, ms in (("faceswap", 60.0), ("hififace", 80.0)):
            one = score(run, name, metric)
            assert points(axes)[name] == (ms, one.value)
            assert lines(axes)[f"y {name}"] == ([ms, ms], [one.low, one.high])
        sizes = {one.get_label(): one.get_sizes()[0] for one in axes.collections}
        assert sizes["hififace"] == pytest.approx(4 * sizes["faceswap"])


def test_speed_of_methods_whose_parameters_nobody_counted(make_run: MakeRun) -> None:
    run = timed(figure_run.run(make_run), {"faceswap": 60.0, "hififace": 60.0}, {"faceswap": Cost(0, 0, None)})
    drawing = only(figure_speed.draw(run))
    faces = {one.get_label(): len(one.get_facecolor()) for one in drawing.figure.axes[0].collections}
    assert faces == {"faceswap": 1, "hififace": 0}, "a ring, not a mark"
    assert any("not counted" in text.get_text() for text in drawing.figure.texts)


@pytest.mark.parametrize("times", [{}, {"target-copy": 1.0}, {"faceswap": 0.0, "hififace": math.nan}])
def test_without_a_time_there_is_no_figure_of_speed(make_run: MakeRun, times: dict[str, float]) -> None:
    assert not list(figure_speed.draw(timed(figure_run.run(make_run), times, {})))


@pytest.mark.parametrize(("low", "high"), [(20.0, 250.0), (0.01, 1e5), (49.0, 51.0), (3.0, 3.1)])
def test_ticks_lie_within_the_axis(low: float, high: float) -> None:
    ticks = np.array(figure_speed._ticks(low / 1.6, high * 1.6))
    assert 1 <= len(ticks) <= 12 and (ticks >= low / 1.6).all() and (ticks <= high * 1.6).all()
