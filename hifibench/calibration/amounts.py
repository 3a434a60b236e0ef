"""How much each dose moved each pair: measured on the scenes once, then kept in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines import doses
from hifibench.calibration.series import SERIES, Series
from hifibench.pipeline.store import read_json, write_json
from hifibench.records import Manifest

FILE = "amounts.json"


def amounts(folder: Path, manifest: Manifest) -> Mapping[str, NDArray[np.float64]]:
    """Series -> ``(n, k)``: n pairs, k doses, in the series' unit.

    Facts are measured on rendered pictures, which takes longer than all the statistics; so they are kept, and measured
    anew where pairs or doses are others.
    """
    key: dict[str, Any] = {"manifest": manifest.hash, "doses": {series.name: list(series.doses) for series in SERIES}}
    kept = read_json(folder / FILE)
    if not isinstance(kept, dict) or {name: kept.get(name) for name in key} != key or "amounts" not in kept:
        kept = {**key, "amounts": {series.name: _measure(series, manifest) for series in SERIES}}
        write_json(folder / FILE, kept)
    return {name: np.array(rows, np.float64) for name, rows in kept["amounts"].items()}


def _measure(series: Series, manifest: Manifest) -> list[list[float]]:
    sides = [(manifest.image(pair.source).uri, manifest.image(pair.target).uri) for pair in manifest.pairs]
    return [[doses.amount(series, dose, source, target) for dose in series.doses] for source, target in sides]
