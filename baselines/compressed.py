"""The swaps of a finished run, compressed: a method known by what it made, to be scored once more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hifibench import clips
from hifibench.compression import Compression
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.data import Loader, images
from hifibench.errors import ImageError, MissingError
from hifibench.pipeline.store import RunFolder, chunks, read_json
from hifibench.records import Frame, ImageRef, Manifest, Pair, Status, Swapped


@dataclass(frozen=True)
class Made:
    """What a run keeps of one swap: how it ended, why, and the hash of its pixels, empty where there are none."""

    status: Status
    message: str
    content: str


class CompressedSwaps:
    """A `hifibench.contracts.ReleasedSwapper`: a pair that failed in the run fails here alike.

    Args:
        card: the card it is loaded under.
        made: pair -> its swap in the run.
        frames: the swaps that there are, compressed.
    """

    def __init__(self, card: SwapperCard, made: Mapping[str, Made], frames: clips.Compressed) -> None:
        self._card, self._made, self._frames = card, made, frames

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        """See `hifibench.contracts.ReleasedSwapper.find`.

        A swap that cannot be read, or is not the one that the run made, is ``FILE_MISSING``: the run can make it again.
        """
        made = self._made[pair.pair]
        if made.status is not Status.OK:
            return Swapped(None, made.status, made.message)
        try:
            return Swapped(self._frames.frame(pair.pair), Status.OK)
        except ImageError as error:
            return Swapped(None, Status.FILE_MISSING, str(error))


def method(
    card: SwapperCard, run: Path, manifest: Manifest, how: Compression, original: Loader, moving: bool
) -> SwapperPlugin:
    """A method of a finished run as a method of its own, which gives the same swaps compressed.

    Args:
        card: what the run says of the method; ``weights`` is the hash of the card that it ran under.
        run: the run folder.
        manifest: of the run.
        how: the compression.
        original: gives an image of the run, not compressed. A clip shows the target's frame where a swap failed, as a
            swapped video does, so that it has the same frames for every method.
        moving: as of `hifibench.clips.of_pairs`.

    Returns:
        The method under its own name. Its card has another hash for other swaps and for another compression.

    Raises:
        MissingError: swaps of the method are gone from the run.
    """
    made = swaps(card.name, run, manifest)
    rows = [[pair, made[pair].status, made[pair].content] for pair in sorted(made)]
    text = json.dumps([card.weights, how.words, moving, rows])
    compressed = replace(
        card,
        summary=f"{card.summary}; {how.name}",
        source=Crop("frame"),
        target=Crop("frame"),
        assets=(),
        weights=hashlib.sha256(text.encode()).hexdigest(),
    )

    targets = {pair.pair: pair.target for pair in manifest.pairs}

    def frame(pair: str) -> Frame:
        if made[pair].status is not Status.OK:
            return original(manifest.image(targets[pair]))
        path = RunFolder(run).swap_image(card.name, pair)
        found = images.load(path)
        if images.content_hash(found) != made[pair].content:
            raise ImageError(f"{path} is not the image that {card.name} made. {_AGAIN}")
        return found

    def load(device: str) -> CompressedSwaps:
        return CompressedSwaps(compressed, made, clips.Compressed(how, clips.of_pairs(manifest, moving), frame))

    return SwapperPlugin(compressed, load)


_AGAIN = "Run the same 'hifibench run' again: it makes what is missing; then this command."


def swaps(name: str, run: Path, manifest: Manifest) -> dict[str, Made]:
    """Pair -> swap of a method in a finished run.

    Args:
        name: of the method.
        run: the run folder.
        manifest: of the run.

    Raises:
        MissingError: some are gone.
    """
    folder = RunFolder(run)
    made: dict[str, Made] = {}
    for index, part in enumerate(chunks(manifest.pairs)):
        mark = read_json(folder.swap_chunk(name, index))
        if mark is None or [row["pair"] for row in mark["pairs"]] != [pair.pair for pair in part]:
            raise MissingError(f"{run} does not say how the swaps of {name} ended: {folder.swap_chunk(name, index)} "
                               f"is gone, or of other pairs. {_AGAIN}")  # fmt: skip
        made |= {row["pair"]: Made(Status(row["status"]), row["message"], row["content"]) for row in mark["pairs"]}
    wanted = [folder.swap_image(name, pair) for pair, one in made.items() if one.status is Status.OK]
    gone = [path for path in wanted if not path.is_file()]
    if gone:
        raise MissingError(
            f"{len(gone)} of the {len(wanted)} swaps of {name} are gone from {run}, such as {gone[0].name}. {_AGAIN}"
        )
    return made
