"""Stage one: the manifest of a run, and the run folder that belongs to it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hifibench
from hifibench import assets, data
from hifibench.errors import UsageError
from hifibench.files import atomic_path, atomic_write
from hifibench.needs import of_suite
from hifibench.pipeline.store import RunFolder, read_json, sweep, write_json, write_once
from hifibench.records import Manifest
from hifibench.stage import Stage, quiet
from hifibench.suite import Suite
from hifibench.version import commit

_LIBRARIES = (
    "mediapipe",
    "numpy",
    "onnxruntime",
    "opencv-contrib-python",
    "openvino",
    "pandas",
    "torch",
)


def run_id(suite: Suite, seed: int, manifest: str) -> str:
    """Twelve hexadecimal digits that name a run: same images and pairs (``manifest``, a hash), seed and version."""
    text = json.dumps([suite.name, seed, manifest, hifibench.__version__])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def open_run(suite: Suite, seed: int, limit: int | None, out: Path, stage: Stage = quiet) -> tuple[RunFolder, Manifest]:
    """Plan the run and open its folder, new or begun earlier, by this process or by another share.

    Raises:
        UsageError: the folder holds a run of other images, another seed or another version, or something else.
        MissingError: the folder cannot be written to.
    """
    folder, terms = RunFolder(out), licences(suite)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder.")
    begun = read_json(folder["run.json"])
    # Another share may be planning at this moment, or was killed while it did.
    ours = {"manifest.json", "pairs.parquet", "run.json"}
    if begun is None and out.is_dir() and any(p.name[0] != "." and p.name not in ours for p in out.iterdir()):
        raise UsageError(f"{out} is not empty and holds no run. Name a new folder with --out.")
    manifest = data.plan(suite.data, seed, limit, stage)
    # The text of 100,000 pairs takes seconds to write, so it is written once.
    text = manifest.to_json()
    identity = _identity(suite, seed, hashlib.sha256(text.encode()).hexdigest())
    if begun is None:
        _write_manifest(folder, manifest, text)
        record = {**identity, "suite": suite.model_dump(mode="json"), "limit": limit, **_circumstances()}
        record["licences"] = terms
        write_once(folder["run.json"], json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        begun = read_json(folder["run.json"])
    if begun is None:
        raise UsageError(f"{folder['run.json']} is damaged. Remove {out}, or name another folder with --out.")
    _check_same(out, begun, identity)
    if not all(folder[name].exists() for name in ("manifest.json", "pairs.parquet")):
        _write_manifest(folder, manifest, text)
    sweep(out)
    return folder, manifest


def join_run(suite: Suite, seed: int, limit: int | None, out: Path, stage: Stage = quiet) -> tuple[RunFolder, Manifest]:
    """Open a run that another process of the same command has opened just now, without planning it anew.

    The manifest is taken from the folder where its hash is that of the run; else the run is planned here, too.

    Raises:
        UsageError: the folder holds another run than this command's.
        MissingError: the folder cannot be written to.
    """
    folder = RunFolder(out)
    begun = read_json(folder["run.json"])
    try:
        text = folder["manifest.json"].read_bytes()
    except FileNotFoundError:
        text = b""
    found = hashlib.sha256(text).hexdigest()
    if begun is None or begun.get("manifest") != found:
        return open_run(suite, seed, limit, out, stage)
    _check_same(out, begun, _identity(suite, seed, found))
    return folder, Manifest.from_json(text.decode())


def _identity(suite: Suite, seed: int, manifest: str) -> dict[str, Any]:
    return {
        "run_id": run_id(suite, seed, manifest),
        "suite_name": suite.name,
        "seed": seed,
        "manifest": manifest,
        "hifibench": hifibench.__version__,
    }


def _check_same(out: Path, begun: dict[str, Any], wanted: dict[str, Any]) -> None:
    words = {
        "suite_name": "the suite",
        "hifibench": "hifibench version",
        "seed": "the seed",
        "manifest": "the manifest (images and pairs)",
    }
    for key, word in words.items():
        if begun.get(key) != wanted[key]:
            raise UsageError(
                f"{out} holds a run with {word} {begun.get(key)}, this one has {wanted[key]}. "
                "Results of the two must not mix: name another folder with --out, or remove that one."
            )


def record_suite(folder: RunFolder, suite: Suite) -> None:
    """Let ``run.json`` name what was scored last: a later call may bring other methods and metrics, and licences."""
    begun = read_json(folder["run.json"]) or {}
    now = {**begun, "suite": suite.model_dump(mode="json"), "licences": licences(suite)}
    if now != begun:
        write_json(folder["run.json"], now)


def _write_manifest(folder: RunFolder, manifest: Manifest, text: str) -> None:
    atomic_write(folder["manifest.json"], text)
    table = pairs_table(manifest)
    with atomic_path(folder["pairs.parquet"]) as temporary:
        table.to_parquet(temporary, index=False)


def pairs_table(manifest: Manifest) -> Any:
    """The pairs as a data frame: ``pair, source, target, source_id, target_id, source_video, video, frame``.

    Behind these, a column ``label:<name>`` for everything that targets are labelled with; empty text where unknown.
    """
    import pandas as pd

    targets = [manifest.image(pair.target) for pair in manifest.pairs]
    sources = [manifest.image(pair.source) for pair in manifest.pairs]
    columns: dict[str, list[Any]] = {
        "pair": [pair.pair for pair in manifest.pairs],
        "source": [pair.source for pair in manifest.pairs],
        "target": [pair.target for pair in manifest.pairs],
        "source_id": [ref.identity for ref in sources],
        "target_id": [ref.identity for ref in targets],
        "source_video": [ref.video for ref in sources],
        "video": [ref.video for ref in targets],
        "frame": [ref.frame for ref in targets],
    }
    for label in sorted({label for ref in targets for label in ref.labels}):
        columns[f"label:{label}"] = [ref.labels.get(label, "") for ref in targets]
    return pd.DataFrame(columns)


def licences(suite: Suite) -> list[dict[str, Any]]:
    """Asset by asset, under what terms the networks of a suite may be used."""
    terms = {name: assets.licence(name) for name in sorted(of_suite(suite))}
    return [
        {"asset": name, "licence": licence.terms, "research_only": licence.research_only}
        for name, licence in terms.items()
    ]


def _circumstances() -> dict[str, Any]:
    """Where and when the run was begun; nothing of it enters ``results.json``."""
    versions = {}
    for library in _LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": versions,
        "commit": commit(),
    }
