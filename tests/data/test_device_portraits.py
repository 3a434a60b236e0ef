from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from hifibench.data import fast_portraits
from hifibench.data.device_portraits import DevicePortraitSource
from hifibench.data.originals import Original, PortraitSource
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
