"""What a child process says: its stderr, and whatever it prints that is no message, in one file."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

STRAY_BYTES = 1 << 20
"""What is kept of the stray output of one start."""

FLOOD_BYTES = 256 << 20
"""Size of a file at which its writer is stopped, so that a child that writes without end does not fill the disk."""

_TAIL_BYTES = 4096


class Log:
    """A file that is appended to by this process and, through its descriptor, by a child.

    Args:
        folder: an existing folder; the file's name in it has the host and the process, as several may share it.
    """

    def __init__(self, folder: Path) -> None:
        host = re.sub(r"[^A-Za-z0-9.-]", "_", platform.node()) or "host"
        self.path = folder / f"{host}-{os.getpid()}.log"
        self.shown = f"{folder.parent.name}/{folder.name}"
        """The folder as messages name it: the same in every process, or equal runs would differ in their results."""
        self._file = self.path.open("ab", buffering=0)
        self._begin = self._size()
        self._stray = 0

    def fileno(self) -> int:
        """The descriptor, for a child's stderr."""
        return self._file.fileno()

    def begin(self, what: str) -> None:
        """A new start: `tail` shows nothing of the one before."""
        self._begin, self._stray = self._size(), 0
        self.note(what)

    def note(self, text: str) -> None:
        """A line of the harness's own."""
        self._write(f"[hifibench] {text}\n".encode(errors="replace"))

    def stray(self, line: bytes) -> None:
        """A line of stdout that is no message; after the first megabyte of a start they are dropped."""
        if self._stray > STRAY_BYTES or not line.strip():
            return
        self._stray += len(line)
        self._write(b"[stdout] " + line + b"\n")
        if self._stray > STRAY_BYTES:
            self.note("what else it prints on stdout is dropped")

    def flooded(self) -> bool:
        """Whether the file has grown beyond all bounds; then it is emptied."""
        if self._size() < FLOOD_BYTES:
            return False
        os.ftruncate(self._file.fileno(), 0)
        self._begin = 0
        return True

    def tail(self, lines: int) -> list[str]:
        """The last lines that the child wrote since `begin`, without those of the harness; none that are empty."""
        with self.path.open("rb") as file:
            file.seek(max(self._begin, self._size() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
        said = [line.strip() for line in re.split(r"[\r\n]+", text)]
        return [line for line in said if line and not line.startswith("[hifibench] ")][-lines:]

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _write(self, data: bytes) -> None:
        # A log that cannot be written, on a full disk, must not take the run along.
        with suppress(OSError, ValueError):
            self._file.write(data)
