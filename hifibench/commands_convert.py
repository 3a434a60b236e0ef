"""What ``hifibench assets convert`` does: published checkpoints of other libraries, turned once into safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import typer

from hifibench import assets
from hifibench.brought import BROUGHT
from hifibench.brought.store import BroughtStore
from hifibench.files import atomic_path

_TOLD = 8


def convert_ringnet(checkpoint: Path, width: int = 64) -> Path:
    """Turn RingNet's checkpoint of TensorFlow 1 into the file that its expert reads, in that file's place in the cache.

    Variables that are no part of the network are left out and told; so, silently, is what training keeps beside its
    weights. The checkpoint's SHA-256 (`hifibench.experts.tf_checkpoint.sha256`) stands in the file's metadata.

    Args:
        checkpoint: its prefix (``ring_6_68641``), or any one of its files.
        width: of the residual network's first convolution; 64 in the release.

    Returns:
        The file.

    Raises:
        MissingError: TensorFlow is not installed, there is no such checkpoint, or the cache cannot be written to.
        UsageError: it is damaged, or holds another network.
    """
    from safetensors.numpy import save_file

    from hifibench.experts import ringnet_variables, tf_checkpoint
    from hifibench.experts.ringnet import FORMAT

    opened = tf_checkpoint.read(checkpoint)
    layout = ringnet_variables.layout(opened, width)
    if layout.unused:
        more = f" and {len(layout.unused) - _TOLD} more" if len(layout.unused) > _TOLD else ""
        typer.echo(f"Left out, as no part of the network: {', '.join(layout.unused[:_TOLD])}{more}", err=True)
    arrays = ringnet_variables.weights(opened, layout)
    metadata = {
        "format": FORMAT,
        "config": json.dumps({"hidden": layout.network.hidden, "width": layout.network.width}, sort_keys=True),
        "checkpoint": opened.prefix.name,
        "checkpoint_sha256": tf_checkpoint.sha256(opened.prefix),
    }
    place = BroughtStore(assets.cache_root(), BROUGHT).folder("ringnet") / BROUGHT["ringnet"].filenames[0]
    with atomic_path(place) as temporary:
        save_file(arrays, str(temporary), metadata)
    return place


CONVERTERS: Mapping[str, Callable[[Path], Path]] = MappingProxyType({"ringnet": convert_ringnet})
"""Network -> what converts its checkpoint."""
