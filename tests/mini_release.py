"""Real H.264 videos whose frames tell their number, and a FaceForensics++ in small made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from hifibench.data import images
from hifibench.records import Frame
from hifibench.video.picture import rgb

SIZE = (128, 96)
"""Width and height of numbered frames."""

_BITS, _BLOCK = 8, 16

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "original": (90, 90, 90),
    "FaceSwap": (200, 60, 60),
    "FaceShifter": (60, 190, 60),
    "Deepfakes": (60, 60, 200),
    "NeuralTextures": (190, 190, 60),
}


def numbered(number: int, colour: tuple[int, int, int], mark: int = 0, size: tuple[int, int] = SIZE) -> Frame:
    """A frame of one colour, the number in black and white blocks at the top, and a second one below it."""
    frame = np.empty((size[1], size[0], 3), np.uint8)
    frame[:] = colour
    for row, value in enumerate((number, mark)):
        for bit in range(_BITS):
            block = frame[row * _BLOCK : (row + 1) * _BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK]
            block[:] = 255 if value >> bit & 1 else 0
    return frame


def read(frame: Frame, row: int = 0) -> int:
    """The number that a frame bears after compression: that of the frame, or the mark below it (row 1)."""
    middle = frame[row * _BLOCK + _BLOCK // 2, _BLOCK // 2 : _BITS * _BLOCK : _BLOCK].mean(-1)
    return int(sum(1 << bit for bit, value in enumerate(middle) if value > 128))


def colour(frame: Frame) -> str:
    """Of which method a numbered frame is, by the colour of its lower part."""
    seen = frame[3 * _BLOCK :].mean((0, 1))
    return min(COLOURS, key=lambda name: float(np.abs(seen - COLOURS[name]).sum()))


def encode(
    path: Path,
    frames: Iterable[Frame],
    *,
    fps: int = 25,
    gop: int = 12,
    bframes: int = 3,
    open_gop: bool = True,
    start: int = 0,
    crf: int = 18,
    faststart: bool = True,
    times: Sequence[int] | None = None,
) -> Path:
    """Write frames as H.264.

    Args:
        path: its suffix decides on the container.
        frames: ``(H, W, 3)`` uint8 RGB, even sides.
        fps: frames per second.
        gop: frames from one key frame to the next.
        bframes: of them between two others.
        open_gop: whether frames before a key frame may refer to ones after it.
        start: time of the first frame, in frames.
        crf: as FaceForensics++ has 23 and 40.
        faststart: whether the index stands at the beginning of the file.
        times: when each frame is shown, in frames and ascending, for a variable frame rate; default one after another.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if faststart and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, fps)
        stream.options = {
            "crf": str(crf),
            "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:b-adapt=0:bframes={bframes}:"
            f"open-gop={int(open_gop)}:log-level=error",
        }
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts = (number if times is None else times[number]) + start
            picture.time_base = Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def decoded(path: Path) -> list[Frame]:
    """All frames, in the order in which a player shows them: one plain pass, without any seeking."""
    with av.open(str(path)) as container:
        return [rgb(frame) for frame in container.decode(video=0)]


@dataclass(frozen=True)
class MiniRelease:
    """A FaceForensics++ in small.

    Attributes:
        root: the folder with ``original_sequences`` and ``manipulated_sequences``.
        pairs_csv: two pairs of videos, both ways, three frames of each target, the images beside it.
        frames: index of these frames.
    """

    root: Path
    pairs_csv: Path
    frames: tuple[int, ...]


VIDEOS = {"000": 24, "003": 30}
"""Videos of the mini release, and how many frames they have; the swaps of 000 are as long, those of 003 shorter."""

SWAPPED = {"000_003": 24, "003_000": 20}


def mini_ffpp(
    folder: Path,
    methods: Sequence[str] = ("FaceSwap", "FaceShifter"),
    compressions: Sequence[str] = ("c23", "c40"),
    faces: Mapping[str, Frame] | None = None,
) -> MiniRelease:
    """Write the mini release and a file of pairs.

    A swap bears the colour of its method, the number of its frame, and as its mark 3 for the source 003 and 0 for 000.

    Args:
        folder: where to.
        methods: folders below ``manipulated_sequences``.
        compressions: ``raw``, ``c23``, ``c40``.
        faces: photographs that the videos 000 and 003 show in place of numbered frames, with even sides: for runs
            that look for faces. A swap then is the source's photograph, tinted by its method, in the target's size.
    """
    root = folder / "ffpp"
    for compression in compressions:
        crf = {"raw": 0, "c23": 23, "c40": 40}[compression]
        for video, count in VIDEOS.items():
            path = root / f"original_sequences/youtube/{compression}/videos/{video}.mp4"
            encode(path, _original(video, count, faces), crf=crf, fps=24 if video == "000" else 30)
        for method in methods:
            for pair, count in SWAPPED.items():
                path = root / f"manipulated_sequences/{method}/{compression}/videos/{pair}.mp4"
                encode(path, _swapped(method, pair, count, faces), crf=crf)
    frames = (2, 9, 17)
    for video in VIDEOS:
        shown = decoded(root / f"original_sequences/youtube/{compressions[0]}/videos/{video}.mp4")
        for index in frames:
            images.save_png(folder / f"images/{video}_{index:04d}.png", shown[index])
    rows = ["source,target,source_id,target_id,source_video,source_frame,target_video,target_frame"]
    for pair in SWAPPED:
        target, source = pair.split("_")
        rows += [
            f"images/{source}_0002.png,images/{target}_{index:04d}.png,{source},{target},{source},2,{target},{index}"
            for index in frames
        ]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return MiniRelease(root, folder / "pairs.csv", frames)


def _original(video: str, count: int, faces: Mapping[str, Frame] | None) -> list[Frame]:
    if faces is not None:
        return [faces[video]] * count
    return [numbered(number, COLOURS["original"], int(video)) for number in range(count)]


def _swapped(method: str, pair: str, count: int, faces: Mapping[str, Frame] | None) -> list[Frame]:
    target, source = pair.split("_")
    if faces is None:
        return [numbered(number, COLOURS[method], int(source)) for number in range(count)]
    if faces[source].shape != faces[target].shape:
        raise ValueError("the photographs must be of one size")
    tinted = faces[source] * 0.9 + np.array(COLOURS[method]) * 0.1
    return [tinted.round().astype(np.uint8)] * count
