"""What is done and what is not, of a run folder that was written by hand: found by few looks, and never by memory."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import large_run
import numpy as np
import pytest

from hifibench import registry
from hifibench.arrays import write_arrays
from hifibench.contracts import Crop, ExpertCard, SwapperCard, SwapperPlugin
from hifibench.errors import MissingError
from hifibench.pipeline import share as module
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import RunFolder, Shard, chunks, write_json
from hifibench.records import Status
from hifibench.suite import PortraitData, Suite

PLAN = large_run.manifest(40)
"""Three chunks of pairs, three of images."""
METHODS = ("one", "other")
EXPERTS = {
    name: ExpertCard(name, "", role, Crop("ffhq", 64), {"x": "(1,)"})
    for name, role in (("pose", "pose"), ("beside", "comparison"), ("exact", "facts"))
}
SUITE = Suite(
    name="small",
    title="",
    data=PortraitData(kind="portraits", split="test", identities=2, views=1, pairs=2),
    methods=METHODS,
    metrics=("x",),
)


class Written:
    """A finished run folder without a picture in it."""

    def __init__(self, root: Path) -> None:
        self.folder = RunFolder(root)
        for chunk, part in enumerate(chunks(PLAN.images)):
            self.observe("images", chunk, len(part), {})
        for method in METHODS:
            for chunk, part in enumerate(chunks(PLAN.pairs)):
                rows = [
                    {"pair": pair.pair, "status": "ok", "message": "", "content": f"{chunk}-{row}"}
                    for row, pair in enumerate(part)
                ]
                write_json(
                    self.folder.swap_chunk(method, chunk),
                    {"card": registry.swappers.get(method).card.hash, "pairs": rows},
                )
                for pair in part:
                    self.folder.swap_image(method, pair.pair).touch()
                self.observe(method, chunk, len(part), {"swaps": [row["content"] for row in rows]})

    def observe(self, of: str, chunk: int, rows: int, more: dict[str, Any]) -> None:
        for name, card in EXPERTS.items():
            if card.role not in (("comparison",) if of == "images" else ("facts",)):
                write_arrays(self.folder.observations(of, name, chunk), {"x": np.zeros((rows, 1), np.float32)})
        cards = {name: card.hash for name, card in EXPERTS.items()}
        write_json(self.done(of, chunk), {"cards": cards, **more})

    def done(self, of: str, chunk: int) -> Path:
        return self.folder.observations(of, "done", chunk).with_suffix(".json")

    def share(self, shard: Shard | None = None) -> Share:
        return Share(self.folder, PLAN, SUITE, shard or Shard(), EXPERTS)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    for name in METHODS:
        card = SwapperCard(name, "", source=Crop("ffhq", 64), target=Crop("ffhq", 64))
        monkeypatch.setitem(registry.swappers._added, name, SwapperPlugin(card, lambda device: None))
    return Written(tmp_path)


def todo(share: Share, of: str) -> list[int]:
    items = PLAN.images if of == "images" else PLAN.pairs
    return [chunk for chunk, _ in share.owned(items, lambda chunk: share.observed(of, chunk))]


def test_what_was_found_done_is_neither_read_nor_opened_again(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = written.share()
    assert share.missing() == 0

    def never(*words: Any) -> Any:
        raise AssertionError(words)

    monkeypatch.setattr(module, "read_json", never)
    monkeypatch.setattr(zipfile, "is_zipfile", never)
    assert share.missing() == 0
    assert [todo(share, of) for of in ("images", *METHODS)] == [[], [], []]


def test_each_folder_is_listed_once_a_look_however_many_pairs_there_are(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []
    listing, exists = os.scandir, Path.exists
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or listing(folder))
    monkeypatch.setattr(Path, "exists", lambda path: pytest.fail(f"{path} was asked for"))
    assert written.share().missing() == 0
    monkeypatch.setattr(Path, "exists", exists)
    assert len(listed) == len(set(listed)) == 2 + 2 * (1 + 2), "experts of images; swaps and experts of each method"


def test_nothing_is_opened_while_something_is_not_there(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real = zipfile.is_zipfile
    monkeypatch.setattr(zipfile, "is_zipfile", lambda path: opened.append(path) or real(path))
    written.folder.observations("other", "pose", 2).unlink()
    share = written.share(Shard(1, 3))
    assert share.missing() == 1 and not opened
    assert todo(share, "other") == [] and {path.stem for path in opened} == {"chunk-00000"}, "only what is its own"


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shares_are_the_whole_and_no_part_is_in_two(written: Written, count: int) -> None:
    for chunk in range(3):
        written.done("other", chunk).unlink()
    owned = [todo(written.share(Shard(i + 1, count)), "other") for i in range(count)]
    assert sorted(chunk for part in owned for chunk in part) == [0, 1, 2]


def swap_mark(written: Written, **changes: Any) -> None:
    path = written.folder.swap_chunk("one", 1)
    mark = json.loads(path.read_text())
    pairs = [{**mark["pairs"][0], **changes.pop("first", {})}, *mark["pairs"][1:]]
    write_json(path, {**mark, "pairs": pairs, **changes})


DAMAGE: dict[str, Callable[[Written], Any]] = {
    "no mark": lambda written: written.done("one", 1).unlink(),
    "a mark that is cut": lambda written: written.done("one", 1).write_text("{"),
    "a mark of other cards": lambda written: write_json(written.done("one", 1), {"cards": {}, "swaps": []}),
    "no mark of the swaps": lambda written: written.folder.swap_chunk("one", 1).unlink(),
    "a mark of the swaps without pairs": lambda written: write_json(written.folder.swap_chunk("one", 1), {"card": ""}),
    "swaps of another card": lambda written: swap_mark(written, card="another"),
    "other swaps than were observed": lambda written: swap_mark(written, first={"content": "another"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_changes_after_it_was_found_done_is_found_not_done(written: Written, damage: str) -> None:
    share = written.share()
    assert share.missing() == 0
    DAMAGE[damage](written)
    assert share.missing() == 1 and todo(share, "one") == [1]
    assert written.share().missing() == 1


FILES: dict[str, Callable[[Written], Any]] = {
    "no swap": lambda written: written.folder.swap_image("one", PLAN.pairs[20].pair).unlink(),
    "no observation": lambda written: written.folder.observations("one", "beside", 1).unlink(),
    "an empty observation": lambda written: written.folder.observations("one", "pose", 1).write_bytes(b""),
    "half an observation": lambda written: written.folder.observations("one", "pose", 1).write_bytes(
        written.folder.observations("one", "pose", 1).read_bytes()[:-30]
    ),
}


@pytest.mark.parametrize("damage", FILES)
def test_damaged_files_are_found_at_the_next_start(written: Written, damage: str) -> None:
    FILES[damage](written)
    share = written.share()
    assert share.missing() == 1 and todo(share, "one") == [1]
    assert todo(written.share(Shard(1, 2)), "one") == []


def test_a_pair_without_a_swap_needs_no_image_but_may_be_tried_again(written: Written) -> None:
    written.folder.swap_image("one", PLAN.pairs[16].pair).unlink()
    for status, final in ((Status.FAILED, True), (Status.UNAVAILABLE, False)):
        swap_mark(written, first={"status": str(status)})
        share = written.share()
        assert share.missing() == 0 and share.swapped("one", 1)
        assert share.swapped("one", 1, final=True) is final


def test_swaps_in_another_number_format_are_none(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    share = written.share()
    assert share.missing() == 0
    share.runs_in("one", "bf16")
    assert share.missing() == 3 and not share.swapped("one", 0) and todo(share, "other") == []
    swap_mark(written, precision="bf16")
    assert share.missing() == 2 and todo(share, "one") == [0, 2]
    share.runs_in("one", "fp32")
    assert todo(share, "one") == [1]
    monkeypatch.setattr(zipfile, "is_zipfile", lambda path: pytest.fail(f"{path} was opened again"))
    share.runs_in("one", "fp32")
    assert todo(share, "other") == []


def test_the_mark_of_swaps_that_are_gone_says_what_to_do(written: Written) -> None:
    written.folder.swap_chunk("one", 1).unlink()
    with pytest.raises(MissingError, match=r"chunk-00001\.json is gone.*Run the same command again"):
        written.share().mark("one", 1)
