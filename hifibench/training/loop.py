"""The loop: steps, turns, optimisers, several processes, checkpoints.

Every process computes the turns on its share of the batch, then gradients are averaged over the processes in one
flat tensor. That is what wrappers such as DistributedDataParallel do too, but a GAN with a cycle calls its generator
twice and differentiates a gradient, which their hooks on single forward passes do not foresee.

All randomness of step n is drawn from the seed and n (see also `hifibench.training.pairs`), and a checkpoint holds
weights, optimisers, the step and the means that the next row of the log is made of: so a resumed training goes on
exactly.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.training import checkpoints, optimisers, precision
from hifibench.training.average import WeightAverage
from hifibench.training.batches import batches, on, stacked
from hifibench.training.contract import Batch, Plan, Trainable
from hifibench.training.interrupt import deferred_interrupt
from hifibench.training.log import CollapseWatch, Means, check_finite, check_weights
from hifibench.training.pairs import PairImages, Pairs, indices
from hifibench.training.settings import Settings, readers

if TYPE_CHECKING:
    from hifibench.data.prepared import PreparedFaces


_PATIENCE = timedelta(hours=6)
"""How long processes wait for one another: for the one that makes the images, and while it saves."""


class Progress:
    """What the loop tells the outside; the methods of this class do nothing."""

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Means of the last steps."""

    def saved(self, step: int, grid: Callable[[], Tensor]) -> None:
        """A checkpoint was written; ``grid()`` draws swaps ``(3, H, W)`` in [0, 1]."""


class Loop:
    """A training in a folder.

    Args:
        method: what is trained.
        plan: the preset, as changed by the user.
        data: prepared faces of the method's crop.
        folder: for checkpoints; a begun training there is resumed.
        seed: of weights, order and randomness.
        accelerator: devices and processes.
        settings: what does not decide the result.

    Raises:
        UsageError: data, plan and folder do not go together; said before the first step.
    """

    def __init__(
        self,
        method: Trainable,
        plan: Plan,
        data: PreparedFaces,
        folder: Path,
        seed: int,
        accelerator: Accelerator,
        settings: Settings,
    ) -> None:
        if data.crop != method.crop:
            raise UsageError(
                f"The data set {data.folder} holds {data.crop.template} crops of {data.crop.size} pixels; this "
                f"training needs {method.crop.template} of {method.crop.size}. Prepare one with --template "
                f"{method.crop.template} --size {method.crop.size}."
            )
        self.method, self.plan, self.folder, self.seed = method, plan, folder, seed
        self.accelerator, self.settings, self._data = accelerator, settings, data
        self._pairs = Pairs(data.rows, seed, plan.same_identity, plan.flip)
        indices(0, 0, plan.batch, 0, accelerator.num_processes)
        self._optimisers = {
            turn: optimisers.adam(method.networks[turn].parameters(), made) for turn, made in plan.optimisers.items()
        }
        self._average = WeightAverage(method.networks["generator"], plan.average) if plan.average else None
        self._means = Means()
        self._collapse = CollapseWatch()
        self._saved: int | None = None
        self.step = 0
        self.seconds = 0.0
        self.last_row: Mapping[str, float] = {}
        self._resume()

    @property
    def data_fingerprint(self) -> str:
        """Of the prepared set."""
        return self._data.fingerprint

    @property
    def exported(self) -> nn.Module:
        """The generator that is given away: the moving average of its weights, where the plan asks for one."""
        return self._average.network if self._average is not None else self.method.networks["generator"]

    def run(self, progress: Progress | None = None) -> None:
        """Train up to the plan's last step.

        Raises:
            TrainingError: a loss is no number, or the masks have collapsed.
            MissingError: a checkpoint cannot be written.
            KeyboardInterrupt: passed on after a checkpoint was written.
        """
        progress = progress or Progress()
        if self.settings.compile:
            # The compiler warns of every toolkit that it does not find and does not need.
            logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
            self.method.compile()
        read = self._read()
        saved = marked = self.step
        mark, waited, whole = time.perf_counter(), 0.0, True
        try:
            while self.step < self.plan.steps:
                asked = time.perf_counter()
                batch = next(read)
                waited += time.perf_counter() - asked
                with deferred_interrupt():
                    whole = False
                    self._means.add(self._step(batch))
                    self.step += 1
                    whole = True
                    now, last = time.perf_counter(), self.step == self.plan.steps
                    self.seconds += now - asked
                    if self.step % self.settings.log_every == 0 or last:
                        done, span = self.step - marked, now - mark
                        rates = {"images_per_s": done * self.plan.batch / span, "waited": waited / span}
                        self.last_row = {**self._means.take(), **rates}
                        progress.row(self.step, self.last_row)
                        marked, mark, waited = self.step, now, 0.0
                    if self.step % self.settings.save_every == 0 or last:
                        self._save(progress)
                        saved = self.step
                        self.accelerator.wait_for_everyone()
        except KeyboardInterrupt:
            if whole and self.step > saved:
                self._save(progress)
            raise
        finally:
            read.close()

    def _read(self) -> Generator[Batch, None, None]:
        machine, plan = self.accelerator, self.plan
        images = PairImages(self._data, self._pairs, plan.batch)
        numbers = indices(self.step, plan.steps, plan.batch, machine.process_index, machine.num_processes)
        workers = readers(self.settings.workers, machine.device.type)
        return batches(images, numbers, plan.batch // machine.num_processes, workers, machine.device)

    def _step(self, batch: Batch) -> dict[str, float]:
        torch.manual_seed(hash((self.seed, self.step, self.accelerator.process_index)) % 2**63)
        values: dict[str, float] = {}
        for turn in self.method.turns:
            with self.accelerator.autocast():
                losses = self.method.losses(turn, batch, self.step)
            if losses is None:
                continue
            names = list(losses.parts)
            numbers = torch.stack([losses.total.detach().float(), *(losses.parts[name].float() for name in names)])
            numbers = self._mean(numbers)
            optimiser, network = self._optimisers[turn], self.method.networks[turn]
            optimiser.zero_grad(set_to_none=True)
            self.accelerator.backward(losses.total)
            self._average_gradients(network)
            # Only now, when the device has its work: reading a number waits until it is known.
            total, *each = numbers.tolist()
            parts = dict(zip(names, each, strict=True))
            check_finite(self.step + 1, turn, total, parts, self._saved)
            optimisers.as_weights(network.parameters())
            optimiser.step()
            if self._average is not None and turn == "generator":
                self._average.follow(optimiser)
            values |= parts | {f"total_{turn}": total}
        watched = self.method.watch()
        if watched:
            healthy = self._mean(torch.stack([value.float() for value in watched.values()]))
            values |= dict(zip(watched, healthy.tolist(), strict=True))
            if "mask_in_face" in values:
                self._collapse.see(self.step + 1, values["mask_in_face"])
        return values

    def _mean(self, numbers: Tensor) -> Tensor:
        if self.accelerator.num_processes == 1:
            return numbers
        reduced: Tensor = self.accelerator.reduce(numbers, reduction="mean")
        return reduced

    def _average_gradients(self, network: nn.Module) -> None:
        if self.accelerator.num_processes == 1:
            return
        gradients = [one.grad for one in network.parameters() if one.grad is not None]
        flat = self._mean(torch.cat([one.flatten() for one in gradients]))
        for one, mean in zip(gradients, torch.split(flat, [one.numel() for one in gradients]), strict=True):
            one.copy_(mean.view_as(one))

    def grid(self, pairs: int = 8) -> Tensor:
        """Sources, targets and swaps of fixed pairs, one below the other: ``(3, 3 S, n S)`` in [0, 1].

        The pairs show different people, unless the data shows one alone.
        """
        shown = Pairs(self._data.rows, self.seed + 1, same_identity=float(len(self._data.rows) < 2))
        images = PairImages(self._data, shown, pairs)
        batch = on(self.accelerator.device, stacked(images, range(pairs)))
        exported = self._average.in_place() if self._average is not None else nullcontext()
        with torch.no_grad(), self.accelerator.autocast(), exported:
            swaps = self.method.swap(batch.source, batch.target).float()
        rows = [torch.cat(list(one.cpu()), dim=2) for one in (batch.source, batch.target, swaps)]
        return torch.cat(rows, dim=1).clamp(0, 1)

    def _save(self, progress: Progress) -> None:
        check_weights(self.step, self.method.networks)
        self._saved = self.step
        if self.accelerator.is_main_process:
            state = {
                "plan": _plain(self.plan),
                "settings": dict(self.method.settings),
                "data": self._data.fingerprint,
                "seed": self.seed,
                "seconds": self.seconds,
                "means": self._means.state,
                "last_row": dict(self.last_row),
                "networks": {name: one.state_dict() for name, one in self.method.networks.items()},
                "average": self._average.network.state_dict() if self._average is not None else None,
                "optimisers": {turn: one.state_dict() for turn, one in self._optimisers.items()},
            }
            checkpoints.save(self.folder, self.step, state, self.settings.keep)
            progress.saved(self.step, self.grid)

    def _resume(self) -> None:
        kept = checkpoints.steps(self.folder)
        if not kept:
            return
        file = checkpoints.path(self.folder, kept[-1])
        state = checkpoints.load(file)
        differing = checkpoints.differences(
            _decisive(self.method.settings, _plain(self.plan), self._data.fingerprint, self.seed),
            _decisive(*(state[name] for name in ("settings", "plan", "data", "seed"))),
        )
        if differing:
            raise UsageError(
                f"{file} is of another training ({'; '.join(differing)}). Give the settings it was begun with, or "
                "another --out."
            )
        if self.plan.steps < state["step"]:
            raise UsageError(
                f"{self.folder} is trained for {state['step']} steps already, and --steps asks for {self.plan.steps}. "
                f"Give --steps {state['step']} or more, or another --out."
            )
        for name, network in self.method.networks.items():
            network.load_state_dict(state["networks"][name])
        if self._average is not None:
            self._average.network.load_state_dict(state["average"])
        for turn, optimiser in self._optimisers.items():
            optimisers.restore(optimiser, state["optimisers"][turn])
        self._means = Means(state["means"])
        self._saved = state["step"]
        self.step, self.seconds, self.last_row = state["step"], state["seconds"], state["last_row"]


def accelerator(plan: Plan, device: str) -> Accelerator:
    """Devices and processes for a plan; under ``torchrun`` or ``accelerate launch`` all of them."""
    chosen = precision.choose(plan.precision, device)
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)  # the device that Accelerator takes, unless a launcher gave each process its own
    return Accelerator(
        cpu=device == "cpu",
        mixed_precision="bf16" if chosen == "bf16" else "no",
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
    )


def _decisive(settings: Mapping[str, Any], plan: Mapping[str, Any], data: str, seed: int) -> dict[str, Any]:
    """All that a resumed training must agree in. A longer schedule is the same training, going on."""
    general = {name: value for name, value in plan.items() if name not in ("steps", "method")}
    # Files may move; methods put what is in them into their settings.
    own = {name: value for name, value in plan["method"].items() if not name.endswith("_file")}
    return {**general, **own, **settings, "data": data, "seed": seed}


def _plain(plan: Plan) -> dict[str, Any]:
    """The plan as JSON would hold it: tuples become lists."""
    import json

    plain: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    return plain
