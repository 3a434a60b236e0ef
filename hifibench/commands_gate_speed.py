"""What ``hifibench gate-speed`` does: run two commands in turns and compare their processor time.

Wall time on a shared machine says how busy the machine was. Processor time says what a command did, and the two
commands take turns, so that whatever still weighs on it (clock frequency, caches, neighbours) weighs on both alike.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from hifibench.errors import GateError, MissingError, UsageError

TAIL = 20
"""Lines of a failed command's output that are shown."""

THREADS = "OMP_NUM_THREADS"


def gate_speed(base: str, head: str, rounds: int, slower: float, junit: Path | None, summary: Path | None) -> None:
    """``hifibench gate-speed``: measure, show, and fail where the head is slower beyond doubt.

    Args:
        base: command line of the old state; no shell reads it.
        head: command line of the new state.
        rounds: how often each is run, after once to warm up.
        slower: percent that the head may take more.
        junit: file for a JUnit XML report.
        summary: file that a Markdown summary is appended to.

    Raises:
        GateError: the head takes more processor time than allowed.
        UsageError: a command cannot be run, fails, or takes no time that could be measured.
        MissingError: this system does not tell the processor time of a process, or a file cannot be written.
    """
    from rich.console import Console

    from hifibench.files import atomic_write
    from reports.gates import formats as gate_formats
    from reports.gates import speed as speed_gate

    commands = {"base": _words("base", base), "head": _words("head", head)}
    environment = {THREADS: "1", **os.environ}
    console = Console()
    for name, words in commands.items():
        seconds(name, words, environment)
    measured = []
    for index in range(rounds):
        # The order turns round from round to round: whoever runs second finds warmer caches, or a hotter processor.
        order = ("base", "head") if index % 2 == 0 else ("head", "base")
        took = {name: seconds(name, commands[name], environment) for name in order}
        if not min(took.values()) > 0:
            raise UsageError("A command took no processor time that could be measured. Give both more to do.")
        measured.append(speed_gate.Round(**took))
        console.print(
            f"round {index + 1}/{rounds}: base {took['base']:.3f} s, head {took['head']:.3f} s", highlight=False
        )
    speed = speed_gate.judge(tuple(measured), slower)
    said = tuple(speed_gate.notes(speed, environment[THREADS]))
    if junit is not None:
        atomic_write(junit, speed_gate.junit(speed, head, said))
    if summary is not None:
        gate_formats.append(summary, speed_gate.markdown(speed, base, head, said))
    for note in said:
        console.print(note, style="dim", highlight=False, markup=False)
    verdict = speed.verdict[:1].upper() + speed.verdict[1:]
    if speed.outcome is speed_gate.Outcome.SLOWER:
        raise GateError(f"{verdict}. Where that is meant, allow more with --slower.")
    warns = speed.outcome is speed_gate.Outcome.UNKNOWN
    console.print(f"Warning: {speed.verdict}" if warns else verdict, style="yellow" if warns else "", highlight=False)


def seconds(name: str, words: list[str], environment: dict[str, str]) -> float:
    """Run a command; seconds of processor time, user and system, of it and of the processes that it waited for.

    Args:
        name: what messages call it.
        words: the program and its arguments.
        environment: the command's.

    Raises:
        UsageError: it cannot be started or fails; its last lines are told.
        MissingError: this system does not tell.
    """
    if not hasattr(os, "wait4"):
        raise MissingError("This system does not tell the processor time of a process; use Linux or macOS.")
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as error:
            raise UsageError(
                f"--{name}: {words[0]} cannot be run: {error.strerror or error}. No shell reads the command line: name "
                "a program and its arguments."
            ) from error
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        # The child is waited for: without its code here, Popen would wait for a stranger of the same number.
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise UsageError(_failure(name, words, child.returncode, said))
    return usage.ru_utime + usage.ru_stime


def _words(name: str, command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--{name} {command!r} does not read as a command line: {error}.") from error
    if not words:
        raise UsageError(f"--{name} is empty; name a program and its arguments.")
    return words


def _failure(name: str, words: list[str], code: int, said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()[-TAIL:]
    ended = f"was stopped by signal {-code}" if code < 0 else f"ended with exit code {code}"
    told = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return f"--{name}: {shlex.join(words)} {ended}, so there is nothing to compare. It said at its end:\n{told}"
