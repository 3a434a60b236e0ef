"""Whose face the swap shows: retrieval among known faces, likeness to the source, likeness left to the target.

Retrieval after FaceShifter (Li et al., CVPR 2020, section 4.2), as HifiFace's Table 1 reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.errors import UsageError
from hifibench.records import Floats, Observed
from metrics.inputs import gallery as observed_gallery
from metrics.inputs import judge, one_of, output
from metrics.retrieval import Similarity, retrieve

GALLERIES = ("frames", "sources")
"""``frames``: every sampled original frame (FaceShifter's rule); ``sources``: the images that gave the faces."""
TOPS: Mapping[str, int] = MappingProxyType({"top1": 1, "top5": 5})
"""Word -> how many of the nearest gallery images may be the right one."""


def id_retrieval(recogniser: str, gallery: str, top: str) -> Metric:
    """ID retrieval: how often the gallery faces nearest to the swap show the source's person.

    ``id_retrieval[recogniser,gallery,top]``, such as ``id_retrieval[edgeface,sources,top1]``. ``top1`` is correct if
    the nearest gallery *image* shows the source's person; ``top5`` if any of the five nearest images does (images,
    not people: in a gallery with many frames of each person it is hardly easier than ``top1``). Nearest by the
    recogniser's own similarity (on its card); equally near images stand in the order of their names.

    Per pair 100 or 0, in %, higher is better, 0 in the worst case. NaN where the swap has no embedding, or where no
    gallery image of the source's person has one: then there is nothing to find. Gallery images without an embedding
    are left out.

    Args:
        recogniser: an expert whose role is ``recognition``.
        gallery: one of `GALLERIES`.
        top: one of `TOPS`.

    Raises:
        UsageError: a word makes no sense; while computing: the observations lack the recogniser or the gallery.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Gallery, Observed
        >>> faces = np.eye(2, dtype=np.float32)
        >>> gallery = Gallery(np.array(["ann", "bob"]), np.array(["a", "b"]), {"edgeface": {"embedding": faces}})
        >>> pairs = pd.DataFrame({"source_id": ["ann", "ann"]})
        >>> observed = Observed(pairs, {"edgeface": {"embedding": faces}}, {}, {}, {"sources": gallery})
        >>> id_retrieval("edgeface", "sources", "top1").compute(observed)
        array([100.,   0.])
    """
    similarity = _similarity("id_retrieval", recogniser)
    one_of("id_retrieval", "gallery", gallery, GALLERIES)
    one_of("id_retrieval", "number of nearest faces", top, TOPS)

    def compute(observed: Observed) -> NDArray[np.float64]:
        people = observed_gallery(observed, gallery)
        swap = output(observed.swap, recogniser, "embedding", len(observed.pairs))
        known = output(people.experts, recogniser, "embedding", len(people.image))
        source_id = observed.pairs["source_id"].to_numpy().astype(str)
        findable = np.isin(source_id, people.identity[_seen(known)])
        scored = _seen(swap) & findable
        values = np.full(len(swap), np.nan)
        if scored.any():
            nearest = retrieve(swap[scored], known, TOPS[top], similarity, people.image)
            hits = (people.identity[nearest] == source_id[scored, None]) & (nearest >= 0)
            values[scored] = 100.0 * hits.any(axis=1)
        return values

    return Metric(
        name=f"id_retrieval[{recogniser},{gallery},{top}]",
        title="ID retrieval",
        unit="%",
        direction="up",
        needs=(recogniser,),
        compute=compute,
        worst=0.0,
        decimals=1,
        group="identity",
        scope="pair",
        rate=True,
    )


def id_cosine(recogniser: str) -> Metric:
    """ID cosine: how alike the swap and its source are to a recogniser.

    ``id_cosine[recogniser]``, for recognisers trained for the cosine. Per pair in [-1, 1]: 1 is the same face, about
    0 a stranger's; higher is better, -1 in the worst case. NaN where either has no embedding.

    Args:
        recogniser: an expert whose role is ``recognition`` and whose similarity is the cosine.

    Raises:
        UsageError: no such recogniser, or one that compares otherwise.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> swap = {"edgeface": {"embedding": np.float32([[0.6, 0.8], [1, 0]])}}
        >>> source = {"edgeface": {"embedding": np.float32([[1, 0], [1, 0]])}}
        >>> id_cosine("edgeface").compute(Observed(pd.DataFrame(index=range(2)), swap, source, {}, {})).round(3)
        array([0.6, 1. ])
    """
    return _likeness("id_cosine", recogniser, "source", "ID cosine to source", "up", worst=-1.0)


def id_leak(recogniser: str) -> Metric:
    """ID leak: how alike the swap and its target still are to a recogniser.

    ``id_leak[recogniser]``, for recognisers trained for the cosine. Per pair in [-1, 1]: 1 means that the target's
    person is still there in full; lower is better, 1 in the worst case. NaN where either has no embedding.

    Args:
        recogniser: an expert whose role is ``recognition`` and whose similarity is the cosine.

    Raises:
        UsageError: no such recogniser, or one that compares otherwise.
    """
    return _likeness("id_leak", recogniser, "target", "ID cosine to target", "down", worst=1.0)


def _likeness(
    metric: str,
    recogniser: str,
    other: Literal["source", "target"],
    title: str,
    direction: Literal["up", "down"],
    worst: float,
) -> Metric:
    similarity = _similarity(metric, recogniser)
    if similarity != "cosine":
        raise UsageError(
            f"{metric}[...]: {recogniser!r} compares faces by {similarity.upper()} distance, a cosine of its "
            "embeddings means nothing; name a recogniser that was trained for the cosine, such as edgeface. "
            f"id_retrieval[{recogniser},...] uses its distance."
        )

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap = output(observed.swap, recogniser, "embedding", rows).astype(np.float64)
        wanted = output(getattr(observed, other), recogniser, "embedding", rows).astype(np.float64)
        with np.errstate(invalid="ignore"):
            lengths = np.linalg.norm(swap, axis=1) * np.linalg.norm(wanted, axis=1)
            cosine: NDArray[np.float64] = (swap * wanted).sum(axis=1) / lengths
        return cosine.clip(-1.0, 1.0)

    return Metric(
        name=f"{metric}[{recogniser}]",
        title=title,
        unit="",
        direction=direction,
        needs=(recogniser,),
        compute=compute,
        worst=worst,
        decimals=3,
        group="identity",
        scope="pair",
    )


def _similarity(metric: str, recogniser: str) -> Similarity:
    """The similarity that a recogniser's ``embedding`` was trained for."""
    card = judge(metric, "recogniser", recogniser, lambda card: card.role == "recognition" and card.similarity)
    assert card.similarity
    return card.similarity


def _seen(embeddings: Floats) -> NDArray[np.bool_]:
    """Rows in which the recogniser saw a face."""
    return np.asarray(np.isfinite(embeddings).all(axis=1))
