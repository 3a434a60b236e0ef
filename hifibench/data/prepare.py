"""Preparing faces for training: detect, align, mask, keep or drop, in several processes, resumable.

The work is cut by person. A person is done whole or not at all, alike whoever was done before, so a set that was
stopped and gone on with, or made by another number of processes, has the same bytes in its tables.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from hifibench.data.face_crops import Cropper, Cropping, Done
from hifibench.data.originals import Person, Source
from hifibench.data.prepare_report import Report, summarise
from hifibench.data.prepared_store import PreparedStore
from hifibench.errors import MissingError, UsageError
from hifibench.stage import Stage, quiet

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def prepare(source: Source, cropping: Cropping, out: Path, *, workers: int = 1, stage: Stage = quiet) -> Report:
    """Prepare all faces of a source, or go on where a stopped run ended.

    A set can be extended: the same settings with more people, more views or more images in a folder keep the people
    whose images are the same, by name, and make the others.

    Args:
        source: the originals.
        cropping: what decides a crop.
        out: the folder of the prepared set, see `hifibench.data.prepared`.
        workers: processes; each has networks of its own and one thread. 1 works in this process.
        stage: where to say how far it is.

    Returns:
        What was kept and dropped.

    Raises:
        UsageError: the source holds nothing, ``out`` was begun with other settings, lies in the source or holds other
            things, or a setting makes no sense.
        MissingError: an asset is absent, ``out`` cannot be written to, or a process died.
    """
    if workers < 1:
        raise UsageError(f"Preparing takes at least one process; given {workers}.")
    store = PreparedStore(out)
    _check_places(source, out)
    store.check_room()
    people = source.people()
    cropper = Cropper(source, cropping, out)
    with store.alone():
        store.begin({**cropper.settings, "source": dict(source.settings)}, source.licence)
        finished = store.finished(people)
        todo = [person for person in people if person.identity not in finished]
        images, begin = sum(len(person.originals) for person in todo), time.monotonic()
        with stage("prepare faces", images) as advance:
            for done in _work(todo, source, cropping, out, cropper, workers):
                store.add(done)
                advance(len(done.sources))
        kept, dropped = store.merge(people)
        report = summarise(people, kept, dropped, images, time.monotonic() - begin)
        store.finish(kept, dropped, report.counts)
    return report


def _check_places(source: Source, out: Path) -> None:
    if source.root is not None:
        root, place = source.root.resolve(), out.resolve()
        if place == root or place.is_relative_to(root):
            raise UsageError(f"{out} lies in {source.root}, which is read; name a folder outside it.")


def _work(
    todo: Sequence[Person], source: Source, cropping: Cropping, out: Path, cropper: Cropper, workers: int
) -> Iterator[Done]:
    """Everyone of ``todo``, in any order."""
    if workers == 1:
        for person in todo:
            yield cropper.person(person)
        return
    if not todo:
        return
    from multiprocessing import get_context

    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (source, cropping, out))
        try:
            for future in as_completed([pool.submit(_person, person) for person in todo]):
                yield future.result()
        except BrokenProcessPool as error:
            raise MissingError(
                f"A process that prepared faces died, most likely for want of memory ({workers} processes at about "
                "0.4 GB each). What was finished is kept: run the same command with fewer --workers."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes started in this block begin with one thread; libraries read it when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_cropper: Cropper | None = None  # of this process, which is one of the pool's


def _start(source: Source, cropping: Cropping, out: Path) -> None:
    """Make a process of the pool ready."""
    import signal
    from multiprocessing import parent_process
    from threading import Thread

    import cv2

    global _cropper
    Thread(target=_die_with, args=(parent_process(),), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent too, which alone has words for it
    cv2.setNumThreads(1)
    _cropper = Cropper(source, cropping, out)


def _die_with(parent: BaseProcess) -> None:
    """Wait for the parent's end: a pool whose parent is killed would wait for work for ever."""
    parent.join()
    os._exit(1)


def _person(person: Person) -> Done:
    assert _cropper is not None
    return _cropper.person(person)
