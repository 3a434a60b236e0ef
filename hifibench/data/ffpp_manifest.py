"""A manifest of FaceForensics++ as a file: made once, kept with the results, used again on another machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hifibench.data import ffpp_layout
from hifibench.data.ffpp_record import Record
from hifibench.data.ffpp_work import each
from hifibench.data.video import DamagedError
from hifibench.errors import MissingError, UsageError
from hifibench.records import Manifest, Pair
from hifibench.stage import Stage, quiet

_TOLD = 5
_AGAIN = (
    "Make a manifest of this folder (hifibench data manifest ffpp), or name the folder that the manifest was made from "
    "or a copy of it."
)


def read_manifest(file: Path) -> Manifest:
    """Read a manifest.

    Raises:
        MissingError: there is no such file.
        UsageError: it holds none, or one whose pairs or galleries name images that it does not list.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingError(
            f"There is no manifest {file}; make one: hifibench data manifest ffpp ROOT --out {file}."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The manifest {file} cannot be read: {getattr(error, 'strerror', '') or error}.") from error
    try:
        manifest = Manifest.from_json(text)
        named = {name for pair in manifest.pairs for name in (pair.source, pair.target)}
        named |= {name for images in manifest.galleries.values() for name in images}
        sound = manifest.pairs and named <= {ref.image for ref in manifest.images} and _typed(manifest)
    except (json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{file} is no manifest ({type(error).__name__}: {error}); expected one that hifibench wrote."
        ) from error
    if not sound:
        raise UsageError(f"{file} is no whole manifest: it has no pairs, or names images that it does not list.")
    return manifest


def check_manifest(manifest: Manifest, root: Path, stage: Stage = quiet) -> None:
    """Refuse a manifest of other videos than those of a folder.

    Raises:
        UsageError: it is of something else than FaceForensics++, or the content of a video differs or is damaged.
        MissingError: videos are missing, and all others are the same.
    """
    contents: dict[str, set[str]] = {}
    for ref in manifest.images:
        contents.setdefault(ffpp_layout.path_of(ref.uri), set()).add(ref.content)
    record = Record(ffpp_layout.need_root(root))
    with stage("compare videos", len(contents)) as advance:

        def compare(path: str) -> str | None:
            try:
                same = {record.facts(path).sha256} == contents[path]
                return None if same else f"{path}: other content"
            except MissingError:
                return f"{path}: missing"
            except DamagedError as error:
                return f"{path}: {error}"
            finally:
                advance(1)

        try:
            wrong = [line for line in each(compare, sorted(contents)) if line is not None]
        finally:
            record.save()
    if wrong:
        more = [f"… and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
        head = f"The manifest is of other videos than {record.root}: {len(wrong)} of {len(contents)} differ."
        text = "\n  ".join([f"{head} {_AGAIN}", *wrong[:_TOLD], *more])
        raise (MissingError if all(line.endswith(": missing") for line in wrong) else UsageError)(text)


def check_compression(manifest: Manifest, compression: str) -> None:
    """Refuse a manifest of another compression than the suite's, whose released swaps would not fit its frames.

    Raises:
        UsageError: it is of another one, or of something else than FaceForensics++.
    """
    for ref in manifest.images:
        path = ffpp_layout.path_of(ref.uri)
        if f"/{compression}/" not in path:
            raise UsageError(
                f"The manifest is of {path}, the suite asks for compression {compression}: set compression in the "
                "suite's data to that of the manifest, or name another manifest."
            )


def first(manifest: Manifest, limit: int | None) -> Manifest:
    """The first pairs, and the images and galleries that belong to them; ``None`` keeps all.

    Raises:
        UsageError: the limit is below one.
    """
    if limit is None or limit >= len(manifest.pairs):
        return manifest
    if limit < 1:
        raise UsageError(f"A run needs at least one pair; given a limit of {limit}.")
    pairs = manifest.pairs[:limit]
    kept = {name for pair in pairs for name in (pair.source, pair.target)}
    return Manifest(
        images=tuple(ref for ref in manifest.images if ref.image in kept),
        pairs=pairs,
        galleries=galleries(pairs),
        origin=manifest.origin,
    )


def galleries(pairs: Sequence[Pair]) -> Mapping[str, tuple[str, ...]]:
    """``frames``: every sampled frame of a target; ``sources``: every frame that gives a face."""
    return {
        "frames": tuple(dict.fromkeys(pair.target for pair in pairs)),
        "sources": tuple(dict.fromkeys(pair.source for pair in pairs)),
    }


def notes(manifest: Manifest) -> dict[str, str]:
    """What a reader of the results must know, from the manifest's origin; the same wherever it is read."""
    parts = dict(part.split(": ", 1) for part in manifest.origin.split("; ") if ": " in part)
    if not {"FaceForensics++", "split"} <= set(parts):
        return {"images": manifest.origin}
    videos = {(manifest.image(pair.target).video, manifest.image(pair.source).video) for pair in manifest.pairs}
    words = f"{parts.pop('FaceForensics++')}, split {parts.pop('split')}"
    return {"images": f"frames of FaceForensics++, {words}; {len(videos)} of them used", **parts}


def _typed(manifest: Manifest) -> bool:
    """Whether fields hold what they should: the file may have been edited."""
    texts: list[Any] = [field for ref in manifest.images for field in (ref.uri, ref.identity, ref.video, ref.content)]
    frames = [ref.frame for ref in manifest.images]
    return all(isinstance(text, str) for text in texts) and all(type(frame) is int and frame >= 0 for frame in frames)
