"""What ``hifibench selftest`` does."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hifibench import registry
from hifibench.contracts import Swapper, SwapperPlugin
from hifibench.device import choose
from hifibench.errors import GateError, UsageError

if TYPE_CHECKING:
    from hifibench.selftest.checks import Result

_STYLES = {"ok": "green", "failed": "red", "skipped": "dim"}


def selftest(method: str, device: str, quiet: bool) -> None:
    """Swap known pairs and check what comes back; a table says what was found.

    Args:
        method: name of a face swapper.
        device: as `hifibench.device.choose` takes it.
        quiet: no progress, only the table.

    Raises:
        GateError: a check failed; all of them are named.
        UsageError: there is no such method, or it knows only the pairs that its authors released.
        MissingError: the method's package, or a network that looks at its swaps, is not there.
        MethodError: the method cannot be used here, whatever the pair.
    """
    plugin, device = registry.swappers.get(method), choose(device)
    # Files from a failed method may be all that says why, so the folder outlives the command then.
    logs = Path(mkdtemp(prefix="hifibench-selftest-"))
    sound = False
    try:
        results = _examined(plugin, device, logs, quiet)
        failed = [one.name for one in results if one.finding.verdict == "failed"]
        sound = not failed
    finally:
        if sound or not any(logs.iterdir()):
            shutil.rmtree(logs)
    _show(method, results)
    if failed:
        kept = f" What it said while it ran is in {logs}." if logs.exists() else ""
        raise GateError(f"{method} fails {', '.join(failed)}: see the table for what was found and expected.{kept}")


def _examined(plugin: SwapperPlugin, device: str, logs: Path, quiet: bool) -> list[Result]:
    from hifibench import assets
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.swap import loaded
    from hifibench.selftest.checks import CHECKS, examine
    from hifibench.selftest.evidence import ASSETS, Evidence, known_jobs

    # An asset that the catalogue does not hold is for the check of the card to tell.
    known = [name for name in plugin.card.assets if name in assets.names()]
    assets.ensure(dict.fromkeys((*ASSETS, *known)), quiet=quiet)
    name = plugin.card.name
    with loaded(plugin, device, logs) as swapper:
        if not isinstance(swapper, Swapper):
            raise UsageError(
                f"{name} is known by what its authors released: it swaps no pair but theirs, so it cannot be tested. "
                "'hifibench run' says for each pair of a suite whether its file is there and fits."
            )
        results = []
        with Reporter(quiet).stage(f"selftest {name}", len(CHECKS)) as advance:
            for result in examine(Evidence(swapper, known_jobs(), device)):
                results.append(result)
                advance()
    return results


def _show(method: str, results: Sequence[Result]) -> None:
    table = Table(box=None, pad_edge=False, title=f"{method} on known pairs", title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for one in results:
        verdict = one.finding.verdict
        table.add_row(one.name, f"[{_STYLES[verdict]}]{verdict}[/]", escape(one.finding.detail))
    Console().print(table)
