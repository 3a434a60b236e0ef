"""The page in a real browser, where no test may cause a word on the console or a request to a network."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import explored_run
import finished_run
import numpy as np
import paper_run
import pytest
from explored_run import FAILED, PAIRS
from PIL import Image

from reports import read, tables
from reports.page import page, pictures
from reports.page import pairs as page_pairs
from reports.paper import table_one as paper_table
from reports.paper.formats import ELSEWHERE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.slow

MakeRun = Callable[..., Path]
Open = Callable[..., "Page"]
Colour = tuple[float, ...]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser; it is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium, chromium-browser or google-chrome on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small run, written once."""
    return explored_run.write_page(explored_run.write(_maker(tmp_path_factory.mktemp("small"))))[-1]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """``visit(path, hash="", **options)`` opens a page; at the end no visited page may have complained."""
    complaints: list[str] = []
    contexts = []

    def visit(path: Path, hash: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(5000)
        tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        tab.on("requestfailed", lambda request: complaints.append(f"failed: {request.url[:200]}"))
        near = path.parent.as_uri()
        tab.on(
            "request",
            lambda request: (
                request.url.startswith(("data:", near)) or complaints.append(f"asked for: {request.url[:200]}")
            ),
        )
        tab.goto(path.as_uri() + hash)
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def _maker(folder: Path) -> MakeRun:
    def make(content: dict[str, Any], **_: Any) -> Path:
        return finished_run.write(folder / "run", content, [finished_run.picture(index) for index in range(3)])

    return make


def _rows(tab: Page, table: str = "#results table") -> list[str]:
    return tab.eval_on_selector_all(
        f"{table} tbody tr:not([hidden]) th", "all => all.map(one => one.textContent.trim())"
    )


def _cards(tab: Page) -> list[str]:
    return tab.eval_on_selector_all("#gallery .pair", "all => all.map(one => one.dataset.pair)")


def _numbers(tab: Page) -> list[float]:
    texts = tab.eval_on_selector_all("#gallery .number", "all => all.map(one => one.textContent)")
    return [float(text) for text in texts if text not in ("not scored", "nothing to score")]


def test_tables_are_sorted_by_click_and_by_keyboard_and_come_back(visit: Open, report: Path) -> None:
    tab = visit(report)
    before = _rows(tab)
    assert before == ["target-copy", "re-encode", "source-paste", "faceswap", "hififace"]
    head = tab.locator("#results thead th").nth(1)
    head.locator("button").click()
    # A higher identity is better, and reference rows stay among themselves.
    assert _rows(tab) == ["source-paste", "re-encode", "target-copy", "hififace", "faceswap"]
    assert head.get_attribute("aria-sort") == "descending"
    tab.keyboard.press("Enter")
    assert _rows(tab) == ["target-copy", "re-encode", "source-paste", "faceswap", "hififace"]
    assert head.get_attribute("aria-sort") == "ascending"
    tab.keyboard.press("Space")
    assert _rows(tab) == before
    assert head.get_attribute("aria-sort") is None
    assert tab.locator("#results thead th").first.locator("button").count() == 1


def test_missing_numbers_stand_last_whichever_way_it_is_sorted(visit: Open, report: Path) -> None:
    tab = visit(report)
    button = tab.locator("#results thead th", has_text="Latency").locator("button")
    button.click()
    assert _rows(tab)[3:] == ["faceswap", "hififace"]
    button.click()
    assert _rows(tab)[3:] == ["faceswap", "hififace"]


def test_a_measurement_sorts_the_methods_in_its_table(visit: Open, report: Path) -> None:
    tab = visit(report)
    table = "#all .scroll >> nth=0"
    heads = lambda: tab.locator(f"{table} >> thead th").all_inner_texts()[1:]  # noqa: E731
    assert heads() == ["target-copy", "re-encode", "source-paste", "faceswap", "hififace"]
    tab.locator(f"{table} >> tbody th button >> nth=0").click()
    assert heads() == ["source-paste", "re-encode", "target-copy", "hififace", "faceswap"]
    # Numbers stay with their methods.
    assert float(tab.locator(f"{table} >> tbody tr >> nth=0 >> td >> nth=0").get_attribute("data-value") or "") == 95.0


def test_table_1_moves_a_method_with_what_is_published_of_it(visit: Open, tmp_path: Path) -> None:
    def make(content: dict[str, Any], **_: Any) -> Path:
        return finished_run.write(tmp_path / "run", content, [])

    run = read.run(paper_run.write(make, paper_run.results(methods=("target-copy", "faceshifter-ffpp", "hififace"))))
    table = tables.build(run)
    tab = visit(page.write(run, table, paper_table.build(run), None, (), tmp_path)[-1])
    before = _rows(tab, "#table1 table")
    groups = [[row for row in before if row.startswith(name)] for name in ("FaceShifter", "HifiFace")]
    assert all(groups)
    lines = tab.eval_on_selector_all("#table1 tbody[data-group]", "all => all.map(one => one.dataset.method)")
    assert lines == ["faceshifter-ffpp", "hififace"]
    tab.locator("#table1 thead th").nth(1).locator("button").click()
    after = _rows(tab, "#table1 table")
    assert after[0] == before[0] == "target-copy"
    lines = tab.eval_on_selector_all("#table1 tbody[data-group]", "all => all.map(one => one.dataset.method)")
    assert lines == ["hififace", "faceshifter-ffpp"]
    assert sorted(after) == sorted(before)
    # What others published of methods that the run does not have stays below.
    heading = next(index for index, row in enumerate(before) if row == ELSEWHERE)
    assert after[heading] == before[heading]
    for _ in range(2):
        tab.locator("#table1 thead th").nth(1).locator("button").click()
    assert _rows(tab, "#table1 table") == before


def test_a_method_that_is_switched_off_is_gone_everywhere(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.locator("#bar summary").click()
    tab.locator("#bar input[value=faceswap]").uncheck()
    assert _rows(tab) == ["target-copy", "re-encode", "source-paste", "hififace"]
    assert tab.locator("main [data-method=faceswap]:visible").count() == 0
    assert tab.locator("#pick-method").input_value() == "4"
    assert "4 of 5" in tab.locator("#chosen-methods").inner_text()
    tab.locator("#gallery .pair").first.click()
    assert "faceswap" not in tab.locator("#viewer").inner_text()
    tab.keyboard.press("Escape")
    tab.locator("#all-methods").click()
    assert len(_rows(tab)) == 5
    for box in tab.locator("#bar input").all():
        box.click()
    assert len(_rows(tab)) == 1  # the last one cannot be switched off


def test_pairs_are_chosen_by_part_by_name_and_by_how_they_ended(visit: Open, report: Path) -> None:
    tab = visit(report)
    assert tab.locator("#count").inner_text() == f"1 to 24 of {PAIRS} pairs"
    tab.locator("[data-split='0']").select_option("far")
    assert tab.locator("#count").inner_text() == f"1 to 14 of 14 pairs that fit ({PAIRS} in all)"
    plan = [pair.pair for pair in finished_run.manifest(PAIRS).pairs]
    assert set(_cards(tab)) == set(plan[1::2])
    tab.locator("[data-split='0']").select_option("all")
    tab.locator("#pick-text").fill("P01")
    assert sorted(_cards(tab)) == [f"p01{digit}" for digit in range(10)]
    tab.locator("#pick-text").fill("p010")
    assert tab.locator("#count").inner_text() == f"1 pair that fits ({PAIRS} in all)"
    tab.locator("#pick-text").fill("nobody")
    assert tab.locator("#count").inner_text() == "No pair fits."
    tab.locator("#pick-text").fill("")
    tab.locator("#pick-status").select_option("failed")
    assert set(_cards(tab)) == set(FAILED)
    assert "no swap: no face in source" in tab.locator("#gallery").inner_text()
    tab.locator("#pick-status").select_option("unscored")
    assert set(_cards(tab)) == set(FAILED)
    tab.locator("#pick-status").select_option("ok")
    assert not set(_cards(tab)) & set(FAILED)


def test_the_gallery_shows_the_worst_and_the_best_cases_page_by_page(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.locator("#pick-method").select_option("faceswap")
    for metric, higher in (("ID cosine to source: edgeface", True), ("Pose error: 3ddfa (deg)", False)):
        tab.locator("#pick-metric").select_option(metric)
        for order in ("worst", "best"):
            tab.locator("#pick-order").select_option(order)
            first = _numbers(tab)
            assert first == sorted(first, reverse=higher == (order == "best"))
            assert len(set(first)) == 24
            tab.locator("#pager-top .on").click()
            assert len(_cards(tab)) == PAIRS - 24
            # What was not scored, and where there is nothing to score, stands last.
            assert set(FAILED) <= set(_cards(tab)[-3:])
            assert tab.locator("#pager-top .on").is_disabled()
    assert "nothing to score" in tab.locator("#gallery").inner_text()
    tab.locator("#pick-order").select_option("run")
    assert _cards(tab) == [pair.pair for pair in finished_run.manifest(PAIRS).pairs][:24]


def test_the_strips_show_the_mean_of_the_pairs_that_are_chosen(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.locator("#pick-metric").select_option("Pose error: 3ddfa (deg)")
    plan = [pair.pair for pair in finished_run.manifest(PAIRS).pairs]
    for part, start, step in (("all", 0, 1), ("far", 1, 2)):
        tab.locator("[data-split='0']").select_option(part)
        values = [
            [explored_run.value(row, 8, k) for k in range(start, PAIRS, step)
             if plan[k] != explored_run.NOTHING and (row != 3 or plan[k] not in FAILED)]
            for row in range(5)
        ]  # fmt: skip
        means = np.array([np.mean(one) for one in values])
        shown = [float(text.split()[-1]) for text in tab.locator("#strips .mean").all_inner_texts()]
        assert shown == pytest.approx(means, abs=5e-3)
        # From the least number of all pairs to the greatest; the line stands where the mean is among them.
        low, high = (float(text) for text in tab.locator("#strips .ends span").all_inner_texts())
        lines = tab.eval_on_selector_all("#strips .middle", "all => all.map(one => one.getAttribute('d'))")
        places = [float(line[1:].split()[0]) / 64 for line in lines]
        assert places == pytest.approx((means - low) / (high - low), abs=5e-3)


def test_arrow_keys_go_through_the_gallery_and_over_its_pages(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.locator("#gallery .pair").nth(22).focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#count").inner_text() == f"25 to {PAIRS} of {PAIRS} pairs"
    assert tab.evaluate("document.activeElement.dataset.pair") == _cards(tab)[0]
    tab.keyboard.press("ArrowLeft")
    assert tab.evaluate("document.activeElement.dataset.pair") == _cards(tab)[23]


def test_a_pair_opens_turns_over_and_gives_the_focus_back(visit: Open, report: Path) -> None:
    tab = visit(report)
    names = _cards(tab)
    tab.locator("#gallery .pair").nth(1).click()
    title = tab.locator("#viewer-title")
    assert title.inner_text() == f"Pair {names[1]}"
    assert tab.evaluate("location.hash") == f"#pair={names[1]}"
    assert tab.locator("#viewer .stage img").count() == 7  # one for each, two more to compare and two for the change
    assert tab.locator("#viewer .swaps button").count() == 5
    loaded = "all => all.every(one => one.complete && one.naturalWidth > 0)"
    tab.wait_for_function(f"({loaded})([...document.querySelectorAll('#viewer img')])")
    tab.keyboard.press("ArrowRight")
    assert title.inner_text() == f"Pair {names[2]}"
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert title.inner_text() == f"Pair {names[0]}"
    tab.keyboard.press("ArrowLeft")
    assert title.inner_text() == f"Pair {names[0]}"
    tab.keyboard.press("Escape")
    assert not tab.locator("#viewer").is_visible()
    assert tab.evaluate("document.activeElement.dataset.pair") == names[0]
    assert tab.evaluate("location.hash") == ""
    tab.keyboard.press("Enter")
    assert title.inner_text() == f"Pair {names[0]}"
    tab.go_back()
    assert not tab.locator("#viewer").is_visible()


def test_the_slider_moves_the_edge_by_keyboard_and_by_pointer(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.locator("#gallery .pair").first.click()
    slider, over = tab.locator("#viewer input[type=range]"), tab.locator(".compare .over")
    clip = lambda: over.evaluate("one => getComputedStyle(one).clipPath")  # noqa: E731
    assert clip() == "inset(0px 0px 0px 50%)"
    assert "target" in (slider.get_attribute("aria-label") or "")
    name = tab.locator("#viewer-title").inner_text()
    slider.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert clip() == "inset(0px 0px 0px 53%)"
    assert slider.get_attribute("aria-valuetext") == "53 % target"
    assert tab.locator("#viewer-title").inner_text() == name  # the arrows are the slider's here
    tab.keyboard.press("End")
    assert clip() == "inset(0px 0px 0px 100%)"
    box = tab.locator(".compare").bounding_box()
    assert box is not None
    tab.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 20)
    assert clip() == "inset(0px 0px 0px 25%)"
    edge = tab.locator(".compare .edge").bounding_box()
    assert edge is not None
    assert edge["x"] == pytest.approx(box["x"] + 0.25 * box["width"], abs=2)


def test_the_change_is_black_where_swap_and_target_are_the_same(visit: Open, tmp_path: Path) -> None:
    folder = explored_run.write(_maker(tmp_path))
    for path in (folder / "pictures" / "targets").iterdir():
        shutil.copy(path, folder / "pictures" / "swaps" / "target-copy" / path.name)
    tab = visit(explored_run.write_page(folder)[-1], "#pair=p001")
    shown = {}
    for name in ("target-copy", "hififace"):
        tab.locator("#viewer .swaps button", has_text=name).click()
        tab.wait_for_timeout(200)
        shown[name] = _brightness(tab.locator("#viewer .change").screenshot())
    assert shown["target-copy"] < 15 < 60 < shown["hififace"]


def _brightness(png: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L"), np.float64)[10:-10, 10:-10].mean())


def _paint(folder: Path) -> dict[Path, Colour]:
    """Give every picture of a run a colour of its own."""
    painted = {}
    for index, path in enumerate(sorted((folder / "pictures").rglob("*.jpg"))):
        number = index * 101 % 7**3  # no two pictures that lie side by side are alike
        colour = tuple(42 * (number // 7**place % 7) for place in range(3))
        Image.new("RGB", (64, 64), colour).save(path, quality=95)
        painted[path.relative_to(folder / "pictures")] = colour
    return painted


def _colour(png: bytes, across: float = 0.5) -> Colour:
    """What stands in the middle of a picture's height, and so far from its left."""
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    y, x = picture.shape[0] // 2, int(across * picture.shape[1])
    return tuple(picture[y - 2 : y + 2, x - 2 : x + 2].reshape(-1, 3).mean(0).tolist())


@pytest.mark.parametrize("beside", [False, True])
def test_every_picture_is_of_the_method_and_pair_that_it_stands_for(
    visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    # Three masks: of ten tiles a sheet has other many columns than rows.
    folder = explored_run.write(_maker(tmp_path), masks=("re-encode", "faceswap", "hififace"))
    painted = _paint(folder)
    if beside:
        monkeypatch.setattr(pictures, "INLINE_BYTES", 1000)
    # All of it fits the window: nothing scrolls, and nothing is covered.
    tall = {"width": 1280, "height": 6000}
    tab = visit(explored_run.write_page(folder)[-1], "#pair=p004", viewport=tall)

    def shows(locator: Locator, *path: str, across: float = 0.5) -> None:
        tab.evaluate("Promise.all([...document.querySelectorAll('img')].map(one => one.decode()))")
        assert _colour(locator.screenshot(), across) == pytest.approx(painted[Path(*path)], abs=12), path

    figure = lambda words: tab.locator(f"#viewer figure:has(figcaption:text-is('{words}')) .tile").first  # noqa: E731
    for name in ("hififace", "faceswap"):
        tab.locator("#viewer .swaps button", has_text=name).click()
        shows(figure("source"), "sources", "p004.jpg")
        shows(figure("target"), "targets", "p004.jpg")
        shows(figure("mask: white is the swap"), "masks", name, "p004.jpg")
        # The target lies on the left of the edge, the swap on the right.
        shows(tab.locator("#viewer .compare"), "targets", "p004.jpg", across=0.25)
        shows(tab.locator("#viewer .compare"), "swaps", name, "p004.jpg", across=0.75)
    tab.locator("#viewer input[type=range]").press("End")
    shows(tab.locator("#viewer .compare"), "targets", "p004.jpg", across=0.75)
    for name in finished_run.METHODS:
        shows(tab.locator(f"#viewer .swaps button:has-text('{name}') .tile"), "swaps", name, "p004.jpg")
    tab.keyboard.press("Escape")
    for name in ("target-copy", "hififace"):
        tab.locator("#pick-method").select_option(name)
        for place in (0, 3):
            card = tab.locator("#gallery .pair").nth(place)
            pair = card.get_attribute("data-pair")
            for tile, path in enumerate((("sources",), ("targets",), ("swaps", name))):
                shows(card.locator(".tile").nth(tile), *path, f"{pair}.jpg")


def test_every_score_of_a_pair_is_in_its_table(visit: Open, report: Path) -> None:
    tab = visit(report, f"#pair={FAILED[0]}")
    cells = tab.locator("#viewer .scores tbody tr")
    assert cells.count() == 1 + len(finished_run.METRICS)
    position = [pair.pair for pair in finished_run.manifest(PAIRS).pairs].index(FAILED[0])
    for column, (_, title, _, _, decimals, _) in enumerate(finished_run.METRICS):
        row = cells.nth(1 + column)
        assert row.locator("th").inner_text().startswith(title)
        shown = [text.strip() for text in row.locator("td").all_inner_texts()]
        assert shown[3] == "not scored"
        for method in (0, 1, 2, 4):
            assert float(shown[method]) == pytest.approx(
                explored_run.value(method, column, position), abs=10**-decimals
            )
    assert explored_run.EVIL in cells.first.inner_text()
    assert "Yaw <i>, mediapipe: " in tab.locator("#viewer .levels").inner_text()


def test_light_and_dark_follow_the_system_until_told_otherwise(visit: Open, report: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(report, color_scheme=scheme) for scheme in ("light", "dark"))
    white, black = light.evaluate(ground), dark.evaluate(ground)
    assert white != black
    light.locator("#theme").click()
    assert light.evaluate(ground) == black
    light.locator("#theme").click()
    assert light.evaluate(ground) == white
    # Paper is white, whatever the screen is.
    for chosen in (False, True):
        if chosen:
            dark.locator("#theme").click()
            assert dark.evaluate(ground) == white
            dark.locator("#theme").click()
        dark.emulate_media(media="print")
        assert dark.evaluate(ground) == white
        dark.emulate_media(media="screen")
        assert dark.evaluate(ground) == black


def test_nothing_sticks_out_of_a_phone(visit: Open, report: Path) -> None:
    tab = visit(report, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    width = "document.documentElement.scrollWidth"
    assert tab.evaluate(width) <= 390
    tab.locator("#gallery .pair").first.tap()
    assert tab.evaluate(width) <= 390
    assert tab.evaluate("document.querySelector('#viewer').scrollWidth") <= 390
    box = tab.locator(".compare").bounding_box()
    assert box is not None
    assert box["width"] > 340
    tab.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 100)
    assert tab.locator(".compare .over").evaluate("one => one.style.clipPath").endswith("75%)")


def test_names_are_words_and_never_code(visit: Open, tmp_path: Path) -> None:
    content = finished_run.results()
    content["metrics"][4]["title"] = content["title"] = content["methods"][3]["summary"] = explored_run.EVIL
    name = "<!--<script>&\"' ü {} %41#"
    folder = explored_run.write(_maker(tmp_path), content=content, rename=lambda pair: f"{pair} {name}")
    tab = visit(explored_run.write_page(folder)[-1], f"#pair={quote(f'p001 {name}')}")
    assert tab.locator("#viewer-title").inner_text() == f"Pair p001 {name}"
    assert explored_run.EVIL in tab.locator("#viewer .scores").inner_text()
    assert explored_run.EVIL in tab.locator("h1").inner_text()
    tab.keyboard.press("Escape")
    tab.locator("#gallery .pair").first.click()
    tab.reload()
    assert tab.locator("#viewer-title").inner_text().endswith(name)
    assert tab.evaluate("globalThis.broken") is None


def test_an_address_of_no_pair_opens_nothing(visit: Open, report: Path) -> None:
    for address in ("#pair=nobody", "#pair=%E0%A4%A", "#results"):
        assert not visit(report, address).locator("#viewer").is_visible()


def test_a_run_without_pictures_scores_and_parts_shows_what_is_left(visit: Open, tmp_path: Path) -> None:
    folder = explored_run.write(_maker(tmp_path))
    shutil.rmtree(folder / "pictures")
    (folder / "scores.parquet").unlink()
    (folder / "splits.parquet").unlink()
    tab = visit(explored_run.write_page(folder)[-1])
    assert tab.locator("#lost li").count() == 3
    assert len(_cards(tab)) == 24
    tab.locator("#gallery .pair").first.click()
    assert tab.locator("#viewer img").count() == 0
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Escape")
    shutil.rmtree(folder / "swaps")
    (folder / "manifest.json").unlink()
    tab = visit(explored_run.write_page(folder)[-1])
    assert "Nothing is left that names the pairs." in tab.locator("#pairs").inner_text()
    assert tab.locator("#gallery").count() == 0
    tab.locator("#results thead button").first.click()


def test_a_large_run_reads_its_pictures_from_beside_the_page(
    visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = explored_run.write(_maker(tmp_path))
    monkeypatch.setattr(pictures, "INLINE_BYTES", 100_000)
    monkeypatch.setattr(pictures, "BESIDE_LOOKS", (pictures.Look(64, 70),))
    written = explored_run.write_page(folder)
    tab = visit(written[-1])
    tab.wait_for_function("[...document.querySelectorAll('#gallery img')].every(one => one.naturalWidth > 0)")
    assert tab.locator("#gallery img").count() >= 3 * 24 - 2
    tab.close()
    # Without its sheet a pair says so, and another report's numbers are not taken for this one's.
    script = folder / "report" / page_pairs.SCRIPT
    script.write_text(script.read_text().replace('"key":"', '"key":"0'))
    assert "belongs to another report" in visit(written[-1]).locator("#no-pairs").inner_text()


def test_the_full_frame_of_a_large_run_is_shown_where_it_is_there(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = explored_run.write(_maker(tmp_path))
    monkeypatch.setattr(pictures, "INLINE_BYTES", 100_000)
    monkeypatch.setattr(pictures, "BESIDE_LOOKS", (pictures.Look(64, 70),))
    written = explored_run.write_page(folder)[-1]
    pair = finished_run.manifest(PAIRS).pairs[0].pair
    # Beyond the folder of the page, so the rule of the other tests does not hold here.
    tab = browser.new_page()
    tab.goto(f"{written.as_uri()}#pair={pair}")
    tab.locator("#viewer .full summary").click()
    tab.wait_for_function("document.querySelector('#viewer .full img')?.naturalWidth === 120")
    (folder / "swaps" / "faceswap" / f"{pair}.png").unlink()
    tab.reload()
    tab.locator("#viewer .full summary").click()
    tab.wait_for_function("document.querySelector('#viewer .full p')")
    assert "no longer there" in tab.locator("#viewer .full").inner_text()
    tab.close()


def test_without_javascript_everything_but_the_pairs_can_be_read(visit: Open, report: Path) -> None:
    tab = visit(report, java_script_enabled=False)
    assert tab.locator("#results tbody tr:visible").count() == 5
    assert tab.locator("noscript").inner_text().startswith("To look at pairs")
    assert tab.locator("#explorer, #bar, .hint, #viewer").locator("visible=true").count() == 0


def test_the_keyboard_alone_reaches_the_results_first(visit: Open, report: Path) -> None:
    tab = visit(report)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.locator(".skip").bounding_box()["y"] >= 0
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.evaluate(outline) != "none"
    tab.keyboard.press("Enter")
    assert tab.evaluate("location.hash") == "#results"


def test_names_that_a_script_knows_or_that_are_long_stand_like_all_others(visit: Open, tmp_path: Path) -> None:
    names = ["__proto__", "10", "2", "constructor", "a" * 200, "<b>ü"]
    folder = explored_run.write(_maker(tmp_path), content=finished_run.results(names), masks=names[:2])
    tab = visit(explored_run.write_page(folder)[-1])
    assert _rows(tab) == names
    assert tab.locator("#strips .name").all_inner_texts() == names
    tab.locator("#results thead th").nth(1).locator("button").click()  # no name covers the headings
    tab.locator("#bar summary").click()
    for name in ("__proto__", "10"):
        tab.locator(f"#bar input[value='{name}']").uncheck()
    assert tab.locator("#strips .name").all_inner_texts() == names[2:]
    tab.locator("#gallery .pair").first.click()
    assert tab.locator("#viewer .scores thead th").all_inner_texts()[1:] == names[2:]
    shown = tab.locator("#viewer .scores tbody tr").nth(5).locator("td").all_inner_texts()
    assert [float(text) for text in shown] == pytest.approx(
        [explored_run.value(row, 4, 0) for row in range(2, len(names))], abs=5e-4
    )
    for row in (tab.locator("#viewer .swaps button").nth(index) for index in range(len(names) - 2)):
        box = row.bounding_box()
        assert box is not None and box["height"] < 200
