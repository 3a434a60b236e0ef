from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import finished_run
import numpy as np
import pytest
from PIL import Image

from hifibench.errors import UsageError
from reports import grid, read
from reports.grid import TILE_PX

MakeRun = Callable[..., Path]
METHODS = list(finished_run.METHODS)


def colours(folder: Path) -> read.Run:
    """A run whose images are flat: sources red, targets green, swaps blue."""
    run = read.run(folder)
    for example in run.examples:
        for path, colour in [
            (example.source, "red"),
            (example.target, "lime"),
            *((p, "blue") for p in example.swaps.values()),
        ]:
            Image.new("RGB", (60, 60), colour).save(path)
    return run


def centres(picture: Image.Image, across: int, down: int) -> list[list[tuple[int, ...]]]:
    step_x, left = (picture.width - 6) / across, 3
    top = picture.height - 3 - down * (TILE_PX + 6)
    # A little off the middle, where the words "no swap" stand.
    return [
        [
            picture.getpixel((int(left + (x + 0.5) * step_x), int(top + (y + 0.3) * (TILE_PX + 6))))
            for x in range(across)
        ]
        for y in range(down)
    ]  # type: ignore[misc]


def test_every_tile_stands_in_its_place(make_run: MakeRun) -> None:
    run = colours(make_run(examples=2))
    seen = centres(grid.draw(run.examples, METHODS), 2 + len(METHODS), 2)
    red, green, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    assert seen[0] == [red, green, *[blue] * len(METHODS)]
    failed = seen[1][2 + METHODS.index("faceswap")]
    assert len(set(failed)) == 1, "a swap that was not made is a grey tile"
    assert seen[1].count(blue) == len(METHODS) - 1


def test_the_grid_is_as_large_as_its_tiles(make_run: MakeRun) -> None:
    run = read.run(make_run(examples=3))
    picture = grid.draw(run.examples, METHODS)
    assert picture.width == 6 + (2 + len(METHODS)) * (TILE_PX + 6)
    assert picture.height > 3 * (TILE_PX + 6)
    with Image.open(io.BytesIO(grid.png(run.examples, METHODS))) as read_back:
        assert read_back.format == "PNG"
        np.testing.assert_array_equal(np.asarray(read_back), np.asarray(picture))


def test_a_wide_frame_stands_in_the_middle_of_its_tile(make_run: MakeRun) -> None:
    run = read.run(make_run(examples=1))
    Image.new("RGB", (200, 100), "red").save(run.examples[0].source)
    tile = np.asarray(grid.draw(run.examples, []))[-6 - TILE_PX : -6, 6 : 6 + TILE_PX]
    red = (tile == (255, 0, 0)).all(axis=2)
    assert red[TILE_PX // 4 : 3 * TILE_PX // 4].all()
    assert red.sum() == TILE_PX * TILE_PX // 2


def test_a_long_name_stays_above_its_column(make_run: MakeRun) -> None:
    run = read.run(make_run(examples=1))
    name = "w" * 200
    short, long = (np.asarray(grid.draw(run.examples, [METHODS[0], other, METHODS[1]])) for other in ("x", name))
    step = TILE_PX + 6
    header = slice(0, 34)
    untouched = [slice(0, 3 * step), slice(4 * step + 6, None)]
    for columns in untouched:
        np.testing.assert_array_equal(short[header, columns], long[header, columns])
    assert (short[header] != long[header]).any()


@pytest.mark.parametrize(("size", "shown"), [((512, 512), (64, 64)), ((400, 200), (64, 32)), ((20, 40), (32, 64))])
def test_a_thumbnail_keeps_its_proportions(tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]) -> None:
    Image.new("RGB", size, (200, 30, 90)).save(tmp_path / "a.png")
    kind, _, data = grid.thumbnail(tmp_path / "a.png", 64).partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == shown
        np.testing.assert_allclose(np.asarray(picture).mean((0, 1)), (200, 30, 90), atol=3)


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    finished_run.picture(0).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match=r"half\.png cannot be read"):
        grid.thumbnail(path, 64)
    with pytest.raises(UsageError, match=r"gone\.png cannot be read"):
        grid.thumbnail(tmp_path / "gone.png", 64)
