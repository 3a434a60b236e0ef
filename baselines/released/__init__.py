"""Methods known by the videos or images that their authors released.

Publicly described releases are methods as soon as they lie in ``<cache>/methods/<home>/``
(`baselines.released.published`); what nobody has described, or what differs, stands in ``<method>.toml`` there. Any
other becomes one by a table in a methods file:

```toml
[mine]
kind = "released"
root = "swaps"
path = "{target_video}_{source_video}.mp4"
frame = "target"

[faceshifter-c40]
kind = "released"
rule = "ffpp-faceshifter"
compression = "c40"
```

Pairs say of which videos and frames their images are in four columns (`hifibench.data.files`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.contracts import MethodKind

if TYPE_CHECKING:
    from hifibench.contracts import SwapperPlugin

READY = {
    "faceswap_ffpp": "ffpp-faceswap",
    "faceshifter_ffpp": "ffpp-faceshifter",
    "deepfakes_ffpp": "ffpp-deepfakes",
    "neuraltextures_ffpp": "ffpp-neuraltextures",
    "hififace_ffpp": "hififace-ffpp",
    "fsgan_ffpp": "fsgan-ffpp",
    "aot": "aot",
    "deeperforensics": "deeperforensics",
}
"""Attributes of this module that are methods, and their rules."""


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """A table of a methods file as a method: `hifibench.contracts.MethodKind.make`."""
    from baselines.released import release

    return release.make(name, table, folder)


def __getattr__(name: str) -> SwapperPlugin:
    """The ready methods. Made when they are asked for: their cards list folders of a thousand videos."""
    if name in READY:
        from baselines.released import ready

        return ready.method(READY[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


kind = MethodKind("images or videos that the method's authors released, found by a naming rule", make)
