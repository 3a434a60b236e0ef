"""The git checkout of somebody else's code base: which commit it is at, and whether that is the one a wrapper wants."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hifibench.errors import HifibenchError, MissingError, UsageError

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Checkout:
    """Where a code base lies.

    Attributes:
        folder: its root.
        commit: the commit, or how it begins, that the wrapper was written for; empty where any will do.
        any_commit: whether another one is taken too.
        origin: how to get it, a sentence for messages.
    """

    folder: Path
    commit: str = ""
    any_commit: bool = False
    origin: str = "Clone the code base there, or mend the key 'checkout'."

    def need(self, method: str) -> None:
        """Hold the checkout against what was asked for.

        Args:
            method: named in messages.

        Raises:
            MissingError: there is no such folder, or git is not installed.
            UsageError: it is no git checkout, or at another commit.
        """
        if not self.folder.is_dir():
            raise MissingError(f"The checkout of {method} is not there: {self.folder}. {self.origin}")
        if not self.commit or self.any_commit:
            return
        found = head(self.folder)
        if not found.startswith(self.commit.lower()):
            raise UsageError(
                f"The checkout of {method}, {self.folder}, is at commit {found}; the wrapper was written for "
                f"{self.commit}. Run 'git -C {self.folder} checkout {self.commit}', or set any_commit = true."
            )

    def state(self) -> str:
        """Commit and changes of tracked files as one word, so that caches of two states never mix; empty if unknown."""
        try:
            changes = _git(self.folder, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
            return f"{head(self.folder)}+{hashlib.sha256(changes).hexdigest()}" if changes else head(self.folder)
        except HifibenchError:
            return ""


def head(folder: Path) -> str:
    """The commit that a checkout is at, 40 hexadecimal digits.

    Raises:
        MissingError: git is not installed, or there is no such folder.
        UsageError: the folder is not the root of a git checkout.
    """
    root, commit = _git(folder, "rev-parse", "--show-toplevel", "HEAD").decode().split("\n")[:2]
    # A folder without a repository of its own would else be taken for the one that it happens to lie in.
    if Path(root).resolve() != folder.resolve():
        raise UsageError(f"{folder} is no git checkout of its own, it lies in that of {root}: clone the code base.")
    return commit


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise MissingError(f"There is no folder {folder}.") from error
        raise MissingError(
            "git is not installed, so the commit of a checkout cannot be read: install it, or set any_commit = true."
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot look at {folder}: {error}.") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"{folder} is no git checkout whose commit can be read ({said[0] if said else 'git fails'}).")
    return done.stdout
