"""The child's side of hifibench's external transport, in one file for any Python from 3.6 on.

It needs nothing but the standard library: copy it beside your wrapper. A wrapper is a script that the interpreter of
the other code base runs:

    from child import need, serve

    need("torch", "cv2")         # says which are missing, and ends
    ...                          # load the networks

    def swap(source, target, out):
        ...                      # read two PNG files, write the swapped one to `out`, same size as `target`

    serve(swap)

What libraries print goes to stderr, which hifibench keeps in the run's `logs/` folder.
"""

import importlib
import json
import os
import sys
import traceback
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOL = 1


class _Channel:
    """The pipes to hifibench; from the first use on nobody else reads its requests or writes among its replies.

    Programs that a library starts would else swallow requests on stdin, and what is printed would land on stdout.
    """

    opened = False
    requests: IO[str]
    replies: IO[str]

    def open(self) -> None:
        if self.opened:
            return
        sys.stdout.flush()
        os.write(1, b"\n")  # ends what was printed without an end of line
        self.requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        self.replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        self.opened = True

    def send(self, message: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.replies.write(json.dumps(message) + "\n")
        self.replies.flush()


_channel = _Channel()


def device() -> str:
    """Where the networks are to be: ``cpu``, ``cuda`` or ``cuda:1``."""
    return os.environ.get("HIFIBENCH_DEVICE", "cpu")


def fail(reason: str) -> None:
    """Tell that the method cannot work here, and end.

    Args:
        reason: what is missing and how to get it.
    """
    _channel.open()
    _channel.send({"error": reason})
    sys.exit(1)


def need(*modules: str) -> None:
    """Import packages by the names of their modules; where some cannot be imported, tell all of them, and end."""
    _channel.open()
    missing = []
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            traceback.print_exc()
            missing.append(f"{name} ({type(error).__name__}: {error})")
    if missing:
        fail(f"the interpreter {sys.executable} cannot import {', '.join(missing)}")


def serve(swap: "Callable[[str, str, str], object]", name: str = "", **versions: str) -> None:
    """Say that the method is ready, then swap whatever is asked for until hifibench closes stdin.

    Args:
        swap: (path of the source, of the target, of the result) -> ``None``, or the path of a grey PNG that says where
            the result counts. Whatever it raises fails that pair alone.
        name: of the code base, for the log.
        **versions: of its packages, for the log.
    """
    _channel.open()
    versions.setdefault("python", sys.version.split()[0])
    _channel.send({"protocol": PROTOCOL, "ready": True, "name": name, "versions": versions})
    for line in iter(_channel.requests.readline, ""):
        request = json.loads(line)
        reply = {"id": request["id"], "ok": True}
        try:
            mask = swap(request["source"], request["target"], request["out"])
            if mask is not None:
                reply["mask"] = str(mask)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            reply = {"id": request["id"], "ok": False, "error": f"{type(error).__name__}: {error}"}
        _channel.send(reply)
