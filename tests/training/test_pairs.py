from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hifibench.data.prepared import PreparedFaces
from hifibench.errors import UsageError
from hifibench.training.pairs import PairImages, Pairs, TrainingPair, indices


def groups(counts: list[int]) -> tuple[np.ndarray, ...]:
    return tuple(np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1]))


def many(pairs: Pairs, steps: int, places: int = 8) -> list[TrainingPair]:
    return [pairs.at(step, place) for step in range(steps) for place in range(places)]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_the_share_of_pairs_of_one_identity_is_as_asked(share: float) -> None:
    drawn = many(Pairs(groups([3, 1, 2, 5]), seed=0, same_identity=share), 250)
    deviation = math.sqrt(len(drawn) * share * (1 - share))
    assert abs(sum(pair.same for pair in drawn) - len(drawn) * share) <= 4 * deviation


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=6).filter(lambda counts: max(counts) > 1), st.integers(0, 2**32)
)
def test_pairs_are_of_two_images_and_same_says_whether_of_one_person(counts: list[int], seed: int) -> None:
    rows = groups(counts)
    person = np.repeat(np.arange(len(counts)), counts)
    for pair in many(Pairs(rows, seed), 3, 4):
        assert pair.source != pair.target
        assert pair.same == (person[pair.source] == person[pair.target])


def test_every_image_is_drawn_on_both_sides_and_every_person_as_often() -> None:
    drawn = many(Pairs(groups([1, 1, 6, 2]), seed=1, same_identity=0), 500)
    assert {pair.source for pair in drawn} == {pair.target for pair in drawn} == set(range(10))
    for side in ("source", "target"):
        first = sum(getattr(pair, side) == 0 for pair in drawn)
        assert abs(first - len(drawn) / 4) < 4 * math.sqrt(len(drawn) * 3 / 16)


def test_a_pair_is_a_function_of_seed_step_and_place() -> None:
    rows = groups([5, 5, 5, 5])
    one, again, other = Pairs(rows, 3), Pairs(rows, 3), Pairs(rows, 4)
    again.at(9, 9)  # asking for some changes no others
    assert many(one, 5) == many(again, 5)
    assert many(one, 5) != many(other, 5)
    assert [one.at(0, place) for place in range(8)] != [one.at(1, place) for place in range(8)]
    assert one.at(2, 1) != one.at(1, 2)


def test_images_are_mirrored_only_where_asked_and_each_for_itself() -> None:
    rows = groups([3, 3])
    assert not any(pair.flip_source or pair.flip_target for pair in many(Pairs(rows, 0), 100))
    drawn = many(Pairs(rows, 0, flip=True), 250)
    for combination in ((False, False), (False, True), (True, False), (True, True)):
        count = sum((pair.flip_source, pair.flip_target) == combination for pair in drawn)
        assert abs(count - len(drawn) / 4) < 4 * math.sqrt(len(drawn) * 3 / 16)


def test_mirroring_does_not_change_who_meets_whom() -> None:
    rows = groups([3, 3, 2])
    plain, mirrored = (many(Pairs(rows, 0, flip=flip), 20) for flip in (False, True))
    assert [pair[:3] for pair in map(fields, plain)] == [pair[:3] for pair in map(fields, mirrored)]


def fields(pair: TrainingPair) -> tuple[object, ...]:
    return pair.source, pair.target, pair.same, pair.flip_source, pair.flip_target


def test_pixels_and_mask_are_those_of_the_pair(faces: Path) -> None:
    data = PreparedFaces(faces)
    pairs = Pairs(data.rows, 0, flip=True)
    images = PairImages(data, pairs, batch=4)
    seen = set()
    for index in range(40):
        pair = pairs.at(index // 4, index % 4)
        source, target, same, mask = images[index]
        seen.add((pair.flip_source, pair.flip_target))
        of_source, of_target = data.load(pair.source), data.load(pair.target)
        columns = {False: slice(None), True: slice(None, None, -1)}
        np.testing.assert_array_equal(source, of_source.frame[:, columns[pair.flip_source]].transpose(2, 0, 1))
        np.testing.assert_array_equal(target, of_target.frame[:, columns[pair.flip_target]].transpose(2, 0, 1))
        np.testing.assert_array_equal(mask, of_target.mask[None, :, columns[pair.flip_target]])
        assert bool(same) == pair.same
        assert source.dtype == target.dtype == mask.dtype == torch.uint8
    assert len(seen) == 4


@given(st.integers(0, 20), st.integers(0, 6), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_processes_share_out_every_step(first: int, steps: int, processes: int) -> None:
    batch = 12
    shares = [list(indices(first, first + steps, batch, rank, processes)) for rank in range(processes)]
    assert {len(share) for share in shares} == {steps * batch // processes}
    part = batch // processes
    for step in range(steps):
        whole = [index for share in shares for index in share[step * part : (step + 1) * part]]
        assert whole == list(range((first + step) * batch, (first + step + 1) * batch))


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UsageError, match=r"batch of 10 pairs cannot be shared evenly among 4 processes.*multiple of 4"):
        indices(0, 1, 10, 0, 4)


@pytest.mark.parametrize(
    ("counts", "share", "words"),
    [
        ([1, 1, 1], 0.5, r"None of the 3 identities .* has two images, and 50% of the pairs"),
        ([4], 0.5, "shows 1 identity; swapping between people needs two"),
        ([1], 1.0, "None of the 1 identities"),
        ([2, 2], 1.5, r"share of pairs of one identity is 1\.5; give one in \[0, 1\]"),
        ([2, 2], -0.1, r"give one in \[0, 1\]"),
    ],
)
def test_data_that_gives_no_such_pairs_is_refused(counts: list[int], share: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Pairs(groups(counts), 0, share)


def test_one_person_will_do_where_all_pairs_are_of_one_person_and_single_images_where_none_are() -> None:
    assert all(pair.same for pair in many(Pairs(groups([3]), 0, 1.0), 5))
    assert not any(pair.same for pair in many(Pairs(groups([1, 1]), 0, 0.0), 5))
