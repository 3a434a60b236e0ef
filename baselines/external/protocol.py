"""The wire protocol between the harness and a child process: JSON objects, one a line, in UTF-8.

The child prints one of these when it has started:

    {"protocol": 1, "ready": true, "name": "SimSwap", "versions": {"torch": "1.8.0"}}
    {"error": "the interpreter cannot import cv2"}

Then it reads requests from stdin, one at a time, and answers each on stdout:

    {"id": 7, "source": "/…/7-source.png", "target": "/…/7-target.png", "out": "/…/7-out.png"}
    {"id": 7, "ok": true}
    {"id": 7, "ok": true, "mask": "/…/7-mask.png"}
    {"id": 7, "ok": false, "error": "no face found"}

Images are 8-bit RGB PNG files; ``out`` has the size of ``target``, a mask too (grey, white where the result counts).
The end of stdin asks the child to end. Every other line on stdout is logged and skipped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 1

LONGEST_LINE = 1 << 20
"""Bytes of a line that are looked at; whatever is longer is no message."""

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One swap to make.

    Attributes:
        id: unique within a child's life.
        source: PNG with the face.
        target: PNG that receives it.
        out: where the result is to be.
    """

    id: int
    source: Path
    target: Path
    out: Path

    def line(self) -> bytes:
        """As it goes over the wire, ASCII whatever the paths are."""
        fields = {"id": self.id, "source": str(self.source), "target": str(self.target), "out": str(self.out)}
        return json.dumps(fields).encode() + b"\n"


@dataclass(frozen=True)
class Reply:
    """How a request ended.

    Attributes:
        error: why there is no result, empty if there is one.
        mask: where the result counts, if the child says so.
    """

    error: str = ""
    mask: Path | None = None


def message(line: bytes) -> Message | None:
    """The message in a line of stdout, or ``None`` where it is something else, such as what a library prints.

    Progress bars end in a carriage return: what stands before the last one is not looked at.
    """
    text = line.strip().rpartition(b"\r")[2]
    if not text.startswith(b"{") or len(text) > LONGEST_LINE:
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and not read.keys().isdisjoint(("id", "protocol", "error")) else None


def greets(read: Message) -> bool:
    """Whether a message says that the child has started, or why it cannot; others come from libraries."""
    return "protocol" in read or ("id" not in read and bool(read.get("error")))


def refusal(greeting: Message) -> str:
    """Why a child that greets so cannot be used; empty for one that is ready and speaks this version."""
    if greeting.get("error"):
        return str(greeting["error"])
    if greeting.get("protocol") != VERSION:
        return f"it speaks protocol {greeting.get('protocol')!r}, expected {VERSION}"
    return "" if greeting.get("ready") is True else "it says that it is not ready"


def reply(answer: Message, request: Request) -> Reply | None:
    """A message as the reply to a request, or ``None`` if it belongs to another or to none."""
    if type(answer.get("id")) is not int or answer["id"] != request.id or "ok" not in answer:
        return None
    if answer["ok"] is not True:
        return Reply(str(answer.get("error") or "it gives no reason"))
    mask = answer.get("mask")
    return Reply(mask=None if mask is None else Path(str(mask)))
