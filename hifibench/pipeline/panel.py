"""The experts of a run, loaded when first needed, and where each of them works: a thread, a process, or the GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from hifibench.contracts import Expert, ExpertPlugin, PairExpert
from hifibench.device import cores
from hifibench.errors import UsageError
from hifibench.experts.processes import Processes
from hifibench.experts.torch_rows import BATCH, exact
from hifibench.faces.detect import Detector

PROCESSES = 16
"""For experts beside a GPU, at most: each holds networks of its own, so memory sets an end."""


class Panel:
    """Experts and the detector, each loaded once; may be asked by several threads.

    Args:
        plugins: the experts by name.
        device: ``cpu``, ``cuda``, ``cuda:1``.
        workers: threads that have work for a processor; default the processors of this process.
        batch: crops that experts look at together; default one on a processor, `BATCH` elsewhere.
        processes: for experts that run on the processor alone; default none where all do, else as many as workers.
    """

    def __init__(
        self,
        plugins: Mapping[str, ExpertPlugin],
        device: str,
        workers: int | None = None,
        batch: int | None = None,
        processes: int | None = None,
    ) -> None:
        everything_on_cpu = device == "cpu"
        self._plugins = plugins
        self._device = device
        self.workers = workers or cores()
        self.batch = batch or (1 if everything_on_cpu else BATCH)
        count = processes if processes is not None else 0 if everything_on_cpu else min(self.workers, PROCESSES)
        self._processes = Processes(count) if count else None
        self._outside: dict[str, bool] = {}
        self._loaded: dict[str, Expert | PairExpert] = {}
        self._detector: Detector | None = None
        self._loading = threading.Lock()
        self._at_work, self._coming, self._settings = 0, threading.Lock(), ExitStack()

    @property
    def threads(self) -> int:
        """Threads that look at images: more than workers where some of them wait for processes or for the GPU."""
        return self.workers if self._processes is None else 2 * self.workers

    def looking(self, name: str) -> Expert:
        """An expert that looks at crops.

        Raises:
            UsageError: it loads something else.
        """
        expert = self._expert(name)
        if not isinstance(expert, Expert):
            raise self._wrong(name, expert, "Expert")
        return expert

    def comparing(self, name: str) -> PairExpert:
        """An expert that compares frames; raises as `looking`."""
        expert = self._expert(name)
        if not isinstance(expert, PairExpert):
            raise self._wrong(name, expert, "PairExpert")
        return expert

    def detector(self) -> Detector:
        """The neutral detector."""
        with self._loading:
            self._detector = self._detector or Detector()
            return self._detector

    def on_cpu(self, name: str) -> bool:
        """Whether an expert runs on the processor, whatever the device."""
        return self._plugins[name].cpu_only

    def elsewhere(self, name: str) -> Processes | None:
        """The processes, where the expert is one for them."""
        if self._processes is None or not self.on_cpu(name):
            return None
        if name not in self._outside:
            self._outside[name] = self._processes.know(self._plugins[name].card)
        return self._processes if self._outside[name] else None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Threads of OpenCV's and PyTorch's own inside ours would only fight over the same cores: off for a while."""
        with self._coming:
            if not self._at_work:
                self._settings.enter_context(_threads_inside())
                self._settings.enter_context(exact(self._device))
            self._at_work += 1
        try:
            yield
        finally:
            with self._coming:
                self._at_work -= 1
                if not self._at_work:
                    self._settings.close()

    def close(self) -> None:
        """End the processes; they start again when next needed."""
        if self._processes is not None:
            self._processes.close()

    def _expert(self, name: str) -> Expert | PairExpert:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._plugins[name].load(self._device)
            return self._loaded[name]

    def _wrong(self, name: str, expert: object, expected: str) -> UsageError:
        return UsageError(
            f"The expert {name!r} loads a {type(expert).__name__}, but its role {self._plugins[name].card.role!r} asks "
            f"for a {expected} (hifibench.contracts)."
        )


@contextmanager
def _threads_inside() -> Iterator[None]:
    import cv2
    import torch

    before, inside = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # not a share of them: sums are formed by as many threads as there are
    try:
        yield
    finally:
        cv2.setNumThreads(before)
        torch.set_num_threads(inside)
