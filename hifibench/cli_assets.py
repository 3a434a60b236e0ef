"""``hifibench assets``: what is in the cache, getting the rest, checking it."""

from __future__ import annotations

from typing import Annotated

import typer

from hifibench import assets
from hifibench.errors import MissingError

app = typer.Typer(help="Weights and data files: what is there, getting the rest, checking it.", no_args_is_help=True)

_Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Assets; by default all the demo needs.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Plain lines instead of progress bars.")]


def _demo() -> list[str]:
    return [asset.name for asset in assets.catalogue().values() if asset.demo]


@app.command("list")
def list_assets() -> None:
    """Show all assets: size, licence, state in the cache, what needs them."""
    from rich.console import Console
    from rich.table import Table

    from hifibench.fetching import megabytes

    table = Table("name", "size", "state", "needed for", "licence")
    for column in table.columns[:3]:
        column.no_wrap = True
    for asset in assets.catalogue().values():
        licence = f"{asset.licence.terms} (RESEARCH ONLY)" if asset.licence.research_only else asset.licence.terms
        needed_for = f"{'demo' if asset.demo else 'on request'}: {asset.role}"
        table.add_row(asset.name, megabytes(asset.size), assets.state(asset.name), needed_for, licence)
    # Where no terminal sets the width, rows stay whole: nothing is to be cut from what a program reads.
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)
    typer.echo(f"Cache: {assets.cache_root()}")


@app.command()
def fetch(names: _Names = None, quiet: _Quiet = False) -> None:
    """Fetch assets into the cache."""
    chosen = names or _demo()
    assets.ensure(chosen, quiet=quiet)
    typer.echo(f"{len(chosen)} assets are in {assets.cache_root()}")


@app.command()
def verify(names: _Names = None) -> None:
    """Read every byte of the assets in the cache again and compare their hashes."""
    states = assets.verify(names or assets.catalogue())
    wrong = []
    for name, state in states.items():
        optional = not names and not assets.catalogue()[name].demo
        typer.echo(f"{state:8} {name}")
        if state is assets.State.CORRUPT or (state is assets.State.ABSENT and not optional):
            wrong.append(name)
    if wrong:
        raise MissingError(
            f"{len(wrong)} of {len(states)} assets are absent or corrupt: {', '.join(wrong)}. "
            f"Run 'hifibench assets fetch {' '.join(wrong)}'."
        )
