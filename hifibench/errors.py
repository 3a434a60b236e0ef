"""What can go wrong for a user, with the exit code the command line gives for it.

Every message says what was given, what was expected and what to do.
"""

from __future__ import annotations


class HifibenchError(Exception):
    """Base of all errors that a user is meant to read; printed without a traceback."""

    exit_code = 1


class UsageError(HifibenchError):
    """The command, a file or a name given by the user is wrong (exit code 2)."""

    exit_code = 2


class ImageError(UsageError):
    """An image file cannot be used: missing, truncated, too small or too large (exit code 2)."""


class MissingError(HifibenchError):
    """Something needed is not there: an asset, a package, a device (exit code 3).

    The message says what it is and how to get it.
    """

    exit_code = 3


class InterruptedRunError(HifibenchError):
    """The user stopped a run (exit code 130, as shells give it for Ctrl-C)."""

    exit_code = 130


class GateError(HifibenchError):
    """A check that the user asked for has failed (exit code 1)."""

    exit_code = 1
