"""Where faces come from: files of the user, generated portraits, rendered heads, and FaceForensics++.

A kind of data offers two things: a plan (suite data -> `Manifest`) and a way from an `ImageRef` to its pixels. Rendered
heads offer a third: all that is known of an image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hifibench.errors import UsageError
from hifibench.records import Floats, Frame, ImageRef, Manifest
from hifibench.stage import Stage, quiet
from hifibench.suite import Data, FfppData, FileData, HeadData

Loader = Callable[[ImageRef], Frame]
Facts = Callable[[ImageRef], Mapping[str, Floats]]


def plan(data: Data, seed: int, limit: int | None, stage: Stage = quiet) -> Manifest:
    """The images and pairs of a run.

    Args:
        data: the suite's description of its images.
        seed: chooses people and partners where they are chosen at random.
        limit: how many pairs to keep, the first ones; ``None`` for all.
        stage: where progress is told, if it takes long.

    Raises:
        UsageError: the data cannot be planned; says why.
        MissingError: a dataset, or a part of it, is not there; says where to get it.
    """
    if isinstance(data, FileData):
        from hifibench.data import files

        return files.plan(data.pairs_csv, limit)
    if isinstance(data, FfppData):
        from hifibench.data import faceforensics

        return faceforensics.plan(data, limit, stage)
    if isinstance(data, HeadData):
        from hifibench.data import head_pairs

        return head_pairs.plan(data, seed, limit)
    from hifibench.data import portraits

    pairs = data.pairs if limit is None else min(limit, data.pairs)
    return portraits.plan(data.identities, data.views, pairs, data.split, seed)


def notes(data: Data, manifest: Manifest) -> dict[str, str]:
    """What a reader of the results must know of how the images came about; the same for the same run."""
    if isinstance(data, FileData):
        return {"images": "photographs of the user's own"}
    if isinstance(data, FfppData):
        from hifibench.data import ffpp_manifest

        return ffpp_manifest.notes(manifest)
    if isinstance(data, HeadData):
        return {
            "images": "rendered heads of people who do not exist",
            "truth": "rendered: the source's shape and skin under the target's expression, pose, gaze, light, hair, "
            "background and occluder",
        }
    from hifibench.data import portraits

    moved = portraits.acceptance([ref.uri for ref in manifest.images])
    share = 100 * moved.kept / moved.tried if moved.tried else 0.0
    return {
        "images": "generated portraits of people who do not exist",
        "views": f"{moved.kept} of {moved.tried} moved faces kept ({share:.0f} %), where w600k sees the same person",
    }


def loader(data: Data) -> Loader:
    """A function from a manifest's image to its frame, usable from several threads."""
    if isinstance(data, FileData):
        from hifibench.data import files

        root = data.pairs_csv.resolve().parent
        return lambda ref: files.load(ref, root)
    if isinstance(data, FfppData):
        from hifibench.data.faceforensics import root_of
        from hifibench.data.ffpp_frames import Frames

        return Frames(root_of(data), data.keep_frames).load
    if isinstance(data, HeadData):
        from hifibench.data import heads

        return lambda ref: heads.load(ref.uri)
    from hifibench.data import portraits

    def load(ref: ImageRef) -> Frame:
        if not ref.uri.startswith("portrait:"):
            raise UsageError(f"The image {ref.image} ({ref.uri}) is no generated portrait.")
        return portraits.load(ref.uri)

    return load


def provenance(data: Data, ref: ImageRef) -> dict[str, str] | None:
    """What files with an image say of how it was generated (`hifibench.data.images.save_png`); ``None``: it is none."""
    if isinstance(data, FileData | FfppData):
        return None
    if isinstance(data, HeadData):
        from hifibench.data import heads

        return {"generator": heads.GENERATOR, "head": ref.uri}
    from hifibench.data import generator

    return {"generator": generator.NAME, "portrait": ref.uri}


def facts(data: Data) -> Facts | None:
    """A function from a manifest's image to what is known of it by its making; ``None`` where nothing is."""
    if not isinstance(data, HeadData):
        return None
    from hifibench.data import heads

    return lambda ref: heads.facts(ref.uri)
