from __future__ import annotations

import pytest

from hifibench import data
from hifibench.data import head_pairs, heads
from hifibench.errors import UsageError
from hifibench.suite import HeadData, PortraitData


def suite(**changes: object) -> HeadData:
    fields = {"kind": "heads", "split": "validation", "identities": 6, "shots": 2, "pairs": 9}
    return HeadData.model_validate({**fields, **changes})


def test_every_pair_has_the_true_swap_of_its_source_and_target() -> None:
    made = head_pairs.plan(suite(), 0, None)
    assert len(made.pairs) == 9
    for pair in made.pairs:
        source, target, truth = (heads.parse(made.image(name).uri) for name in (pair.source, pair.target, pair.truth))
        assert truth.person == source.person != target.person
        assert (truth.shot, truth.hair) == (target.shot, target.person)
        assert made.image(pair.truth).identity == made.image(pair.source).identity


def test_the_true_swaps_are_in_no_gallery_and_in_nobodys_video() -> None:
    made = head_pairs.plan(suite(), 0, None)
    truths = {pair.truth for pair in made.pairs}
    assert not truths & {name for members in made.galleries.values() for name in members}
    videos = {made.image(name).video for name in truths}
    assert not videos & {ref.video for ref in made.images if ref.image not in truths}


def test_people_and_shots_are_of_the_split_and_no_shot_comes_twice() -> None:
    made = head_pairs.plan(suite(), 3, None)
    scenes = [heads.parse(ref.uri) for ref in made.images if not ref.image.endswith("_truth")]
    assert {heads.split_of(seed) for scene in scenes for seed in (scene.person, scene.shot)} == {"validation"}
    assert len({scene.shot for scene in scenes}) == len(scenes)


def test_clips_are_videos_whose_frames_are_pairs_one_after_another() -> None:
    made = head_pairs.plan(suite(shots=1, pairs=2, frames=4), 0, None)
    assert [made.image(pair.target).frame for pair in made.pairs] == [0, 1, 2, 3] * 2
    first = [made.image(pair.target) for pair in made.pairs[:4]]
    assert len({ref.video for ref in first}) == 1
    assert [heads.parse(ref.uri).frame for ref in first] == [0, 1, 2, 3]
    assert len({heads.parse(ref.uri).shot for ref in first}) == 1
    # One picture gives the face to all of a clip.
    assert len({pair.source for pair in made.pairs[:4]}) == 1


def test_a_limit_keeps_the_first_pairs() -> None:
    whole, part = (head_pairs.plan(suite(shots=1, pairs=3, frames=4), 0, limit) for limit in (None, 6))
    assert part.pairs == whole.pairs[:6]
    assert set(part.images) <= set(whole.images)


def test_too_many_pairs_for_the_people_are_refused() -> None:
    with pytest.raises(UsageError, match="make 1 to 60 different pairs, not 61"):
        head_pairs.plan(suite(pairs=61), 0, None)


def test_what_is_known_of_a_head_is_handed_on_and_of_other_images_nothing() -> None:
    made = head_pairs.plan(suite(), 0, 1)
    known = data.facts(suite())
    assert known is not None
    facts = known(made.image(made.pairs[0].target))
    assert facts["pose_deg"].shape == (3,)
    portraits = PortraitData.model_validate({"kind": "portraits", "identities": 2, "views": 1, "pairs": 1})
    assert data.facts(portraits) is None


def test_targets_are_labelled_with_what_hides_them() -> None:
    made = head_pairs.plan(suite(identities=40, shots=1, pairs=40), 0, None)
    targets = [made.image(pair.target) for pair in made.pairs]
    assert {ref.labels["occluder"] for ref in targets} == {"none", "glasses", "hand", "bar"}
    for word in ("none", "hand"):
        uri = next(ref.uri for ref in targets if ref.labels["occluder"] == word)
        assert (heads.facts(uri)["occlusion"][0] > 0) == (word == "hand")
