from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from hifibench.experts.pool import Pool


class Copy:
    pass


def test_one_user_at_a_time_needs_one_copy() -> None:
    pool = Pool(Copy)
    with pool.borrow() as first:
        pass
    with pool.borrow() as second:
        pass
    assert first is second


def test_users_at_the_same_time_get_copies_of_their_own_which_are_kept() -> None:
    pool, together = Pool(Copy), Barrier(3)

    def use(_: int) -> Copy:
        with pool.borrow() as copy:
            together.wait(timeout=10)
            return copy

    with ThreadPoolExecutor(3) as threads:
        first = set(threads.map(use, range(3)))
        second = set(threads.map(use, range(3)))
    assert len(first) == 3
    assert first == second


def test_a_copy_comes_back_after_a_failure() -> None:
    pool = Pool(Copy)
    with pytest.raises(RuntimeError, match="in use"), pool.borrow() as lost:
        raise RuntimeError("in use")
    with pool.borrow() as again:
        assert again is lost
