"""What the commands of ``hifibench data`` do."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from hifibench.contracts import Crop
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import FolderSource, PortraitSource, Source
from hifibench.data.prepared import DROPPED
from hifibench.errors import InterruptedRunError, UsageError


def prepare_folders(
    folder: Path,
    out: Path,
    size: int,
    template: str,
    min_side: float | None,
    parser: Path | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """``hifibench data prepare``; without ``min_side``, faces smaller than their crop are dropped."""
    cropping = Cropping(Crop(template, size), size if min_side is None else min_side, parser)
    _prepare(FolderSource(folder), cropping, out, workers or os.cpu_count() or 1, quiet)


def prepare_portraits(
    out: Path,
    identities: int,
    views: int,
    first_seed: int,
    split: str,
    size: int,
    template: str,
    parser: Path | None,
    workers: int,
    device: str,
    quiet: bool,
) -> None:
    """``hifibench data portraits``; no portrait is too small."""
    from hifibench import assets
    from hifibench.data import portraits
    from hifibench.data.device_portraits import DevicePortraitSource

    source = PortraitSource(identities, views, first_seed, split)
    if device != "cpu":
        if workers > 1:
            raise UsageError(f"--device {device} renders in one process; leave out --workers {workers}.")
        source = DevicePortraitSource(identities, views, first_seed, split, device)
    assets.ensure(portraits.ASSETS, quiet=quiet)
    _prepare(source, Cropping(Crop(template, size), 0.0, parser), out, workers, quiet)


def _prepare(source: Source, cropping: Cropping, out: Path, workers: int, quiet: bool) -> None:
    from hifibench import assets
    from hifibench.data.prepare import prepare
    from hifibench.data.segment import ASSETS
    from hifibench.faces.detect import Detector
    from hifibench.pipeline.progress import Reporter

    masks = ASSETS if cropping.parser is None else ()
    assets.ensure((*Detector.card.assets, *masks), quiet=quiet)
    try:
        report = prepare(source, cropping, out, workers=workers, stage=Reporter(quiet).stage)
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"Stopped. The same command goes on from here; what is done is in {out}.") from stop
    console = Console()
    console.print(report.table())
    for note in (*report.notes(), f"Prepared faces: {out}. {DROPPED} names every dropped image and why."):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
