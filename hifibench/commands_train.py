"""What ``hifibench train`` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from hifibench import registry
from hifibench.device import choose
from hifibench.errors import InterruptedRunError, UsageError
from hifibench.registry import did_you_mean

if TYPE_CHECKING:
    from hifibench.training.contract import Plan, TrainerPlugin
    from hifibench.training.run import Changes
    from hifibench.training.settings import Settings

IDENTITIES, VIEWS = 2700, 2
"""Of the generated people that stand in where no data is given."""


def train_method(
    name: str,
    preset: str,
    data: Path | None,
    out: Path | None,
    changes: Changes,
    settings: Settings,
    seed: int,
    device: str,
    quiet: bool,
) -> None:
    """``hifibench train``."""
    plugin = trainer(name)
    if preset not in plugin.presets:
        raise UsageError(
            f"{name} has no preset {preset!r}.{did_you_mean(preset, list(plugin.presets))} "
            f"It has {', '.join(plugin.presets)}."
        )
    from hifibench import assets
    from hifibench.pipeline.group import launched
    from hifibench.pipeline.progress import Reporter
    from hifibench.training.run import changed, train

    plan, device = changed(plugin.presets[preset], changes), choose(device)
    leads = launched().leads  # asked before hours of work: it refuses incomplete variables of a launcher
    out = out or Path("runs") / f"train-{name}-{preset}"

    def ready() -> Path:
        assets.ensure(plugin.assets(plan), quiet=quiet)
        return data or _portraits(plan, device, quiet)

    try:
        weights = train(
            name,
            plugin,
            plan,
            ready,
            out,
            seed=seed,
            device=device,
            settings=settings,
            reporter=Reporter(quiet),
        )
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(f"Stopped. The same command goes on from here; what is done is in {out}.") from stop
    if leads:
        Console().print(f"Weights: {weights}", highlight=False, soft_wrap=True, markup=False)


def trainable() -> list[str]:
    """Names of the methods that can be trained."""
    return [name for name in registry.swappers.names() if registry.swappers.get(name).training is not None]


def trainer(name: str) -> TrainerPlugin:
    """How a method is trained.

    Raises:
        UsageError: there is no such method, or it cannot be trained.
    """
    plugin = registry.swappers.get(name)
    if plugin.training is None:
        raise UsageError(f"{name} cannot be trained; {', '.join(trainable())} can.")
    return plugin.training()


def _portraits(plan: Plan, device: str, quiet: bool) -> Path:
    """Generated people in the cache, made when first asked for."""
    from hifibench import assets
    from hifibench.commands_data import prepare_portraits

    if plan.size > 256:
        raise UsageError(
            f"The preset {plan.name} needs photographs of {plan.size} pixels; prepare a data set of your own with "
            "'hifibench data prepare' and name it by --data."
        )
    kind = "" if device == "cpu" else "-torch"
    out = assets.cache_root() / "prepared" / f"portraits-{IDENTITIES}x{VIEWS}-{plan.size}{kind}"
    prepare_portraits(out, IDENTITIES, VIEWS, 0, "train", plan.size, "ffhq", None, 1, device, quiet)
    return out
