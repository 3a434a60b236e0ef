"""What a straightforward script per metric does: the yardstick of this package's speed.

Each metric goes over the pairs by itself, one image at a time: load it from disk, find the face, cut it out, run the
network in float32, compare. Nothing is kept between metrics or methods, but for the gallery of a retrieval and the
originals of a forgery detector, which each metric looks at once for all methods. Networks are loaded before the clock
starts, and use as many threads as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.contracts import Expert, Metric, PairExpert
from hifibench.data import images
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.pipeline.plan import pairs_table
from hifibench.records import Floats, Frame, Gallery, ImageRef, Manifest, Observed

READS = {
    "id_retrieval": "gallery",
    "id_cosine": "source",
    "id_leak": "target",
    "pose": "target",
    "shape": "source",
    "expression": "target",
    "background": "target",
    "forgery_auc": "gallery",
    "forgery_ap": "gallery",
    "forgery_eer": "gallery",
}
"""Metric -> what it looks at beside the swap."""


class Loop:
    """The scripts of some metrics, with their networks.

    Args:
        metrics: printed names; those of the demo.
        load: gives an original image.
    """

    def __init__(self, metrics: Sequence[str], load: Callable[[ImageRef], Frame]) -> None:
        self._metrics = [registry.metric(name) for name in metrics]
        self._load = load
        with _threads_as_they_come():
            self._detector = Detector()
            self._detector.detect(np.zeros((256, 256, 3), np.uint8))
            needed = registry.seen_through(need for metric in self._metrics for need in metric.needs)
            self._experts = {name: registry.experts.get(name).load("cpu") for name in needed}
        for expert in self._experts.values():
            if isinstance(expert, Expert):
                side = expert.card.crop.size
                expert.observe(np.zeros((1, 3, side, side), np.float32))

    def run(self, manifest: Manifest, swaps: Mapping[str, Callable[[str], Path]]) -> dict[str, dict[str, Any]]:
        """All metrics of all methods.

        Args:
            manifest: the pairs.
            swaps: method -> the file of a pair's swap.

        Returns:
            Metric -> method -> ``(n,)`` one value per pair.
        """
        return {metric.name: dict(self._metric(metric, manifest, swaps)) for metric in self._metrics}

    def _metric(
        self, metric: Metric, manifest: Manifest, swaps: Mapping[str, Callable[[str], Path]]
    ) -> Iterator[tuple[str, NDArray[np.float64]]]:
        base, _, words = metric.name.partition("[")
        role = READS[base]
        (expert,) = metric.needs
        galleries = {}
        if role == "gallery":
            name = "sources" if "sources" in words else "frames"
            galleries[name] = self._gallery(expert, manifest, name)
        for method, file in swaps.items():
            swap, other = [], []
            for pair in manifest.pairs:
                beside = None
                if role != "gallery":
                    beside = self._load(manifest.image(pair.source if role == "source" else pair.target))
                seen, reference = self._pair(expert, images.load(file(pair.pair)), beside)
                swap.append(seen)
                other.append(reference)
            sides = {"source": {}, "target": {}, role: {expert: _stack(other)}}
            observed = Observed(
                pairs_table(manifest), {expert: _stack(swap)}, sides["source"], sides["target"], galleries
            )
            yield method, metric.compute(observed)

    def _pair(self, name: str, swap: Frame, beside: Frame | None) -> tuple[dict[str, Floats], dict[str, Floats]]:
        expert = self._experts[name]
        if isinstance(expert, PairExpert):
            assert beside is not None
            seen = {need: self._look(need, beside) for need in expert.card.needs}
            return expert.compare(swap, beside, seen), {}
        return self._look(name, swap), {} if beside is None else self._look(name, beside)

    def _gallery(self, expert: str, manifest: Manifest, name: str) -> Gallery:
        refs = [manifest.image(member) for member in manifest.galleries[name]]
        seen = _stack([self._look(expert, self._load(ref)) for ref in refs])
        identity, image, video = (
            np.array([getattr(ref, word) for ref in refs]) for word in ("identity", "image", "video")
        )
        return Gallery(identity=identity, image=image, experts={expert: seen}, video=video)

    def _look(self, name: str, frame: Frame) -> dict[str, Floats]:
        face = self._detector.choose(frame)
        assert face is not None, "the demo's portraits show a face each"
        expert = self._experts[name]
        assert isinstance(expert, Expert)
        crop, matrix = templates.take(frame, face, expert.card.crop)
        return {**{output: rows[0] for output, rows in expert.observe(crop[None]).items()}, "matrix": matrix}


def _stack(rows: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {output: np.stack([np.asarray(row[output], np.float32) for row in rows]) for output in rows[0]}


@contextmanager
def _threads_as_they_come() -> Iterator[None]:
    """Let ONNX Runtime have all processors, as it does where nobody asks for the same bits everywhere."""
    import onnxruntime

    opened = onnxruntime.InferenceSession

    def free(model: Any, options: Any, **more: Any) -> Any:
        options.intra_op_num_threads = options.inter_op_num_threads = 0
        return opened(model, options, **more)

    with patch.object(onnxruntime, "InferenceSession", free):
        yield
