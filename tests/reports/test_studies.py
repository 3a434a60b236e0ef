from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hifibench.data.images import DIGITAL_SOURCE_TYPE
from hifibench.errors import MissingError, UsageError
from hifibench.hififace.analysis.study import Study, load, save
from reports.figures import figure, studies

PAIRS = ["p000011_p000012_v1", "00001"]
SIDE = 16


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(PAIRS), *shape, SIDE, SIDE, 3), dtype=np.uint8)


def maps(side: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).random((len(PAIRS), *shape, side, side), dtype=np.float32)


def made(name: str) -> Study:
    """A study of made-up numbers, as the computing side writes it."""
    arrays: dict[str, np.ndarray] = {"pair": np.array(PAIRS), "source": pictures(), "target": pictures()}
    rows: list[dict[str, object]] = []
    if name == "interpolation":
        arrays["swaps"] = pictures(7)
        for pair in PAIRS:
            for column in range(1, 8):
                a, c = min(column - 1, 3) / 3, max(column - 4, 0) / 3
                rows.append({"pair": pair, "column": column, "a": a, "b": 1 - a, "c": c, "d": 1 - c, "v_in_norm": 1.0})
        table = pd.DataFrame(rows)
        for column in ("cosine_source", "cosine_target", "shape_source_sd", "shape_target_sd"):
            table[column] = np.random.default_rng(2).random(len(rows)) / 3
    elif name == "fusion":
        arrays |= {"swap": pictures(), **{f"sff_{k}": maps(4 * 2**k) for k in range(4)}}
        table = pd.DataFrame([{"pair": pair, "level": k, "mean": 0.1 + 0.2} for pair in PAIRS for k in range(4)])
    elif name == "masks":
        arrays |= {"swap": pictures(), "i_out": pictures(), "m_tar": maps(SIDE), "m_r": maps(SIDE), "m_low": maps(4)}
        rows = [
            {"pair": pair, "mask": mask, "in_face": 0.9, "off_face": 0.01, "iou": np.nan}
            for pair in PAIRS
            for mask in ("m_low", "m_r")
        ]
        table = pd.DataFrame(rows)
    else:
        arrays |= {"i_out": pictures(), "swaps": pictures(4), "masks": maps(SIDE, 4)}
        rows = [
            {"pair": pair, "blend": blend, "contour_error": 3.1, "cosine_source": 0.5, "background_l1": 0.001}
            for pair in PAIRS
            for blend in ("target", "blend-t", "blend-dt", "blend-r", "own")
        ]
        table = pd.DataFrame(rows)
    return Study(name, table, arrays, {"study": name, "method": "hififace-tiny", "weights_sha256": ""})


@pytest.mark.parametrize("name", ["interpolation", "fusion", "masks", "blending"])
def test_what_is_written_is_read_back_and_drawn(tmp_path: Path, name: str) -> None:
    study = made(name)
    written = save(study, tmp_path)
    assert [path.name for path in written] == [f"{name}.csv", f"{name}.json", f"{name}.npz"]
    back = load(tmp_path, name)
    pd.testing.assert_frame_equal(back.table, study.table, check_exact=True, check_dtype=False)
    assert back.about == study.about
    for key, array in study.arrays.items():
        np.testing.assert_array_equal(back.arrays[key], array)
    png, pdf, svg = studies.draw(tmp_path, name)
    with Image.open(png) as image:
        assert image.width == figure.WIDTH_IN * figure.DPI and image.mode == "RGB"
        assert image.info["hifibench:method"] == "hififace-tiny"
        assert "hifibench:weights_sha256" not in image.info
        assert DIGITAL_SOURCE_TYPE in image.info["XML:com.adobe.xmp"]
    root = ET.parse(svg).getroot()
    assert DIGITAL_SOURCE_TYPE in {value for one in root.iter() for value in one.attrib.values()}
    assert any("hififace-tiny" in (one.text or "") for one in root.iter())
    assert pdf.read_bytes().startswith(b"%PDF") and b"hififace-tiny" in pdf.read_bytes()


def test_figures_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    save(made("fusion"), tmp_path)
    first = [path.read_bytes() for path in studies.draw(tmp_path, "fusion")]
    assert [path.read_bytes() for path in studies.draw(tmp_path, "fusion")] == first


@pytest.mark.parametrize("name", ["interpolation", "fusion", "masks", "blending"])
def test_no_words_overlap_or_leave_the_page(name: str) -> None:
    with figure.style():
        page = studies._FIGURES[name](made(name))
        page.canvas.draw()
        boxes = {
            f"{text.get_text()} {text.get_position()}": text.get_window_extent()
            for text in page.texts
            if text.get_text().strip()
        }
    whole = page.get_tightbbox()  # in inches; axes, ticks and labels as well
    assert whole.x0 >= 0 and whole.y0 >= 0 and whole.x1 <= page.get_figwidth() and whole.y1 <= page.get_figheight()
    width, height = page.canvas.get_width_height()
    for words, box in boxes.items():
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width + 1 and box.y1 <= height + 1, words
    listed = list(boxes.items())
    for index, (words, box) in enumerate(listed):
        for other, beside in listed[index + 1 :]:
            assert not box.shrunk(0.9, 0.9).overlaps(beside.shrunk(0.9, 0.9)), f"{words} | {other}"


def test_the_map_that_is_drawn_is_the_one_that_was_written() -> None:
    study = made("fusion")
    with figure.style():
        page = studies._FIGURES["fusion"](study)
    drawn = [image.get_array() for axes in page.axes for image in axes.images]
    for level in range(4):
        for row in range(len(PAIRS)):
            assert any(np.array_equal(study.arrays[f"sff_{level}"][row], one) for one in drawn)


def test_curves_are_the_tables_columns() -> None:
    study = made("interpolation")
    with figure.style():
        page = studies._FIGURES["interpolation"](study)
    curves = [line.get_ydata() for axes in page.axes for line in axes.lines]
    for column in ("cosine_source", "cosine_target", "shape_source_sd", "shape_target_sd"):
        values = study.table.pivot(index="column", columns="pair", values=column)
        for expected in (*values.to_numpy().T, values.mean(axis=1).to_numpy()):
            assert any(len(curve) == 7 and np.array_equal(curve, expected) for curve in curves)


def test_all_zero_maps_are_drawn(tmp_path: Path) -> None:
    study = made("fusion")
    zero = {key: value * 0 if key.startswith("sff") else value for key, value in study.arrays.items()}
    save(Study("fusion", study.table, zero, study.about), tmp_path)
    assert all(path.is_file() for path in studies.draw(tmp_path, "fusion"))


@pytest.mark.parametrize(
    ("name", "lines"),
    [("00001", 1), ("p000011_p000012_v1", 2), ("no-underscore-in-a-very-long-name", 2), ("a_" + 40 * "b", 2)],
)
def test_names_of_rows_take_two_lines_at_most(name: str, lines: int) -> None:
    broken = figure._lines(name, 12).split("\n")
    assert len(broken) == lines and all(len(line) <= 12 for line in broken)


def test_a_study_that_was_not_made_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="'hifibench analyse masks --out"):
        studies.draw(tmp_path, "masks")
    with pytest.raises(UsageError, match=r"no study 'mask'\. Did you mean 'masks'"):
        studies.draw(tmp_path, "mask")


@pytest.mark.parametrize("ending", ["csv", "json", "npz"])
def test_a_damaged_study_is_told(tmp_path: Path, ending: str) -> None:
    save(made("masks"), tmp_path)
    path = tmp_path / f"masks.{ending}"
    path.write_bytes(b"" if ending == "csv" else path.read_bytes()[:20])
    with pytest.raises(UsageError, match=r"'masks' in .* is damaged"):
        load(tmp_path, "masks")


def test_names_of_pairs_stay_words(tmp_path: Path) -> None:
    save(made("masks"), tmp_path)
    assert set(load(tmp_path, "masks").table["pair"]) == set(PAIRS)
    assert json.loads((tmp_path / "masks.json").read_text())["study"] == "masks"
