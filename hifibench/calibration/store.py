"""Where calibrations are kept, and which one holds for a metric: the user's newest, else the one that comes along.

A calibration is true of the networks that it was made with. An entry is therefore found only where every expert that
the metric reads still has the card it was calibrated under; otherwise the metric is not calibrated.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from hifibench.calibration.records import SCHEMA, Calibration, Entry
from hifibench.errors import UsageError

SHIPPED = Path(__file__).with_name("shipped.json")
"""The calibration that comes with the package."""

FILE = "calibration.json"
"""Its name in a run folder."""

_log = logging.getLogger("hifibench")


def folder() -> Path:
    """Where the user's calibrations are kept."""
    from hifibench import assets

    return assets.cache_root() / "calibration"


def to_json(calibration: Calibration) -> str:
    """The canonical text: same calibration, same bytes."""
    from pydantic import TypeAdapter

    return TypeAdapter(Calibration).dump_json(calibration, indent=1).decode() + "\n"


def read(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        UsageError: there is none, it is damaged, or another version's.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        found = TypeAdapter(Calibration).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"Cannot read the calibration {path}: {error.strerror}. Run 'hifibench calibrate'.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} is no calibration: {where + ': ' if where else ''}{first['msg']}. "
            "Delete it and run 'hifibench calibrate' again."
        ) from error
    if found.schema != SCHEMA:
        raise UsageError(f"{path} has schema {found.schema}, expected {SCHEMA}. Run 'hifibench calibrate' again.")
    return found


def keep(calibration: Calibration) -> Path:
    """Write a calibration into the cache, where reports find it.

    Args:
        calibration: to keep; it takes the place of an earlier one of the same metrics on the same images.

    Raises:
        MissingError: the cache cannot be written to.
    """
    from hifibench.files import atomic_write

    metrics = hashlib.sha256("\n".join(entry.name for entry in calibration.metrics).encode()).hexdigest()
    path = folder() / f"{calibration.manifest[:12]}-{calibration.seed}-{metrics[:8]}.json"
    atomic_write(path, to_json(calibration))
    return path


class Found(NamedTuple):
    """The calibration of one metric, and the hash of the images and pairs that it was made on."""

    entry: Entry
    manifest: str


def find(metric: str, cards: Mapping[str, str]) -> Found | None:
    """The calibration of a metric, made with the experts as they are now.

    Args:
        metric: printed name.
        cards: expert -> hash of its card; those that the metric reads must be among them, and those that they need.

    Returns:
        That of the newest calibration that fits; ``None``: the metric is not calibrated under these cards.
    """
    for calibration in _all():
        for entry in calibration.metrics:
            if entry.name == metric and all(cards.get(name) == card for name, card in entry.experts.items()):
                return Found(entry, calibration.manifest)
    return None


def _all() -> Iterator[Calibration]:
    """The user's calibrations, newest first, then the one that comes along; damaged ones are passed over."""
    made = [(path.stat().st_mtime_ns, path) for path in folder().glob("*.json")]
    shipped = [(0, SHIPPED)] if SHIPPED.is_file() else []
    for changed, path in [*sorted(made, reverse=True), *shipped]:
        try:
            yield _read(path, changed)
        except UsageError as error:
            _log.warning("%s", error)


@lru_cache(maxsize=32)
def _read(path: Path, changed: int) -> Calibration:
    """`read`, once for each state of the file."""
    del changed
    return read(path)
