"""What can go wrong for a user, with the exit code the command line gives for it.

Every message says what was given, what was expected and what to do.
"""

from __future__ import annotations

import errno


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


class MethodError(HifibenchError):
    """A face swapper cannot be used here, whatever the pair (exit code of its cause): a run goes on without it."""

    exit_code = 3

    @classmethod
    def of(cls, cause: Exception) -> MethodError:
        """What went wrong as the user is told it; errors that are not meant for users bring their type along."""
        if isinstance(cause, MethodError):
            return cause
        told = isinstance(cause, HifibenchError)
        made = cls(str(cause) if told else f"It cannot be loaded: {type(cause).__name__}: {cause}")
        made.exit_code = cause.exit_code if isinstance(cause, HifibenchError) else cls.exit_code
        return made


class InterruptedRunError(HifibenchError):
    """The user stopped a run (exit code 130, as shells give it for Ctrl-C)."""

    exit_code = 130


class GateError(HifibenchError):
    """A check that the user asked for has failed (exit code 1)."""

    exit_code = 1


class StalledError(HifibenchError):
    """Work stands still: nothing of it has ended for far longer than any of it takes; what it waits for is missing."""

    exit_code = 3


def disk_full(error: Exception) -> bool:
    """Whether the disk, or the user's share of it, is full: never the fault of a pair or a method."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def first_line(error: Exception) -> str:
    """What an error of somebody else's says first, or its type where it says nothing: for messages of ours."""
    return (str(error).splitlines() or [type(error).__name__])[0]
