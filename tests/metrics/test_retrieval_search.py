"""No answer depends on blocks, pieces, memory, library or order: all are held against sorting all pairs."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hifibench.errors import HifibenchError, MissingError, UsageError
from hifibench.nearest import search
from hifibench.nearest.numpy_products import NumpyProducts
from hifibench.nearest.resources import Resources, current, using
from hifibench.nearest.search import nearest

SIMILARITIES = ("cosine", "l2")
HAVE_FAISS = importlib.util.find_spec("faiss") is not None
FINDERS = (
    "numpy",
    "torch",
    pytest.param("faiss", marks=pytest.mark.skipif(not HAVE_FAISS, reason="faiss is not installed")),
)


def names(m):
    return np.array([f"{i:06d}" for i in range(m)])


def sorted_pairs(queries, gallery, k, similarity, called):
    """All pairs in double precision, sorted by nearness, then by name."""
    found = np.full((len(queries), k), -1)
    faces = gallery.astype(np.float32).astype(np.float64)
    able = np.isfinite(faces).all(axis=1) & ((similarity == "l2") | faces.any(axis=1))
    for row, query in enumerate(queries.astype(np.float64)):
        if not np.isfinite(query).all() or (similarity == "cosine" and not query.any()):
            continue
        if similarity == "cosine":
            dot, squares = (np.einsum("ij,ij->i", faces[able], b) for b in (query[None], faces[able]))
            near = dot / np.sqrt(squares)
        else:
            near = -np.einsum("ij,ij->i", query - faces[able], query - faces[able])
        best = np.flatnonzero(able)[np.lexsort((called[able], -near))[:k]]
        found[row, : len(best)] = best
    return found


def tiles(monkeypatch, rows, columns):
    """Let all libraries compare so much at once, whatever they would like."""
    real = search.make

    def make(resources):
        products = real(resources)
        products.tile = (rows, columns)
        return products

    monkeypatch.setattr(search, "make", make)


numbers = st.integers(-2, 2).map(float) | st.sampled_from([np.nan, np.inf, 0.5, 1 + 2**-23, 1 - 2**-24])


@st.composite
def few(draw):
    """Few different numbers, so that much is equal or nearly so; rows of all lengths that float32 knows."""
    d = draw(st.integers(1, 5))
    queries = draw(hnp.arrays(np.float32, (draw(st.integers(1, 7)), d), elements=numbers.map(np.float32)))
    gallery = draw(hnp.arrays(np.float32, (draw(st.integers(1, 60)), d), elements=numbers.map(np.float32)))
    if draw(st.booleans()):
        powers = draw(hnp.arrays(np.int64, len(gallery), elements=st.sampled_from([0, 0, 1, 9, -30, 60, 120, -140])))
        gallery = np.ldexp(gallery, powers[:, None].astype(np.int32)).astype(np.float32)
    if draw(st.booleans()):
        queries = np.ldexp(queries, draw(st.sampled_from([-140, -60, 60, 120]))).astype(np.float32)
    return queries, gallery, np.array(draw(st.permutations(range(len(gallery)))))


@pytest.mark.parametrize("finder", FINDERS)
@settings(max_examples=120)
@given(
    data=few(),
    k=st.integers(1, 9),
    similarity=st.sampled_from(SIMILARITIES),
    rows=st.integers(1, 4),
    columns=st.sampled_from([1, 2, 4, 16, 64]),
)
def test_any_tiles_and_any_order_give_what_sorting_gives(finder, data, k, similarity, rows, columns):
    queries, gallery, order = data
    called = names(len(gallery))
    expected = sorted_pairs(queries, gallery, k, similarity, called)
    with pytest.MonkeyPatch.context() as patch:
        tiles(patch, rows, columns)
        found = nearest(queries, gallery[order], k, similarity, called[order], Resources(products=finder))
    there = found >= 0
    np.testing.assert_array_equal(there, expected >= 0)
    np.testing.assert_array_equal(order[found[there]], expected[there])


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("k", [1, 5, 90])
def test_neighbours_a_rounding_apart_in_512_dimensions(monkeypatch, finder, similarity, k):
    rng = np.random.default_rng(k)
    people = rng.standard_normal((40, 512), dtype=np.float32)
    # Some single numbers of each copy differ in their last digit: too little for any product in single precision.
    gallery = np.repeat(people, 30, axis=0)
    change = rng.random(gallery.shape) < 0.01
    gallery[change] = np.nextafter(gallery[change], np.float32(9))
    queries = people + rng.standard_normal(people.shape, dtype=np.float32) / 2
    order = rng.permutation(len(gallery))
    called = names(len(gallery))
    expected = sorted_pairs(queries, gallery, k, similarity, called)
    tiles(monkeypatch, 16, 256)
    found = nearest(queries, gallery[order], k, similarity, called[order], Resources(products=finder))
    np.testing.assert_array_equal(order[found], expected)


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_a_gallery_of_one_face_comes_by_name(finder, similarity):
    # More candidates than are handed over at once.
    gallery = np.repeat(np.float32([[1, 2, 3]]), 700, axis=0)
    queries = np.random.default_rng(0).standard_normal((64, 3)).astype(np.float32)
    order = np.random.default_rng(1).permutation(700)
    found = nearest(queries, gallery, 5, similarity, names(700)[order], Resources(products=finder))
    np.testing.assert_array_equal(found, np.tile(np.argsort(order)[:5], (64, 1)))


@pytest.mark.parametrize("finder", FINDERS)
def test_a_gallery_that_gets_nearer_and_nearer(monkeypatch, finder):
    # Every block replaces all that was found before.
    angle = np.linspace(3, 0.1, 2000)
    gallery = np.stack((np.cos(angle), np.sin(angle)), axis=1).astype(np.float32)
    tiles(monkeypatch, 1, 64)
    for similarity in SIMILARITIES:
        found = nearest(np.float32([[1, 0], [2, 0]]), gallery, 3, similarity, names(2000), Resources(products=finder))
        np.testing.assert_array_equal(found[0], [1999, 1998, 1997])


@pytest.mark.parametrize("finder", FINDERS)
def test_one_giant_among_ordinary_faces_slows_nothing_and_hides_nothing(monkeypatch, finder):
    rng = np.random.default_rng(3)
    gallery = rng.standard_normal((500, 16), dtype=np.float32)
    gallery[7] *= 1e6
    compared = []
    real = search.nearness
    monkeypatch.setattr(search, "nearness", lambda *given: compared.append(len(given[2])) or real(*given))
    found = nearest(gallery, gallery, 1, "l2", names(500), Resources(products=finder))
    np.testing.assert_array_equal(found[:, 0], np.arange(500))
    assert sum(compared) < 4 * 500


def test_a_gallery_of_halves_or_doubles_is_searched_as_one_of_floats():
    rng = np.random.default_rng(4)
    gallery, queries = rng.standard_normal((300, 24)), rng.standard_normal((40, 24)).astype(np.float32)
    for kind in (np.float16, np.float64):
        as_float = gallery.astype(kind).astype(np.float32)
        for similarity in SIMILARITIES:
            found = nearest(queries, gallery.astype(kind), 4, similarity, names(300))
            np.testing.assert_array_equal(found, nearest(queries, as_float, 4, similarity, names(300)))


def test_queries_of_doubles_are_rounded_to_floats():
    # As a float the query is 1, as far from the one as from the other: the first name wins.
    gallery = np.float32([[1 - 2**-23], [1 + 2**-23]])
    assert nearest(np.array([[1 + 0.4 * 2**-23]]), gallery, 1, "l2", names(2)).item() == 0


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("k", [1, 5])
def test_products_as_wrong_as_they_may_be_hide_nothing(monkeypatch, finder, k):
    # Real libraries stay far within the bound; here the farther copies of a face score above the nearest.
    rng = np.random.default_rng(k)
    people = rng.standard_normal((20, 512), dtype=np.float32)
    distance = rng.permutation(np.linspace(0, 0.004, 30))
    gallery = people[:, None] + distance[:, None].astype(np.float32) * rng.standard_normal((20, 30, 512))
    gallery = gallery.astype(np.float32).reshape(-1, 512)
    farness = np.tile(distance, 20)
    real = search.make

    def make(resources):
        products = real(resources)
        load = products.load

        def wrong(block):
            there = len(block.columns)
            sign = np.where(farness[block.first + block.columns] > 0.002, 0.95, -0.95)
            block.right[:there] *= (1 + sign * block.error[:there]).astype(np.float32)[:, None]
            load(block)

        products.load = wrong
        return products

    monkeypatch.setattr(search, "make", make)
    expected = sorted_pairs(people, gallery, k, "cosine", names(600))
    found = nearest(people, gallery, k, "cosine", names(600), Resources(products=finder))
    np.testing.assert_array_equal(found, expected)


class Coarse(NumpyProducts):
    """Products whose factors have eight digits, as of a GPU that rounds them first."""

    name = "a coarse device"

    def load(self, block):
        super().load(block)
        block.right.view(np.uint32)[:] &= 0xFFFF0000


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_products_of_fewer_digits_are_noticed(monkeypatch, similarity):
    monkeypatch.setattr(search, "make", lambda resources: Coarse())
    faces = np.random.default_rng(5).standard_normal((200, 64)).astype(np.float32)
    with pytest.raises(HifibenchError, match=r"Products by a coarse device are off by .*Switch TF32 .* off"):
        nearest(faces, faces, 1, similarity, names(200))


def test_torch_is_told_to_keep_all_digits_and_left_as_it_was(monkeypatch):
    import torch

    seen, multiply, before = [], torch.Tensor.__matmul__, torch.get_float32_matmul_precision()

    def watched(left, right):
        seen.append(torch.get_float32_matmul_precision())
        return multiply(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", watched)
    try:
        torch.set_float32_matmul_precision("medium")
        faces = np.random.default_rng(6).standard_normal((50, 512)).astype(np.float32)
        found = nearest(faces, faces, 1, "cosine", names(50), Resources(products="torch"))
        np.testing.assert_array_equal(found[:, 0], np.arange(50))
        assert seen == ["highest"] and torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_name_that_comes_twice_is_found_wherever_it_stands():
    faces = np.ones((9000, 1), np.float32)
    for place in (0, 4095, 4096, 8191, 8998):
        called = names(9000)
        called[place] = called[place + 1]
        with pytest.raises(ValueError, match=f"'{place + 1:06d}' comes twice"):
            nearest(faces[:1], faces, 1, "l2", np.random.default_rng(0).permutation(called))


def test_torch_is_imported_for_a_gpu_alone():
    code = (
        "import sys, numpy as np\n"
        "from metrics.retrieval import retrieve\n"
        "assert retrieve(np.eye(2), np.eye(2), 1, 'l2', np.array(['a', 'b'])).tolist() == [[0], [1]]\n"
        "assert 'torch' not in sys.modules and 'faiss' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_is_not_there_is_said(monkeypatch):
    faces = np.eye(2, dtype=np.float32)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingError, match="pip install faiss-cpu"):
        nearest(faces, faces, 1, "l2", names(2), Resources(products="faiss"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(MissingError, match="0 usable CUDA devices"):
        nearest(faces, faces, 1, "l2", names(2), Resources(device="cuda"))
    with pytest.raises(UsageError, match="expected one of auto, numpy, torch, faiss"):
        Resources(products="annoy")
    for memory in (0, -1, float("nan")):
        with pytest.raises(UsageError, match="expected a number above 0"):
            Resources(memory_mib=memory)


def test_a_gpu_is_used_where_it_is_asked_for():
    assert Resources().finder == "numpy"
    assert Resources(device="cuda:1").finder == "torch"
    assert Resources(device="cuda", products="numpy").finder == "numpy"


def test_resources_hold_within_and_in_this_thread_alone():
    seen = []
    with using(Resources(memory_mib=7)):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        with pytest.raises(ZeroDivisionError), using(Resources(memory_mib=8)):
            assert current().memory_mib == 8
            1 / 0  # noqa: B018
        assert current().memory_mib == 7
    assert seen == [Resources()] and current() == Resources()


@pytest.mark.parametrize("name", ["search", "factors", "resources"])
def test_the_examples_in_its_documentation_run(name):
    result = doctest.testmod(importlib.import_module(f"hifibench.nearest.{name}"))
    assert result.attempted and not result.failed
