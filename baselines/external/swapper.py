"""A face swapper whose work is done by a program of the user's, in an environment of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from baselines.external import images
from baselines.external.checkout import Checkout
from baselines.external.log import Log
from baselines.external.process import Launch
from baselines.external.protocol import Request
from baselines.external.supervisor import Outcome, Supervisor
from hifibench.contracts import SwapperCard, SwapperPlugin
from hifibench.errors import ImageError, MissingError, UsageError
from hifibench.faces import align
from hifibench.faces.paste import soft_mask
from hifibench.records import Cost, Floats, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor

LIMITS = (
    "Runs as a program of its own: images travel there and back as 8 bits, and the way (some milliseconds) counts as "
    "part of a swap's time."
)


@dataclass(frozen=True)
class Program:
    """All that running a method takes.

    Attributes:
        card: of the method.
        command: interpreter or other program, and its arguments.
        cwd: its working folder.
        env: variables on top of this process's own.
        start_timeout_s: seconds until it must be ready.
        pair_timeout_s: seconds that one swap may take.
        checkout: the code base that it runs, if it is in git.
        files: what must be there before it is started, such as weights.
        files_origin: where these come from and under which licence, a sentence for messages.
        parameters: of its networks; ``None`` where unknown.
    """

    card: SwapperCard
    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 120.0
    pair_timeout_s: float = 60.0
    checkout: Checkout | None = None
    files: tuple[Path, ...] = ()
    files_origin: str = "See the key 'files' of its table."
    parameters: int | None = None

    def plugin(self) -> SwapperPlugin:
        """The method; whether all of it is there is looked at when it is loaded."""
        return SwapperPlugin(self.card, lambda device: External(self, device))

    def need(self) -> None:
        """Look whether all that starting takes is there.

        Raises:
            MissingError: the program, its folder, the checkout or a file is not there; says how to get it.
            UsageError: the checkout is at another commit than the wrapper was written for.
        """
        name = self.card.name
        if self.checkout is not None:
            self.checkout.need(name)
        missing = [str(file) for file in self.files if not file.is_file()]
        if missing:
            raise MissingError(f"{name} lacks {', '.join(missing)}. {self.files_origin}")
        if not self.cwd.is_dir():
            raise MissingError(f"The working folder of {name} is not there: {self.cwd}.")
        program = self.command[0]
        if shutil.which(program, path=self.env.get("PATH", os.environ.get("PATH"))) is None:
            raise MissingError(
                f"{name} is run by {program}, which is not there or cannot be executed. Make that environment, or name "
                "its interpreter in the method's table."
            )


class _Row(NamedTuple):
    """One swap: how it ended, and ``(3, H, W)`` image and ``(H, W)`` mask in [0, 1] if there are any."""

    outcome: Outcome
    image: Floats | None = None
    mask: Floats | None = None


class External:
    """Hands every pair to the program and reads what it wrote.

    Args:
        program: what is run.
        device: handed on as ``HIFIBENCH_DEVICE``.

    Raises:
        MissingError, UsageError: as `Program.need`.
    """

    def __init__(self, program: Program, device: str) -> None:
        program.need()
        self._program, self._device = program, device
        self._scratch: TemporaryDirectory[str] | None = None
        self._log: Log | None = None
        self._supervisor: Supervisor | None = None
        self._asked = 0

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._program.card

    def start(self, logs: Path) -> None:
        """See `hifibench.contracts.Service.start`; waits until the program is ready.

        Raises:
            MissingError: it cannot be started, with the last lines of what it said.
        """
        program = self._program
        self._scratch = TemporaryDirectory(prefix="hifibench-", ignore_cleanup_errors=True)
        self._log = Log(logs)
        env = {"HIFIBENCH_DEVICE": self._device, **program.env}
        launch = Launch(program.command, program.cwd, env, program.start_timeout_s, program.pair_timeout_s)
        self._supervisor = Supervisor(program.card.name, launch, self._log)
        self._supervisor.start()

    def stop(self) -> None:
        """See `hifibench.contracts.Service.stop`."""
        if self._supervisor is not None:
            self._supervisor.stop()
        if self._log is not None:
            self._log.close()
        if self._scratch is not None:
            self._scratch.cleanup()
        self._supervisor = self._log = self._scratch = None

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`: pair by pair, and whatever happens to one is its status.

        Raises:
            UsageError: it was not started.
        """
        import torch

        rows = [self._row(one.numpy(), other.numpy()) for one, other in zip(source, target, strict=True)]
        image = torch.zeros_like(target)
        for place, row in zip(image, rows, strict=True):
            if row.image is not None:
                place.copy_(torch.from_numpy(row.image))
        return Swap(
            image,
            None if all(row.mask is None for row in rows) else torch.from_numpy(self._masks(rows, target.shape[2:])),
            tuple(row.outcome.status for row in rows),
            tuple(row.outcome.message for row in rows),
        )

    def cost(self) -> Cost:
        """What the table says: nobody can look into the program."""
        return Cost(params_trainable=self._program.parameters, params_frozen=None, macs=None)

    def _row(self, source: Floats, target: Floats) -> _Row:
        if self._supervisor is None or self._scratch is None:
            raise UsageError(f"{self.card.name} runs as a program of its own: start(logs) comes before swap.")
        self._asked += 1
        scratch = Path(self._scratch.name)
        request = Request(self._asked, *(scratch / f"{self._asked}-{name}.png" for name in ("source", "target", "out")))
        outcome, image, mask = Outcome(Status.FAILED), None, None
        try:
            images.write(request.source, align.hwc(source))
            images.write(request.target, align.hwc(target))
            outcome = self._supervisor.ask(request)
            if outcome.status is Status.OK:
                image = align.chw(images.read(request.out, target.shape[1:]))
            if outcome.mask is not None:
                mask = images.read_mask(self._program.cwd / outcome.mask, target.shape[1:])
        except (ImageError, OSError) as error:
            outcome = self._supervisor.refuse(str(error))
        finally:
            for file in scratch.glob(f"{self._asked}-*"):
                with suppress(OSError):
                    file.unlink()
        # The scratch folder is another in every run, and equal runs tell equal messages.
        said = outcome._replace(message=outcome.message.replace(f"{scratch}{os.sep}", ""))
        return _Row(said, image if said.status is Status.OK else None, mask)

    def _masks(self, rows: list[_Row], shape: tuple[int, ...]) -> Floats:
        """``(B, 1, H, W)``; rows that came without one have the harness's."""
        crop = self.card.target
        default = soft_mask(crop) if crop.template != "frame" else np.ones(shape, np.float32)
        return np.stack([default if row.mask is None else row.mask for row in rows])[:, None]
