"""What training writes down for people: a CSV, TensorBoard, and a look for what goes wrong."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.errors import GateError, MissingError
from hifibench.files import atomic_write

if TYPE_CHECKING:
    from hifibench.records import Frame

COLLAPSED = 0.05
"""Mean of M_r on the face below which the swap is the target: rebuilds were seen to end there."""


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

        self._path = folder / "losses.csv"
        self._fields: list[str] = []
        if self._path.exists():
            with self._path.open(newline="") as stream:
                reader = csv.DictReader(stream)
                kept = [row for row in reader if int(row["step"]) <= step]
                self._fields = list(reader.fieldnames or [])
            atomic_write(self._path, _csv(self._fields, kept) if kept else "")
        self._folder = folder
        try:
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)
        except OSError as error:
            raise MissingError(f"Cannot write {folder}: {error.strerror or error}.") from error

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row; columns are those of the first one."""
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        begun = self._path.exists() and self._path.stat().st_size > 0
        if not begun:
            self._fields = list(row)
        with self._path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, self._fields, restval="", extrasaction="ignore", lineterminator="\n")
            if not begun:
                writer.writeheader()
            writer.writerow(row)
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def grid(self, step: int, frame: Frame, note: Mapping[str, str]) -> None:
        """Keep a picture of what the networks do after ``step`` steps, ``(H, W, 3)`` uint8 RGB."""
        from hifibench.data.images import save_png

        save_png(self._folder / "grids" / f"step-{step:08d}.png", frame, note)
        self._board.add_image("swaps", frame, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what TensorBoard still holds."""
        self._board.close()


def _csv(fields: list[str], rows: list[dict[str, str]]) -> str:
    return "".join(",".join(row) + "\n" for row in [fields, *([row[name] for name in fields] for row in rows)])


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
                f"Training stopped after step {step}: the mask has collapsed. M_r was below {COLLAPSED} on the face for "
                f"{self._low} steps, so that the swap is the target itself. Look at adv_d and r1 in losses.csv: where "
                "the discriminator won, go on from an earlier checkpoint with a larger gradient penalty; where "
                "seg is small all the same, the data's masks are empty."
            )
