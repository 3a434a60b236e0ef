from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from calibrations import calibration, curve, entry
from rich.console import Console
from test_report_page import Outline

from hifibench.data.images import save_png
from reports import calibration as report


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = report.render(calibration(), {"yaw": [report.Tile("undamaged", "data:image/jpeg;base64,AAAA")]})
    outline = Outline(text)
    ids = {attributes["id"] for _, attributes in outline.elements if attributes.get("id")}
    addresses = [a.get("href") or a.get("src") for _, a in outline.elements if a.get("href") or a.get("src")]
    assert all(one and (one.removeprefix("#") in ids or one.startswith("data:")) for one in addresses)
    assert outline.count("script") == outline.count("link") == 0
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text


def test_numbers_stand_in_the_table() -> None:
    words = Outline(report.render(calibration(), {})).text
    for word in (
        "1.50 deg",
        "1.25",
        "21.00",
        "0.95",
        "0.90 to 0.97",
        "0.30 deg",
        "0.6 deg",
        "more than the largest dose",
    ):
        assert word in words


def test_a_poor_metric_is_marked_and_its_reason_is_escaped() -> None:
    text = report.render(calibration(), {})
    assert "ρ 0.40 with yaw &lt;b&gt;" in text
    assert report.render(calibration(entry()), {}).count('class="poor"') == 0 < text.count('class="poor"')


def test_cross_talk_is_marked_where_it_should_not_be() -> None:
    made = entry()
    kinds = {one.name: report.cross_talk(made, one) for one in made.series}
    assert kinds["yaw"].kind == "judged" and kinds["shape"].kind == "ignores" and kinds["light"].kind == "moves"
    assert kinds["light"].text == "50"
    assert report.cross_talk(made, dataclasses.replace(curve("light"), expected=True)).kind == "expected"
    assert report.cross_talk(made, dataclasses.replace(curve("light"), effect=None)).text == report.MISSING


def test_a_plot_starts_at_no_damage_and_ends_at_the_largest_dose() -> None:
    drawn = report.plot(curve("yaw"))
    assert drawn is not None
    # The largest upper end, 4.5, is the top; no change is the bottom.
    assert drawn.line.split()[0] == "0.0,96.0" and drawn.dots[-1] == (200.0, pytest.approx(96 * 0.5 / 4.5, abs=0.06))
    assert drawn.whiskers[-1] == (200.0, pytest.approx(96 / 4.5, abs=0.06), 0.0)
    assert (drawn.top, drawn.bottom, drawn.right) == ("+4.5", "", "5 deg")


def test_a_falling_plot_has_no_change_on_top() -> None:
    falling = dataclasses.replace(curve("yaw"), means=(-1.0, -4.0), low=(-2.0, -5.0), high=(-0.5, -3.0))
    drawn = report.plot(falling)
    assert drawn is not None and drawn.zero == 0.0 and (drawn.top, drawn.bottom) == ("", "-5")


def test_a_plot_without_values_is_none() -> None:
    nothing = dataclasses.replace(curve("yaw"), means=(None, None))
    assert report.plot(nothing) is None
    assert "no values" in report.render(calibration(dataclasses.replace(entry(), series=(nothing,))), {})


def test_strips_show_a_pair_that_the_dose_changes(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": [{"pair": "a"}, {"pair": "b"}]}))
    for pair, grey in (("a", 0), ("b", 200)):
        save_png(tmp_path / "swaps" / "truth" / f"{pair}.png", np.zeros((8, 8, 3), np.uint8))
        save_png(tmp_path / "swaps" / "dose-yaw-5" / f"{pair}.png", np.full((8, 8, 3), grey, np.uint8))
    undamaged, _, largest = report.strips(calibration(), tmp_path)["yaw"]
    assert undamaged.address != largest.address


def test_strips_show_the_first_pair_at_every_dose(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"pairs": [{"pair": "a"}, {"pair": "b"}]}))
    for method in ("truth", "dose-yaw-2"):
        save_png(tmp_path / "swaps" / method / "a.png", np.zeros((8, 8, 3), np.uint8))
    tiles = report.strips(calibration(), tmp_path)["yaw"]
    assert [tile.words for tile in tiles] == ["undamaged", "2", "5"]
    assert [tile.address is not None for tile in tiles] == [True, True, False]
    assert report.write(calibration(), tmp_path).read_text().count("<img") == 1 + 2 + 1


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal_names_floor_rho_and_resolution(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    report.show(calibration(), console)
    text = console.export_text()
    for word in (
        "pose[mediapipe]",
        "1.50 deg",
        "0.95",
        "0.90 to 0.97",
        "0.6 deg",
        "gaze[mediapipe] is poor: ρ 0.40",
    ):
        assert word in text
    assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_tells_of_more_pairs_too() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    report.show(calibration(), console)
    text = console.export_text()
    assert "at 1,000" in text and "> largest" in text
