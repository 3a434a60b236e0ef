"""``hifibench calibrate``: a run whose methods are doses of known damage, and what it says of the metrics."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

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
    from hifibench.pipeline.group import joined
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.run import run
    from hifibench.pipeline.store import Shard
    from reports import calibration as report

    if limit is not None and limit < analyse.LEAST_PAIRS:
        raise UsageError(f"--limit {limit}: a calibration takes at least {analyse.LEAST_PAIRS} pairs; leave it out.")
    chosen, share, console = suite.build(metrics), Shard.parse(shard), Console()
    out = out or Path("runs") / chosen.name
    with joined() as group:
        device, silent = group.device(device), quiet or not group.leads
        with group.in_turn("fetching networks"):
            assets.ensure(of_suite(chosen), quiet=silent)
        told = Reporter(silent)
        try:
            done = run(chosen, out, seed=seed, limit=limit, shard=share, device=device, reporter=told, group=group)
            if done.results is None:
                return
            found = analyse.analyse(out, seed, chosen.draws)
            atomic_write(out / store.FILE, store.to_json(found))
            page = report.write(found, out)
        except KeyboardInterrupt as stop:
            words = f"Stopped. The same command goes on from here; what is done is in {out}."
            raise InterruptedRunError(words) from stop
    report.show(found, console)
    if found.pairs >= KEPT_FROM:
        kept = store.keep(found)
        console.print(f"Kept for reports: {kept}", highlight=False, soft_wrap=True, markup=False)
    else:
        words = f"{found.pairs} pairs are for a look: from {KEPT_FROM} on, a calibration is kept for reports."
        console.print(words, highlight=False, soft_wrap=True, markup=False)
    console.print(f"Page: {page}", highlight=False, soft_wrap=True, markup=False)
