import numpy as np
import pytest

from hifibench.contracts import Crop, ExpertCard
from hifibench.experts.crops import checked, to_bytes

CARD = ExpertCard("tester", "", "recognition", Crop("box", 4), {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((1, 4, 4, 3), np.float32), r"tester takes crops of shape \(B, 3, 4, 4\); given \(1, 4, 4, 3\)"),
        (np.zeros((3, 4, 4), np.float32), r"given \(3, 4, 4\)"),
        (np.zeros((1, 3, 5, 5), np.float32), r"given \(1, 3, 5, 5\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), "takes float32 crops; given uint8"),
        (np.full((1, 3, 4, 4), 255, np.float32), r"takes RGB in \[0, 1\]; given values from 255 to 255"),
        (np.full((1, 3, 4, 4), -0.1, np.float32), r"from -0\.1 to -0\.1"),
        (np.full((1, 3, 4, 4), np.nan, np.float32), r"from nan to nan"),
    ],
)
def test_what_the_card_does_not_ask_for_is_refused(given: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(CARD, given)


def test_what_it_asks_for_comes_back_contiguous() -> None:
    crops = np.random.default_rng(0).random((2, 3, 4, 4), np.float32)[..., ::-1]
    back = checked(CARD, crops)
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, crops)
    assert checked(CARD, crops[:0]).shape == (0, 3, 4, 4)


def test_bytes_are_rounded_and_their_inverse_is_exact() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    crops = (levels / np.float32(255)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(to_bytes(crops), levels)
    np.testing.assert_array_equal(to_bytes(crops + np.float32(0.4 / 255)), levels)
