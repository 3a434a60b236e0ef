"""Train both embedded detectors, measure them, and write what is shipped: ``python -m hifibench.forensics.train``.

Ends with ``blend-cnn.safetensors`` and ``spectrum.npz``, each with a card beside it as JSON: data, steps, seed, figures
on the validation split. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import torch

from hifibench.contracts import Expert
from hifibench.errors import HifibenchError
from hifibench.forensics import faces as people
from hifibench.forensics import measure, network, shipped, train_network, train_spectrum
from hifibench.forensics.settings import Settings
from hifibench.pipeline.progress import Reporter

METHODS_JUDGED = 100
"""Pairs at most that each swapper is judged by."""


def train(settings: Settings, work: Path, out: Path, reporter: Reporter) -> dict[str, Any]:
    """Both detectors from nothing to shipped files.

    Args:
        settings: what decides the result.
        work: for portraits and checkpoints.
        out: for the shipped files.
        reporter: told how far it is.

    Returns:
        Detector -> what was measured -> AUC in [0, 1].

    Raises:
        UsageError: the folder holds a training of other settings.
        MissingError: an asset, scikit-learn or room on the disk is lacking.
    """
    from hifibench import assets
    from hifibench.experts.blend_cnn import load as load_blend_cnn
    from hifibench.experts.spectrum import Spectrum, read
    from hifibench.version import commit

    assets.ensure(people.ASSETS)
    learned = people.prepare(work / "faces", "train", settings.people, reporter.stage)
    drafts = {name: work / file.name for name, file in _FILES.items()}
    spectral = train_spectrum.train(learned, settings, drafts["spectrum"], reporter.stage)
    trained, hours = train_network.train(learned, settings, work / "network", reporter)
    del learned
    judged = people.prepare(work / "faces", "validation", settings.judged, reporter.stage)

    network.save(trained, {}, drafts["blend-cnn"])
    # What is measured is what is shipped, its rounding to half precision included.
    detectors: dict[str, Expert] = {
        "blend-cnn": load_blend_cnn("cpu", drafts["blend-cnn"]),
        "spectrum": Spectrum(read(drafts["spectrum"])),
    }
    reporter.say("measuring on the validation split")
    blends = measure.on_self_blends(detectors, judged, settings.seed)
    swaps = measure.on_methods(detectors, judged.first(METHODS_JUDGED))
    figures = {name: {measure.SELF_BLENDS: blends[name], **swaps[name]} for name in detectors}

    card = {
        "data": f"{settings.people} generated portraits of the split train, self-blended",
        "judged": f"{len(judged)} portraits of the split validation; swaps among the first {METHODS_JUDGED} at most",
        "settings": settings.plain(),
        "images_seen": 2 * settings.pairs * settings.steps,
        "hours": round(hours, 2),
        "hardware": f"{torch.get_num_threads()} processor core(s), {platform.machine()}; hours are of the clock",
        "torch": torch.__version__,
        "commit": commit(),
        "licence": "research only, as the generated portraits",
    }
    network.save(trained, card, out / shipped.NETWORK.name)
    train_spectrum.save(spectral, out / shipped.SPECTRAL.name)
    for name, file in _FILES.items():
        _note(out / file.name, {"detector": name, **card, "auc": figures[name]})
    return figures


_FILES = {"blend-cnn": shipped.NETWORK, "spectrum": shipped.SPECTRAL}


def _note(file: Path, card: dict[str, Any]) -> None:
    from hifibench.files import atomic_write

    atomic_write(shipped.note(file), json.dumps(card, indent=2) + "\n")


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hifibench.forensics.train", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/train-forensics"), help="portraits and checkpoints")
    parser.add_argument("--out", type=Path, default=shipped.TRAINED, help="where the trained files go")
    parser.add_argument("--threads", type=int, default=1, help="of torch and OpenCV")
    parser.add_argument("--quiet", action="store_true")
    for field in fields(Settings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args(words))
    settings = replace(Settings(), **{field.name: given[field.name] for field in fields(Settings)})
    reporter = Reporter(given["quiet"])
    torch.set_num_threads(max(1, given["threads"]))
    cv2.setNumThreads(max(1, given["threads"]))
    try:
        figures = train(settings, given["work"], given["out"], reporter)
    except HifibenchError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    for name, measured in figures.items():
        print(f"{name}: " + ", ".join(f"{what} {100 * value:.1f}" for what, value in measured.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
