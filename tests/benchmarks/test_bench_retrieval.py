"""Retrieval: ten thousand among ten thousand in a second on two cores; a hundred thousand and a million faces.

The large ones are searched for as many queries as a time allows, ``HIFIBENCH_RETRIEVAL_SECONDS`` (default 16 each, and
as much for what they are held against); what all queries would take is told beside it. Each round is followed by the
plain matrix product of the same size, which nothing that compares all pairs can beat.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest
from devices import on
from threadpoolctl import threadpool_info

from hifibench.nearest.resources import Resources
from hifibench.nearest.search import nearest

N, D = 10_000, 512
LIMIT_S = 1.0
SECONDS = float(os.environ.get("HIFIBENCH_RETRIEVAL_SECONDS", "16"))
ROUNDS, LARGE_ROUNDS = 5, 3
MEMORY_MIB = 256
TILE = (512, 16384)


def gallery_of(m: int, dtype: type) -> np.ndarray:
    """Made in parts, so that no second copy is ever held."""
    rng = np.random.default_rng(0)
    gallery = np.empty((m, D), dtype)
    for start in range(0, m, N):
        gallery[start : start + N] = rng.standard_normal((N, D), dtype=np.float32) / np.sqrt(np.float32(D))
    return gallery


def queries_of(gallery: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces of the gallery with twice their length of noise, and which they are."""
    rng = np.random.default_rng(1)
    wanted = rng.permutation(len(gallery))[:n]
    noise = rng.standard_normal((n, D), dtype=np.float32) / np.sqrt(np.float32(D))
    return gallery[wanted].astype(np.float32) + 2 * noise, wanted


def names_of(m: int) -> np.ndarray:
    return np.array([f"{i:07d}.png" for i in range(m)])


def brute_force(queries, gallery, similarity, k):
    """The k nearest in double precision."""
    near = np.empty((len(queries), len(gallery)))
    queries = queries.astype(np.float64)
    for start in range(0, len(gallery), N):
        part = gallery[start : start + N].astype(np.float64)
        if similarity == "cosine":
            near[:, start : start + N] = queries @ (part / np.linalg.norm(part, axis=1, keepdims=True)).T
        else:
            near[:, start : start + N] = 2 * queries @ part.T - np.square(part).sum(axis=1)
    return np.argsort(-near, axis=1)[:, :k]


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def plain_product(queries: np.ndarray, m: int) -> float:
    """Seconds for the product with m rows and nothing else, block by block as it would not fit at once."""
    right = np.random.default_rng(2).standard_normal((TILE[1], D), dtype=np.float32)
    tile = np.empty((min(TILE[0], len(queries)), len(right)), np.float32)

    def multiply() -> None:
        for start in range(0, len(queries), len(tile)):
            left = queries[start : start + len(tile)]
            np.matmul(left, right.T, out=tile[: len(left)])

    multiply()
    whole, rest = divmod(m, len(right))
    return sum(seconds(multiply) for _ in range(whole)) + seconds(multiply) * rest / len(right)


@contextmanager
def peak_mib() -> Iterator[list[float]]:
    """What the process takes at most, beside what it had: asked for a hundred times a second."""
    process, peak, stop = psutil.Process(), [0.0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], (process.memory_info().rss - before) / 2**20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def threads() -> int:
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


def spread(values: list[float]) -> str:
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def tell(title: str, found_s: list[float], plain_s: list[float], n: int, m: int) -> None:
    """Ratio, speed and what all m queries would take, from rounds of n queries each."""
    flops = 2.0 * n * m * D
    shares = [plain / found for found, plain in zip(found_s, plain_s, strict=True)]
    per_s = n / float(np.median(found_s))
    print(
        f"\n{title}: {spread(shares)} of a plain product of the same size; {flops / np.median(found_s) / 1e9:.0f} of "
        f"{flops / np.median(plain_s) / 1e9:.0f} GFLOP/s on {threads()} threads; {per_s:,.0f} queries/s, "
        f"{len(found_s)} rounds of {n:,} queries",
        end="",
    )


@pytest.mark.parametrize("finder", ["numpy", "torch", "faiss"])
@pytest.mark.parametrize(("similarity", "k"), [("cosine", 1), ("cosine", 5), ("l2", 1)])
def test_ten_thousand_among_ten_thousand(benchmark, finder, similarity, k):
    if finder == "faiss":
        pytest.importorskip("faiss", reason="faiss is not installed")
    gallery, names = gallery_of(N, np.float32), names_of(N)
    queries, _ = queries_of(gallery, N)
    found_s, plain_s = [], []

    def search():
        return nearest(queries, gallery, k, similarity, names, Resources(products=finder))

    def timed():
        begin = time.perf_counter()
        found = search()
        found_s.append(time.perf_counter() - begin)
        plain_s.append(plain_product(queries, N))
        return found

    rounds = ROUNDS if finder == "numpy" else 2
    search()
    found = benchmark.pedantic(timed, rounds=rounds)
    np.testing.assert_array_equal(found[::20], brute_force(queries[::20], gallery, similarity, k))
    tell(f"10 K in 10 K, {similarity}, top {k}, {finder}", found_s, plain_s, N, N)
    print(f"; {min(found_s):.2f} s")
    if finder == "numpy" and threads() >= 2:
        assert min(found_s) <= LIMIT_S


@pytest.mark.parametrize(("m", "dtype"), [(100_000, np.float32), (1_000_000, np.float16)])
def test_large_galleries(benchmark, m, dtype):
    gallery, names = gallery_of(m, dtype), names_of(m)
    # Queries for a share of the time, from what a product takes; a block of them at least.
    probe = plain_product(np.ones((TILE[0], D), np.float32), TILE[1])
    fit = SECONDS / (probe * m / TILE[1] / TILE[0])
    n = int(np.clip(fit // LARGE_ROUNDS, 64, m // LARGE_ROUNDS))
    queries, wanted = queries_of(gallery, n * LARGE_ROUNDS)
    resources = Resources(memory_mib=MEMORY_MIB)
    found_s, plain_s, found = [], [], []

    def rounds():
        for start in range(0, len(queries), n):
            part = queries[start : start + n]
            begin = time.perf_counter()
            found.append(nearest(part, gallery, 5, "cosine", names, resources))
            found_s.append(time.perf_counter() - begin)
            plain_s.append(plain_product(part, m))

    with peak_mib() as peak:
        benchmark.pedantic(rounds, rounds=1)
    found = np.concatenate(found)
    assert (found[:, 0] == wanted).mean() > 0.99
    sample = slice(None, None, len(queries) // 20)
    np.testing.assert_array_equal(found[sample], brute_force(queries[sample], gallery, "cosine", 5))
    tell(f"{m:,} faces ({np.dtype(dtype).name}), top 5", found_s, plain_s, n, m)
    per_query = float(np.median(found_s)) / n
    print(
        f"; 10 K queries {10_000 * per_query:,.0f} s, 100 K {100_000 * per_query:,.0f} s (extrapolated); "
        f"{peak[0]:.0f} MiB taken, {MEMORY_MIB} allowed"
    )
    assert peak[0] <= MEMORY_MIB


def test_a_million_faces_on_a_gpu(benchmark):
    import torch

    if not torch.cuda.is_available():
        print("\nretrieval on a GPU: not measured: no CUDA device")
        pytest.skip("no CUDA device")
    m, n = 1_000_000, 20_000
    gallery, names = gallery_of(m, np.float16), names_of(m)
    queries, wanted = queries_of(gallery, n)
    left = torch.from_numpy(queries[:4096]).cuda()
    right = torch.randn(32768, D, device="cuda")
    found_s, plain_s = [], []

    def product():
        for _ in range(50):
            left @ right.T
        torch.cuda.synchronize()

    def timed():
        begin = time.perf_counter()
        found = nearest(queries, gallery, 5, "cosine", names, Resources(memory_mib=2048, device="cuda"))
        found_s.append(time.perf_counter() - begin)
        plain_s.append(seconds(product) * n * m / (50 * len(left) * len(right)))
        return found

    product()
    found = benchmark.pedantic(timed, rounds=3, warmup_rounds=1)
    assert (found[:, 0] == wanted).mean() > 0.99
    np.testing.assert_array_equal(found[::1000], brute_force(queries[::1000], gallery, "cosine", 5))
    tell(f"{m:,} faces, top 5, on a GPU", found_s[1:], plain_s[1:], n, m)
    print(f"; {on('cuda')}")
