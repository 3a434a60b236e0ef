"""One method from loading to its numbers; what goes wrong with it is said in its row, and the rest goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hifibench import torch_swaps
from hifibench.contracts import Networks, NetworkSwapper, ReleasedSwapper, Swapper, SwapperPlugin
from hifibench.device import cores, out_of_memory
from hifibench.errors import MethodError
from hifibench.pipeline.swap import Job, loaded
from hifibench.records import Precision
from hifibench.throughput import inputs, work
from hifibench.throughput.ceiling import ceiling, share
from hifibench.throughput.clock import Peak, undisturbed
from hifibench.throughput.engine import Torch, ready
from hifibench.throughput.measure import SHORT, Call, Limits, Ticks, offline, single_stream
from hifibench.throughput.records import Ceiling, Method, Scope

if TYPE_CHECKING:
    from hifibench.faces.detect import Detector

NOT_SHOWN = "the method shows no networks that could be timed apart"
"""Why there is no generator's time."""

RELEASED = "known by the images that its authors released: nothing runs, so nothing is timed"
"""Why a release has no times."""


@dataclass(frozen=True)
class Plan:
    """What is measured of every method.

    Attributes:
        scopes: of `hifibench.throughput.records.SCOPES`.
        batches: of the sweep, ascending.
        precision: that is asked for.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        limits: of one measurement.
    """

    scopes: tuple[str, ...]
    batches: tuple[int, ...]
    precision: Precision
    device: str
    limits: Limits


class Ceilings:
    """The machine's limit in each number format, measured when it is first asked for.

    Args:
        device: that is measured.
        clock: of it.
    """

    def __init__(self, device: str, clock: Ticks) -> None:
        self._device, self._clock = device, clock
        self._known: dict[str, Ceiling] = {}

    def of(self, precision: str) -> Ceiling:
        """The limit in ``fp32`` or ``bf16``."""
        if precision not in self._known:
            self._known[precision] = ceiling(self._device, precision, self._clock)
        return self._known[precision]

    @property
    def all(self) -> tuple[Ceiling, ...]:
        """What was measured so far."""
        return tuple(self._known.values())


def measured(
    plugin: SwapperPlugin,
    plan: Plan,
    jobs: Sequence[Job],
    detector: Detector,
    clock: Ticks,
    ceilings: Ceilings,
    logs: Path,
) -> Method:
    """All numbers of a method; where it cannot be used, the reason in their place.

    Args:
        plugin: the method.
        plan: what is measured.
        jobs: pairs with a face on either side.
        detector: finds faces in the scope ``+detect+paste``.
        clock: waits for the device.
        ceilings: the machine's limits.
        logs: folder for what a method that runs elsewhere has to say.
    """
    row = Method(plugin.card.name, plugin.card.hash)
    try:
        return _row(plugin, row, plan, jobs, detector, clock, ceilings, logs)
    except MethodError as error:
        return replace(row, reason=str(error))
    finally:
        _forget(plan.device)  # here, where nothing holds the method's networks any more


def _row(
    plugin: SwapperPlugin,
    row: Method,
    plan: Plan,
    jobs: Sequence[Job],
    detector: Detector,
    clock: Ticks,
    ceilings: Ceilings,
    logs: Path,
) -> Method:
    with loaded(plugin, plan.device, logs) as swapper:
        if isinstance(swapper, ReleasedSwapper):
            return replace(row, reason=RELEASED)
        return _loaded(swapper, row, plan, jobs, detector, clock, ceilings)


def _loaded(
    swapper: Swapper,
    row: Method,
    plan: Plan,
    jobs: Sequence[Job],
    detector: Detector,
    clock: Ticks,
    ceilings: Ceilings,
) -> Method:
    try:
        cost = swapper.cost()
        kept = work.usable(swapper, jobs)
        row = replace(row, params_trainable=cost.params_trainable, params_frozen=cost.params_frozen, pairs=len(kept))
        crops = inputs.crops(kept, swapper.card)
        if "frame" in (swapper.card.source.template, swapper.card.target.template):
            plan = replace(plan, batches=(1,))  # whole frames differ in size, so the harness hands them on one by one
        with ThreadPoolExecutor(cores()) as pool:
            whole = partial(work.whole_call, jobs=kept, detector=detector, pool=pool)
            if isinstance(swapper, NetworkSwapper):
                return _networks(swapper, row, plan, crops, whole, clock, ceilings)
            return _swaps(swapper, row, plan, crops, whole, clock, cost.macs)
    except Exception as error:  # a method of somebody else's may raise anything
        raise MethodError.of(error) from error


def _networks(
    swapper: NetworkSwapper,
    row: Method,
    plan: Plan,
    crops: inputs.Batch,
    whole: Callable[..., Call],
    clock: Ticks,
    ceilings: Ceilings,
) -> Method:
    counted = macs(swapper.networks, crops, plan.device)
    runner, form = ready(swapper, plan.device, plan.precision, crops)
    limit = ceilings.of(form.used)

    def sets(batch: int) -> list[inputs.Batch]:
        return inputs.sets(crops, batch, runner.place)

    makers: Mapping[str, Callable[[int], Call]] = {
        "generator": lambda batch: work.generator_call(runner, sets(batch)),
        "+extractors": lambda batch: work.extractors_call(runner, sets(batch)),
        "+detect+paste": lambda batch: whole(work.Shown(swapper.card, runner), batch=batch),
    }
    with undisturbed(plan.device, form.used):
        short = replace(plan.limits, seconds=SHORT * plan.limits.seconds)
        source = single_stream(work.source_call(runner, sets(1)), clock, short)
    scopes = tuple(_scope(name, makers[name], plan, clock, counted.get(name), form.used, limit) for name in plan.scopes)
    return replace(row, networks=True, format=form, source_ms=source.ms_p50, scopes=scopes)


def _swaps(
    swapper: Swapper,
    row: Method,
    plan: Plan,
    crops: inputs.Batch,
    whole: Callable[..., Call],
    clock: Ticks,
    counted: int | None,
) -> Method:
    """A method that shows no networks: its own swap is what lies between crops and a crop."""
    makers: Mapping[str, Callable[[int], Call]] = {
        "+extractors": lambda batch: work.swap_call(swapper, inputs.sets(crops, batch, lambda image: image)),
        "+detect+paste": lambda batch: whole(swapper, batch=batch),
    }
    known = {"+extractors": counted}
    scopes = tuple(
        _scope(name, makers[name], plan, clock, known.get(name), "", None)
        if name in makers
        else Scope(name, reason=NOT_SHOWN)
        for name in plan.scopes
    )
    return replace(row, scopes=scopes)


def _scope(
    name: str,
    make: Callable[[int], Call],
    plan: Plan,
    clock: Ticks,
    counted: int | None,
    used: str,
    limit: Ceiling | None,
) -> Scope:
    peak = Peak(plan.device)
    try:
        with undisturbed(plan.device, used):
            single = single_stream(make(1), clock, plan.limits)
            many = offline(make, clock, plan.limits, plan.batches)
    except Exception as error:
        reason = "a single batch does not fit into memory" if out_of_memory(error) else str(MethodError.of(error))
        return Scope(name, macs=counted, reason=reason)
    rate = None if counted is None else 2 * counted * many.images_per_s
    return Scope(name, single, many, counted, rate, share(rate, limit), peak.taken())


def macs(networks: Networks, crops: inputs.Batch, device: str) -> dict[str, int]:
    """Multiply-accumulates of one image by scope; none of scopes that hold more than networks, or cannot be counted."""
    import torch

    runner = Torch(networks, device)
    one = inputs.Batch(runner.place(crops.source[:1]), runner.place(crops.target[:1]))
    with contextlib.suppress(Exception), torch.no_grad():  # a network of somebody else's may not let itself be counted
        given = runner.given(one)
        return {
            "generator": torch_swaps.macs(lambda: runner.generate(one.target, given)),
            "+extractors": torch_swaps.macs(lambda: runner.through(one)),
        }
    return {}


def _forget(device: str) -> None:
    """Give memory back, so that the next method has all of it."""
    import gc

    gc.collect()
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()
