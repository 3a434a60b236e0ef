"""On a processor: the networks as OpenVINO runs them, in bfloat16 or float32, one stream of requests on each core.

Every request is of one row and every stream of one thread, so the bits of a row depend neither on its company nor on
how many cores there are. Converted networks are kept in the cache, since converting takes seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hifibench import __version__, assets
from hifibench.contracts import Networks, NetworkSwapper
from hifibench.device import cores, here
from hifibench.errors import HifibenchError, MissingError, first_line
from hifibench.files import TEMPORARY, atomic_write
from hifibench.inference.choice import Used
from hifibench.records import Floats
from hifibench.torch_swaps import Features, rows

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger("hifibench")

FORM = 1
"""Of what is kept; raised with every change of how networks are converted."""

_SUMS = "sums.json"

_HINTS: Final[dict[Used, str]] = {"bf16": "bf16", "fp32": "f32"}
"""Number format -> what OpenVINO calls it."""


class UnusableError(HifibenchError):
    """OpenVINO cannot run these networks here, or not in that number format."""


class OpenVino:
    """A swapper's networks as compiled OpenVINO models.

    Args:
        swapper: whose networks are on the processor.
        used: what they compute in.
        streams: requests that are worked on at the same time; default one a core of this process's share.

    Raises:
        UnusableError: a network cannot be converted, or this processor does not compute in bfloat16.
    """

    def __init__(self, swapper: NetworkSwapper, used: Used, streams: int | None = None) -> None:
        openvino = _openvino()
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        streams = streams or max(1, cores() // here())
        models = _kept(swapper, openvino)
        self._queues = {name: _Queue(openvino, model, used, streams) for name, model in models.items()}
        self._target = swapper.networks.target is not None

    def sources(self, source: Tensor) -> list[Features]:
        """See `hifibench.inference.engines.Engine.sources`."""
        return _features(self._queues["source"].run([[row.numpy()] for row in rows(source)]))

    def draw(self, target: Tensor, sources: Sequence[Features]) -> Features:
        """See `hifibench.inference.engines.Engine.draw`."""
        import torch

        images = [row.numpy() for row in rows(target)]
        of_target = self._queues["target"].run([[image] for image in images]) if self._target else [[]] * len(images)
        given = [
            [image, *(part.numpy() for part in seen), *of_this]
            for image, seen, of_this in zip(images, sources, of_target, strict=True)
        ]
        made = _features(self._queues["generator"].run(given))
        return tuple(torch.cat(part) for part in zip(*made, strict=True))


def _openvino() -> Any:
    # Its package reports its import to its makers, unless the reporting package cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise UnusableError(f"The package openvino cannot be imported: {error}.") from error
    return openvino


class _Queue:
    """One compiled network and its requests under way."""

    def __init__(self, openvino: Any, model: Any, used: Used, streams: int) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[used],
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # others decode and write beside it
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        found = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if found != _HINTS[used]:
            raise UnusableError(f"OpenVINO computes in {found} on this processor, not in {used}.")
        self._queue = openvino.AsyncInferQueue(compiled, streams)
        self._outputs = len(compiled.outputs)
        self._queue.set_callback(self._take)

    def run(self, given: Sequence[Sequence[Floats]]) -> list[list[Floats]]:
        """Outputs of each row of inputs."""
        made: list[list[Floats]] = [[] for _ in given]
        for inputs, place in zip(given, made, strict=True):
            self._queue.start_async([np.ascontiguousarray(one) for one in inputs], place)
        self._queue.wait_all()
        return made

    def _take(self, request: Any, place: list[Floats]) -> None:
        place.extend(request.get_output_tensor(i).data.astype(np.float32) for i in range(self._outputs))


def _features(made: Sequence[Sequence[Floats]]) -> list[Features]:
    import torch

    return [tuple(torch.from_numpy(part) for part in row) for row in made]


def _kept(swapper: NetworkSwapper, openvino: Any) -> dict[str, Any]:
    """The networks as OpenVINO models: from the cache, or converted and put there."""
    folder = _folder(swapper, openvino)
    try:
        for file, digest in json.loads((folder / _SUMS).read_text(encoding="utf-8")).items():
            if _digest(folder / file) != digest:
                raise ValueError(f"{file} is damaged")
        core = openvino.Core()
        return {name: core.read_model(str(folder / f"{name}.xml")) for name in _parts(swapper.networks)}
    except (OSError, ValueError, RuntimeError):  # not there, or not whole: it is made anew
        models = _converted(swapper, openvino)
    try:
        _keep(folder, models, openvino)
    except (OSError, RuntimeError, MissingError) as error:  # a full or read-only disk; OpenVINO has its own
        _log.warning("The converted networks of %s are not kept: %s", swapper.card.name, first_line(error))
    return models


def _keep(folder: Path, models: dict[str, Any], openvino: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY) as beside:
        for name, model in models.items():
            openvino.save_model(model, str(Path(beside) / f"{name}.xml"), compress_to_fp16=False)
        made = sorted(Path(beside).iterdir())
        sums = {file.name: _digest(file) for file in made}
        for file in made:
            file.replace(folder / file.name)
        atomic_write(folder / _SUMS, json.dumps(sums, indent=1))


def _converted(swapper: NetworkSwapper, openvino: Any) -> dict[str, Any]:
    import torch

    card, networks = swapper.card, swapper.networks
    source, target = (torch.rand(1, 3, crop.size, crop.size) for crop in (card.source, card.target))
    with torch.no_grad():
        of_source = networks.source(source)
        of_target = () if networks.target is None else networks.target(target)
        given = {"source": (source,), "target": (target,), "generator": (target, *of_source, *of_target)}
        made = {}
        for name, network in _parts(networks).items():
            try:
                made[name] = _convert(network, given[name], openvino)
            except Exception as error:  # exporters raise whatever the operation that they do not know raises
                raise UnusableError(f"{card.name}'s {name} network cannot be converted: {error}") from error
    return made


def _convert(network: nn.Module, given: tuple[Tensor, ...], openvino: Any) -> Any:
    import torch

    program = torch.export.export(network, given)
    cross = torch.ops.aten.linalg_cross.default
    if any(node.target is cross for node in program.graph.nodes):
        # The converter knows the operation, but not in the form in which torch hands it on.
        program = program.run_decompositions({cross: _cross})
    model = openvino.convert_model(program)
    model.reshape({place: list(one.shape) for place, one in enumerate(given)})
    return model


def _cross(a: Tensor, b: Tensor, *, dim: int = -1) -> Tensor:
    """``torch.linalg.cross`` in elementary operations."""
    import torch

    first, second = a.movedim(dim, 0), b.movedim(dim, 0)
    return torch.stack([first[i] * second[j] - first[j] * second[i] for i, j in ((1, 2), (2, 0), (0, 1))], dim)


def _parts(networks: Networks) -> dict[str, nn.Module]:
    parts = {"source": networks.source, "target": networks.target, "generator": networks.generator}
    return {name: network for name, network in parts.items() if network is not None}


def _folder(swapper: NetworkSwapper, openvino: Any) -> Path:
    """Where they are kept: by card, weights, and the versions of whatever takes part in converting."""
    import torch

    key = hashlib.sha256(
        f"{FORM} {__version__} {torch.__version__} {openvino.__version__} {swapper.card.hash}".encode()
    )
    for part, network in _parts(swapper.networks).items():
        for name, values in [*network.named_parameters(), *network.named_buffers()]:
            key.update(f"{part} {name} {tuple(values.shape)}".encode())
            key.update(np.ascontiguousarray(values.detach().cpu().float().numpy()).tobytes())
    return assets.cache_root() / "compiled" / f"{swapper.card.name}-{key.hexdigest()[:32]}"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
