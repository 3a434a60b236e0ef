"""RingNet's variables as its checkpoint of TensorFlow 1 names and lays them out, poured into our network's terms.

The names are TF-Slim's (``resnet_v2_50/block1/unit_1/bottleneck_v2/conv1/weights``) and HMR's (``3D_module/fc1``,
``mean_param``). Those of the release could not be seen, so that scopes are found by what lies in them and not by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from hifibench.errors import UsageError
from hifibench.experts.ringnet import SIZES, RingNet
from hifibench.experts.tf_checkpoint import TfCheckpoint
from hifibench.records import Floats

WANTED = "the checkpoint ring_6_68641 of RingNet"
_ENCODER, _REGRESSOR = "/block1/unit_1/bottleneck_v2/preact/gamma", "/fc1/weights"
_MORE = 3


class Layout(NamedTuple):
    """Where a checkpoint has what.

    Attributes:
        network: of its widths, on the device ``meta``.
        theirs: our weight -> its variable.
        unused: variables that are no part of the network, such as those of a face model.
    """

    network: RingNet
    theirs: Mapping[str, str]
    unused: tuple[str, ...]


def layout(checkpoint: TfCheckpoint, width: int = 64) -> Layout:
    """Find every weight of the network by name and shape.

    Args:
        checkpoint: opened.
        width: of the residual network's first convolution.

    Raises:
        UsageError: it holds another network (the message says which variable is missing, unknown or of another shape).
    """
    import torch

    shapes = checkpoint.shapes
    encoder = _scope(checkpoint, _ENCODER, "second residual network of TF-Slim")
    regressor = _scope(checkpoint, _REGRESSOR, "regressor fc1, fc2, fc3")
    inside = (f"{encoder}/", f"{regressor}/")
    start = _start(checkpoint, inside)
    # The paper says 512, the code that it grew from 1,024: the file decides.
    hidden = shapes[f"{regressor}{_REGRESSOR}"][-1]
    with torch.device("meta"):
        network = RingNet(hidden, width)
    expected = {name: _their_shape(name, tuple(value.shape)) for name, value in network.state_dict().items()}
    theirs = {name: _their_name(name, encoder, regressor, start) for name in expected}
    wrong = [f"{theirs[name]} is missing" for name in expected if theirs[name] not in shapes]
    unknown = sorted(shapes.keys() - set(theirs.values()))
    wrong += [f"{name} is unknown" for name in unknown if name.startswith(inside)]
    wrong += [
        f"{theirs[name]} has shape {shapes[theirs[name]]}, expected {shape}"
        for name, shape in expected.items()
        if theirs[name] in shapes and _flat(name, shapes[theirs[name]]) != _flat(name, shape)
    ]
    if wrong:
        more = f" and {len(wrong) - _MORE} more" if len(wrong) > _MORE else ""
        raise UsageError(f"{checkpoint.prefix} holds another network: {'; '.join(wrong[:_MORE])}{more}. Give {WANTED}.")
    return Layout(network, theirs, tuple(name for name in unknown if not name.startswith(inside)))


def weights(checkpoint: TfCheckpoint, found: Layout) -> dict[str, Floats]:
    """The network's state dict, as arrays in PyTorch's layout.

    Raises:
        UsageError: a variable cannot be read, or holds something else than finite numbers.
    """
    made = {}
    for ours, value in found.network.state_dict().items():
        array = checkpoint.read(found.theirs[ours])
        if not np.isfinite(array).all():
            raise UsageError(
                f"{checkpoint.prefix}: {found.theirs[ours]} holds something else than finite numbers. "
                "Get its files again."
            )
        # Height, width, in, out there; out, in, height, width here. The same for in, out of a matrix.
        turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T if ours.startswith("fc") else array
        made[ours] = np.ascontiguousarray(turned.reshape(tuple(value.shape)))
    return made


def _scope(checkpoint: TfCheckpoint, ending: str, what: str) -> str:
    """The only scope that holds a variable of that ending."""
    scopes = [name.removesuffix(ending) for name in checkpoint.shapes if name.endswith(ending)]
    if len(scopes) != 1:
        found = f"{len(scopes)} of them ({', '.join(scopes)})" if scopes else "none"
        raise UsageError(
            f"{checkpoint.prefix} should hold one {what} (a variable …{ending}); it holds {found}, and "
            f"{_some(checkpoint.shapes)}. Give {WANTED}."
        )
    return scopes[0]


def _start(checkpoint: TfCheckpoint, inside: tuple[str, ...]) -> str:
    """The start estimate: the only variable of 159 numbers beside the two networks."""
    outside = [name for name in checkpoint.shapes if not name.startswith(inside)]
    starts = [name for name in outside if checkpoint.shapes[name] in ((sum(SIZES),), (1, sum(SIZES)))]
    if len(starts) != 1:
        found = f"{len(starts)} of them ({', '.join(starts)})" if starts else "none"
        raise UsageError(
            f"{checkpoint.prefix} should hold one start estimate of {sum(SIZES)} numbers (mean_param); it holds "
            f"{found}, and beside the network {_some(outside)}. Give {WANTED}."
        )
    return starts[0]


def _their_name(ours: str, encoder: str, regressor: str, start: str) -> str:
    """Example: ``block1.0.norm2.gamma`` is ``<encoder>/block1/unit_1/bottleneck_v2/conv2/BatchNorm/gamma``."""
    if ours == "start":
        return start
    path = re.sub(r"weight$", "weights", re.sub(r"bias$", "biases", ours))
    path = re.sub(r"^(block\d)\.(\d)", lambda found: f"{found[1]}.unit_{int(found[2]) + 1}.bottleneck_v2", path)
    path = re.sub(r"norm(\d)\.", r"conv\1.BatchNorm.", path)
    return f"{regressor if ours.startswith('fc') else encoder}/{path.replace('.', '/')}"


def _their_shape(ours: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) == 4:
        return (shape[2], shape[3], shape[1], shape[0])
    return shape[::-1] if ours.startswith("fc") else shape


def _flat(ours: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The start estimate may be a row or a vector."""
    return shape[-1:] if ours == "start" else shape


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _MORE} more" if len(listed) > _MORE else ""
    return ", ".join(listed[:_MORE]) + more if listed else "nothing"
