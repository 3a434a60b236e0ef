"""What all figures share: files, marks, letters."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hifibench.data.images import DIGITAL_SOURCE_TYPE
from reports.figures import figure as page

ABOUT = {"method": 'a <b> & "c"', "run": "4f1c", "empty": "", "bad": "bell\x07 and\nbreak"}
SVG = "{http://www.w3.org/2000/svg}"
DC = "{http://purl.org/dc/elements/1.1/}"


def drawn(text: str = "hello", picture: bool = True):
    with page.style():
        figure = page.empty(1.0)
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        if picture:
            page.show_picture(axes, np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
        axes.set_title(page.plain(text))
    return figure


def texts(svg: Path) -> list[str]:
    return ["".join(one.itertext()) for one in ET.parse(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("generated", [True, False])
def test_all_three_files_say_where_they_come_from(tmp_path: Path, generated: bool) -> None:
    png, pdf, svg = page.save(drawn(), tmp_path, "one", ABOUT, generated=generated)
    assert [path.name for path in (png, pdf, svg)] == ["one.png", "one.pdf", "one.svg"]
    with Image.open(png) as image:
        assert image.info["hifibench:method"] == ABOUT["method"] and "hifibench:empty" not in image.info
        assert (DIGITAL_SOURCE_TYPE in image.info.get("XML:com.adobe.xmp", "")) == generated
    root = ET.parse(svg).getroot()
    words = 'hifibench:method=a <b> & "c"; hifibench:run=4f1c; hifibench:bad=bell and break'
    assert [one.text for one in root.iter(f"{DC}source")] == [words]
    assert [one.text for one in root.iter(f"{SVG}title")] == ["hifibench one"]
    assert not list(root.iter(f"{DC}date"))
    marks = [value for one in root.iter() for key, value in one.attrib.items() if key.endswith("DigitalSourceType")]
    assert marks == ([DIGITAL_SOURCE_TYPE] if generated else [])
    assert b"hifibench one" in pdf.read_bytes()
    assert (DIGITAL_SOURCE_TYPE.encode() in pdf.read_bytes()) == generated


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in page.save(drawn(), tmp_path / name, "one", ABOUT, generated=True)]
        for name in ("a", "b")
    )
    assert first == second


def test_an_svg_asks_for_nothing_outside_of_it(tmp_path: Path) -> None:
    svg = page.save(drawn(), tmp_path, "one", ABOUT, generated=True)[2]
    text = svg.read_text(encoding="utf-8")
    assert "<!DOCTYPE" not in text and "<script" not in text and "@import" not in text
    for one in ET.parse(svg).iter():
        for key, value in one.attrib.items():
            if key.rpartition("}")[2] in ("href", "src"):
                assert value.startswith(("#", "data:")), value
            assert "url(" not in value or "url(#" in value


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$x_1$", r"a\$b$ & 50 %", "ä|ö", "$"])
def test_names_stand_in_an_svg_as_they_are(tmp_path: Path, name: str) -> None:
    svg = page.save(drawn(name), tmp_path, "one", {}, generated=False)[2]
    assert name in texts(svg)


def test_control_letters_and_breaks_are_left_out() -> None:
    assert page.tidy("a\x00b\x1b[31m\n  c\t\u202ed") == "ab[31m c d"
    assert page.plain("a\nb$") == "a\nb\\$"
    assert page.shorten("a" * 30, 10) == "a" * 9 + "…" and page.shorten("short", 10) == "short"


def test_settings_of_others_are_left_alone(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    page.save(drawn(), tmp_path, "one", {}, generated=True)
    assert dict(matplotlib.rcParams) == before
