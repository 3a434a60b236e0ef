"""Face masks from a face-parsing network that the user has, as an ONNX or TorchScript file.

Expected is what the common BiSeNet release and its successors are: 512-pixel RGB, ImageNet mean and standard deviation
in; one score map for each of the 19 classes of CelebAMask-HQ out.

Source of the classes: C.-H. Lee et al., "MaskGAN: towards diverse and interactive facial image manipulation", CVPR
2020; their order is that of the BiSeNet release, which is not the order of the data set's own tools.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces.segment import DILATE, Mask, checked, dilate
from hifibench.onnx_session import session
from hifibench.records import Floats, Frame

SIZE = 512
"""Side in pixels of what the network sees."""

CELEBAMASK_LABELS: Mapping[str, int] = MappingProxyType(
    {
        "background": 0,
        "skin": 1,
        "left brow": 2,
        "right brow": 3,
        "left eye": 4,
        "right eye": 5,
        "glasses": 6,
        "left ear": 7,
        "right ear": 8,
        "earring": 9,
        "nose": 10,
        "mouth": 11,
        "upper lip": 12,
        "lower lip": 13,
        "neck": 14,
        "necklace": 15,
        "cloth": 16,
        "hair": 17,
        "hat": 18,
    }
)
"""Class -> channel of the BiSeNet release. Which of two sides is called left makes no difference here."""

FACE = (
    *("skin", "left brow", "right brow", "left eye", "right eye", "glasses"),
    *("nose", "mouth", "upper lip", "lower lip"),
)
"""The classes that are face: what a swap should change. Mouth is its inside."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_TORCHSCRIPT = (".pt", ".pth", ".ts", ".jit", ".torchscript")
_VERSION = 1
"""Raised by whoever changes what the code computes."""


class ParsingSegmenter:
    """The pixels that a face-parsing network labels as face, dilated.

    May be used from several threads; a child process needs its own.

    Args:
        path: the network, ``.onnx`` or TorchScript (``.pt``, ``.pth``, ``.ts``, ``.jit``, ``.torchscript``). It maps
            ``(1, 3, 512, 512)`` float32 to scores ``(1, C, 512, 512)``, or to several outputs of which that is the
            first. TorchScript is a program: take it from those you trust.
        crop: what the images are aligned by.
        labels: class -> channel, C of them, counted from 0; must name all of `FACE`.

    Raises:
        UsageError: there is no such file, it is no such network, or its scores have another shape; or the labels
            are not numbered from 0, or lack a class.
    """

    def __init__(self, path: Path, crop: Crop, labels: Mapping[str, int] = CELEBAMASK_LABELS) -> None:
        _check_labels(labels)
        if not path.is_file():
            raise UsageError(f"There is no face-parsing network {path}. Give an .onnx or a TorchScript file.")
        self._crop = crop
        self._classes = len(labels)
        self._face = np.zeros(self._classes, bool)
        self._face[[labels[name] for name in FACE]] = True
        self._run = _open(path)
        parts = {
            "network": hashlib.sha256(path.read_bytes()).hexdigest(),
            "face": np.flatnonzero(self._face).tolist(),
            "constants": [SIZE, DILATE],
            "crop": asdict(crop),
            "version": _VERSION,
        }
        self._fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        self._try(path)

    @property
    def fingerprint(self) -> str:
        """See `hifibench.faces.segment.FaceSegmenter.fingerprint`."""
        return self._fingerprint

    def segment(self, crop: Frame) -> Mask:
        """See `hifibench.faces.segment.FaceSegmenter.segment`."""
        import cv2

        image = checked(crop, self._crop)
        scores = self._run(_network_input(image))
        face = self._face[scores[0].argmax(0)].astype(np.float32)
        # Averaged on the way down, interpolated on the way up: a pixel is face if half of it is.
        shrinks = self._crop.size < SIZE
        resized = cv2.resize(face, image.shape[1::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return dilate(resized >= 0.5)

    def _try(self, path: Path) -> None:
        """Run it once, so that a wrong network is told before the first image."""
        expected = (1, self._classes, SIZE, SIZE)
        try:
            shape = np.shape(self._run(np.zeros((1, 3, SIZE, SIZE), np.float32)))
        except Exception as error:  # what ONNX Runtime and TorchScript raise has no common base class but this
            raise UsageError(
                f"{path} does not run on an image (1, 3, {SIZE}, {SIZE}) of float32: {error}. "
                "Give a face-parsing network of that input."
            ) from error
        if shape != expected:
            raise UsageError(
                f"{path} gives scores of shape {shape}; expected {expected}, one map for each of {self._classes} "
                "classes. Give a face-parsing network of the CelebAMask-HQ classes."
            )


def _network_input(image: Frame) -> Floats:
    """``(S, S, 3)`` uint8 to ``(1, 3, 512, 512)`` float32, standardised as ImageNet networks are."""
    import cv2

    shrinks = len(image) > SIZE
    resized = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    standard = (resized.astype(np.float32) / np.float32(255) - _MEAN) / _STD
    return np.ascontiguousarray(standard.transpose(2, 0, 1)[None])


def _open(path: Path) -> Callable[[Floats], Floats]:
    """A function from the network's input to its first output."""
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return _open_onnx(path)
    if suffix in _TORCHSCRIPT:
        return _open_torchscript(path)
    raise UsageError(
        f"{path} has the suffix {suffix!r}; a face-parsing network is an .onnx file or TorchScript "
        f"({', '.join(_TORCHSCRIPT)})."
    )


def _open_onnx(path: Path) -> Callable[[Floats], Floats]:
    network = session(path)
    given, made = network.get_inputs()[0].name, network.get_outputs()[0].name

    def run(image: Floats) -> Floats:
        scores: Floats = network.run([made], {given: image})[0]
        return scores

    return run


def _open_torchscript(path: Path) -> Callable[[Floats], Floats]:
    import torch

    try:
        with warnings.catch_warnings():
            # Deprecated by torch, but many parsing networks exist in no other form that holds the network itself.
            warnings.simplefilter("ignore", FutureWarning)
            network = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UsageError(
            f"{path} cannot be opened as TorchScript: {str(error).splitlines()[0]}. A file of weights alone holds no "
            "network: export it with torch.onnx.export or torch.jit.trace first."
        ) from error

    def run(image: Floats) -> Floats:
        with torch.inference_mode():
            made: Any = network(torch.from_numpy(image))
        scores: Floats = (made[0] if isinstance(made, (tuple, list)) else made).float().numpy()
        return scores

    return run


def _check_labels(labels: Mapping[str, int]) -> None:
    if sorted(labels.values()) != list(range(len(labels))):
        raise UsageError(f"The labels of a face-parsing network count from 0; given {sorted(labels.values())}.")
    missing = [name for name in FACE if name not in labels]
    if missing:
        raise UsageError(
            f"The labels of a face-parsing network must name {', '.join(missing)}; given {', '.join(labels) or 'none'}."
        )
