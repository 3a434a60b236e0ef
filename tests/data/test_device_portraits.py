from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from hifibench.contracts import Crop
from hifibench.data import fast_portraits
from hifibench.data.device_portraits import DevicePortraitSource
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import Original, PortraitSource
from hifibench.data.prepare import prepare
from hifibench.data.prepared import PreparedFaces
from hifibench.errors import UsageError
from hifibench.records import Frame

SOURCE = DevicePortraitSource(3, 2, first_seed=5)
ORIGINALS = [original for person in SOURCE.people() for original in person.originals]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Where rendering began and on what; frames hold the number of their portrait."""
    seen: list[tuple[str, str]] = []
    numbers = {original.source: number for number, original in enumerate(ORIGINALS)}

    def frames(uris: Sequence[str], device: str) -> Iterator[Frame]:
        seen.append((uris[0], device))
        return (np.full((2, 2, 3), numbers[uri], np.uint8) for uri in uris)

    monkeypatch.setattr(fast_portraits, "frames", frames)
    return seen


def source() -> DevicePortraitSource:
    return DevicePortraitSource(3, 2, first_seed=5, device="cuda:1")


def test_portraits_in_their_order_are_rendered_in_one_go(begun: list[tuple[str, str]]) -> None:
    made = source()
    assert [int(made.read(original).frame[0, 0, 0]) for original in ORIGINALS] == list(range(6))
    assert begun == [(ORIGINALS[0].source, "cuda:1")]


def test_a_jump_begins_anew_where_it_lands(begun: list[tuple[str, str]]) -> None:
    made = source()
    assert [int(made.read(ORIGINALS[number]).frame[0, 0, 0]) for number in (2, 5, 1, 2)] == [2, 5, 1, 2]
    assert [name for name, _ in begun] == [ORIGINALS[number].source for number in (2, 5, 1)]


def test_it_is_the_same_set_of_people_made_another_way() -> None:
    plain = PortraitSource(3, 2, first_seed=5)
    assert SOURCE.people() == plain.people() and SOURCE.licence == plain.licence
    assert SOURCE.settings == {**plain.settings, "renderer": "torch"}


def test_a_portrait_of_another_set_is_refused(begun: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError, match="none of the portraits of this set"):
        source().read(Original("0000", "portrait:seed=1;view=0"))


def test_a_set_rendered_by_torch_is_that_of_the_processor_but_for_rounding_and_says_so(tmp_path: Path) -> None:
    """The whole way, on the only device that is always there, with the smallest set that pairs can be made of."""
    cropping = Cropping(Crop("ffhq", 64), 0.0)
    prepare(PortraitSource(1, 2), cropping, tmp_path / "plain")
    prepare(DevicePortraitSource(1, 2, device="cpu"), cropping, tmp_path / "torch")
    plain, made = (PreparedFaces(tmp_path / name) for name in ("plain", "torch"))
    assert made.identities == plain.identities and len(made) == 2
    for row in range(2):
        one, other = plain.load(row), made.load(row)
        assert np.abs(one.frame.astype(int) - other.frame).max() <= 2
        assert (one.mask != other.mask).mean() < 0.01
    assert made.description["settings"]["source"]["renderer"] == "torch"
    with pytest.raises(UsageError, match=r"prepared with other settings: source\.renderer"):
        prepare(PortraitSource(2, 2), cropping, tmp_path / "torch")
