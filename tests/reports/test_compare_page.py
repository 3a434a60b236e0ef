"""The comparison of two runs as a page, and the pairs that moved most as a picture."""

from __future__ import annotations

import base64
import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from compare_runs import COSINE, POSE, Measured, manifest, paint, write
from PIL import Image

from reports import read
from reports.comparison import page as compare_page
from reports.comparison import pictures as compare_pictures
from reports.comparison.compare import build

N = 30
NAMES = [f"p{k:03d}" for k in range(N)]
PLAN = manifest(NAMES)
NASTY = "<script>alert(1)</script>"


def runs(folder: Path, metrics=(POSE, COSINE), method: str = "m", pictures: bool = True, unpaired: bool = False):
    rng = np.random.default_rng(0)
    first = {(method, metric.name): rng.normal(5, 1, N) for metric in metrics}
    second = {key: values + rng.normal(1, 0.2, N) for key, values in first.items()}
    for name, values, plan in (("a", first, PLAN), ("b", second, manifest(NAMES, views=1) if unpaired else PLAN)):
        write(folder / name, values, metrics, plan)
        if pictures:
            paint(folder / name, [method], NAMES)
    return read.run(folder / "a"), read.run(folder / "b")


def files(folder: Path, **more) -> dict[str, str | bytes]:
    a, b = runs(folder, **more)
    return compare_page.files(build(a, b, other_manifest=more.get("unpaired", False)), a, b)


def pictures_of(page: str) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(text)))
        for text in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    ]


def test_the_files_and_what_the_page_shows(tmp_path: Path) -> None:
    made = files(tmp_path)
    assert made.keys() == compare_page.NAMES
    page = made["index.html"]
    assert isinstance(page, str)
    found = pictures_of(page)
    # Two comparisons of six pairs, four pictures each.
    assert len(found) == 2 * 6 * 4
    assert {max(picture.size) for picture in found} <= set(range(1, compare_pictures.SIDE_PX + 1))
    assert 'alt="source, pair p0' in page and 'alt="B, pair p0' in page
    assert "no picture" not in page
    assert page.count("worse *") == 2 and page.count("better *") == 2
    assert len(page) < 10_000_000


def test_each_picture_is_the_right_one(tmp_path: Path) -> None:
    a, b = runs(tmp_path)
    block = compare_pictures.album(build(a, b), a, b).blocks[0]
    shown = block.pairs[0]
    k = NAMES.index(shown.move.pair)
    colours = []
    for picture in shown.pictures:
        assert picture is not None
        colours.append(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).mean((0, 1)))
    # As they were painted: the row is the role, and blue tells the run; source and target are those of B.
    for colour, row, run in zip(colours, (0, 1, 2, 2), "bbab", strict=True):
        np.testing.assert_allclose(colour, (40 * k % 256, 80 * row % 256, 50 * ord(run) % 256), atol=6)


def test_an_interval_is_drawn_on_its_side_of_zero(tmp_path: Path) -> None:
    page = files(tmp_path, metrics=(POSE,))["index.html"]
    assert isinstance(page, str)
    # Errors rose: the whole of it lies to the right of the middle, and reaches the end of its scale.
    (low, high), dot = (
        re.findall(r'class="whisker" d="M([\d.]+) 5H([\d.]+)"', page)[0],
        re.findall(r'cx="([\d.]+)"', page)[0],
    )
    assert 50 < float(low) < float(dot) < float(high) == 100


def test_the_page_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    page = files(tmp_path)["index.html"]
    assert isinstance(page, str)
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://|<link|@import|url\(", page)


def test_names_are_escaped(tmp_path: Path) -> None:
    page = files(tmp_path, metrics=(Measured("pose[judge]", NASTY, unit='"><img>'),), method=f"{NASTY}\"'")[
        "index.html"
    ]
    assert isinstance(page, str)
    assert "<script" not in page and "<img>" not in page and "&lt;script&gt;" in page


def test_the_picture_says_that_it_is_generated(tmp_path: Path) -> None:
    drawn = files(tmp_path)["moved.png"]
    assert isinstance(drawn, bytes)
    image = Image.open(io.BytesIO(drawn))
    assert "trainedAlgorithmicMedia" in image.info["XML:com.adobe.xmp"]
    # Two comparisons, a column for each of six pairs, a row for each of four pictures.
    assert image.width > 6 * compare_pictures.SIDE_PX and image.height > 8 * compare_pictures.SIDE_PX


def test_runs_without_pictures(tmp_path: Path) -> None:
    made = files(tmp_path, pictures=False)
    page = made["index.html"]
    assert isinstance(page, str)
    assert "moved.png" not in made
    assert "48 pictures are not there" in page and "<img" not in page
    assert "→" in page


def test_a_damaged_picture_and_a_deleted_one(tmp_path: Path) -> None:
    a, b = runs(tmp_path)
    compared = build(a, b)
    first = compared.comparisons[0].moved[0].pair
    swap = b.folder / "pictures" / "swaps" / "m" / f"{first}.jpg"
    swap.write_bytes(b"no picture at all")
    (a.folder / "pictures" / "swaps" / "m" / f"{first}.jpg").unlink()
    found = compare_pictures.album(compared, a, b)
    again = sum(move.pair == first for one in compared.comparisons for move in one.moved)
    assert (found.missing, found.unreadable) == (again, again)
    page = compare_page.render(compared, found)
    assert "cannot be read" in page and "no picture" in page
    assert compare_pictures.png(found) is not None


def test_frames_stand_in_for_pictures(tmp_path: Path) -> None:
    a, b = runs(tmp_path)
    for run in (a, b):
        shutil.rmtree(run.folder / "pictures" / "swaps")
        (run.folder / "swaps" / "m").mkdir(parents=True)
        for name in NAMES:
            Image.new("RGB", (400, 300), (200, 10, 10)).save(run.folder / "swaps" / "m" / f"{name}.png")
    found = compare_pictures.album(build(a, b), a, b)
    picture = found.blocks[0].pairs[0].pictures[3]
    assert found.missing == 0 and picture is not None
    assert Image.open(io.BytesIO(picture)).size == (compare_pictures.SIDE_PX, compare_pictures.SIDE_PX * 3 // 4)


def test_a_name_leads_out_of_no_folder(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.jpg")
    rng = np.random.default_rng(0)
    plan = manifest([f"../../../secret{k}" for k in range(N)])
    for k in range(N):
        shutil.copy(tmp_path / "secret.jpg", tmp_path / f"secret{k}.jpg")
    values = rng.normal(5, 1, N)
    for name, column in (("a", values), ("b", values + rng.normal(1, 0.1, N))):
        write(tmp_path / name, {("m", POSE.name): column}, [POSE], plan)
        (tmp_path / name / "pictures" / "sources").mkdir(parents=True)
    a, b = read.run(tmp_path / "a"), read.run(tmp_path / "b")
    assert (a.folder / "pictures" / "sources" / "../../../secret0.jpg").is_file()
    found = compare_pictures.album(build(a, b), a, b)
    assert found.blocks and not any(block.roles for block in found.blocks)


def test_a_page_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = [Measured(f"pose[judge,{k}]") for k in range(30)]
    a, b = runs(tmp_path, metrics=metrics)
    compared = build(a, b)
    found = compare_pictures.album(compared, a, b)
    assert len(found.blocks) == compare_pictures.MOST_BLOCKS and found.left_out == 6
    assert "Of 6 more comparisons" in compare_page.render(compared, found)
    monkeypatch.setattr(compare_pictures, "MOST_BYTES", 20_000)
    few = compare_pictures.album(compared, a, b)
    assert 1 <= len(few.blocks) < 6


def test_unpaired_runs_have_no_pairs_to_show(tmp_path: Path) -> None:
    made = files(tmp_path, unpaired=True)
    page = made["index.html"]
    assert isinstance(page, str)
    assert "Not paired" in page and "share no pair" in page
    assert "moved.png" not in made and "Pairs that moved most" not in page


def test_nothing_moved(tmp_path: Path) -> None:
    values = {("m", POSE.name): np.random.default_rng(0).normal(5, 1, N)}
    for name in "ab":
        write(tmp_path / name, values, [POSE], PLAN)
    a, b = read.run(tmp_path / "a"), read.run(tmp_path / "b")
    page = compare_page.files(build(a, b), a, b)["index.html"]
    assert isinstance(page, str)
    assert "No metric of any method" in page and "Nothing that the runs tell of" in page


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here")
def test_chromium_shows_it_without_a_word(tmp_path: Path) -> None:
    page, shot = tmp_path / "index.html", tmp_path / "shot.png"
    made = files(tmp_path)["index.html"]
    assert isinstance(made, str)
    page.write_text(made, encoding="utf-8")
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run(
        [*chromium, f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={shot}", "--window-size=900,2400",
         page.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert shot.is_file() and "CONSOLE" not in done.stderr
    # The painted pictures are seen: much of the page is neither paper nor ink.
    colours = np.asarray(Image.open(shot).convert("RGB")).reshape(-1, 3).astype(int)
    assert (np.ptp(colours, axis=1) > 40).mean() > 0.02
