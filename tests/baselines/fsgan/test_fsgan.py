"""The wrapper of FSGAN runs a checkout with the authors' modules and signatures, made here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines.external.swapper import External
from baselines.fsgan import fsgan
from baselines.fsgan.table import FILES
from hifibench.contracts import Crop
from hifibench.errors import MethodError, MissingError, UsageError
from hifibench.pipeline.swap import Job, loaded, swap_jobs
from hifibench.records import Face, Frame, Status

FACE = Face(np.array([10, 10, 60, 60], np.float32), np.zeros((5, 2), np.float32), 0.9)

# The target's clip comes back with the mean colour of the source's in its top left corner: pure in the middle frame,
# black in all others. Its caches are files beside the inputs, as the authors' are.
_SWAP = """
import argparse, os, sys
import cv2
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--criterion_id", default="vgg_loss.VGGLoss('weights/old.pth')")
print("importing")

class FaceSwapping:
    def __init__(self, resolution=256, gpus=None, cpu_only=False, encoder_codec="avc1", detection_model="",
                 pose_model="", lms_model="", seg_model="", finetune=False, reenactment_model="", completion_model="",
                 blending_model="", criterion_id="", min_length=10):
        print("cpu_only", cpu_only, "gpus", gpus, "finetune", finetune, "criterion", criterion_id)
        paths = (detection_model, pose_model, lms_model, seg_model, reenactment_model, completion_model, blending_model)
        assert all(os.path.isfile(path) for path in paths), paths
        self.min_length, self.codec = min_length, encoder_codec

    def cache(self, path):
        assert path.endswith(".mp4") and "fsgan-" in path
        folder = os.path.splitext(path)[0]
        mark = os.path.join(folder, "detections.pkl")
        if os.path.isfile(mark):
            print("cached", path)
            return np.load(os.path.join(folder, "frames.npy"))
        os.mkdir(folder)
        open(mark, "w").close()
        reader, frames = cv2.VideoCapture(path), []
        ok, frame = reader.read()
        while ok:
            frames.append(frame)
            ok, frame = reader.read()
        assert len(frames) >= self.min_length
        if frames[0].mean() < 5:
            raise RuntimeError("no face found")
        np.save(os.path.join(folder, "frames.npy"), np.stack(frames))
        return np.stack(frames)

    def __call__(self, source_path, target_path, output_path=None, select_source="longest", select_target="longest",
                 finetune=None):
        print("finetune now", finetune)
        source, target = self.cache(source_path), self.cache(target_path)
        size = target.shape[2], target.shape[1]
        writer = cv2.VideoWriter(output_path, cv2.VideoWriter.fourcc(*self.codec), 25, size)
        for number, frame in enumerate(target):
            frame = frame.copy()
            frame[:32, :32] = source[0].mean(axis=(0, 1)) if number == len(target) // 2 else 0
            writer.write(frame)
        writer.release()
"""


def checkout(folder: Path, old_layout: bool = False) -> Path:
    code = folder / "fsgan"
    package = code if old_layout else code / "fsgan"
    (package / "inference").mkdir(parents=True)
    (package / "inference" / "swap.py").write_text(_SWAP)
    for init in (package / "__init__.py", package / "inference" / "__init__.py"):
        init.touch()
    (code / "weights").mkdir()
    for file in FILES:
        (code / "weights" / file).write_bytes(b"w")
    environment = folder / "site"
    environment.mkdir()
    for name in ("torch", "torchvision", "scipy", "matplotlib", "tqdm", "face_detection_dsfd"):
        (environment / f"{name}.py").write_text("__version__ = '0'")  # real ones take seconds to import
    return code


def table(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"python": sys.executable, "checkout": "fsgan", "env": {"PYTHONPATH": str(folder / "site")}} | changes


@contextmanager
def started(folder: Path, device: str = "cpu", **changes: Any) -> Iterator[External]:
    plugin = fsgan.make("mine", table(folder, **changes), folder)
    with loaded(plugin, device, folder / "logs" / "mine") as swapper:
        assert isinstance(swapper, External)
        yield swapper


def log(folder: Path) -> str:
    (file,) = (folder / "logs" / "mine").iterdir()
    return file.read_text()


def colour(rgb: tuple[int, int, int], height: int, width: int) -> Frame:
    frame: Frame = np.empty((height, width, 3), np.uint8)
    frame[:] = rgb
    return frame


def job(source: Frame, target: Frame) -> Job:
    return Job(source, FACE, target, FACE)


@pytest.mark.parametrize("old_layout", [False, True])
def test_stills_become_clips_and_the_middle_frame_is_the_swap(tmp_path: Path, old_layout: bool) -> None:
    checkout(tmp_path, old_layout)
    red, green, black = colour((220, 30, 40), 80, 96), colour((40, 180, 60), 97, 131), colour((0, 0, 0), 80, 80)
    with started(tmp_path) as swapper:
        assert swapper.card.source == swapper.card.target == Crop("frame")
        done = swap_jobs(swapper, [job(red, green), job(black, green), job(red, red), job(green, green)])
    assert [one.status for one in done] == [Status.OK, Status.FAILED, Status.OK, Status.OK]
    assert "no swap: RuntimeError: no face found" in done[1].message
    swapped = done[0].frame
    assert swapped is not None and swapped.shape == green.shape, "odd sides come back"
    # Video subsamples colour, so the seams are left out.
    assert np.abs(swapped[4:24, 4:24].astype(int) - red[0, 0]).max() <= 12
    assert np.abs(swapped[48:, 48:].astype(int) - green[0, 0]).max() <= 12
    said = log(tmp_path)
    assert said.count("cached") == 3, "what failed is looked at again, what was seen is not"
    assert "12 frames a clip, mp4v, fine-tuning off" in said and "finetune now False" in said
    assert f"criterion vgg_loss.VGGLoss('{tmp_path / 'fsgan' / 'weights' / FILES[-1]}')" in said
    assert "cpu_only True gpus None" in said


def test_fine_tuning_and_the_device_are_handed_on_and_declared(tmp_path: Path) -> None:
    checkout(tmp_path)
    with started(tmp_path, "cuda:1", finetune=True, frames=10) as swapper:
        swap_jobs(swapper, [job(colour((200, 0, 0), 64, 64), colour((0, 200, 0), 64, 64))])
        assert "Fine-tuning on" in swapper.card.limits and "fine-tuning on" in swapper.card.summary
    said = log(tmp_path)
    assert "cpu_only False gpus [1] finetune True" in said and "finetune now True" in said and "10 frames" in said
    off = fsgan.make("mine", table(tmp_path), tmp_path).card
    assert off.hash != swapper.card.hash and "Fine-tuning off" in off.limits


def test_what_is_missing_is_named_with_its_licence(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"checkout of mine is not there.*github\.com/YuvalNirkin/fsgan.*CC0"):
        fsgan.make("mine", table(tmp_path), tmp_path).load("cpu")
    code = checkout(tmp_path)
    for file in FILES[:2]:
        (code / "weights" / file).unlink()
    with pytest.raises(MissingError, match=f"mine lacks .*{FILES[0]}, .*{FILES[1]}.*download_fsgan_models.py.*CC0"):
        fsgan.make("mine", table(tmp_path), tmp_path).load("cpu")
    with pytest.raises(MissingError, match="nowhere/python, which is not there"):
        (tmp_path / "w").mkdir()
        for file in FILES:
            (tmp_path / "w" / file).touch()
        fsgan.make("mine", table(tmp_path, weights="w", python="nowhere/python"), tmp_path).load("cpu")


def test_packages_that_the_interpreter_lacks_are_named(tmp_path: Path) -> None:
    checkout(tmp_path)
    (tmp_path / "site" / "scipy.py").write_text("raise ImportError('no BLAS')")
    (tmp_path / "site" / "face_detection_dsfd.py").unlink()
    message = r"cannot import scipy \(ImportError: no BLAS\), face_detection_dsfd \(ModuleNotFoundError"
    with pytest.raises(MethodError, match=message), started(tmp_path):
        pass


def test_another_version_of_the_code_is_named(tmp_path: Path) -> None:
    swap = checkout(tmp_path) / "fsgan" / "inference" / "swap.py"
    swap.write_text(_SWAP.replace('seg_model="", finetune=False', "seg_model_=None, finetune=False"))
    with pytest.raises(MethodError, match="takes no seg_model: it is not FSGAN v2"), started(tmp_path):
        pass


def test_the_weights_are_those_that_the_wrapper_opens() -> None:
    wrapper = importlib.import_module("baselines.fsgan.wrapper")
    assert tuple(wrapper.WEIGHTS.values()) == FILES


@pytest.mark.parametrize(("changes", "message"), [({"frames": 9}, "frames: "), ({"codec": "h265x"}, "codec: ")])
def test_a_wrong_table_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fsgan.make("mine", table(tmp_path, **changes), tmp_path)
