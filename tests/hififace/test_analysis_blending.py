from __future__ import annotations

import numpy as np
import pytest
import studied
import torch

from hifibench.hififace.analysis.blending import BLENDS, COLUMNS, blends, contour_error, study
from hifibench.hififace.analysis.faces import picture
from hifibench.hififace.swapper import blended, dilated


@pytest.fixture(scope="module")
def swapper():
    return studied.swapper()


@pytest.fixture(scope="module")
def pair():
    return studied.pairs(1)[0]


@pytest.fixture(scope="module")
def made(swapper, pair):
    return swapper.generate(pair.source.batch, pair.target.batch)[0]


def face() -> torch.Tensor:
    return torch.from_numpy(studied.Segmenter().segment(np.zeros((128, 128, 3), np.uint8)))[None, None].float()


def test_own_is_the_swap(made, pair) -> None:
    own = blends(made, pair.target.batch, face(), face())["own"]
    torch.testing.assert_close(own.image, made.i_r, rtol=0, atol=0)


def test_an_empty_mask_leaves_the_target_as_it_is(made, pair) -> None:
    nothing = torch.zeros(1, 1, 128, 128)
    assert torch.equal(blended(made, pair.target.batch, nothing), pair.target.batch)
    assert np.array_equal(pair.paste(pair.target.batch, nothing), pair.target.frame)


def test_blends_differ_exactly_where_their_masks_do(made, pair) -> None:
    target, other = pair.target.batch, face().roll(8, dims=2)
    done = blends(made, target, face(), other)
    for name, mask in (("blend-t", face()), ("blend-dt", dilated(face(), 4)), ("blend-r", other)):
        inside = mask.bool().expand_as(target)
        assert torch.equal(done[name].image[inside], made.i_out[inside])
        assert torch.equal(done[name].image[~inside], target[~inside])
    rows, columns = torch.nonzero(done["blend-dt"].mask[0, 0], as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 99, 36, 91)


def test_contour_error_is_in_percent_of_the_eyes_distance() -> None:
    expected = torch.rand(1, 68, 3, generator=torch.Generator().manual_seed(0))
    assert contour_error(expected, expected) == 0
    eyes = float((expected[0, 36] - expected[0, 45]).norm())
    moved = expected.clone()
    moved[0, :17, 0] += 0.1 * eyes
    assert contour_error(moved, expected) == pytest.approx(10, rel=1e-5)
    moved[0, 17:] += 1  # nothing but the jaw counts
    moved[0, :17, 2] += 1  # and that as it is seen
    assert contour_error(moved, expected) == pytest.approx(10, rel=1e-5)
    assert contour_error(3 * moved, 3 * expected) == pytest.approx(10, rel=1e-4)


def test_rows_pictures_and_masks_belong_together(swapper, pair, made) -> None:
    done = study(swapper, [pair], studied.counting(list(COLUMNS)), studied.Segmenter())
    assert list(done.table["blend"]) == ["target", *BLENDS]
    assert done.arrays["swaps"].shape == (1, 4, 128, 128, 3) and done.arrays["masks"].shape == (1, 4, 128, 128)
    np.testing.assert_array_equal(done.arrays["swaps"][0, 3], picture(made.i_r))
    np.testing.assert_array_equal(done.arrays["masks"][0, 0], face()[0, 0])
    scores = done.table.set_index("blend")["cosine_source"]
    assert scores["target"] == pair.target.frame.mean()
    assert scores["own"] == pytest.approx(pair.paste(made.i_r, made.m_r).mean())
    errors = done.table.set_index("blend")["contour_error"]
    assert (errors > 0).all() and errors["own"] != errors["target"]
