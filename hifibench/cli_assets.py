"""``hifibench assets``: what is in the cache, getting the rest, checking it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hifibench import assets
from hifibench.errors import MissingError, UsageError

app = typer.Typer(help="Weights and data files: what is there, getting the rest, checking it.", no_args_is_help=True)

_Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Assets; by default all the demo needs.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Plain lines instead of progress bars.")]


def _needed() -> list[str]:
    """What the demo opens."""
    from hifibench.needs import of_suite
    from hifibench.suite import load

    return of_suite(load("demo"))


@app.command("list")
def list_assets() -> None:
    """Show all assets: size, licence, state in the cache, what needs them; then those that only you can bring."""
    from rich.console import Console
    from rich.table import Table

    from hifibench import registry
    from hifibench.fetching import megabytes
    from hifibench.needs import of_suite
    from hifibench.suite import load

    table = Table("name", "size", "state", "needed for", "licence")
    for column in table.columns[:3]:
        column.no_wrap = True
    needs = {name: of_suite(load(name)) for name in registry.suites.names()}
    for asset in assets.catalogue().values():
        suites = [name for name, needed in needs.items() if asset.name in needed]
        needed_for = f"{', '.join(suites) or 'on request'}: {asset.role}"
        table.add_row(asset.name, megabytes(asset.size), assets.state(asset.name), needed_for, str(asset.licence))
    brought = Table("to bring", "state", "file", "what it is", "where to get it", "licence")
    for one in assets.brought().values():
        files = " or ".join(one.filenames)
        brought.add_row(one.name, assets.state(one.name), files, one.network, one.where, str(one.licence))
    console = Console()
    for part in (table, brought):
        # Where no terminal sets the width, rows stay whole: nothing is to be cut from what a program reads.
        if not console.is_terminal:
            console.width = console.measure(part, options=console.options.update_width(10_000)).maximum
        console.print(part)
    typer.echo(f"Cache: {assets.cache_root()}; what you bring goes to networks/NAME/FILE in it.")


@app.command()
def fetch(names: _Names = None, quiet: _Quiet = False) -> None:
    """Fetch assets into the cache."""
    chosen = names or _needed()
    assets.ensure(chosen, quiet=quiet)
    typer.echo(f"{len(chosen)} assets are in {assets.cache_root()}")


@app.command()
def verify(names: _Names = None) -> None:
    """Read every byte of the assets in the cache again and compare their hashes."""
    states = assets.verify(names or assets.catalogue())
    wanted = names or _needed()
    wrong = []
    for name, state in states.items():
        optional = name not in wanted
        typer.echo(f"{state:8} {name}")
        if state is assets.State.CORRUPT or (state is assets.State.ABSENT and not optional):
            wrong.append(name)
    assets.ensure(name for name in wrong if name in assets.brought())  # raises for these, and says how to get them
    if wrong:
        raise MissingError(
            f"{len(wrong)} of {len(states)} assets are absent or corrupt: {', '.join(wrong)}. "
            f"Run 'hifibench assets fetch {' '.join(wrong)}'."
        )


_Convertible = Annotated[str, typer.Argument(metavar="NETWORK", help="What to convert: ringnet.")]


@app.command()
def convert(
    network: _Convertible,
    checkpoint: Annotated[Path, typer.Argument(help="The published checkpoint, as its authors give it out.")],
) -> None:
    """Turn a published checkpoint of another library into the file that the harness reads, once."""
    from hifibench.commands_convert import CONVERTERS
    from hifibench.registry import did_you_mean

    if network not in CONVERTERS:
        raise UsageError(f"{network!r} cannot be converted.{did_you_mean(network, [*CONVERTERS])}")
    typer.echo(f"Written: {CONVERTERS[network](checkpoint)}")
