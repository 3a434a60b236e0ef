"""The processes that ``torchrun`` or ``accelerate launch`` started for one run, as one group.

Each takes its share of the plan (`hifibench.pipeline.store.Shard`); the first one plans, scores and speaks. Meeting
points and the launcher's watch over deaths are PyTorch's: without a launcher nothing of it is imported.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from hifibench.errors import HifibenchError, UsageError
from hifibench.pipeline.store import Shard

_log = logging.getLogger("hifibench")

_PATIENCE = timedelta(days=30)
"""How long one process waits for the others. A slow share is no error, and the launcher notices who died."""


class GroupError(HifibenchError):
    """Another process of the group has ended before its work was done; what it said tells why."""


@dataclass(frozen=True)
class Group:
    """Processes that do one run together, as this one sees them.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are, on all machines.
        local_rank: this process's number among those of this machine, from 0.
        local_size: how many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that plans, scores and speaks for all."""
        return self.rank == 0

    def barrier(self, name: str) -> None:
        """Wait until all processes have come to the point of that name.

        Raises:
            GroupError: one of them ended before it came there.
        """
        if self.size == 1:
            return
        import torch.distributed

        try:
            torch.distributed.barrier()
        except RuntimeError as error:  # the connection to a process that died is closed, whatever it was doing
            raise GroupError(
                f"Another process of the group ended before the others had met ({name}); its own message says why. "
                "What is done is kept: the same command goes on from there, with any number of processes."
            ) from error

    @contextmanager
    def in_turn(self, name: str) -> Iterator[None]:
        """A block that the first process goes through before all others enter it.

        Raises:
            GroupError: the first process did not come to its end.
        """
        if not self.leads:
            self.barrier(name)
        yield
        if self.leads:
            self.barrier(name)

    def shard(self, asked: Shard) -> Shard:
        """This process's share of the work.

        Args:
            asked: what the user wants, ``--shard``.

        Raises:
            UsageError: a share was asked for, and the group cuts the work itself.
        """
        if self.size == 1:
            return asked
        if asked.count > 1:
            raise UsageError(
                f"--shard {asked.index}/{asked.count} among {self.size} processes of one launcher: these share the "
                "work out by themselves. Leave --shard out, or start the shares without 'torchrun'."
            )
        return Shard(self.rank + 1, self.size)

    def device(self, asked: str) -> str:
        """The device of this process: each has a GPU of its own while there are enough.

        Args:
            asked: what the user wants, ``--device``. ``auto`` and ``cuda`` are shared out; a device that is named by
                its number is every process's.

        Raises:
            UsageError: no such kind of device.
            MissingError: the device is not there.
        """
        from hifibench.device import choose

        device = choose(asked)
        if self.size == 1 or device != "cuda":
            return device
        import torch

        there = torch.cuda.device_count()
        if self.local_rank == 0 and self.local_size > there:
            gpus = f"{there} GPUs in turn" if there > 1 else "one GPU"
            _log.warning("the %d processes of this machine share its %s", self.local_size, gpus)
        index = self.local_rank % there
        torch.cuda.set_device(index)
        return f"cuda:{index}"

    def workers(self, asked: int | None) -> int | None:
        """Threads that look at images in this process: the machine's processors are shared out, too.

        Args:
            asked: what the user wants for each process; ``None`` for as many as there are processors for it.
        """
        if asked is not None or self.local_size == 1:
            return asked
        from hifibench.device import cores

        return max(1, cores() // self.local_size)


ALONE = Group()
"""A process that nobody launched beside others."""


@contextmanager
def joined() -> Iterator[Group]:
    """Meet the processes that a launcher started beside this one; the block gets the group, `ALONE` without a launcher.

    Within the block warnings and errors of a process that does not lead say whose they are.

    Raises:
        UsageError: the launcher's variables are incomplete or no numbers.
    """
    group = launched()
    if group.size == 1:
        yield group
        return
    import torch.distributed

    torch.distributed.init_process_group("gloo", timeout=_PATIENCE)
    try:
        with _named(group):
            yield group
    finally:
        torch.distributed.destroy_process_group()


def launched() -> Group:
    """The group as the launcher's environment variables describe it; `ALONE` without a launcher.

    Raises:
        UsageError: they are incomplete or no numbers.
    """
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local_rank = int(os.environ.get("LOCAL_RANK", rank))
        group = Group(rank, size, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", size)))
        if size > 1:
            int(os.environ["MASTER_PORT"]), os.environ["MASTER_ADDR"]
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']} says that a launcher started this process, but of what a launcher "
            f"sets besides something is missing or no number: {error}. "
            "Start it by 'torchrun -m hifibench …', or unset WORLD_SIZE."
        ) from error
    return group


@contextmanager
def _named(group: Group) -> Iterator[None]:
    """Let log and errors of a process say which of the group it is; those of the first one stand for all."""
    if group.leads:
        yield
        return
    who = f"process {group.rank + 1} of {group.size}"
    before = [(handler, handler.formatter) for handler in logging.getLogger().handlers]
    for handler, _ in before:
        handler.setFormatter(logging.Formatter(f"hifibench: {who}: %(message)s"))
    try:
        yield
    except HifibenchError as error:
        error.args = (f"{who}: {error}", *error.args[1:])
        raise
    finally:
        for handler, formatter in before:
            handler.setFormatter(formatter)
