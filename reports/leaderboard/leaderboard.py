"""One table over several runs: whose numbers may stand beside each other, and which method is best in what.

Runs of one manifest have the same images and pairs and make a block; runs of other images get blocks of their own. In a
block the numbers of a metric compare where the same estimators, by their cards, gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hifibench.errors import HifibenchError, UsageError
from reports import notes, printed
from reports.comparison.numbers import FEWEST_MOVED
from reports.comparison.pairs import draws_of
from reports.comparison.verdict import judges, taught, teachers
from reports.leaderboard.ranks import standings
from reports.leaderboard.records import BY_INTERVAL, Block, Entry, Leaderboard, Placed
from reports.notes import Note
from reports.paired_scores import PairScores, pairwise
from reports.records import Method, Metric, Result, Run
from reports.tables import MISSING, PARTIAL, POOR, Cell, finite, marked, number

Judges = tuple[object, ...]
"""What must be the same for numbers of two runs to compare."""


def build(runs: Sequence[Run]) -> Leaderboard:
    """The table over some finished runs.

    Raises:
        UsageError: none is given, one is given twice, or no block has a metric that most of its runs share.
    """
    if not runs:
        raise UsageError("No run was given; name the folders of one or more finished runs.")
    folders = [run.folder.resolve() for run in runs]
    for run, folder in zip(runs, folders, strict=True):
        if folders.count(folder) > 1:
            raise UsageError(f"{run.folder} is given twice; name every run once.")
    by_manifest: dict[str, list[tuple[str, Run]]] = {}
    for label, run in zip(_labels(folders), runs, strict=True):
        by_manifest.setdefault(run.results.manifest, []).append((label, run))
    blocks = tuple(_block(manifest, labelled) for manifest, labelled in by_manifest.items())
    if not any(block.columns for block in blocks):
        raise UsageError(
            "No metric is shared by most of the runs of the same images under the same estimators: there is nothing "
            "to rank. " + " ".join(note.text for block in blocks for note in block.notes)
        )
    return Leaderboard(blocks, tuple(_notes(blocks)))


def _labels(folders: Sequence[Path]) -> list[str]:
    """The folder's name, with as many of its parents as tell it from the others."""
    labels = [folder.name for folder in folders]
    depth = 1
    while len(set(labels)) < len(labels) and depth < max(len(folder.parts) for folder in folders):
        depth += 1
        labels = [
            "/".join(folder.parts[-depth:]) if labels.count(label) > 1 else label
            for folder, label in zip(folders, labels, strict=True)
        ]
    return labels


def _block(manifest: str, labelled: Sequence[tuple[str, Run]]) -> Block:
    found: dict[tuple[str, Judges], list[tuple[str, Metric]]] = {}
    for label, run in labelled:
        for metric in run.results.metrics:
            found.setdefault((metric.name, _judges(run, metric)), []).append((label, metric))
    shared = {key: entries for key, entries in found.items() if 2 * len(entries) > len(labelled)}
    rows = _rows(labelled, {key[0]: {label for label, _ in entries} for key, entries in shared.items()})
    columns, bases, placed = [], [], []
    pairs, gone = _pairwise(labelled)
    for (name, _), entries in shared.items():
        metric, having = entries[0][1], {label for label, _ in entries}
        scored = [_score(labelled, row, name, having) for row in rows]
        flattered = [run is not None and _flattered(run, row.method, metric) for (run, _), row in
                     zip(scored, rows, strict=True)]  # fmt: skip
        made, basis = standings(
            metric,
            [None if row.reference or taught else result for (_, result), row, taught in
             zip(scored, rows, flattered, strict=True)],
            [pairs.get(run.folder) if run is not None else None for run, _ in scored],
            labelled[0][1].results.seed,
            draws_of(labelled[0][1]),
        )  # fmt: skip
        cells = [
            Placed(
                _cell(metric, run, result, one.leader, taught),
                finite(result.worst_case) if result is not None else None,
                one,
            )
            for (run, result), one, taught in zip(scored, made, flattered, strict=True)
        ]
        columns.append(printed.column(metric))
        bases.append(basis)
        placed.append(cells)
    order = sorted(range(len(rows)), key=lambda at: _order(rows[at], placed[0][at] if placed else Placed()))
    return Block(
        manifest,
        labelled[0][1].results.title,
        labelled[0][1].results.n_pairs,
        {label: run.folder for label, run in labelled},
        tuple(columns),
        tuple(bases),
        tuple(rows[at] for at in order),
        tuple(tuple(cells[at] for cells in placed) for at in order),
        tuple(_block_notes(labelled, found, shared, gone)),
    )


def _judges(run: Run, metric: Metric) -> Judges:
    """What a number rests on besides images and swaps: unit, direction, the cards of detector and estimators."""
    others = teachers(run) if taught(metric) else set()
    return (metric.unit, metric.direction, metric.whole, frozenset(judges(run, metric).items()), frozenset(others))


def _rows(labelled: Sequence[tuple[str, Run]], having: Mapping[str, set[str]]) -> list[Entry]:
    """A row for each method; several where runs had it under other cards, or with other numbers."""
    alike: dict[str, list[tuple[list[str], Method, dict[str, tuple[object, ...]]]]] = {}
    for label, run in labelled:
        for method in run.results.methods:
            said: dict[str, tuple[object, ...]] = {
                score.metric: (score.value, score.low, score.high, score.n, score.n_failed)
                for score in run.results.scores
                if score.method == method.name and label in having.get(score.metric, ())
            }
            for labels, other, known in alike.setdefault(method.name, []):
                same = all(known[name] == said[name] for name in known.keys() & said.keys())
                if (other.card, other.kind) == (method.card, method.kind) and same:
                    labels.append(label)
                    known |= said
                    break
            else:
                alike[method.name].append(([label], method, said))
    return [
        Entry(name, tuple(labels), method.kind == "reference", len(groups) > 1)
        for name, groups in alike.items()
        for labels, method, _ in groups
    ]


def _score(
    labelled: Sequence[tuple[str, Run]], row: Entry, metric: str, having: set[str]
) -> tuple[Run | None, Result | None]:
    """The run that measured a row, and its number."""
    for label, run in labelled:
        if label in row.runs and label in having:
            for score in run.results.scores:
                if (score.method, score.metric) == (row.method, metric):
                    return run, score
    return None, None


def _flattered(run: Run, method: str, metric: Metric) -> bool:
    return bool(notes.partial(run).get(method, set()) & {*metric.needs})


def _cell(metric: Metric, run: Run | None, score: Result | None, leader: bool, taught: bool) -> Cell:
    if run is None or score is None:
        return Cell()
    text = number(score.value, metric.decimals)
    return Cell(
        marked(text, finite(score.value), (score.method, score.metric) in notes.refused(run)) if taught else text,
        printed.interval(score.low, score.high, metric.decimals),
        leader,
        finite(score.value),
        finite(score.low),
        finite(score.high),
        score.n,
        score.n_failed,
    )


def _pairwise(labelled: Sequence[tuple[str, Run]]) -> tuple[dict[Path, PairScores], list[str]]:
    """Folder -> scores pair by pair, and why there are none, where there are none."""
    read, gone = {}, []
    for label, run in labelled:
        try:
            read[run.folder] = pairwise(run)
        except HifibenchError as error:
            gone.append(f"{label}: {error}")
    return read, gone


def _order(row: Entry, first: Placed) -> tuple[object, ...]:
    rank = first.standing.rank
    return (not row.reference, rank is None, rank or 0, first.standing.place)


def _block_notes(
    labelled: Sequence[tuple[str, Run]],
    found: Mapping[tuple[str, Judges], Sequence[tuple[str, Metric]]],
    shared: Mapping[tuple[str, Judges], object],
    gone: Sequence[str],
) -> Iterator[Note]:
    for label, run in labelled:
        yield from (Note(f"{label}: {note.text}", alarm=True) for note in notes.of(run) if note.alarm)
    left_out: dict[str, list[tuple[str, ...]]] = {}
    for key, entries in found.items():
        if key not in shared:
            left_out.setdefault(key[0], []).append(tuple(label for label, _ in entries))
    names = {name for name, _ in shared}
    several = [name for name, groups in left_out.items() if len(groups) + (name in names) > 1]
    if several:
        yield Note(
            f"Measured by other estimators, or by a detector trained on other methods, in some of the runs, and not "
            f"compared across them: {'; '.join(several)}."
        )
    fewer = [f"{name} ({', '.join(groups[0])})" for name, groups in left_out.items() if name not in several]
    if fewer:
        yield Note(f"Measured in too few of the runs, and left out: {'; '.join(fewer)}.")
    if gone:
        yield Note(f"No paired differences, so ranks go by interval where these take part. {' '.join(gone)}")
    for label, run in labelled:
        for name, why in notes.absent(run).items():
            yield Note(f"{label}: no swap by {name}: {why}")
        yield from (Note(f"{label}: {said}") for said in notes.unscored(run))
    versions = dict.fromkeys(str(run.provenance.get("hifibench", "")) for _, run in labelled)
    if len(versions) > 1:
        told = ", ".join(f"{label} {run.provenance.get('hifibench', 'unknown')}" for label, run in labelled)
        yield Note(f"Made by several versions of hifibench, which may cut and paste in other ways: {told}.")


def _notes(blocks: Sequence[Block]) -> Iterator[Note]:
    if len(blocks) > 1:
        yield Note(
            f"{len(blocks)} blocks: runs of other images or pairs do not compare, so each set of images has its own."
        )
    yield Note(f"{notes.BRACKETS} {MISSING}: not measured in that run. n: pairs, those that failed included.")
    yield Note(
        "Rank: one more than the number of methods that are told to be better: those whose paired difference, over the "
        f"pairs that both scored, has a 95 % interval by video that excludes 0, where {FEWEST_MOVED} videos or more "
        "differ. =: shared."
    )
    if any(basis == "interval" for block in blocks for basis in block.bases):
        yield Note(f"{BY_INTERVAL}: no paired differences; ranked by whether intervals meet, which tells less.")
    yield Note("Bold: told to be better than every other method of its block.")
    yield Note("Sorted by the first column; there is no rank over several metrics. Reference rows do not compete.")
    if any(PARTIAL in one.cell.text for block in blocks for row in block.cells for one in row):
        yield Note(f"{PARTIAL}: by an expert that took part in the method's training; out of competition.")
    if any(column.poor for block in blocks for column in block.columns):
        yield Note(f"{POOR}: does not follow what it is to measure where the truth is known.")
    yield Note("Time is left out: runs of several machines do not compare.")
