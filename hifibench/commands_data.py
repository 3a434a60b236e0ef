"""What the commands of ``hifibench data`` do."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from hifibench.contracts import Crop
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import PortraitSource, Source
from hifibench.data.prepared import DROPPED
from hifibench.errors import InterruptedRunError, UsageError


def prepare_folder(
    folder: Path,
    out: Path,
    layout: str,
    frames: int | None,
    labels: str | None,
    cropping: Cropping,
    workers: int | None,
    quiet: bool,
) -> None:
    """``hifibench data prepare``; says which layout was taken."""
    from hifibench.data.layouts import AUTO, choose

    name, source = choose(folder, layout, frames, labels)
    if layout == AUTO and not quiet:
        place = "" if source.root in (folder, folder.parent) else f", {source.root}"
        _say(f"{folder} is read as {name}{place}; --layout names another.")
    _prepare(source, cropping, out, workers or os.cpu_count() or 1, quiet)


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
    Console().print(report.table())
    for note in (*report.notes(), f"Prepared faces: {out}. {DROPPED} names every dropped image and why."):
        _say(note)


def _say(note: str) -> None:
    Console().print(note, highlight=False, markup=False, soft_wrap=True)
