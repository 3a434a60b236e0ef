"""What the commands of ``hifibench analyse`` do: load, compute, write, draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from hifibench.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from hifibench.faces.segment import FaceSegmenter
    from hifibench.hififace.analysis.faces import AlignedPair
    from hifibench.hififace.analysis.judge import Column, Judge
    from hifibench.hififace.analysis.study import Study
    from hifibench.hififace.swapper import HifiFace
    from hifibench.records import Manifest
    from hifibench.suite import FileData, PortraitData

IDENTITIES, VIEWS = 100, 2
"""Of the plan whose first pairs are shown: that of the suite ``demo``, so that its first examples are seen again."""

DEFAULT_METHOD = "hififace"


@dataclass(frozen=True)
class Request:
    """What the user asks of a study that looks into a generator; see the options of the command line."""

    method: str | None
    weights: Path | None
    pairs: int
    pairs_csv: Path | None
    split: str
    seed: int
    parser: Path | None
    out: Path | None
    device: str
    quiet: bool

    def data(self) -> PortraitData | FileData:
        """The images, as a suite describes them."""
        from hifibench.data.seeds import SPLITS
        from hifibench.registry import did_you_mean
        from hifibench.suite import FileData, PortraitData

        if self.pairs_csv is not None:
            return FileData(kind="files", pairs_csv=self.pairs_csv)
        if self.split not in SPLITS:
            raise UsageError(f"There is no split {self.split!r}.{did_you_mean(self.split, list(SPLITS))}")
        words: dict[str, Any] = {"split": self.split, "identities": IDENTITIES, "views": VIEWS, "pairs": self.pairs}
        return PortraitData(kind="portraits", **words)


@dataclass(frozen=True)
class _Bench:
    """All that a study works with."""

    swapper: HifiFace
    pairs: Sequence[AlignedPair]
    judge: Judge
    segmenter: Callable[[], FaceSegmenter]
    advance: Callable[[], None]


def interpolation(request: Request) -> None:
    """``hifibench analyse interpolation``."""
    from hifibench.hififace.analysis.interpolation import COLUMNS, NAME, study

    _run(NAME, request, COLUMNS, lambda at: study(at.swapper, at.pairs, at.judge, at.advance))


def fusion(request: Request) -> None:
    """``hifibench analyse fusion``."""
    from hifibench.hififace.analysis.fusion import NAME, study

    _run(NAME, request, {}, lambda at: study(at.swapper, at.pairs, at.segmenter(), at.advance))


def masks(request: Request) -> None:
    """``hifibench analyse masks``."""
    from hifibench.hififace.analysis.masks import NAME, study

    _run(NAME, request, {}, lambda at: study(at.swapper, at.pairs, at.segmenter(), at.advance))


def blending(request: Request) -> None:
    """``hifibench analyse blending``."""
    from hifibench.hififace.analysis.blending import COLUMNS, NAME, study

    _run(NAME, request, COLUMNS, lambda at: study(at.swapper, at.pairs, at.judge, at.segmenter(), at.advance))


def shape(folder: Path, methods: str, metric: str, out: Path | None) -> None:
    """``hifibench analyse shape``."""
    from reports.figures import shape_study

    named = [word.strip() for word in methods.split(",") if word.strip()]
    if len(named) != 2:
        raise UsageError(f"--methods {methods!r}: two methods are compared; name them as A,B.")
    made = shape_study.compare(folder, named[0], named[1], metric)
    written = shape_study.write(made, out or folder / "analysis")
    for sentence in shape_study.sentences(made):
        _say(sentence)
    _name(written)


def _run(name: str, request: Request, columns: Mapping[str, Column], compute: Callable[[_Bench], Study]) -> None:
    """Load what a study needs, compute it, write its data, draw its figure."""
    from hifibench import assets, data
    from hifibench.data import portraits, segment
    from hifibench.faces.detect import Detector
    from hifibench.hififace.analysis import faces
    from hifibench.hififace.analysis.judge import Judge
    from hifibench.hififace.analysis.study import save
    from hifibench.pipeline.progress import Reporter
    from reports.figures import studies

    described = request.data()
    manifest = data.plan(described, request.seed, request.pairs)
    swapper = _swapper(request)
    judge = Judge(columns)
    needs = [asset for card in judge.observer.cards.values() for asset in card.assets]
    needs += [*Detector.card.assets, *segment.ASSETS, *(() if request.pairs_csv else portraits.ASSETS)]
    assets.ensure(dict.fromkeys(needs), quiet=request.quiet)
    out, crop = request.out or Path("runs") / f"analysis-{swapper.card.name}", swapper.card.target
    reporter = Reporter(request.quiet)
    try:
        pairs = faces.prepare(manifest, data.loader(described), request.pairs, crop, judge.observer)
        with reporter.stage(name, len(pairs)) as advance:
            made = compute(_Bench(swapper, pairs, judge, lambda: segment.make_segmenter(crop, request.parser), advance))
    except KeyboardInterrupt as stop:
        raise InterruptedRunError("Stopped; nothing was written. The same command starts anew.") from stop
    made = replace(made, about={**_circumstances(name, swapper, manifest, request), **made.about})
    _name([*save(made, out), *studies.draw(out, name)])


def _swapper(request: Request) -> HifiFace:
    from hifibench.device import choose
    from hifibench.hififace.analysis import model

    if request.weights is not None:
        if request.method is not None:
            raise UsageError(f"--method {request.method} and --weights {request.weights}: name one of the two.")
        return model.from_file(request.weights, choose(request.device))
    return model.by_name(request.method or DEFAULT_METHOD, choose(request.device))


def _circumstances(name: str, swapper: HifiFace, manifest: Manifest, request: Request) -> dict[str, str]:
    """What the data came from; no time and no path, so that the same command writes the same bytes."""
    import hifibench
    from hifibench.version import commit

    config = swapper.generator.config
    return {
        "study": name,
        "method": swapper.card.name,
        "variant": config.variant,
        "size_px": str(config.size),
        "weights_sha256": swapper.card.weights,
        "images": manifest.origin,
        "manifest": manifest.hash,
        "seed": str(request.seed),
        **({} if request.parser is None else {"face_parser": request.parser.name}),
        "hifibench": hifibench.__version__,
        "commit": commit() or "",
    }


def _say(text: str) -> None:
    Console().print(text, highlight=False, soft_wrap=True, markup=False)


def _name(paths: Sequence[Path]) -> None:
    for path in paths:
        _say(str(path))
