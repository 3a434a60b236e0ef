from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import finished_run
import pytest

from reports import read, tables
from reports.page import page
from reports.records import Metric

MakeRun = Callable[..., Path]
VOID = {"meta", "img", "br", "path", "circle", "input"}


class Outline(HTMLParser):
    """Checks that elements nest, and keeps the text, the elements and every address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & {*self.open}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def render(folder: Path) -> str:
    run = read.run(folder)
    return page.render(run, tables.build(run))


SCRIPTS = 3
"""The data, the sheets, and the one that runs."""


def test_the_page_is_whole_and_needs_nothing_else(make_run: MakeRun) -> None:
    text = render(make_run(examples=8))
    outline = Outline(text)
    ids = {attributes["id"] for _, attributes in outline.elements if attributes.get("id")}
    for _, attributes in outline.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            address = attributes.get(name)
            assert (
                address is None
                or address.startswith(("data:image/jpeg;base64,", "#pair="))
                or address.removeprefix("#") in ids
            )
    assert outline.count("script") == SCRIPTS
    assert outline.count("link") == outline.count("iframe") == 0
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 3_000_000


def test_the_policy_lets_this_script_and_this_style_run_and_nothing_else(make_run: MakeRun) -> None:
    text = render(make_run())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    allowed = dict(entry.split(" ", 1) for entry in html.unescape(policy).split("; "))
    assert allowed["default-src"] == "'none'"
    assert allowed["img-src"] == "data:"
    for name, pattern in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        (content,) = re.findall(pattern, text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert allowed[name] == f"'sha256-{digest}'"
    assert not [
        attributes for _, attributes in Outline(text).elements if {"style", "onclick", "onload"} & {*attributes}
    ]


def test_every_number_and_every_footnote_is_there(make_run: MakeRun) -> None:
    folder = make_run()
    text = Outline(render(folder)).text
    table = tables.build(read.run(folder))
    for cell in table.cells.values():
        assert cell.text in text
        assert cell.interval in text
    for note in table.notes:
        if not note.floor:
            assert note.text in text
    # On the page the limits stand with the rest of each network's card.
    assert "compresses large angles" in text


def test_the_grid_shows_source_target_and_each_swap(make_run: MakeRun) -> None:
    outline = Outline(render(make_run(examples=3)))
    described = [attributes["alt"] for tag, attributes in outline.elements if tag == "img"]
    assert len(described) == 3 * (2 + len(finished_run.METHODS)) - 1
    assert described[:3] == ["source, pair p000", "target, pair p000", "target-copy, pair p000"]
    assert "faceswap, pair p003" not in described
    assert outline.text.count("no swap") == 1 + 1  # the tile, and the reference row that says so in its footnote


def test_a_run_without_examples_has_no_empty_section(make_run: MakeRun) -> None:
    outline = Outline(render(make_run(examples=0)))
    assert outline.count("img") == 0
    assert "Examples" not in outline.text


def test_a_run_that_kept_nothing_but_its_results_still_has_a_page(make_run: MakeRun) -> None:
    folder = make_run(examples=0)
    for name in ("run.json", "timing.json", "manifest.json"):
        (folder / name).unlink()
    content = json.loads((folder / "results.json").read_text())
    content |= {"checks": [], "experts": [], "protocol": {}, "galleries": {}, "origin": ""}
    (folder / "results.json").write_text(json.dumps(content))
    assert "no reference rows that could be checked" in Outline(render(folder)).text


@pytest.mark.parametrize("field", ["summary", "limits", "licence", "paper", "messages"])
def test_texts_from_plugins_are_escaped(make_run: MakeRun, field: str) -> None:
    evil = "<script>alert('&')</script>"
    content = finished_run.results()
    content["methods"][3][field] = [evil] if field == "messages" else evil
    outline = Outline(render(make_run(content)))
    assert outline.count("script") == SCRIPTS
    assert evil in outline.text


def test_names_from_plugins_are_escaped(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", '"><script>x'])
    content["metrics"][0]["title"] = "<b>ID</b>"
    outline = Outline(render(make_run(content, examples=0)))
    assert outline.count("script") - SCRIPTS == outline.count("b") - 2 == 0  # two passed checks stand in <b>
    assert '"><script>x' in outline.text


def test_failed_checks_are_announced_above_the_table(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"].append({"name": "order of ID", "ok": False, "detail": "41 % against 60 %"})
    text = render(make_run(content))
    assert text.index('role="alert"') < text.index('id="results"')
    assert "CHECK FAILED: order of ID. 41 % against 60 %" in Outline(text).text


def test_provenance_is_complete_and_research_only_is_marked(make_run: MakeRun) -> None:
    text = Outline(render(make_run())).text
    for words in ("hifibench run demo --out 'my runs/first'", "0123abcd", "torch 2.15.0", "data.identities 100",
                  "4f1c2a9d", finished_run.manifest().hash, "200 of 233 tried (86%)", "Example CPU", "memory 16 GiB",
                  "edgeface-s research; non-commercial research only", "yunet MIT",
                  "c0ffee00" * 8, "cd" * 32):  # fmt: skip
        assert words in text
    assert "MIT research only" not in text


def test_leaders_stand_out(make_run: MakeRun) -> None:
    outline = Outline(render(make_run()))
    leaders = sum(attributes.get("class") == "leader" for tag, attributes in outline.elements if tag == "td")
    assert leaders == 1 + 4  # once in the first table, then the four retrieval metrics


def test_whiskers_share_one_scale_per_metric(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", "faceswap"])
    for score, (low, value, high) in zip(
        [s for s in content["scores"] if s["metric"] == "pose[3ddfa]"], [(1, 2, 3), (7, 9, 11)], strict=True
    ):
        score.update(low=low, value=value, high=high)
    drawn = page.whiskers(tables.build(read.run(make_run(content))))
    assert drawn["target-copy", "pose[3ddfa]"] == page.Whisker(dot=10, low=0, high=20)
    assert drawn["faceswap", "pose[3ddfa]"] == page.Whisker(dot=80, low=60, high=100)


def test_whiskers_of_equal_numbers_and_missing_ones(make_run: MakeRun) -> None:
    content = finished_run.results(["target-copy", "faceswap"], n_failed=0)
    for score in content["scores"]:
        score.update(low=5.0, value=5.0, high=5.0)
    content["scores"][0]["low"] = None
    drawn = page.whiskers(tables.build(read.run(make_run(content))))
    assert ("target-copy", content["scores"][0]["metric"]) not in drawn
    assert set(drawn.values()) == {page.Whisker(0, 0, 0)}


def test_metrics_of_one_family_are_explained_once(make_run: MakeRun) -> None:
    run = read.run(make_run())
    explained = page.explain(run.results.metrics)
    pose = next(entry for entry in explained if entry.title == "Pose error")
    assert pose.names == ("pose[mediapipe]", "pose[mediapipe,yaw]", "pose[3ddfa]")
    assert pose.text.endswith("Lower is better.")
    assert [entry.names for entry in explained[-2:]] == [("background[l1]",), ("background[ssim]",)]
    assert explained[-2].text.endswith("Lower is better.")
    assert explained[-1].text.endswith("Higher is better.")
    assert len(explained) == 8


def test_an_unknown_metric_is_explained_by_its_title() -> None:
    metric = Metric("smile[x]", "Smile", "", "up")
    assert page.explain([metric])[0].text == "Smile. Higher is better."


def test_thumbnails_shrink_until_they_fit(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(examples=4)
    large = len(render(folder))
    monkeypatch.setattr(page, "EXAMPLES_BYTES", 60_000)
    assert len(render(folder)) < large - 20_000


def test_a_skipped_check_is_not_shown_as_passed(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["checks"] = [{"name": "order of ID", "ok": True, "skipped": True, "detail": "Skipped: it takes rows."}]
    text = Outline(render(make_run(content))).text
    assert "skipped order of ID" in text
    assert "passed order of ID" not in text


def test_the_citation_of_an_estimator_is_shown(make_run: MakeRun) -> None:
    content = finished_run.results()
    content["experts"][0]["paper"] = "A. George et al., T-BIOM 2024"
    assert "A. George et al., T-BIOM 2024" in Outline(render(make_run(content))).text
