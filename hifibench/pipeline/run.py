"""The stages one after another: what this process's share owns is done, what is there already is kept."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hifibench import data
from hifibench.pipeline.examples import keep
from hifibench.pipeline.group import ALONE, Group
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.observing import Observing
from hifibench.pipeline.plan import join_run, open_run, record_suite
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.score import score
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import RunFolder, Shard
from hifibench.pipeline.swapping import Swapping
from hifibench.pipeline.timing import write_timing
from hifibench.profiling import NOTHING, Profile
from hifibench.records import EXACT, Precision
from hifibench.suite import Suite

LISTINGS_KEPT_S = 75.0
"""How long a file that another machine wrote may stay unseen: NFS asks again after a minute at the latest."""


@dataclass(frozen=True)
class Finished:
    """How a call of `run` ended.

    Attributes:
        folder: the run folder.
        results: what ``results.json`` holds; ``None`` where other shares are still to be done, or another process of
            the group scores.
    """

    folder: Path
    results: dict[str, Any] | None


def run(
    suite: Suite,
    out: Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    shard: Shard | None = None,
    device: str = "cpu",
    workers: int | None = None,
    reporter: Reporter | None = None,
    loader: data.Loader | None = None,
    precision: Precision = "fp32",
    profile: Profile = NOTHING,
    group: Group = ALONE,
) -> Finished:
    """Plan, swap, observe and score; a folder in which some of it was done before is finished, not begun anew.

    Args:
        suite: what to run.
        out: the run folder.
        seed: of the plan and of the intervals.
        limit: only the first pairs.
        shard: this process's share of the work; the others may run at the same time, on the same folder.
        device: where swappers and experts run.
        workers: threads that look at images; default the processors of this process.
        reporter: where progress is told.
        loader: gives the images in place of the suite's own way; whoever gives one sees to it that the run folder holds
            no run with another.
        precision: number format of swappers that show their networks (`hifibench.contracts.NetworkSwapper`).
        profile: where the time went.
        group: the processes that do this run together: they cut it by themselves, and the first plans and scores.

    Raises:
        UsageError: the suite, or what the folder holds, is not what this call needs.
        MissingError: a file or a network is not there, or the disk is full.
        GroupError: another process of the group ended before its work was done.
    """
    reporter = reporter or Reporter(quiet=True)
    suite.check()
    own = group.shard(shard or Shard())
    with profile.span("plan"), group.in_turn("planning"):
        opened = open_run if group.leads else join_run
        folder, manifest = opened(suite, seed, limit, out, reporter.stage)
    observer = Observer(suite.experts(), device, group.workers(workers), profile)
    share = Share(folder, manifest, suite, own, observer.cards)
    load = loader or data.loader(suite.data)
    facts = data.facts(suite.data) if EXACT in suite.experts() else None
    observing = Observing(folder, manifest, share, observer, load, facts, reporter, profile)
    swapping = Swapping(folder, manifest, suite, share, observer, load, device, reporter, precision, profile)
    if group.leads:
        _withdraw(folder, share)
    with profile.span("images"):
        observing.images()
    for method in suite.methods:
        with profile.span("swap", method=method):
            swapping.swaps(method)
        with profile.span("observe", method=method):
            observing.observations(method)
    observer.close()
    group.barrier("end of all shares")
    if not group.leads:
        return Finished(out, None)
    if missing := _left(share, group):
        reporter.say(f"This share is done; {missing} parts of other shares are still to come.")
        return Finished(out, None)
    with profile.span("score"):
        with profile.span("score", "write"):
            keep(folder, manifest, load, lambda ref: data.provenance(suite.data, ref))
            record_suite(folder, suite)
            write_timing(folder, suite, len(manifest.pairs))
        return Finished(out, score(folder, suite, manifest, seed, profile))


def _withdraw(folder: RunFolder, share: Share) -> None:
    """Remove the numbers of an earlier call where work is to be done: should it not be, they must not pass for new."""
    numbers = [folder[name] for name in ("results.json", "scores.parquet", "splits.parquet", "timing.json")]
    if any(path.exists() for path in (*numbers, folder["report"])) and share.missing():
        for path in numbers:
            path.unlink(missing_ok=True)
        shutil.rmtree(folder["report"], ignore_errors=True)


def _left(share: Share, group: Group) -> int:
    """Parts that are not done, to the best knowledge of this machine.

    What another one wrote may show here only when the file system next asks: shared ones keep listings for a minute.
    """
    until = time.monotonic() + (LISTINGS_KEPT_S if group.size > group.local_size else 0.0)
    while (missing := share.missing()) and time.monotonic() < until:
        time.sleep(1.0)
    return missing
