"""Observations made of plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from hifibench.records import Floats, Gallery, Observed

Seen = Mapping[str, Mapping[str, Sequence[object] | Floats]]


def _arrays(seen: Seen | None) -> dict[str, dict[str, Floats]]:
    return {
        expert: {name: np.asarray(array, np.float32) for name, array in outputs.items()}
        for expert, outputs in (seen or {}).items()
    }


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observed]:
    """``observe(n, swap={expert: {output: rows}}, …, galleries={name: (people, seen)})`` gives n pairs."""

    def make(
        n: int,
        swap: Seen | None = None,
        source: Seen | None = None,
        target: Seen | None = None,
        source_id: Sequence[str] | None = None,
        galleries: Mapping[str, tuple[Sequence[str], Seen]] | None = None,
    ) -> Observed:
        pairs = pd.DataFrame(
            {
                "pair": [f"p{row}" for row in range(n)],
                "source_id": list(source_id or ["nobody"] * n),
                "video": [f"v{row}" for row in range(n)],
            }
        )
        made = {
            name: Gallery(np.array(people), np.array([f"{i:03d}.png" for i in range(len(people))]), _arrays(seen))
            for name, (people, seen) in (galleries or {}).items()
        }
        return Observed(pairs, _arrays(swap), _arrays(source), _arrays(target), made)

    return make
