"""A child process that swaps faces: started, asked and ended so that whatever it does costs no more than a pair.

Its stdout is read by a thread, as a pipe that nobody empties would stop it, and its stderr goes straight to a file.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from baselines.external import protocol
from baselines.external.log import FLOOD_BYTES, Log
from baselines.external.protocol import Message, Reply, Request

GRACE_S = 5.0
"""How long a child may take to end after its stdin was closed, and to be gone after it was killed."""

_SLICE_S = 0.1
_WAITING = 1000
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
"""What belongs to this interpreter and would lead another one to the wrong packages."""


@dataclass(frozen=True)
class Launch:
    """How a child is started.

    Attributes:
        command: program and arguments.
        cwd: its working folder.
        env: variables on top of this process's own.
        start_timeout_s: seconds until it must be ready.
        pair_timeout_s: seconds that one swap may take.
    """

    command: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    start_timeout_s: float
    pair_timeout_s: float

    def environment(self) -> dict[str, str]:
        """All variables of the child; its output is not held back, so that a crash leaves its last words."""
        own = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        return {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", **own, **self.env}


class ChildError(Exception):
    """A child that can no longer be asked.

    Attributes:
        timed_out: whether it was too slow.
    """

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Child:
    """One life of the child process.

    Args:
        launch: how it is started.
        log: where its stderr goes.

    Raises:
        ChildError: it cannot be started.
    """

    def __init__(self, launch: Launch, log: Log) -> None:
        self._launch, self._log = launch, log
        log.begin(f"starts: {' '.join(launch.command)} in {launch.cwd}")
        try:
            self._process = subprocess.Popen(
                launch.command,
                cwd=launch.cwd,
                env=launch.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log.fileno(),
                bufsize=0,
                start_new_session=True,  # a group of its own: it dies as a whole, and Ctrl-C does not reach it
            )
        except OSError as error:
            raise ChildError(f"it cannot be started: {error.strerror or error}") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._messages: queue.Queue[Message | None] = queue.Queue(_WAITING)
        self._reader = threading.Thread(target=_read, args=(self._stdout, self._messages, log), daemon=True)
        self._reader.start()

    def greet(self) -> None:
        """Wait until it is ready.

        Raises:
            ChildError: it says why it cannot be, ends, or takes too long.
        """
        begin = time.monotonic()
        limit_s = self._launch.start_timeout_s
        while True:
            greeting = self._next(begin + limit_s, f"{limit_s:g} s to start")
            if protocol.greets(greeting):
                break
            self._skip(greeting)
        refusal = protocol.refusal(greeting)
        if refusal:
            raise ChildError(refusal)
        versions = greeting.get("versions")
        self._log.note(f"ready after {time.monotonic() - begin:.1f} s: {greeting.get('name', '')} {versions}")

    def ask(self, request: Request) -> Reply:
        """Have one swap made.

        Raises:
            ChildError: it ended or took too long, and must be ended.
        """
        deadline = time.monotonic() + self._launch.pair_timeout_s
        try:
            self._stdin.write(request.line())
        except OSError:
            raise ChildError(self._obituary()) from None
        while True:
            message = self._next(deadline, f"{self._launch.pair_timeout_s:g} s for a pair")
            reply = protocol.reply(message, request)
            if reply is not None:
                return reply
            self._skip(message)

    def end(self, grace_s: float) -> None:
        """End it and all that it started, and wait until it is gone; never raises.

        Args:
            grace_s: how long it may take to end by itself.
        """
        with suppress(OSError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        _kill_tree(self._process)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_S)
        self._reader.join(GRACE_S)
        # Where something that left the group still holds the pipe, the thread stays in it: to close it could hit a
        # file that has got the same number since.
        if not self._reader.is_alive():
            self._stdout.close()

    def _next(self, deadline: float, limit: str) -> Message:
        """The next message.

        Raises:
            ChildError: there is none before the deadline, or ever.
        """
        while time.monotonic() <= deadline:
            try:
                message = self._messages.get(timeout=_SLICE_S)
            except queue.Empty:
                if self._process.poll() is not None:
                    raise ChildError(self._obituary()) from None
                if self._log.flooded():
                    raise ChildError(f"it wrote more than {FLOOD_BYTES >> 20} MiB to its log") from None
            else:
                if message is None:
                    raise ChildError(self._obituary())
                return message
        raise ChildError(f"it took more than {limit}", timed_out=True)

    def _skip(self, message: Message) -> None:
        self._log.stray(json.dumps(message)[: 1 << 12].encode())

    def _obituary(self) -> str:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "it closed its stdout"
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            return f"it was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was ended by signal {-code}"


def _read(stdout: IO[bytes], messages: queue.Queue[Message | None], log: Log) -> None:
    """Sort what a child prints into messages and stray lines until it closes stdout; then one ``None``."""
    pending, overlong = b"", False
    while True:
        try:
            chunk = os.read(stdout.fileno(), 1 << 16)
        except (OSError, ValueError):
            chunk = b""
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if overlong:  # the end of a line whose beginning was thrown away
                overlong = False
                continue
            message = protocol.message(line)
            try:
                if message is None:
                    raise queue.Full
                messages.put_nowait(message)
            except queue.Full:
                log.stray(line[: 1 << 12])
        if overlong or len(pending) > protocol.LONGEST_LINE:
            if not overlong:
                log.stray(pending[: 1 << 12])
            pending, overlong = b"", True
    if pending and not overlong:
        log.stray(pending[: 1 << 12])
    with suppress(queue.Full):
        messages.put(None, timeout=1.0)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, its group, and what of its descendants has left the group."""
    import psutil

    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):
        process.kill()
    for one in family:
        with suppress(psutil.Error):
            one.kill()
