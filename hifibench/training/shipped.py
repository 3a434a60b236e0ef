"""Trained weights as methods: those that come with the package, and those of a training of one's own.

For methods trained with the embedded recogniser alone; HifiFace, which has more teachers, has cards of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.errors import MissingError
from hifibench.user_files import digest

__all__ = ["ASSETS", "digest", "lite_card", "need", "own"]

ASSETS = ("w600k-mbf",)
"""Of the recogniser that lite methods are trained with."""

_TRAINED_WITH = ("w600k",)
_TEMPLATE, _LITE_SIZE = "ffhq", 128


def lite_card(name: str, summary: str, paper: str, limits: str, file: Path) -> SwapperCard:
    """The card of a lite model that comes with the package.

    Args:
        name: of the method.
        summary: one line for listings.
        paper: citation.
        limits: what it cannot do beside what all lite models cannot.
        file: its weights.
    """
    crop = Crop(_TEMPLATE, _LITE_SIZE)
    return SwapperCard(
        name=name,
        summary=f"{summary}; trained on generated portraits",
        source=crop,
        target=crop,
        paper=paper,
        licence="code Apache-2.0; weights: research only, as their teacher and training images",
        assets=ASSETS,
        trained_with=_TRAINED_WITH,
        limits=f"{_LITE_SIZE} pixels, so swaps are soft on large faces; trained for about an hour on one processor "
        f"core, on generated portraits, {limits}",
        weights=digest(file),
    )


def own(
    name: str,
    file: Path,
    form: str,
    title: str,
    paper: str,
    load: Callable[[SwapperCard, Path, str], Swapper],
    version: int = 1,
) -> SwapperPlugin:
    """Weights of a training of one's own as a method.

    Args:
        name: its row in the tables.
        file: what ``hifibench train`` wrote.
        form: of such files (`hifibench.training.weights`).
        title: of the method, as in ``SimSwap, 2500 steps of lite``.
        paper: citation.
        load: (card, file, device) -> the swapper.
        version: of what the method's code computes.

    Raises:
        MissingError: there is no such file.
        UsageError: it holds something else.
    """
    from hifibench.training import weights

    said = weights.card(file, form)
    crop = Crop(_TEMPLATE, said["config"]["size"])
    card = SwapperCard(
        name=name,
        summary=f"{title}, {said.get('steps', '?')} steps of {said.get('preset', '?')}",
        source=crop,
        target=crop,
        paper=paper,
        licence=f"code Apache-2.0; weights: {said.get('licence', 'those of the training data and the teacher')}",
        assets=ASSETS,
        trained_with=_TRAINED_WITH,
        weights=digest(file),
        version=version,
    )
    return SwapperPlugin(card, partial(load, card, file))


def need(file: Path, method: str) -> Path:
    """The file, if it is there.

    Raises:
        MissingError: this version has no weights of the method; says how to train them.
    """
    if not file.is_file():
        raise MissingError(
            f"No trained weights of {method} come with this version. Train it with 'hifibench train {method} "
            "--preset lite', and run the suite with --weights NAME=FILE."
        )
    return file
