"""``hifibench calibrate``: a run whose methods are doses of known damage, and what it says of the metrics."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from hifibench.device import choose
from hifibench.errors import InterruptedRunError, UsageError

KEPT_FROM = 16
"""Pairs that a calibration takes to be kept for reports; one of fewer is for a look."""


def run_calibration(
    out: Path | None,
    limit: int | None,
    seed: int,
    metrics: str | None,
    shard: str,
    device: str,
    quiet: bool,
) -> None:
    """``hifibench calibrate``: run the doses, write ``calibration.json`` and the page, keep it for reports.

    Args:
        out: the run folder; default ``runs/calibrate``. What is done there is kept.
        limit: only the first pairs.
        seed: of people, pairs and intervals.
        metrics: names separated by commas, in place of the suite's.
        shard: this process's share, ``i/n``.
        device: where experts run.
        quiet: no progress.

    Raises:
        UsageError: too few pairs, or a metric that no dose moves.
        MissingError: a network is not there.
        InterruptedRunError: stopped by the user.
    """
    from hifibench import assets
    from hifibench.calibration import analyse, store, suite
    from hifibench.files import atomic_write
    from hifibench.needs import of_suite
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.run import run
    from hifibench.pipeline.store import Shard
    from reports import calibration as report

    if limit is not None and limit < analyse.LEAST_PAIRS:
        raise UsageError(f"--limit {limit}: a calibration takes at least {analyse.LEAST_PAIRS} pairs; leave it out.")
    chosen, share, device = suite.build(metrics), Shard.parse(shard), choose(device)
    out = out or Path("runs") / chosen.name
    assets.ensure(of_suite(chosen), quiet=quiet)
    reporter, console = Reporter(quiet), Console()
    try:
        done = run(chosen, out, seed=seed, limit=limit, shard=share, device=device, reporter=reporter)
        if done.results is None:
            return
        found = analyse.analyse(out, seed, chosen.draws)
        atomic_write(out / store.FILE, store.to_json(found))
        page = report.write(found, out)
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"Stopped. The same command goes on from here; what is done is in {out}.") from stop
    report.show(found, console)
    if found.pairs >= KEPT_FROM:
        kept = store.keep(found)
        console.print(f"Kept for reports: {kept}", highlight=False, soft_wrap=True, markup=False)
    else:
        words = f"{found.pairs} pairs are for a look: from {KEPT_FROM} on, a calibration is kept for reports."
        console.print(words, highlight=False, soft_wrap=True, markup=False)
    console.print(f"Page: {page}", highlight=False, soft_wrap=True, markup=False)
