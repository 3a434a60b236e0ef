from __future__ import annotations

import multiprocessing
import re
from pathlib import Path

import pytest
import torch
from tiny_training import write_faces

from hifibench.data.prepared import PreparedFaces
from hifibench.errors import ImageError, UsageError
from hifibench.training import settings
from hifibench.training.batches import batches, on, stacked
from hifibench.training.contract import Batch
from hifibench.training.pairs import PairImages, Pairs, indices
from hifibench.training.settings import MOST_WORKERS, parse_workers, readers

CPU = torch.device("cpu")


def images(faces: Path, batch: int = 4) -> PairImages:
    data = PreparedFaces(faces)
    return PairImages(data, Pairs(data.rows, 3, flip=True), batch)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(*both) for both in zip(one, other, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_reading_leaves_the_random_state_alone_and_gives_the_pairs_in_order(faces: Path, workers: int) -> None:
    read = images(faces)
    before = torch.random.get_rng_state()
    found = list(batches(read, indices(2, 6, 4, 0, 1), 4, workers, CPU))
    assert torch.equal(before, torch.random.get_rng_state())
    assert len(found) == 4
    for step, batch in enumerate(found, start=2):
        assert same(batch, on(CPU, stacked(read, range(4 * step, 4 * step + 4))))


def test_processes_read_their_own_shares(faces: Path) -> None:
    read = images(faces)
    [whole] = batches(read, indices(5, 6, 4, 0, 1), 4, 0, CPU)
    shares = [next(batches(read, indices(5, 6, 4, rank, 2), 2, 0, CPU)) for rank in range(2)]
    assert same(whole, Batch(*(torch.cat(both) for both in zip(*shares, strict=True))))


def test_numbers_are_made_on_the_device_from_bytes(faces: Path) -> None:
    read = list(stacked(images(faces), range(4)))
    assert [one.dtype for one in read] == [torch.uint8, torch.uint8, torch.bool, torch.uint8]
    batch = on(CPU, read)
    assert torch.equal(batch.source, read[0] / 255) and torch.equal(batch.mask, read[3] / 255)
    assert batch.source.is_contiguous(memory_format=torch.channels_last)


def test_the_broken_image_is_named_that_stands_where_reading_stopped(tmp_path: Path) -> None:
    read = images(write_faces(tmp_path / "faces", [9, 9, 9]))
    pairs = [read._pairs.at(step, place) for step in range(3) for place in range(4)]
    drawn = [(pair.source, pair.target) for pair in pairs]
    late = next(row for pair in drawn[8:] for row in pair if all(row not in before for before in drawn[:8]))
    name = read._data._files[late].as_py()
    (tmp_path / "faces" / name).unlink()
    stream, given = batches(read, indices(0, 50, 4, 0, 1), 4, 1, CPU), 0
    with pytest.raises(ImageError, match=rf"^The prepared crop .*{re.escape(name)} is missing") as caught:
        for _ in stream:
            given += 1
    assert given == 2 and "Traceback" not in str(caught.value)  # a worker's error has one


def test_a_stream_that_is_closed_leaves_nothing_running(faces: Path) -> None:
    before = set(multiprocessing.active_children())
    stream = batches(images(faces), indices(0, 100, 4, 0, 1), 4, 1, CPU)
    next(stream)
    [reader] = set(multiprocessing.active_children()) - before
    stream.close()
    assert not reader.is_alive()


@pytest.mark.parametrize(("words", "expected"), [("auto", None), ("0", 0), ("12", 12)])
def test_workers_are_a_number_or_auto(words: str, expected: int | None) -> None:
    assert parse_workers(words) == expected


@pytest.mark.parametrize("words", ["", "-1", "many", "1.5", "Auto"])
def test_other_words_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match=rf"--workers {words}: expected auto or a number"):
        parse_workers(words)


@pytest.mark.parametrize(
    ("device", "cores", "processes", "expected"),
    [
        ("cpu", 64, 1, 0),
        ("cuda", 16, 1, MOST_WORKERS),
        ("cuda:1", 4, 1, 3),
        ("cuda", 64, 8, 7),
        ("cuda", 1, 1, 1),
        ("cuda", 8, 8, 1),
    ],
)
def test_auto_leaves_a_core_to_each_training_process(
    monkeypatch: pytest.MonkeyPatch, device: str, cores: int, processes: int, expected: int
) -> None:
    monkeypatch.setattr(settings, "cores", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert readers(None, device) == expected
    assert readers(5, device) == 5
