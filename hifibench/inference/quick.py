"""A swapper whose networks are run in another way: the same card, the same cost, the same contract."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hifibench.contracts import NetworkSwapper, SwapperCard
from hifibench.device import out_of_memory
from hifibench.errors import MethodError, first_line
from hifibench.inference.choice import LARGEST, MEAN, Choice, Difference, Used, difference, without_bf16
from hifibench.inference.engines import AUTOCAST, Eager, Engine, Graphs
from hifibench.inference.vino import OpenVino, UnusableError
from hifibench.records import Cost, Precision, Swap
from hifibench.torch_swaps import Features, as_swap, rows

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("hifibench")

SOURCES = 256
"""Sources whose identities are remembered: some kilobytes each."""


class Quick:
    """Runs the networks of a swapper in the number format asked for; a source is looked at once.

    Under ``auto`` the first batch that is swapped decides: it is swapped by the plain networks and by the quickest
    engine that there is, which stays only where the two agree (`hifibench.inference.choice`): bfloat16 first, then, on
    a processor, float32 by OpenVINO. With ``fp32`` a swap has the bits of the swapper's own, on a processor of its own
    on one thread.

    Args:
        swapper: whose networks are on the device.
        device: where they are.
        precision: what is asked for.
        decided: what an earlier process of the same run decided.

    Raises:
        MethodError: what was decided cannot be had here.
    """

    def __init__(
        self, swapper: NetworkSwapper, device: str, precision: Precision, decided: Choice | None = None
    ) -> None:
        import torch

        self._swapper = swapper
        self._device = torch.device(device)
        self._engine: Engine | None = None
        self._choice: Choice | None = None
        self._decided = decided
        self._seen: OrderedDict[bytes, Features] = OrderedDict()
        if decided is not None:
            self._settle(decided, self._as_decided(decided))
        elif precision != "auto":
            engine = self._plain() if precision == "fp32" else self._quickest()
            self._settle(Choice(precision, precision, engine.name), engine)

    @property
    def card(self) -> SwapperCard:
        """The swapper's own."""
        return self._swapper.card

    @property
    def choice(self) -> Choice | None:
        """What the networks run in; ``None`` under ``auto`` before the first batch."""
        if self._choice is None or self._engine is None:
            return None
        return replace(self._choice, engine=self._engine.name)  # a compiled one may have fallen back

    def cost(self) -> Cost:
        """The swapper's own."""
        return self._swapper.cost()

    def forget(self) -> None:
        """Forget all sources, so that the next swap pays for its own: for whoever measures."""
        self._seen.clear()

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`.

        Raises:
            MethodError: what was decided does not work here.
        """
        if self._engine is None:
            return self._decide(source, target)
        made = self._run(self._engine, source, target)
        if self._decided is not None and not _same(self._engine, self._decided):
            raise MethodError(self._elsewhere(self._decided, f"here it fell back to {self._engine.name}"))
        return made

    def _run(self, engine: Engine, source: Tensor, target: Tensor) -> Swap:
        return as_swap(engine.draw(target, self._sources(engine, source)))

    def _sources(self, engine: Engine, source: Tensor) -> list[Features]:
        """What the generator needs of each source; looked at are only those that have not been seen of late."""
        import torch

        keys = [hashlib.sha256(row.contiguous().numpy().tobytes()).digest() for row in rows(source)]
        new = {key: row for key, row in zip(keys, rows(source), strict=True) if key not in self._seen}
        if new:
            self._seen.update(zip(new, engine.sources(torch.cat(list(new.values()))), strict=True))
        for key in keys:
            self._seen.move_to_end(key)
        found = [self._seen[key] for key in keys]
        while len(self._seen) > SOURCES:
            self._seen.popitem(last=False)
        return found

    def _decide(self, source: Tensor, target: Tensor) -> Swap:
        """Swap the first batch by the plain networks and by quicker ones, keep to what that shows."""
        plain = self._plain()
        self.forget()  # what a batch that did not fit has left here may be of another engine
        expected = self._run(plain, source, target)
        without = without_bf16(str(self._device))
        why = [without] if without else []
        apart: Difference | None = None
        for used in self._worth_trying(without):
            self.forget()
            try:
                engine = self._native(used)
                made = self._run(engine, source, target)
            except Exception as error:  # whatever breaks in a compiled network, there is another that works
                if out_of_memory(error):
                    raise
                why.append(f"{self.card.name} cannot be run in {used} by another engine: {first_line(error)}")
                continue
            apart = difference(made, expected)
            if apart.agrees:
                self._settle_auto(used, engine, apart, why)
                return made
            why.append(
                f"{used} by {engine.name} differs from fp32 on the first batch by {apart.mean:.2f}/255 on average and "
                f"{apart.largest:.1f}/255 at most; allowed are {MEAN:g} and {LARGEST:g}"
            )
        self.forget()
        self._settle_auto("fp32", plain, apart, why)
        return expected

    def _worth_trying(self, without: str) -> list[Used]:
        """What the quickest engine could compute in, best first."""
        formats: list[Used] = [] if without else ["bf16"]
        return [*formats, "fp32"] if self._device.type == "cpu" else formats

    def _settle_auto(self, used: Used, engine: Engine, apart: Difference | None, why: Sequence[str]) -> None:
        """Keep to an engine; say so where it is not the quickest that there is anywhere."""
        mean, largest = apart or (None, None)
        self._settle(Choice("auto", used, engine.name, mean, largest, "; ".join(why)), engine)
        if used == "fp32":
            _log.warning("%s runs in fp32, by %s: %s", self.card.name, engine.name, "; ".join(why))

    def _settle(self, choice: Choice, engine: Engine) -> None:
        self._choice, self._engine = choice, engine

    def _plain(self) -> Engine:
        return Eager(self._swapper.networks, self._device)

    def _native(self, used: Used) -> Engine:
        """The quickest engine in a format, on a GPU bfloat16; raises what it raises."""
        if self._device.type == "cpu":
            return OpenVino(self._swapper, used)
        return Graphs(self._swapper.networks, self._device)

    def _quickest(self) -> Engine:
        """The quickest engine in bfloat16 that there is; autocast always is."""
        try:
            return self._native("bf16")
        except UnusableError as error:
            _log.warning("%s runs under autocast to bf16: %s", self.card.name, first_line(error))
            return self._autocast()

    def _autocast(self) -> Engine:
        return Eager(self._swapper.networks, self._device, bf16=True)

    def _as_decided(self, decided: Choice) -> Engine:
        if decided.form == "fp32":
            return self._plain()
        if decided.engine == AUTOCAST:
            return self._autocast()
        try:
            engine = self._native(decided.used)
        except UnusableError as error:
            raise MethodError(self._elsewhere(decided, first_line(error))) from error
        if not _same(engine, decided):
            raise MethodError(self._elsewhere(decided, f"here it would be {engine.name}"))
        return engine

    def _elsewhere(self, decided: Choice, why: str) -> str:
        return (
            f"Swaps of this run were begun by {decided.engine} in {decided.used}, which cannot be had here: {why}. "
            "Go on where they were begun, or make all of them anew with --precision fp32."
        )


def _same(engine: Engine, decided: Choice) -> bool:
    """Whether an engine is the one that was decided, in whatever version."""
    return engine.name.split()[0] == decided.engine.split()[0]
