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

MakeRun = Callable[..., Path]


def test_every_column_has_an_image_or_none_of_each_pair(make_run: MakeRun) -> None:
    run = read.run(make_run(examples=2))
    listed = dict(grid.columns(run.examples, list(finished_run.METHODS)))
    assert list(listed) == ["source", "target", *finished_run.METHODS]
    assert listed["source"] == [example.source for example in run.examples]
    assert listed["target"] == [example.target for example in run.examples]
    for method in finished_run.METHODS:
        assert listed[method] == [example.swaps.get(method) for example in run.examples]
    assert listed["faceswap"].count(None) == 1, "a swap that was not made"


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
