"""Memory stays below what was allowed, whatever the size of the gallery, and nothing of it changes the answers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from hifibench.errors import UsageError
from hifibench.nearest.numpy_products import NumpyProducts
from hifibench.nearest.products import tile
from hifibench.nearest.resources import Resources, using
from hifibench.nearest.search import nearest
from metrics.identity import id_retrieval

MIB = 2**20


def peak_mib(call):
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        return result, (tracemalloc.get_traced_memory()[1] - before - result.nbytes) / MIB
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory):
    """20,000 faces in a file: 20 MiB."""
    path = tmp_path_factory.mktemp("gallery") / "faces.npy"
    faces = np.random.default_rng(0).standard_normal((20_000, 512), dtype=np.float32).astype(np.float16)
    faces[5000:9000] = np.nan
    np.save(path, faces)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("similarity", ["cosine", "l2"])
def test_a_file_is_searched_within_the_memory(on_disk, similarity):
    rng = np.random.default_rng(1)
    wanted = rng.choice(np.r_[0:5000, 9000:20_000], 300, replace=False)
    queries = on_disk[wanted].astype(np.float32) + rng.standard_normal((300, 512), dtype=np.float32)
    called = np.array([f"{i:05d}" for i in range(20_000)])
    for memory in (14, 30, 200):
        resources = Resources(memory_mib=memory)
        found, peak = peak_mib(lambda: nearest(queries, on_disk, 5, similarity, called, resources))  # noqa: B023
        np.testing.assert_array_equal(found[:, 0], wanted)
        assert peak < memory
        if memory == 14:
            first = found
        np.testing.assert_array_equal(found, first)


def test_faces_all_alike_take_no_more_than_others():
    # Everything is a candidate for everything.
    gallery = np.ones((3000, 64), np.float32)
    called = np.array([f"{i:05d}" for i in range(3000)])
    found, peak = peak_mib(lambda: nearest(gallery[:100], gallery, 2, "l2", called, Resources(memory_mib=10)))
    np.testing.assert_array_equal(found, np.tile([0, 1], (100, 1)))
    assert peak < 10


def test_more_memory_larger_tiles_up_to_what_is_quick():
    sizes = [tile(100_000, 10**6, 512, 5, NumpyProducts(), Resources(memory_mib=mib)) for mib in (70, 100, 512, 4096)]
    cells = [rows * columns for rows, columns in sizes]
    assert cells == sorted(cells) and cells[0] < cells[-1]
    assert sizes[-1] == sizes[-2] == NumpyProducts.tile


def test_too_little_memory_is_said(observe):
    faces = np.eye(4, dtype=np.float32)
    seen = {"edgeface": {"embedding": faces}}
    observed = observe(4, swap=seen, source_id=list("abcd"), galleries={"frames": (list("abcd"), seen)})
    metric = id_retrieval("edgeface", "frames", "top1")
    np.testing.assert_array_equal(metric.compute(observed), [100] * 4)
    message = r"memory of 0\.5 MiB: the 1 nearest of 4 faces among 4, 4 numbers each, take .* MiB at least\. Allow more"
    with using(Resources(memory_mib=0.5)), pytest.raises(UsageError, match=message):
        metric.compute(observed)
