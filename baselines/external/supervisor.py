"""Keeps a child process going: started anew after a crash or a hang, given up when that leads nowhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from baselines.external.log import Log
from baselines.external.process import GRACE_S, Child, ChildError, Launch
from baselines.external.protocol import Reply, Request
from hifibench.errors import MissingError
from hifibench.records import Status

_log = logging.getLogger("hifibench")

MOST_LOSSES = 5
"""Crashes, hangs and failed starts in a row, without a single answer between them, after which a child is given up."""

_TAIL_LINES = 12
_LONGEST_REASON = 300


class Outcome(NamedTuple):
    """How asking ended.

    Attributes:
        status: ``OK`` if there is an image to read.
        message: why not, empty otherwise.
        mask: where the result counts, if the child says so.
    """

    status: Status
    message: str = ""
    mask: Path | None = None


class Supervisor:
    """The child of one method, through all its lives.

    Args:
        name: of the method, for the log.
        launch: how the child is started.
        log: what it says.
    """

    def __init__(self, name: str, launch: Launch, log: Log) -> None:
        self._name, self._launch, self._log = name, launch, log
        self._child: Child | None = None
        self._losses = 0
        self._given_up = ""

    def start(self) -> None:
        """Start the child and wait until it is ready.

        Raises:
            MissingError: it cannot be started, with the last lines of what it said.
        """
        try:
            self._child = self._born()
        except ChildError as error:
            said = self._log.tail(_TAIL_LINES)
            raise MissingError(
                f"The program of {self._name} ({' '.join(self._launch.command)}) cannot be used: {error}. All that it "
                f"said is in {self._log.path}" + (", at the end:\n  " + "\n  ".join(said) if said else ".")
            ) from error

    def ask(self, request: Request) -> Outcome:
        """Have one swap made; what goes wrong is a status, and costs this pair alone."""
        child = self._revived()
        if child is None:
            return Outcome(Status.UNAVAILABLE, self._given_up)
        try:
            reply = child.ask(request)
        except ChildError as error:
            self._lose(str(error))
            status = Status.TIMED_OUT if error.timed_out else Status.FAILED
            return Outcome(status, self._told(f"The program of {self._name} was lost: {error}"))
        self._losses = 0
        return self._outcome(reply)

    def refuse(self, reason: str) -> Outcome:
        """What the child answered cannot be used: a failed pair."""
        return Outcome(Status.FAILED, self._told(f"The program of {self._name} gave no swap: {reason}"))

    def stop(self) -> None:
        """End the child; never raises."""
        if self._child is not None:
            self._child.end(GRACE_S)
            self._child = None

    def _born(self) -> Child:
        child = Child(self._launch, self._log)
        try:
            child.greet()
        except BaseException:
            child.end(0)
            raise
        return child

    def _revived(self) -> Child | None:
        while self._child is None and self._losses < MOST_LOSSES:
            try:
                self._child = self._born()
            except ChildError as error:
                self._lose(str(error))
        return self._child

    def _lose(self, reason: str) -> None:
        self._losses += 1
        self._log.note(reason)
        _log.debug("%s lost its program: %s", self._name, reason)
        if self._child is not None:
            self._child.end(0)
            self._child = None
        if self._losses == MOST_LOSSES:
            self._given_up = self._told(
                f"The program of {self._name} was given up after {MOST_LOSSES} losses in a row, the last: {reason}"
            )
            _log.warning("%s", self._given_up)

    def _outcome(self, reply: Reply) -> Outcome:
        return self.refuse(reply.error) if reply.error else Outcome(Status.OK, mask=reply.mask)

    def _told(self, what: str) -> str:
        return f"{what[:_LONGEST_REASON]} (log: {self._log.shown})"
