"""Face masks from a face-parsing network that the user has: ONNX, TorchScript, or weights of BiSeNet or HRNet.

Expected is what the common BiSeNet release and its successors are: 512-pixel RGB, ImageNet mean and standard deviation
in; one score map for each of the 19 classes of CelebAMask-HQ out, or for each of the 11 of LaPa.

Sources of the classes: C.-H. Lee et al., "MaskGAN: towards diverse and interactive facial image manipulation", CVPR
2020, in the order of the BiSeNet release, which is not that of the data set's own tools; Y. Liu et al., "A new dataset
and boundary-attention semantic segmentation for face parsing", AAAI 2020.
"""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.faces.segment import DILATE, Mask, checked, dilate
from hifibench.onnx_session import session
from hifibench.records import Floats, Frame

if TYPE_CHECKING:
    from torch import nn

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

LAPA_LABELS: Mapping[str, int] = MappingProxyType(
    {
        "background": 0,
        "skin": 1,
        "left brow": 2,
        "right brow": 3,
        "left eye": 4,
        "right eye": 5,
        "nose": 6,
        "upper lip": 7,
        "mouth": 8,
        "lower lip": 9,
        "hair": 10,
    }
)
"""Class -> channel of the LaPa data set, which knows no glasses: they count as what lies behind them."""

LABELS: Mapping[int, Mapping[str, int]] = MappingProxyType(
    {len(labels): labels for labels in (CELEBAMASK_LABELS, LAPA_LABELS)}
)
"""Number of classes -> the labels that are taken for granted."""

FACE = (
    *("skin", "left brow", "right brow", "left eye", "right eye", "glasses"),
    *("nose", "mouth", "upper lip", "lower lip"),
)
"""The classes that are face: what a swap should change. Mouth is its inside."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_OPTIONAL = ("glasses",)
_TORCH = (".pt", ".pth", ".ts", ".jit", ".torchscript", ".tar")
_VERSION = 1
"""Raised by whoever changes what the code computes."""


class ParsingSegmenter:
    """The pixels that a face-parsing network labels as face, dilated.

    May be used from several threads; a child process needs its own.

    Args:
        path: the network: ``.onnx``, TorchScript (``.pt``, ``.pth``, ``.ts``, ``.jit``, ``.torchscript``), or a state
            dict (the same, or ``.tar``) of `hifibench.faces.bisenet` or `hifibench.faces.hrnet`, told apart by the
            names of its weights. An own network maps ``(1, 3, 512, 512)`` float32 to scores ``(1, C, 512, 512)``, or
            to several outputs of which that is the first. TorchScript is a program: take it from those you trust.
        crop: what the images are aligned by.
        labels: class -> channel, C of them, counted from 0; must name all of `FACE` but glasses. ``None`` takes those
            of `LABELS` that are as many as the network's scores.

    Raises:
        UsageError: there is no such file, it is no such network, or its scores have another shape; or the labels
            are not numbered from 0, or lack a class.
        MissingError: a package that the network is built from is not installed.
    """

    def __init__(self, path: Path, crop: Crop, labels: Mapping[str, int] | None = None) -> None:
        if labels is not None:
            _check_labels(labels)
        if not path.is_file():
            raise UsageError(
                f"There is no face-parsing network {path}. Give an .onnx or a TorchScript file, or weights of BiSeNet "
                "or HRNet."
            )
        self._crop = crop
        self._run = _open(path)
        labels = self._try(path, labels)
        self._face = np.zeros(len(labels), bool)
        self._face[[labels[name] for name in FACE if name in labels]] = True
        parts = {
            "network": hashlib.sha256(path.read_bytes()).hexdigest(),
            "face": np.flatnonzero(self._face).tolist(),
            "constants": [SIZE, DILATE],
            "crop": asdict(crop),
            "version": _VERSION,
        }
        self._fingerprint = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

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

    def _try(self, path: Path, labels: Mapping[str, int] | None) -> Mapping[str, int]:
        """Run it once, so that a wrong network is told before the first image; the labels of its scores."""
        try:
            shape = np.shape(self._run(np.zeros((1, 3, SIZE, SIZE), np.float32)))
        except Exception as error:  # what ONNX Runtime and TorchScript raise has no common base class but this
            raise UsageError(
                f"{path} does not run on an image (1, 3, {SIZE}, {SIZE}) of float32: {error}. "
                "Give a face-parsing network of that input."
            ) from error
        counts = LABELS if labels is None else {len(labels): labels}
        for count, known in counts.items():
            if shape == (1, count, SIZE, SIZE):
                return known
        expected = " or ".join(f"(1, {count}, {SIZE}, {SIZE})" for count in counts)
        raise UsageError(
            f"{path} gives scores of shape {shape}; expected {expected}, one map for each class. "
            "Give a face-parsing network of the classes of CelebAMask-HQ or LaPa."
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
    if suffix in _TORCH:
        return _as_function(_torchscript(path) if _is_torchscript(path) else _from_weights(path))
    raise UsageError(
        f"{path} has the suffix {suffix!r}; a face-parsing network is an .onnx file, or TorchScript or weights "
        f"({', '.join(_TORCH)})."
    )


def _open_onnx(path: Path) -> Callable[[Floats], Floats]:
    network = session(path)
    given, made = network.get_inputs()[0].name, network.get_outputs()[0].name

    def run(image: Floats) -> Floats:
        scores: Floats = network.run([made], {given: image})[0]
        return scores

    return run


def _is_torchscript(path: Path) -> bool:
    """Whether it is an archive with the code of a TorchScript program in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _torchscript(path: Path) -> nn.Module:
    import torch

    try:
        with warnings.catch_warnings():
            # Deprecated by torch, but many parsing networks exist in no other form that holds the network itself.
            warnings.simplefilter("ignore", FutureWarning)
            network: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UsageError(
            f"{path} cannot be opened as TorchScript: {str(error).splitlines()[0]}. Export the network again."
        ) from error
    network.eval()
    return network


def _from_weights(path: Path) -> nn.Module:
    """The network that the names of the weights tell."""
    from hifibench.experts import checkpoint
    from hifibench.faces import bisenet, hrnet

    wanted = "TorchScript, or a state dict of BiSeNet (79999_iter.pth) or of HRNetV2"
    weights = checkpoint.state(path, wanted)
    if bisenet.fits(weights):
        return bisenet.build(weights, path)
    if hrnet.fits(weights):
        return hrnet.build(weights, path)
    some = ", ".join(list(weights)[:3])
    raise UsageError(
        f"{path} holds weights of no face-parsing network that is known here ({some}, …). Give {wanted}; a file of "
        "weights alone holds no network: export any other with torch.onnx.export or torch.jit.trace first."
    )


def _as_function(network: nn.Module) -> Callable[[Floats], Floats]:
    import torch

    def run(image: Floats) -> Floats:
        with torch.inference_mode():
            made: Any = network(torch.from_numpy(image))
        scores: Floats = (made[0] if isinstance(made, (tuple, list)) else made).float().numpy()
        return scores

    return run


def _check_labels(labels: Mapping[str, int]) -> None:
    if sorted(labels.values()) != list(range(len(labels))):
        raise UsageError(f"The labels of a face-parsing network count from 0; given {sorted(labels.values())}.")
    missing = [name for name in FACE if name not in labels and name not in _OPTIONAL]
    if missing:
        raise UsageError(
            f"The labels of a face-parsing network must name {', '.join(missing)}; given {', '.join(labels) or 'none'}."
        )
