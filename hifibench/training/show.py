"""How far a training is, for the person who waits for it, and what of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from hifibench.training.contract import Plan
from hifibench.training.loop import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from hifibench.pipeline.progress import Reporter
    from hifibench.training.log import Log, WaitWatch

Show = Callable[[int, Mapping[str, float]], None]


@contextmanager
def shown(reporter: Reporter, step: int, plan: Plan, main: bool) -> Iterator[Show]:
    """A bar with images per second and time left on a terminal, a line a row elsewhere."""
    if not main:
        yield lambda step, row: None
        return
    if not reporter.console.is_terminal or reporter.console.quiet:

        def line(step: int, row: Mapping[str, float]) -> None:
            left = (plan.steps - step) * plan.batch / row["images_per_s"]
            reporter.say(
                f"step {step:,}/{plan.steps:,}  {row['images_per_s']:.1f} images/s  {_clock(left)} left  {_words(row)}"
            )

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    with Bars(*columns, console=reporter.console) as bars:
        bar = bars.add_task(plan.name, total=plan.steps, completed=step, rate="", losses="")
        yield lambda step, row: bars.update(
            bar, completed=step, rate=f"{row['images_per_s']:.1f} images/s", losses=_words(row)
        )


class Recorder(Progress):
    """Rows and pictures of the loop, to the log and to the person.

    Args:
        log: where they are written; ``None``: nowhere.
        show: what the person sees of a row.
        note: what the pictures say of how they came about.
        warn: says to the person what ``watch`` found.
        watch: looks at how long steps wait for images; ``None``: nobody does.
    """

    def __init__(
        self,
        log: Log | None,
        show: Show,
        note: Mapping[str, str],
        warn: Callable[[str], None] = lambda words: None,
        watch: WaitWatch | None = None,
    ) -> None:
        self._log, self._show, self._note, self._warn, self._watch = log, show, note, warn, watch

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """See `hifibench.training.loop.Progress`."""
        if self._log is not None:
            self._log.row(step, values)
        self._show(step, values)
        words = self._watch.see(step, values["waited"]) if self._watch is not None else None
        if words is not None:
            self._warn(words)

    def saved(self, step: int, grid: Callable[[], Tensor]) -> None:
        """See `hifibench.training.loop.Progress`."""
        if self._log is not None:
            frame = np.rint(grid().permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            self._log.grid(step, np.ascontiguousarray(frame), self._note)


def _words(row: Mapping[str, float]) -> str:
    quiet = ("images_per_s", "waited", "mask_off_face")
    return " ".join(
        f"{name} {value:.3g}" for name, value in row.items() if name not in quiet and not name.startswith("total_")
    )


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
