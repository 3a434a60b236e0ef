"""What training writes down for people: a CSV, TensorBoard, and a look for what goes wrong."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.errors import GateError, MissingError
from hifibench.files import atomic_write

if TYPE_CHECKING:
    from torch import nn

    from hifibench.records import Frame

COLLAPSED = 0.05
"""Mean of M_r on the face below which the swap is the target: rebuilds were seen to end there."""

STARVED = 0.1
"""Share of the time between two rows of the log that steps may wait for images before it is said."""


class TrainingError(GateError):
    """Training has gone wrong and was stopped (exit code 1)."""


class Log:
    """Losses by step in ``losses.csv`` and for TensorBoard; grids as PNG and for TensorBoard.

    Args:
        folder: of the training.
        step: rows after this step are of a run that was killed later and are dropped.

    Raises:
        MissingError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder, self._path = folder, folder / "losses.csv"
        self._fields: list[str] = []
        with self._writing():
            if self._path.exists():
                self._drop_after(step)
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row; columns are those of the first one.

        Raises:
            MissingError: the disk is full, or the folder cannot be written to.
        """
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        begun = bool(self._fields)
        if not begun:
            self._fields = list(row)
        with self._writing():
            with self._path.open("a", newline="") as stream:
                writer = csv.DictWriter(stream, self._fields, restval="", extrasaction="ignore", lineterminator="\n")
                if not begun:
                    writer.writeheader()
                writer.writerow(row)
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def grid(self, step: int, frame: Frame, note: Mapping[str, str]) -> None:
        """Keep a picture of what the networks do after ``step`` steps, ``(H, W, 3)`` uint8 RGB.

        Raises:
            MissingError: the disk is full, or the folder cannot be written to.
        """
        from hifibench.data.images import save_png

        with self._writing():
            save_png(self._folder / "grids" / f"step-{step:08d}.png", frame, note)
            self._board.add_image("swaps", frame, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        with self._writing():
            self._board.close()

    def _drop_after(self, step: int) -> None:
        """Keep the rows up to a step; what a killed process left of a last line goes too."""
        with self._path.open(newline="") as stream:
            lines = [line for line in stream if line.endswith("\n")]
        header, *rows = lines or [""]
        steps = (row.partition(",")[0] for row in rows)
        kept = [row for row, at in zip(rows, steps, strict=True) if at.isdecimal() and int(at) <= step]
        self._fields = header.strip().split(",") if kept else []
        atomic_write(self._path, "".join([header, *kept]) if kept else "")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MissingError(
                f"Cannot write to {self._folder}: {error.strerror or error}. Free some space or give another --out; "
                "the same command goes on after the last checkpoint."
            ) from error


class Means:
    """Means of what the steps since the last row gave; each over the steps that gave it.

    Args:
        state: of an earlier one, to go on with.
    """

    def __init__(self, state: Mapping[str, tuple[float, int]] | None = None) -> None:
        self._sums = dict(state or {})

    @property
    def state(self) -> dict[str, tuple[float, int]]:
        """Name -> sum and count."""
        return dict(self._sums)

    def add(self, values: Mapping[str, float]) -> None:
        """Take in what a step gave."""
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def take(self) -> dict[str, float]:
        """The means; begins anew."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means


def check_finite(step: int, turn: str, total: float, parts: Mapping[str, float], last: int | None) -> None:
    """Stop on losses that are no numbers, before they reach the weights.

    Raises:
        TrainingError: names the losses and the checkpoint to go back to.
    """
    if math.isfinite(total):
        return
    bad = ", ".join(f"{name} {value}" for name, value in parts.items() if not math.isfinite(value)) or f"total {total}"
    back = f"The weights after step {last} are kept." if last is not None else "No checkpoint was written yet."
    raise TrainingError(
        f"Training stopped in step {step}, turn {turn}: {bad}. {back} Go on from there with a smaller learning rate "
        "(--lr), a larger gradient penalty, or --precision fp32."
    )


def check_weights(step: int, networks: Mapping[str, nn.Module]) -> None:
    """Keep broken weights out of checkpoints: a finite loss can have a gradient that is no number.

    Raises:
        TrainingError: names the networks.
    """
    bad = [
        name
        for name, network in networks.items()
        if not all(bool(one.isfinite().all()) for one in network.state_dict().values())
    ]
    if bad:
        raise TrainingError(
            f"Training stopped after step {step}: the weights of {' and '.join(bad)} are no finite numbers. No "
            "checkpoint was written of them; go on from the one before with a smaller learning rate (--lr) or "
            "--precision fp32."
        )


class CollapseWatch:
    """Looks for masks that shrink to nothing, so that every swap is the target.

    Args:
        patience: steps in a row that must look collapsed.
    """

    def __init__(self, patience: int = 200) -> None:
        self._patience, self._low = patience, 0

    def see(self, step: int, mask_in_face: float) -> None:
        """Take in the mean of M_r on the face, in [0, 1].

        Raises:
            TrainingError: it was below `COLLAPSED` for too long.
        """
        self._low = self._low + 1 if mask_in_face < COLLAPSED else 0
        if self._low >= self._patience:
            raise TrainingError(
                f"Training stopped after step {step}: the mask has collapsed. M_r was below {COLLAPSED} on the face "
                f"for {self._low} steps, so that the swap is the target itself. Look at adv_d and r1 in losses.csv: "
                "where the discriminator won, go on from an earlier checkpoint with a larger gradient penalty; where "
                "seg is small all the same, the data's masks are empty."
            )


class WaitWatch:
    """Looks for a device that waits for images.

    The first row is passed over, during which the readers start; what is said once is not said again.

    Args:
        workers: processes that read for this one.
        cores: of the processor, for all training processes on this machine.
        processes: training processes on this machine.
    """

    def __init__(self, workers: int, cores: int, processes: int = 1) -> None:
        self._workers, self._cores, self._processes = workers, cores, processes
        self._rows, self._said = 0, False

    def see(self, step: int, waited: float) -> str | None:
        """What there is to say of the steps since the last row, of whose time a share ``waited`` in [0, 1] was lost."""
        self._rows += 1
        if self._rows == 1 or self._said or waited <= STARVED:
            return None
        self._said = True
        each = "" if self._processes == 1 else f" for each of {self._processes} training processes"
        now = f"{self._workers}{each}, on {self._cores} cores"
        if self._workers < self._cores // self._processes:
            todo = f"Give more --workers (now {now})."
        else:
            todo = f"More --workers (now {now}) would not help: put the prepared set on a faster disk or into memory."
        return f"Up to step {step:,}, {waited:.0%} of the time went into waiting for images. {todo}"
