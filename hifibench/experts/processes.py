"""Experts that run on the processor, in processes of their own beside a GPU.

Their Python would otherwise take turns with that which feeds the GPU. Each process loads an expert once, by its name.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.connection import Connection
from typing import TypeVar

from hifibench.contracts import Expert, ExpertCard
from hifibench.errors import HifibenchError
from hifibench.records import Floats

T = TypeVar("T")

_log = logging.getLogger("hifibench")


class Processes:
    """A pool of processes that look at crops; started when first needed, may be used from several threads.

    Args:
        count: of processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._changing, self._one_by_one = threading.Lock(), threading.Lock()
        self._all: _Pool | None = None
        self._single: _Pool | None = None
        self._closed = 0

    def know(self, card: ExpertCard) -> bool:
        """Whether a process finds this very expert by its name; one that was only added to this process it cannot."""
        return self._call(card.name, "loading", _knows, card.name, card.hash)

    def observe(self, name: str, crops: Floats, image: str) -> dict[str, Floats]:
        """What an expert sees, as `hifibench.contracts.Expert.observe`.

        Args:
            name: of the expert.
            crops: as its card says.
            image: what the crops are of, for messages.

        Raises:
            HifibenchError: a process died of it, and so did a fresh one.
            Exception: what the expert raised.
        """
        return self._call(name, f"looking at {image}", _observe, name, crops)

    def close(self) -> None:
        """End all processes, whatever they are at; the next call starts new ones."""
        with self._changing:
            for pool in (self._all, self._single):
                if pool is not None:
                    pool.close()
            self._all = self._single = None
            self._closed += 1

    def _call(self, name: str, doing: str, function: Callable[..., T], *arguments: object) -> T:
        with self._changing:
            closed = self._closed
            pool = self._all = self._all or _Pool(self._count)
        try:
            return pool.executor.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            if self._closed != closed:
                raise _ended(name, doing) from error
            # A dead process takes along what the others were at: what was not its fault goes well by itself.
            _log.warning("A process died while %s was %s; trying again in a fresh one.", name, doing)
        with self._changing:
            if self._all is pool:
                pool.close()
                self._all = None
        with self._one_by_one:
            with self._changing:
                if self._closed != closed:
                    raise _ended(name, doing)
                single = self._single = self._single or _Pool(1)
            try:
                return single.executor.submit(function, *arguments).result()
            except BrokenProcessPool as error:
                if self._closed != closed:
                    raise _ended(name, doing) from error
                with self._changing:
                    single.close()
                    self._single = None
                raise HifibenchError(
                    f"A process died while the expert {name!r} was {doing}, and so did a fresh one. Too little memory "
                    "(the system's log tells) or a crash in the expert's own library. Run the same command again: what "
                    "is finished is kept. If it happens again, leave the expert's metrics out, or run on the processor "
                    "(--device cpu), where no processes are started."
                ) from error


def _ended(name: str, doing: str) -> HifibenchError:
    return HifibenchError(f"The processes were ended while the expert {name!r} was {doing}: other work had failed.")


class _Pool:
    """An executor whose processes end when this end of a pipe does: at `close`, and when this process dies."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")  # a forked copy of a process with threads may hang
        theirs, self._ours = context.Pipe(duplex=False)
        self.executor = ProcessPoolExecutor(count, context, _begin, (theirs,))

    def close(self) -> None:
        self._ours.close()
        self.executor.shutdown(wait=False, cancel_futures=True)


def _begin(parent: Connection) -> None:
    """What a process does first: one thread for each, Ctrl-C is the parent's to answer, and none outlives it."""
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # read by PyTorch, which few of these experts import, when it is imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    try:
        parent.recv()
    except (EOFError, OSError):
        os._exit(0)


def _knows(name: str, card_hash: str) -> bool:
    from hifibench import registry

    try:
        return registry.experts.get(name).card.hash == card_hash
    except HifibenchError:
        return False


def _observe(name: str, crops: Floats) -> dict[str, Floats]:
    return _expert(name).observe(crops)


@cache
def _expert(name: str) -> Expert:
    from hifibench import registry

    expert = registry.experts.get(name).load("cpu")
    assert isinstance(expert, Expert)
    return expert
