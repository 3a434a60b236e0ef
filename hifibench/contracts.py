"""The six things a plugin can be, and the card that travels with it.

A plugin registers an object under an entry-point group:

* ``hifibench.swappers``: a `SwapperPlugin` (card, and how to load it on a device);
* ``hifibench.experts``: an `ExpertPlugin`;
* ``hifibench.metrics``: a function that takes the words between the brackets of a metric's name and returns a `Metric`;
* ``hifibench.splits``: a function that takes the words between the brackets of a split's name and returns a `Split`;
* ``hifibench.suites``: the path of a YAML file;
* ``hifibench.kinds``: a `MethodKind`, which makes methods of the tables in a user's file (`hifibench.methods_file`).

Cards are plain data and are made at import; networks are loaded by ``load`` and not before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Cost, Floats, Frame, ImageRef, Observed, Pair, Swap, Swapped

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from hifibench.training.contract import TrainerPlugin


@dataclass(frozen=True)
class Crop:
    """How a network wants its face: a named template (`hifibench.faces.templates`) and a size in pixels.

    The template ``frame`` is the whole image as it is; a swapper that asks for it gets batches of one.
    """

    template: str
    size: int = 0


_PROSE = ("summary", "paper", "licence", "limits")
"""Fields of a card that say something and decide nothing: a mended sentence must not undo a night's work."""


class _Hashed:
    """Cards hash by content, so that a changed card never meets an old cache entry."""

    @property
    def hash(self) -> str:
        """SHA-256 over all fields but the prose, and over the contents of the asset files; hexadecimal."""
        from hifibench.assets import sha256

        fields = {name: value for name, value in asdict(self).items() if name not in _PROSE}  # type: ignore[call-overload]
        fields["assets"] = {name: sha256(name) for name in fields["assets"]}
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class SwapperCard(_Hashed):
    """What a face swapper is and what it expects.

    Attributes:
        name: the row in the tables.
        summary: one line for listings.
        source: crop of the source face.
        target: crop of the target face; the swap comes back in this geometry.
        paper: citation, empty for controls.
        licence: of code and weights.
        assets: names of the asset files it needs (`hifibench.assets`).
        trained_with: experts that took part in its training, by name, or ``sha256:`` and the hash of their file; what
            they say of it is marked, and does not compete.
        kind: ``reference`` rows bound the scale, ``method`` rows compete.
        limits: what it cannot do, for the reader of a table.
        weights: SHA-256 of trained weights that come with the package and so are no asset; hexadecimal.
        version: raised by whoever changes what the code computes, since it is part of every cache key.
    """

    name: str
    summary: str
    source: Crop
    target: Crop
    paper: str = ""
    licence: str = "Apache-2.0"
    assets: tuple[str, ...] = ()
    trained_with: tuple[str, ...] = ()
    kind: Literal["reference", "method"] = "method"
    limits: str = ""
    weights: str = ""
    version: int = 1


@dataclass(frozen=True)
class ExpertCard(_Hashed):
    """What a frozen observer is and what it expects.

    Attributes:
        name: as it stands between the brackets of a metric.
        summary: one line for listings.
        role: ``recognition``, ``landmarks``, ``reconstruction``…; ``comparison`` compares a swap with its target,
            ``truth`` with the true swap (both are a `PairExpert`); ``facts`` hands on what is known of an image by its
            making, and looks at nothing.
        crop: the face crop it looks at (``frame`` for comparisons).
        outputs: output name -> shape per image and unit, such as ``(512,) unit vector``.
        paper: citation.
        licence: of the weights.
        assets: names of the asset files it needs.
        similarity: for recognisers: ``cosine`` (higher is closer) or ``l2`` (lower is closer).
        needs: for comparisons: experts whose view of the target, or of the true swap, is handed in.
        limits: known errors and floors.
        weights: SHA-256 of trained weights that come with the package and so are no asset; hexadecimal.
        version: raised by whoever changes what the code computes.
    """

    name: str
    summary: str
    role: str
    crop: Crop
    outputs: Mapping[str, str]
    paper: str = ""
    licence: str = ""
    assets: tuple[str, ...] = ()
    similarity: Literal["cosine", "l2", ""] = ""
    needs: tuple[str, ...] = ()
    limits: str = ""
    weights: str = ""
    version: int = 1


@runtime_checkable
class Swapper(Protocol):
    """Puts the face of a source onto a target."""

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        ...

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """Swap B pairs. Called without gradients; tensors come in the processor's memory, and may go back from any.

        Args:
            source: ``(B, 3, Hs, Ws)`` float32 RGB in ``[0, 1]``, cropped as ``card.source`` says.
            target: ``(B, 3, Ht, Wt)`` float32 RGB in ``[0, 1]``, cropped as ``card.target`` says.

        Returns:
            The swaps, row by row; a pair that cannot be swapped is a status, not an exception.
        """
        ...

    def cost(self) -> Cost:
        """Parameters and multiply-accumulates of one swap."""
        ...


@dataclass(frozen=True)
class Networks:
    """The torch networks of a swapper, apart: what may be done once for many pairs, compiled, or timed by itself.

    All are frozen, in evaluation mode and on the swapper's device; B rows in, B rows out, each from its own row alone.

    Attributes:
        source: ``(B, 3, Hs, Ws)`` -> a tuple of tensors ``(B, …)``: all that the generator needs of a source.
        target: ``(B, 3, Ht, Wt)`` -> the same of a target; ``None``: the generator needs nothing but the image.
        generator: ``(target, *of source, *of target)`` -> a tuple: the image ``(B, 3, Ht, Wt)``, near [0, 1], and where
            the method makes one, its mask ``(B, 1, Ht, Wt)``.
    """

    source: nn.Module
    target: nn.Module | None
    generator: nn.Module


@runtime_checkable
class NetworkSwapper(Protocol):
    """A `Swapper` that is made of torch networks and shows them; ``swap`` is what they give one after the other.

    So the harness can look at a source once for all its targets, run the networks in another number format or
    compiled (`hifibench.inference`), and tell what each takes (`hifibench.throughput`).
    """

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        ...

    @property
    def networks(self) -> Networks:
        """Its networks, the same objects at every call."""
        ...

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `Swapper.swap`."""
        ...

    def cost(self) -> Cost:
        """See `Swapper.cost`."""
        ...


@runtime_checkable
class ReleasedSwapper(Protocol):
    """A method known by the images or videos that its authors released: nothing runs, so nothing is timed."""

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under; both crops are ``frame``."""
        ...

    def find(self, pair: Pair, source: ImageRef, target: ImageRef, frame: Frame) -> Swapped:
        """The released swap of one pair; called from several threads.

        Args:
            pair: of the manifest.
            source: the image that gave the face.
            target: the image that received it.
            frame: the target's frame; a swap of another size is none of it.

        Returns:
            The swap, or the status and the reason why there is none (``FILE_MISSING``: the file itself).
        """
        ...


@runtime_checkable
class Service(Protocol):
    """What a swapper offers besides if it holds something that must end, such as a child process or open files."""

    def start(self, logs: Path) -> None:
        """Begin; called once, before the first swap.

        Args:
            logs: an existing folder for what it has to say; other processes may write there too.

        Raises:
            HifibenchError: it cannot work at all; the run goes on without the method.
        """
        ...

    def stop(self) -> None:
        """End whatever was begun; never raises."""
        ...


@runtime_checkable
class Expert(Protocol):
    """A frozen network that looks at one face at a time."""

    @property
    def card(self) -> ExpertCard:
        """The card it was loaded under."""
        ...

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """Look at B crops.

        Row i of every output depends on row i of the input alone, bit for bit: that is what makes results the
        same however the work was cut, cached or resumed.

        Args:
            crops: ``(B, 3, S, S)`` float32 RGB in ``[0, 1]``, cropped as ``card.crop`` says. Landmarks come back in
                pixels of this crop; the harness stores the frame-to-crop matrix beside them.

        Returns:
            The outputs the card names, each ``(B, …)`` float32; NaN rows where the expert saw no face.
        """
        ...


@runtime_checkable
class PairExpert(Protocol):
    """An observer of what lies between a swap and another frame of the same place.

    That is its target, for the role ``comparison`` (background, occlusion), or the true swap, for the role ``truth``.
    """

    @property
    def card(self) -> ExpertCard:
        """The card it was loaded under; its ``crop`` is ``frame``."""
        ...

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """Compare one swapped frame with its target frame, or with the true swap.

        Args:
            swap: ``(H, W, 3)`` uint8 RGB.
            target: ``(H, W, 3)`` uint8 RGB, same size.
            seen: what the experts saw in ``target``: expert -> output -> array without a batch axis, and under
                ``matrix`` the ``(2, 3)`` frame-to-crop matrix; of facts (`EXACT`) all that is known, maps included,
                where they are known. Beside these only experts in ``card.needs`` may be read.

        Returns:
            The outputs the card names, without a batch axis; NaN where undefined.
        """
        ...


@dataclass(frozen=True)
class SwapperPlugin:
    """What the entry-point group ``hifibench.swappers`` holds."""

    card: SwapperCard
    load: Callable[[str], Swapper | ReleasedSwapper]
    """Device (``cpu``, ``cuda``, ``cuda:1``) -> the swapper, weights loaded.

    A `HifibenchError` says that the method cannot be used here, and why; a run goes on without it.
    """

    training: Callable[[], TrainerPlugin] | None = None
    """How ``hifibench train`` trains it; ``None`` where it cannot. A function, so that listing imports no networks."""

    count: Callable[[], Cost] | None = None
    """Parameters and multiply-accumulates of its own networks, for listings: quick, and without opening weights."""


@dataclass(frozen=True)
class MethodKind:
    """What the entry-point group ``hifibench.kinds`` holds: a transport that serves any number of methods.

    Attributes:
        summary: one line for listings.
        make: (name of the method, its table without ``kind``, folder of the file) -> the method. Relative paths in the
            table are relative to the folder. Raises `UsageError` for a table that is wrong; a file or program that
            is missing is told by ``load`` instead, so that a run shows the method as not available.
    """

    summary: str
    make: Callable[[str, Mapping[str, Any], Path], SwapperPlugin]


@dataclass(frozen=True)
class ExpertPlugin:
    """What the entry-point group ``hifibench.experts`` holds."""

    card: ExpertCard
    load: Callable[[str], Expert | PairExpert]
    """Device -> the expert, weights loaded."""

    cpu_only: bool = False
    """It runs on the processor whatever the device: beside a GPU it then works in processes of its own."""


@dataclass(frozen=True)
class Whole:
    """A number that belongs to a set of swaps as a whole, such as an area under a curve or a distance of sets.

    Attributes:
        value: NaN where it is not defined.
        draws: ``(d,)`` float64: the same number of d resamples, none where it has no interval. Draw k holds the same
            videos for every method, so that draws of two methods may be paired.
        reason: why it is not defined, in words.
    """

    value: float
    draws: NDArray[np.float64]
    reason: str = ""


@dataclass(frozen=True)
class Metric:
    """A pure function from observations to one number per pair, or to one number for all.

    Attributes:
        name: printed name with its protocol, such as ``pose[mediapipe]``.
        title: what a table's header says.
        unit: ``%``, ``deg``, empty for pure numbers.
        direction: whether a higher or a lower value is better.
        needs: experts whose observations it reads.
        compute: observations -> ``(n,)`` float64, one value per pair, NaN where the pair could not be scored,
            infinite where there is nothing to score for any method, such as an occluder where none is. Where there is a
            ``whole``, it says what each pair contributes, in a unit of its own.
        worst: the worst value the metric can take, given to failed pairs in the worst-case column; ``None`` for
            an unbounded error: then the largest value of the run counts.
        decimals: digits after the point in tables.
        group: metrics of one group stand together in a table.
        rate: every pair's value is 0 or 100; such a share has an interval of its own where a bootstrap has none.
        whole: (observations, seed, draws) -> the number of the table, where it is not the mean over pairs.
        truth: it compares with the true swap, and so takes images whose true swap is known.
        frames: consecutive frames of a clip that it takes; 1 where stills will do.
        others: it reads what was seen in the swaps of the other methods (`Observed.others`).
        scope: what a pair's value depends on, beside the galleries: the ``pair`` alone, its ``clip`` (all pairs of one
            source, or its video, and one target video), or the whole ``set``. A metric of pairs or clips is asked for
            some of them at a time, so that memory does not grow with their number; what it says of a pair must be the
            same whatever others are asked for with it. ``whole`` gets all pairs in any case.
    """

    name: str
    title: str
    unit: str
    direction: Literal["up", "down"]
    needs: tuple[str, ...]
    compute: Callable[[Observed], NDArray[np.float64]]
    worst: float | None = None
    decimals: int = 2
    group: str = ""
    rate: bool = False
    whole: Callable[[Observed, int, int], Whole] | None = None
    truth: bool = False
    frames: int = 1
    others: bool = False
    scope: Literal["pair", "clip", "set"] = "set"


@dataclass(frozen=True)
class Split:
    """A division of the pairs into easy and hard ones, the same for every method.

    Attributes:
        name: printed name with its protocol, such as ``yaw[mediapipe]``.
        title: what a table calls it.
        unit: of the quantity that divides, such as ``deg``; empty for pure numbers and labels.
        needs: experts whose observations it reads.
        labels: observations -> ``(n,)`` the part of each pair, and all parts in the order of a table. Only what
            does not depend on the method may be read: pairs, sources and targets.
    """

    name: str
    title: str
    unit: str
    needs: tuple[str, ...]
    labels: Callable[[Observed], tuple[NDArray[np.str_], tuple[str, ...]]]
