"""Swaps of a run read back through a compression: whose they are, how they ended, and when they are others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from baselines import compressed
from hifibench.compression import Compression, through
from hifibench.contracts import Crop, ReleasedSwapper, SwapperCard
from hifibench.data.images import content_hash, save_png
from hifibench.errors import MissingError
from hifibench.pipeline.store import RunFolder, chunks, write_json
from hifibench.records import Frame, ImageRef, Manifest, Pair, Status, Swapped

CARD = SwapperCard("mine", "my method", Crop("ffhq", 256), Crop("ffhq", 256), licence="MIT", weights="abc")
C40 = Compression.parse("c40")
MANIFEST = Manifest(
    (ImageRef("s", "", "S", "s"), *(ImageRef(f"t{k}", "", "T", "t", k) for k in range(18))),
    tuple(Pair(f"p{k:02d}", "s", f"t{k}") for k in range(18)),
    {},
    "test",
)


def picture(number: int) -> Frame:
    frame = np.full((48, 64, 3), 40 + 5 * number, np.uint8)
    frame[10:30, number : number + 20] = (200, 30, 90)
    return frame


def original(ref: ImageRef) -> Frame:
    return picture(30 - ref.frame) // 2


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 18 pairs, the frames of one clip, of which the third had no face and the fifth no file."""
    return swap(tmp_path, {"p02": Status.NO_FACE_TARGET, "p04": Status.FILE_MISSING})


def swap(folder: Path, ended: Mapping[str, Status]) -> Path:
    for index, part in enumerate(chunks(MANIFEST.pairs)):
        rows = []
        for pair in part:
            status, frame = ended.get(pair.pair, Status.OK), picture(int(pair.pair[1:]))
            if status is Status.OK:
                save_png(RunFolder(folder).swap_image("mine", pair.pair), frame)
            content, message = (content_hash(frame), "") if status is Status.OK else ("", "why")
            rows.append({"pair": pair.pair, "status": str(status), "message": message, "content": content})
        write_json(RunFolder(folder).swap_chunk("mine", index), {"card": "x", "pairs": rows})
    return folder


def find(run: Path, pair: str, moving: bool = True) -> Swapped:
    loaded = compressed.method(CARD, run, MANIFEST, C40, original, moving).load("cpu")
    assert isinstance(loaded, ReleasedSwapper)
    one = next(one for one in MANIFEST.pairs if one.pair == pair)
    source, target = MANIFEST.image(one.source), MANIFEST.image(one.target)
    return loaded.find(one, source, target, picture(0))


def test_a_clip_is_compressed_as_one_with_the_targets_frame_where_a_swap_failed(run: Path) -> None:
    clip = [picture(k) for k in range(18)]
    clip[2], clip[4] = (original(MANIFEST.image(f"t{k}")) for k in (2, 4))
    expected = through(clip, C40)
    for k in (0, 1, 3, 17):
        np.testing.assert_array_equal(find(run, f"p{k:02d}").frame, expected[k])


def test_pictures_that_are_no_film_are_compressed_one_by_one(run: Path) -> None:
    np.testing.assert_array_equal(find(run, "p03", moving=False).frame, through([picture(3)], C40)[0])


@pytest.mark.parametrize(("pair", "status"), [("p02", Status.NO_FACE_TARGET), ("p04", Status.FILE_MISSING)])
def test_a_pair_that_failed_fails_alike(run: Path, pair: str, status: Status) -> None:
    found = find(run, pair)
    assert (found.frame, found.status, found.message) == (None, status, "why")


@pytest.mark.parametrize("damage", [lambda path: save_png(path, picture(20)), lambda path: path.write_bytes(b"x" * 9)])
def test_a_swap_that_is_another_or_damaged_is_a_file_to_bring(run: Path, damage) -> None:
    damage(RunFolder(run).swap_image("mine", "p03"))
    found = find(run, "p03", moving=False)
    assert found.frame is None and found.status is Status.FILE_MISSING and "p03.png" in found.message


def test_the_row_stays_the_methods_and_its_hash_is_that_of_these_swaps_compressed(run: Path, tmp_path: Path) -> None:
    def card(how: str = "c40", folder: Path = run, of: SwapperCard = CARD, moving: bool = True) -> SwapperCard:
        return compressed.method(of, folder, MANIFEST, Compression.parse(how), original, moving).card

    assert (card().name, card().licence, card().kind) == ("mine", "MIT", "method")
    assert (card().source, card().target) == (Crop("frame"), Crop("frame"))
    other_card = SwapperCard("mine", "my method", Crop("frame"), Crop("frame"), weights="abd")
    others = [card("c23"), card("jpeg:75"), card(of=other_card), card(moving=False)]
    brought = swap(tmp_path / "brought", {"p02": Status.NO_FACE_TARGET})
    hashes = {one.hash for one in (*others, card(folder=brought))}
    assert len(hashes) == 5 and card().hash not in hashes and card().hash == card("h264:40").hash


def test_swaps_that_are_gone_are_named(run: Path) -> None:
    for pair in ("p03", "p07"):
        RunFolder(run).swap_image("mine", pair).unlink()
    with pytest.raises(MissingError, match=r"2 of the 16 swaps of mine are gone from .*p03\.png.*hifibench run"):
        compressed.method(CARD, run, MANIFEST, C40, original, True)


def test_a_run_that_does_not_say_how_its_swaps_ended_is_refused(run: Path) -> None:
    RunFolder(run).swap_chunk("mine", 1).unlink()
    with pytest.raises(MissingError, match=r"chunk-00001\.json is gone"):
        compressed.method(CARD, run, MANIFEST, C40, original, True)
    with pytest.raises(MissingError, match=r"chunk-00000\.json is gone"):
        compressed.swaps("other", run, MANIFEST)
