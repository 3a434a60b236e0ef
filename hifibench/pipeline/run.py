"""The stages one after another: what this process's share owns is done, what is there already is kept."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hifibench import data
from hifibench.pipeline.examples import keep
from hifibench.pipeline.observe import Observer
from hifibench.pipeline.observing import Observing
from hifibench.pipeline.plan import open_run, record_suite
from hifibench.pipeline.progress import Reporter
from hifibench.pipeline.score import score
from hifibench.pipeline.share import Share
from hifibench.pipeline.store import Shard
from hifibench.pipeline.swapping import Swapping
from hifibench.pipeline.timing import write_timing
from hifibench.profiling import NOTHING, Profile
from hifibench.records import EXACT, Precision
from hifibench.suite import Suite


@dataclass(frozen=True)
class Finished:
    """How a call of `run` ended.

    Attributes:
        folder: the run folder.
        results: what ``results.json`` holds; ``None`` where other shares are still to be done.
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
    """
    reporter = reporter or Reporter(quiet=True)
    suite.check()
    folder, manifest = open_run(suite, seed, limit, out, reporter.stage)
    observer = Observer(suite.experts(), device, workers, profile)
    share = Share(folder, manifest, suite, shard or Shard(), observer.cards)
    load = loader or data.loader(suite.data)
    facts = data.facts(suite.data) if EXACT in suite.experts() else None
    observing = Observing(folder, manifest, share, observer, load, facts, reporter, profile)
    swapping = Swapping(folder, manifest, suite, share, observer, load, device, reporter, precision, profile)
    if share.missing():
        # Numbers of an earlier call must not pass for those of this one, should it not get to its end.
        for name in ("results.json", "scores.parquet", "splits.parquet", "timing.json"):
            folder[name].unlink(missing_ok=True)
        shutil.rmtree(folder["report"], ignore_errors=True)
    observing.images()
    for method in suite.methods:
        swapping.swaps(method)
        observing.observations(method)
    missing = share.missing()
    if missing:
        reporter.say(f"This share is done; {missing} parts of other shares are still to come.")
        return Finished(out, None)
    keep(folder, manifest, load, lambda ref: data.provenance(suite.data, ref))
    record_suite(folder, suite)
    write_timing(folder, suite, len(manifest.pairs))
    return Finished(out, score(folder, suite, manifest, seed))
