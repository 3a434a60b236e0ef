"""Parts of a run: cuts, thirds, what is not known, and that no method enters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hifibench.errors import UsageError
from hifibench.records import Observed
from metrics import splits
from metrics.splits import YAW, parts

nan = float("nan")


def of(split: splits.Split, observed: Observed) -> list[str]:
    labels, order = split.labels(observed)
    assert set(labels) <= set(order) and order[-1] == "unknown" and len(set(order)) == len(order)
    return labels.tolist()


@pytest.fixture
def posed(observe: Callable[..., Observed]) -> Observed:
    def seen(*yaws: float) -> dict:
        return {"mediapipe": {"pose_deg": [[one, 50, 50] for one in yaws]}}

    return observe(5, source=seen(0, 10, 179, 0, 0), target=seen(-14.9, -15, -179, 30, nan))


def test_yaw_is_the_targets_own_and_is_cut_at_15_and_30_degrees(posed: Observed) -> None:
    split = splits.yaw("mediapipe")
    assert of(split, posed) == ["below 15", "15 to 30", "30 and more", "30 and more", "unknown"]
    assert (split.name, split.unit, split.needs) == ("yaw[mediapipe]", "deg", ("mediapipe",))


def test_yaw_distance_is_taken_around_the_circle(posed: Observed) -> None:
    assert of(splits.yaw_distance("mediapipe"), posed) == [
        "below 15", "15 to 30", "below 15", "30 and more", "unknown",
    ]  # fmt: skip


@given(st.lists(st.integers(-3, 3).map(float) | st.just(nan), max_size=30), st.randoms(use_true_random=False))
def test_thirds_follow_the_values_whatever_their_order_and_part_no_equal_ones(values: list[float], rng) -> None:
    labels = parts(np.array(values))[0]
    found = dict(zip(values, labels, strict=True))
    for one, label in zip(values, labels, strict=True):
        assert label == ("unknown" if np.isnan(one) else found[one])
    ranks = [splits.THIRDS.index(found[one]) for one in sorted(v for v in set(values) if not np.isnan(v))]
    assert ranks == sorted(ranks)
    order = list(range(len(values)))
    rng.shuffle(order)
    assert parts(np.array(values)[order])[0].tolist() == labels[order].tolist()


def test_thirds_of_different_values_are_of_one_size() -> None:
    labels = parts(np.random.default_rng(0).permutation(np.append(np.arange(300.0), [nan] * 7)))[0]
    assert [int((labels == part).sum()) for part in (*splits.THIRDS, "unknown")] == [100, 100, 100, 7]


def test_nothing_known_is_all_unknown_and_no_pairs_are_no_labels() -> None:
    assert parts(np.full(3, nan))[0].tolist() == ["unknown"] * 3
    assert parts(np.full(0, nan), YAW)[0].tolist() == []


@pytest.mark.parametrize(
    ("split", "seen"),
    [
        (splits.expression_distance("mediapipe"), "mediapipe blendshapes"),
        (splits.expression_distance("3ddfa"), "3ddfa expression"),
        (splits.shape_distance("3ddfa"), "3ddfa identity"),
        (splits.shape_distance("mediapipe"), "mediapipe shape"),
        (splits.identity_distance("dlib"), "dlib embedding"),
        (splits.light_distance(), "exact light"),
    ],
)
def test_distances_are_told_between_source_and_target(
    split: splits.Split, seen: str, observe: Callable[..., Observed]
) -> None:
    expert, output = seen.split()
    source = {expert: {output: [[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [nan, 0, 0]]}}
    target = {expert: {output: [[4.0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 0, 0]]}}
    assert of(split, observe(4, source=source, target=target)) == ["hard", "easy", "middle", "unknown"]
    assert split.needs == (expert,)


def test_identity_distance_of_a_cosine_recogniser_does_not_depend_on_lengths(observe: Callable[..., Observed]) -> None:
    source = {"edgeface": {"embedding": [[1.0, 0], [1, 0], [1, 0], [0, 0]]}}
    target = {"edgeface": {"embedding": [[9.0, 0], [0.1, 0.1], [-1, 0.1], [1, 0]]}}
    found = of(splits.identity_distance("edgeface"), observe(4, source=source, target=target))
    assert found == ["easy", "middle", "hard", "unknown"]


def test_occlusion_is_the_hidden_share_of_the_targets_face(observe: Callable[..., Observed]) -> None:
    target = {"exact": {"occlusion": [0.0, 0.05, 0.1, 0.6]}}
    assert of(splits.occlusion(), observe(4, target=target)) == [
        "none", "below 10 %", "10 % and more", "10 % and more",
    ]  # fmt: skip
    assert splits.occlusion().name == "occlusion"


@pytest.mark.parametrize("split", [splits.occlusion(), splits.light_distance()])
def test_what_is_known_by_making_alone_is_unknown_of_photographs(
    split: splits.Split, observe: Callable[..., Observed]
) -> None:
    assert of(split, observe(2, source={"exact": {}}, target={"exact": {}})) == ["unknown"] * 2


def test_labels_are_parts_in_the_order_of_the_alphabet(observe: Callable[..., Observed]) -> None:
    observed = observe(4)
    observed.pairs["label:occluder"] = ["hand", "", "glasses", None]
    labels, order = splits.label("occluder").labels(observed)
    assert labels.tolist() == ["hand", "unknown", "glasses", "unknown"]
    assert order == ("glasses", "hand", "unknown")


def test_a_label_that_no_image_has_is_refused(observe: Callable[..., Observed]) -> None:
    observed = observe(2)
    observed.pairs["label:sex"] = ["f", "m"]
    with pytest.raises(UsageError, match=r"label\[age\]: no image has that label; there are: sex"):
        splits.label("age").labels(observed)


def test_the_method_does_not_enter(posed: Observed) -> None:
    swapped = replace(posed, swap={"mediapipe": {"pose_deg": np.full((5, 3), 77, np.float32)}})
    assert of(splits.yaw("mediapipe"), swapped) == of(splits.yaw("mediapipe"), posed)


@pytest.mark.parametrize(
    ("make", "word", "message"),
    [
        (splits.yaw, "edgeface", r"yaw\[...\]: 'edgeface' is no pose estimator.*mediapipe"),
        (splits.yaw_distance, "nobody", r"yaw_distance\[...\]: 'nobody' is no pose estimator"),
        (splits.expression_distance, "edgeface", "is no expression estimator"),
        (splits.shape_distance, "edgeface", "is no shape estimator"),
        (splits.identity_distance, "3ddfa", "is no recogniser"),
    ],
)
def test_an_expert_that_cannot_tell_is_refused(make: Callable, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(word)


def test_an_expert_that_did_not_look_is_named(observe: Callable[..., Observed]) -> None:
    with pytest.raises(UsageError, match="No observations of 'mediapipe'"):
        splits.yaw("mediapipe").labels(observe(2))
