"""Where the time of a run went, kept beside it: of every process a Chrome trace and its numbers, and one table.

```
profile/<host>-<pid>.json            the trace, for Perfetto or chrome://tracing
profile/totals/<host>-<pid>.json     the numbers, of which tables are made
profile/table.md                     of this call, or of the latest call of every share
```
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench import __version__
from hifibench.device import cores
from hifibench.errors import UsageError
from hifibench.files import atomic_write
from hifibench.pipeline.profile_table import Record, build, markdown
from hifibench.pipeline.profile_table import show as show_tables
from hifibench.pipeline.store import Shard, write_json
from hifibench.pipeline.trace import trace
from hifibench.profiling import NOTHING, Profile, Totals, Work
from hifibench.walls import StageTime

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger("hifibench")

SCHEMA = 1
"""Of the files under ``profile/totals``."""


@contextmanager
def recorded(
    folder: Path, share: Shard, wanted: bool, console: Console | None = None, workers: int | None = None
) -> Iterator[Profile]:
    """Profile a block that runs a suite, and leave the files in its run folder, also where the user stops it.

    Args:
        folder: of the run; where there is none in the end, nothing is written.
        share: this process's share of the run.
        wanted: whether to profile at all; else the block gets a profile that keeps nothing.
        console: where the tables are printed; nowhere where ``None``.
        workers: as in `write`.
    """
    if not wanted:
        yield NOTHING
        return
    profile = Profile()
    try:
        yield profile
    except KeyboardInterrupt:
        if (folder / "run.json").exists():
            write(folder, profile, share, workers)
        raise
    path = write(folder, profile, share, workers)
    if console is not None:
        show(folder, share.count, console)
        console.print(f"Trace: {path}", highlight=False, soft_wrap=True, markup=False)


def write(folder: Path, profile: Profile, share: Shard, workers: int | None = None) -> Path:
    """Write trace, numbers and table; the path of the trace.

    Args:
        folder: of the run.
        profile: of this process.
        share: this process's share of the run.
        workers: threads that may work side by side; default the processors of this process.

    Raises:
        MissingError: the folder cannot be written to.
    """
    host, pid = socket.gethostname() or "host", os.getpid()
    share_of = (share.index, share.count)
    record = Record(host, pid, share_of, profile.start.date, workers or cores(), profile.totals())
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", f"{host}-{pid}")
    path = _free(folder / "profile", stem)
    name = f"hifibench {share.index}/{share.count} on {host}"
    about = {
        "hifibench": __version__,
        "share": f"{share.index}/{share.count}",
        "began": record.began,
        "left_out": record.totals.left_out,
        "left_out_up_to_ms": record.totals.shorter_than_s * 1000,
    }
    atomic_write(path, json.dumps(trace(profile.spans, pid, name, about), separators=(",", ":")))
    write_json(folder / "profile" / "totals" / path.name, _to_json(record))
    _write_table(folder, share.count)
    return path


def records(folder: Path) -> list[Record]:
    """The numbers of all processes that left some in a run folder, the oldest first; damaged files are named and left.

    Old calls are among them: see `latest`.
    """
    found = []
    for path in sorted((folder / "profile" / "totals").glob("*.json")):
        try:
            found.append(read(path))
        except UsageError as error:
            _log.warning("%s", error)
    return sorted(found, key=lambda record: (record.began, record.share))


def latest(found: Sequence[Record], count: int) -> list[Record]:
    """Of each share of ``count`` the process that began last: what belongs together in one table.

    A call that was stopped and started again has two traces, and the second one alone is in the table. Shares of
    another number are of other calls.
    """
    newest = {record.share: record for record in sorted(found, key=lambda record: record.began)}
    return [newest[key] for key in sorted(newest) if key[1] == count]


def show(folder: Path, count: int, console: Console) -> None:
    """Print the tables of the latest call of each share.

    Raises:
        UsageError: there is none.
    """
    chosen = latest(records(folder), count)
    if not chosen:
        raise UsageError(f"{folder} holds no profile of {count} shares; make one with 'hifibench run … --profile'.")
    show_tables(build(chosen), console)


def read(path: Path) -> Record:
    """The numbers of one process.

    Raises:
        UsageError: the file is something else, or damaged.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA:
            raise ValueError(f"schema {stored['schema']}, expected {SCHEMA}")
        totals = Totals(
            stored["seconds"],
            tuple(Work(**one) for one in stored["work"]),
            tuple(StageTime(**one) for one in stored["stages"]),
            stored["elsewhere"],
            stored["left_out"],
            stored["shorter_than_s"],
        )
        index, count = stored["share"]
        return Record(stored["host"], stored["pid"], (index, count), stored["began"], stored["workers"], totals)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no profile ({type(error).__name__}: {error}); remove it.") from error


def _to_json(record: Record) -> dict[str, Any]:
    totals = record.totals
    return {
        "schema": SCHEMA,
        "host": record.host,
        "pid": record.pid,
        "share": list(record.share),
        "began": record.began,
        "workers": record.workers,
        "seconds": totals.seconds,
        "work": [one._asdict() for one in totals.work],
        "stages": [one._asdict() for one in totals.stages],
        "elsewhere": totals.elsewhere,
        "left_out": totals.left_out,
        "shorter_than_s": totals.shorter_than_s,
    }


def _write_table(folder: Path, count: int) -> None:
    """Write the table of all shares that are there; once more where one came meanwhile, whose own may be older."""
    written: list[Record] = []
    while (chosen := latest(records(folder), count)) != written:
        atomic_write(folder / "profile" / "table.md", markdown(build(chosen)))
        written = chosen


def _free(folder: Path, stem: str) -> Path:
    """A name that no earlier call has taken: in a container every call may have the same number."""
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1_000_000))
    return next(path for name in names if not (path := folder / f"{name}.json").exists())
