"""Runs in FSGAN's environment, inside its checkout: whole frames in, whole frames out.

FSGAN (v2) swaps videos. A still becomes a clip of equal frames, and the middle frame of the result is taken: the ends
are where its smoothing over time has least to go by. It caches what it found beside its inputs, so these are copies in
the scratch folder, named by their contents: an image that comes again is not looked at again.
"""

import argparse
import hashlib
import importlib
import inspect
import os
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "external"))
child = importlib.import_module("child")
del sys.path[0]

FPS = 25.0
WEIGHTS = {
    "detection_model": "WIDERFace_DSFD_RES152.pth",
    "pose_model": "hopenet_robust_alpha1.pth",
    "lms_model": "hr18_wflw_landmarks.pth",
    "seg_model": "celeba_unet_256_1_2_segmentation_v2.pth",
    "reenactment_model": "nfv_msrunet_256_1_2_reenactment_v2.1.pth",
    "completion_model": "ijbc_msrunet_256_1_2_inpainting_v2.pth",
    "blending_model": "ijbc_msrunet_256_1_2_blending_v2.pth",
    "criterion_id": "vggface2_vgg19_256_1_2_id.pth",
}
"""Argument of ``FaceSwapping`` -> file; the last is an expression that holds the file's path."""


def arguments() -> argparse.Namespace:
    """Where the weights are, and how a swap is made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--codec", required=True)
    parser.add_argument("--finetune", action="store_true")
    return parser.parse_args()


def importable(checkout: Path) -> None:
    """Put FSGAN's package on the search path; older checkouts are themselves the package."""
    inside = (checkout / "fsgan" / "inference" / "swap.py").is_file()
    sys.path.insert(0, str(checkout if inside else checkout.parent))


def settings(chosen: argparse.Namespace, theirs: Any) -> "dict[str, Any]":
    """The arguments of ``FaceSwapping``: the authors' defaults but for paths, device, codec and fine-tuning.

    Args:
        chosen: the command line.
        theirs: the module ``fsgan.inference.swap``.
    """
    wanted: dict[str, Any] = {name: str(Path(chosen.weights, file)) for name, file in WEIGHTS.items()}
    # Their default reads like "vgg_loss.VGGLoss('weights/file.pth')".
    constructor = theirs.parser.get_default("criterion_id").partition("(")[0]
    wanted["criterion_id"] = "{}({!r})".format(constructor, wanted["criterion_id"])
    kind, _, number = child.device().partition(":")
    wanted.update(encoder_codec=chosen.codec, finetune=chosen.finetune, cpu_only=kind == "cpu")
    if number:
        wanted["gpus"] = [int(number)]
    unknown = sorted(set(wanted) - set(inspect.signature(theirs.FaceSwapping.__init__).parameters))
    if unknown:
        child.fail(f"FaceSwapping of this checkout takes no {', '.join(unknown)}: it is not FSGAN v2")
    return wanted


def clip(image: str, folder: Path, frames: int, codec: str) -> Path:
    """A still as a video of equal frames; its sides are made even, as the codec needs, by repeating the edge.

    Args:
        image: path of a PNG.
        folder: where clips are kept.
        frames: how many, at least 10: FSGAN drops shorter appearances of a face.
        codec: four letters.
    """
    import cv2

    path = folder / hashlib.sha256(Path(image).read_bytes()).hexdigest()[:32] / "clip.mp4"
    if path.is_file():
        return path
    frame: Any = cv2.imread(image, cv2.IMREAD_COLOR)
    height, width = frame.shape[:2]
    frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    path.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(path), int.from_bytes(codec.encode(), "little"), FPS, frame.shape[1::-1])
    if not writer.isOpened():
        shutil.rmtree(str(path.parent))
        raise RuntimeError(f"OpenCV of this environment cannot write {codec} video")
    for _ in range(frames):
        writer.write(frame)
    writer.release()
    return path


def middle(video: Path, image: str) -> Any:
    """The middle frame of a video, cut to the size of the still that it was made of."""
    import cv2

    reader = cv2.VideoCapture(str(video))
    frames = []
    ok, frame = reader.read()
    while ok:
        frames.append(frame)
        ok, frame = reader.read()
    reader.release()
    if not frames:
        raise RuntimeError("FSGAN wrote no video that can be read")
    still: Any = cv2.imread(image, cv2.IMREAD_COLOR)
    return frames[len(frames) // 2][: still.shape[0], : still.shape[1]]


def main() -> None:
    """Load, then serve."""
    child.need("torch", "torchvision", "cv2", "numpy", "scipy", "matplotlib", "tqdm", "face_detection_dsfd")
    import cv2
    import torch

    chosen = arguments()
    importable(Path.cwd())
    child.need("fsgan.inference.swap")
    theirs = importlib.import_module("fsgan.inference.swap")
    face_swapping = theirs.FaceSwapping(**settings(chosen, theirs))
    print(f"FSGAN: {chosen.frames} frames a clip, {chosen.codec}, fine-tuning {'on' if chosen.finetune else 'off'}")

    def swap(source: str, target: str, out: str) -> None:
        folder = Path(out).parent / f"fsgan-{os.getpid()}"
        made = folder / "made.mp4"
        if made.is_file():
            made.unlink()
        clips = []
        try:
            clips += [clip(source, folder, chosen.frames, chosen.codec)]
            clips += [clip(target, folder, chosen.frames, chosen.codec)]
            face_swapping(str(clips[0]), str(clips[1]), str(made), finetune=chosen.finetune)
            cv2.imwrite(out, middle(made, target))
        except BaseException:
            # What it has cached may be half written, and would fail every other pair of these images.
            for path in clips:
                shutil.rmtree(str(path.parent), ignore_errors=True)
            raise

    child.serve(swap, "FSGAN v2", torch=torch.__version__, opencv=cv2.__version__)


if __name__ == "__main__":
    main()
