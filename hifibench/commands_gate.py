"""What ``hifibench gate`` does: hold a finished run against golden numbers, or make the golden numbers of it."""

from __future__ import annotations

from pathlib import Path

from hifibench.errors import GateError, UsageError


def gate(run: Path, golden: Path, update: bool, junit: Path | None, summary: Path | None) -> None:
    """``hifibench gate``: show what moved; with ``update`` write the golden file in place of that.

    Args:
        run: folder of a finished run.
        golden: the golden file (`reports.gates.golden`).
        update: write the file from this run.
        junit: file for a JUnit XML report.
        summary: file that a Markdown summary is appended to.

    Raises:
        GateError: a number has moved beyond its tolerance.
        UsageError: the golden file is not there, damaged, or of another suite; or an update is refused.
        MissingError: the run is not finished, or a file cannot be written.
    """
    if update and (junit or summary):
        raise UsageError("--junit and --summary tell what a gate found, and --update gates nothing. Leave them out.")
    if update:
        _update(run, golden)
    else:
        _gate(run, golden, junit, summary)


def _gate(folder: Path, path: Path, junit: Path | None, summary: Path | None) -> None:
    from rich.console import Console

    from hifibench.files import atomic_write
    from reports import read
    from reports.gates import formats as gate_formats
    from reports.gates import golden
    from reports.gates.gate import gate as hold

    made = hold(read.run(folder), golden.read(path))
    if junit is not None:
        atomic_write(junit, gate_formats.junit(made))
    if summary is not None:
        gate_formats.append(summary, gate_formats.markdown(made))
    gate_formats.show(made, Console())
    if not made.ok:
        raise GateError(
            f"{gate_formats.clean(made.verdict)[:1].upper()}{made.verdict[1:]} ({path}). Where that is meant: "
            f"hifibench gate {folder} --golden {path} --update, and commit the file with the change that moved them."
        )


def _update(folder: Path, path: Path) -> None:
    from rich.console import Console

    from reports import read
    from reports.gates import formats as gate_formats
    from reports.gates import golden
    from reports.gates import update as golden_update

    made = golden_update.prepare(read.run(folder), path)
    golden.write(made.golden, path)
    console = Console()
    if made.changed:
        gate_formats.show_changes(made.changed, console)
    for note in made.notes:
        console.print(gate_formats.clean(note), highlight=False, markup=False)
    numbers = made.golden.numbers
    same = len(numbers) - sum(line.now is not None for line in made.changed)
    told = f"{len(numbers)} numbers" + (f", {same} of them as printed before" if made.changed else "")
    console.print(f"{path}: {told}", highlight=False, soft_wrap=True, markup=False)
