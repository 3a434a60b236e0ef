"""Methods for `hifibench calibrate`: the true swap itself, and the true swap with one property moved by a known amount.

They need to know the true swap, so they work on rendered heads (`hifibench.data.heads`) and on nothing else. None of
them is a face swapper; they are no entry points, and `offer` makes them known to the process that calibrates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from baselines.controls import JPEG_QUALITY
from hifibench import registry
from hifibench.calibration.series import SERIES, Series
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.records import Frame, ImageRef, Pair, Status, Swapped
from metrics.calibration import SOURCE_COPY

if TYPE_CHECKING:
    from types import ModuleType

UNDAMAGED = "truth"
"""The true swap, a reference row of the harness (`baselines.controls`): dose 0 of every series."""
AGAIN = "again"
"""The true swap rendered again, with other sensor noise."""
RE_ENCODE = "re-encode-truth"
"""The true swap through JPEG."""

NOISE = 1
"""Which other noise `AGAIN` is rendered with."""

_AXIS = {"yaw": 0, "pitch": 1, "roll": 2}

Make = Callable[[str, str], Frame]
"""uris of source and target -> frame."""


class Dose:
    """A `hifibench.contracts.ReleasedSwapper` whose frame is rendered when it is asked for.

    Args:
        card: the card it is loaded under.
        make: uris of source and target to the frame.
    """

    def __init__(self, card: SwapperCard, make: Make) -> None:
        self._card = card
        self._make = make

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        """See `hifibench.contracts.ReleasedSwapper.find`.

        Raises:
            UsageError: source or target is no rendered head.
        """
        return Swapped(self._make(source.uri, target.uri), Status.OK)


def version() -> int:
    """Of the rendered heads."""
    return int(_heads().VERSION)


def dosed(series: Series, dose: float, source: str, target: str) -> str:
    """The scene of one dose of a series whose ``how`` is ``scene``."""
    heads = _heads()
    scene = heads.swapped(source, target)
    amount, other = dose, 0
    if series.towards == "camera":
        amount = -np.sign(_angle(series, scene) or 1.0) * dose
    elif series.towards == "target":
        other = heads.parse(target).person
    elif series.towards == "source":
        other = heads.parse(source).shot
    return str(heads.changed(scene, series.name, float(amount), other))


def _angle(series: Series, scene: str) -> float:
    """The angle that the series moves, in degrees."""
    known = _heads().facts(scene)
    return float(known["gaze_deg"][0] if series.name == "gaze" else known["pose_deg"][_AXIS[series.name]])


def amount(series: Series, dose: float, source: str, target: str) -> float:
    """How much a dose moves the property of one pair, in the series' unit."""
    if series.measure is None:
        return dose
    heads = _heads()
    return series.measure(heads.facts(heads.swapped(source, target)), heads.facts(dosed(series, dose, source, target)))


def _dose_frame(series: Series, dose: float) -> Make:
    if series.how == "scene":
        return lambda source, target: _render(dosed(series, dose, source, target))

    def make(source: str, target: str) -> Frame:
        scene = _heads().swapped(source, target)
        return _DAMAGES[series.name](_render(scene), dose, lambda labels: _labelled(scene, labels))

    return make


def _render(scene: str) -> Frame:
    """The frame, made anew: the run folder keeps it, so the cache of heads need not."""
    frame: Frame = _heads().drawn(scene)
    return frame


def _labelled(scene: str, labels: Iterable[int]) -> NDArray[np.bool_]:
    """Where a scene shows one of the labels, ``(H, W)``."""
    heads = _heads()
    mask: NDArray[np.bool_] = np.isin(heads.facts(scene)["parsing"], list(labels))
    return mask


Region = Callable[[Iterable[int]], NDArray[np.bool_]]


def seam(frame: Frame, dose: float, region: Region) -> Frame:
    """The face brighter by ``dose`` grey levels, with a hard edge."""
    face = region(_heads().FACE)
    return np.asarray(np.clip(frame + dose * face[..., None], 0, 255).round(), np.uint8)


def blur(frame: Frame, dose: float, region: Region) -> Frame:
    """The frame through a Gaussian of ``dose`` pixels."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(frame.astype(np.float32), (dose, dose, 0))
    return np.asarray(np.clip(blurred, 0, 255).round(), np.uint8)


def jpeg(frame: Frame, dose: float, region: Region) -> Frame:
    """The frame through JPEG of quality ``100 - dose``, see `hifibench.compression`."""
    from hifibench.compression import Compression, through

    return through([frame], Compression("jpeg", round(100 - dose)))[0]


def shift(frame: Frame, dose: float, region: Region) -> Frame:
    """The frame moved ``dose`` whole pixels to the right, its left column repeated."""
    by = round(dose)
    return np.concatenate((np.repeat(frame[:, :1], by, axis=1), frame[:, : frame.shape[1] - by]), axis=1)


def fade(frame: Frame, dose: float, region: Region) -> Frame:
    """What hides the face mixed with the face's mean colour, which is all of it at dose 1."""
    hidden, face = region([_heads().LABELS.index("occluder")]), region(_heads().FACE)
    if not hidden.any() or not face.any():
        return frame
    mixed = frame.astype(np.float32)
    mixed[hidden] += dose * (mixed[face].mean(axis=0) - mixed[hidden])
    return np.asarray(mixed.round(), np.uint8)


_DAMAGES: dict[str, Callable[[Frame, float, Region], Frame]] = {
    "seam": seam,
    "blur": blur,
    "jpeg": jpeg,
    "shift": shift,
    "fade": fade,
}


def _heads() -> ModuleType | Any:
    from hifibench.data import heads

    return heads


def _again(source: str, target: str) -> Frame:
    heads = _heads()
    return _render(heads.changed(heads.swapped(source, target), "noise", 1.0, NOISE))


def _plugin(name: str, summary: str, make: Make) -> SwapperPlugin:
    card = SwapperCard(
        name=name,
        summary=summary,
        source=Crop("frame"),
        target=Crop("frame"),
        kind="reference",
        limits="Made from the scene, which it knows: it swaps rendered heads only.",
    )
    return SwapperPlugin(card=card, load=lambda device: Dose(card, make))


def _nothing(labels: Iterable[int]) -> NDArray[np.bool_]:
    raise AssertionError("JPEG looks at no region")


PLUGINS = (
    _plugin(AGAIN, "The true swap with other sensor noise", _again),
    _plugin(
        RE_ENCODE,
        f"The true swap through JPEG {JPEG_QUALITY}",
        lambda s, t: jpeg(_render(_heads().swapped(s, t)), 100 - JPEG_QUALITY, _nothing),
    ),
    _plugin(SOURCE_COPY, "The source's picture in place of the target's", lambda s, t: _render(s)),
    *(
        _plugin(
            series.method(dose), f"The true swap, {series.title.lower()} moved: {dose:g}", _dose_frame(series, dose)
        )
        for series in SERIES
        for dose in series.doses
    ),
)
"""Every method of a calibration that is no reference row of the harness anyway."""

NAMES = tuple(plugin.card.name for plugin in PLUGINS)


def offer() -> None:
    """Make them known in this process, for the registry; twice does no harm."""
    known = registry.swappers.names()
    for plugin in PLUGINS:
        if plugin.card.name not in known:
            registry.swappers.add(plugin.card.name, plugin)
