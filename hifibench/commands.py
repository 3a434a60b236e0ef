"""What the commands of the command line do."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hifibench import registry, suite
from hifibench.commands_train import trainable, trainer
from hifibench.contracts import Crop, Swapper, SwapperPlugin
from hifibench.data.ffpp_layout import ENVIRONMENT
from hifibench.device import choose
from hifibench.errors import HifibenchError, InterruptedRunError, UsageError
from hifibench.needs import of_suite
from hifibench.records import Cost, Precision
from hifibench.suite import FfppData, FileData, Suite


@dataclass(frozen=True)
class Changes:
    """What the user wants otherwise than the suite has it.

    Attributes:
        pairs: a CSV file of photographs in place of the suite's images.
        ffpp: the folder of FaceForensics++, for suites that read it.
        manifest: a manifest of it made before.
        estimators: the suite's own, or the embedded ones.
        methods: separated by commas.
        detectors: of forgery, to score with besides.
        trained_with: what is done with scores by experts that took part in a method's training; ``None`` leaves the
            suite its way.
    """

    pairs: Path | None = None
    ffpp: Path | None = None
    manifest: Path | None = None
    estimators: Literal["paper", "embedded"] = "paper"
    methods: str | None = None
    detectors: tuple[str, ...] = ()
    trained_with: Literal["refuse", "mark"] | None = None


@dataclass(frozen=True)
class Way:
    """How a suite is run.

    Attributes:
        limit: only the first pairs.
        seed: of the plan and of the intervals.
        shard: this process's share, ``i/n``.
        device: where swappers and experts run.
        precision: number format of swappers.
        workers: images looked at side by side.
        memory_mib: what searches in galleries may take.
        profile: whether to tell where the time went.
        quiet: no progress.
    """

    limit: int | None = None
    seed: int = 0
    shard: str = "1/1"
    device: str = "auto"
    precision: Precision = "fp32"
    workers: int | None = None
    memory_mib: float = 512.0
    profile: bool = False
    quiet: bool = False


def load_suite(name: str, changes: Changes) -> Suite:
    """A suite, with what the user wants otherwise."""
    loaded = suite.load(name).by(changes.estimators)
    update: dict[str, object] = {}
    if changes.pairs is not None:
        update["data"] = FileData(kind="files", pairs_csv=changes.pairs)
        update["title"] = f"Photographs of {changes.pairs.name}"
    elif changes.ffpp is not None or changes.manifest is not None:
        update["data"] = _of_ffpp(loaded, changes)
    if changes.methods is not None:
        chosen = tuple(word.strip() for word in changes.methods.split(",") if word.strip())
        if not chosen:
            raise UsageError("--methods is empty; name methods separated by commas.")
        update["methods"] = chosen
    if changes.detectors:
        scores = [
            f"{base}[{name}]" for name in changes.detectors for base in ("forgery_auc", "forgery_ap", "forgery_eer")
        ]
        update["metrics"] = tuple(dict.fromkeys((*loaded.metrics, *scores)))
    if changes.trained_with is not None:
        update["trained_with"] = changes.trained_with
    changed = loaded.model_copy(update=update)
    changed.check()
    return changed


def _of_ffpp(loaded: Suite, changes: Changes) -> FfppData:
    if not isinstance(loaded.data, FfppData):
        raise UsageError(
            f"--ffpp and --manifest are for suites on FaceForensics++; the suite {loaded.name} has images of the kind "
            f"{loaded.data.kind!r}."
        )
    if changes.ffpp is not None:
        # Released methods look for their videos in the same folder, also in processes that this one starts.
        os.environ[ENVIRONMENT] = str(changes.ffpp.expanduser().absolute())
    return loaded.data if changes.manifest is None else loaded.data.model_copy(update={"manifest": changes.manifest})


def run_suite(
    name: str,
    out: Path | None,
    changes: Changes,
    weights: tuple[str, ...],
    files: tuple[Path, ...],
    way: Way,
) -> None:
    """``hifibench run``."""
    added, offered = [add_weights(words) for words in weights], add_methods(files)
    chosen = load_suite(name, changes)
    added += offered if changes.methods is None else []
    if added:
        chosen = chosen.model_copy(update={"methods": tuple(dict.fromkeys((*chosen.methods, *added)))})
    from hifibench import assets
    from hifibench.nearest.resources import Resources, using
    from hifibench.pipeline.group import joined
    from hifibench.pipeline.profile import recorded
    from hifibench.pipeline.progress import Reporter
    from hifibench.pipeline.run import run
    from hifibench.pipeline.store import Shard

    share, out = Shard.parse(way.shard), out or Path("runs") / chosen.name
    with joined() as group:
        device, quiet = group.device(way.device), way.quiet or not group.leads
        with group.in_turn("fetching networks"):
            assets.ensure(of_suite(chosen), quiet=quiet)
        console = Console() if group.leads else None
        telling = recorded(out, group.shard(share), way.profile, console, group.workers(way.workers))
        try:
            with telling as profile, using(Resources(memory_mib=way.memory_mib, device=device)):
                done = run(
                    chosen,
                    out,
                    seed=way.seed,
                    limit=way.limit,
                    shard=share,
                    device=device,
                    workers=way.workers,
                    reporter=Reporter(quiet),
                    precision=way.precision,
                    profile=profile,
                    group=group,
                )
                if done.results is not None:
                    with profile.span("report"):
                        show_report(out)
        except KeyboardInterrupt as stop:
            raise InterruptedRunError(
                f"Stopped. The same command goes on from here; what is done is in {out}."
            ) from stop


def add_weights(words: str) -> str:
    """Make a method of ``NAME=FILE``, for this process; its name."""
    name, _, file = words.partition("=")
    if not name or not file:
        raise UsageError(
            f"--weights {words!r}: expected NAME=FILE, such as mine=runs/train-hififace/hififace.safetensors."
        )
    registry.swappers.add(name, open_weights(name, Path(file)))
    return name


def add_methods(files: tuple[Path, ...]) -> list[str]:
    """Offer the methods of the user's TOML files, for this process; their names."""
    from hifibench.methods_file import add

    return [name for file in files for name in add(file)]


def open_weights(name: str, file: Path) -> SwapperPlugin:
    """Exported weights as a method, by whichever method's training wrote them."""
    from hifibench.training.weights import OtherFormError

    for method in trainable():
        try:
            return trainer(method).open(name, file)
        except OtherFormError as error:
            refusal = error
    raise UsageError(
        f"{file} holds no weights that 'hifibench train' wrote for any of {', '.join(trainable())}: {refusal}"
    )


def show_report(folder: Path) -> None:
    """Write the report of a finished run and show its table."""
    from reports import read, terminal, write

    finished = read.run(folder)
    paths = write.write_all(folder)
    terminal.show(finished, Console())
    page = next((path for path in paths if path.name == "index.html"), None)
    if page is not None:
        Console().print(f"Page: {page}", highlight=False, soft_wrap=True)


def swap_photographs(
    source: Path, target: Path, out: Path, method: str, device: str, precision: Precision = "fp32"
) -> None:
    """``hifibench swap``."""
    plugin, device = registry.swappers.get(method), choose(device)
    if out.suffix.lower() != ".png":
        raise UsageError(f"-o {out}: swaps are written as PNG, which keeps their provenance; name a .png file.")
    from hifibench.data.images import save_png
    from hifibench.faces.detect import Detector
    from hifibench.inference import quicken
    from hifibench.inference.fitting import Fitting
    from hifibench.pipeline.swap import Job, loaded, swap_jobs
    from hifibench.video.source import load_source as load_face

    def say(text: str) -> None:
        Console(stderr=True).print(text, highlight=False, markup=False)

    detector = Detector()
    giving, receiving = (load_face(path, detector, say) for path in (source, target))
    with TemporaryDirectory(prefix="hifibench-") as logs, loaded(plugin, device, Path(logs)) as swapper:
        if not isinstance(swapper, Swapper):
            raise UsageError(f"{method} is known by what its authors released; it swaps no other pair.")
        (done,) = swap_jobs(Fitting(quicken(swapper, device, precision)), [Job(*giving, *receiving)])
    if done.frame is None:
        raise UsageError(f"{method} could not swap {source} onto {target}: {done.message or done.status}.")
    save_png(out, done.frame, {"hifibench:method": method, "hifibench:run": "single swap"})
    Console().print(
        f"{out}: {source.name} onto {target.name} by {method}", highlight=False, soft_wrap=True, markup=False
    )


def show_list(what: str) -> None:
    """``hifibench list``."""
    console = Console()
    table = Table(box=None, pad_edge=False)
    rows: list[tuple[str, ...]] = []
    columns, names, describe = _LISTINGS[what]
    for name in names():
        try:
            rows.append((name, *describe(name)))
        except HifibenchError as error:  # one broken plugin must not hide the others
            rows.append((name, *[""] * (len(columns) - 2), f"cannot be used: {error}"))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == columns[0])
    for row in rows:
        table.add_row(*map(escape, row))
    # Where no terminal sets the width, rows stay whole: nothing is to be folded in what a program reads.
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = console.measure(table, options=console.options.update_width(10_000)).maximum
    console.print(table)


def _suite_row(name: str) -> tuple[str, ...]:
    one = suite.load(name)
    return ", ".join(one.methods), str(len(one.metrics)), one.title


def _method_row(name: str) -> tuple[str, ...]:
    plugin = registry.swappers.get(name)
    card = plugin.card
    return card.kind, _crop_words(card.target), *_cost_words(plugin.count), card.licence, card.summary


def _preset_names() -> list[str]:
    return [f"{name} --preset {preset}" for name in trainable() for preset in trainer(name).presets]


def _preset_row(words: str) -> tuple[str, ...]:
    name, _, preset = words.split()
    training = trainer(name)
    plan = training.presets[preset]
    schedule = f"{plan.batch} x {plan.steps:,}"
    return str(plan.size), schedule, *_cost_words(partial(training.count, plan)), plan.precision


def _cost_words(count: Callable[[], Cost] | None) -> tuple[str, str]:
    """Parameters in millions and multiply-accumulates in billions, or dashes."""
    cost = Cost(None, None, None) if count is None else count()
    return _amount(cost.params_trainable, 1e6, "M"), _amount(cost.macs, 1e9, "G")


def _amount(value: int | None, unit: float, prefix: str) -> str:
    return "—" if value is None else f"{value / unit:.2f} {prefix}"


def _expert_row(name: str) -> tuple[str, ...]:
    card = registry.experts.get(name).card
    return card.role, _crop_words(card.crop), card.licence, card.summary


def _metric_row(name: str) -> tuple[str, ...]:
    return (_first_line(registry.metrics.get(name)),)


_LISTINGS: dict[str, tuple[tuple[str, ...], Callable[[], list[str]], Callable[[str], tuple[str, ...]]]] = {
    "suites": (("suite", "methods", "metrics", "images"), registry.suites.names, _suite_row),
    "methods": (
        ("method", "kind", "crop", "parameters", "MACs", "licence", "what it is"),
        registry.swappers.names,
        _method_row,
    ),
    "presets": (
        ("hifibench train", "pixels", "batch x steps", "parameters", "MACs", "precision"),
        _preset_names,
        _preset_row,
    ),
    "experts": (("expert", "role", "crop", "licence", "what it is"), registry.experts.names, _expert_row),
    "kinds": (("kind", "what it is"), registry.kinds.names, lambda name: (registry.kinds.get(name).summary,)),
    "metrics": (("metric", "what it is"), registry.metrics.names, _metric_row),
    "splits": (("split", "what it is"), registry.splits.names, lambda name: (_first_line(registry.splits.get(name)),)),
}


def _crop_words(crop: Crop) -> str:
    return f"{crop.template} {crop.size}" if crop.size else crop.template


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
