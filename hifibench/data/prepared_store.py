"""Writing a prepared set, person by person, so that it may be stopped at any moment.

While the work goes on, what became of each person lies in ``parts/<identity>.json``. At the end all parts become the
tables of the set, in one order whatever the order of the work, and are removed. Every write is atomic.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.data.face_crops import Done, Dropped, Kept
from hifibench.data.originals import Person
from hifibench.data.prepared import CROPS, DESCRIPTION, DROPPED, INDEX, LABEL, SCHEMA, read_description
from hifibench.errors import UsageError
from hifibench.files import TEMPORARY, atomic_path, atomic_write, held

if TYPE_CHECKING:
    import pyarrow as pa

_PARTS = "parts"


class PreparedStore:
    """The folder of a prepared set, being written.

    Args:
        root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder against other processes.

        Raises:
            UsageError: another process prepares it.
            MissingError: the folder cannot be written to.
        """
        parts = self.root / _PARTS
        with held(parts / ".lock", f"Another process prepares {self.root}; wait for it, or name another folder."):
            try:
                yield
            finally:
                if not any(self._parts()):
                    shutil.rmtree(parts, ignore_errors=True)

    def begin(self, settings: Mapping[str, Any], licence: str) -> None:
        """Note what the set is made with, or see that it is what it was begun with.

        Raises:
            UsageError: the folder was begun with other settings, or holds other things.
        """
        if (self.root / DESCRIPTION).exists():
            before = read_description(self.root)["settings"]
            if before != settings:
                raise UsageError(
                    f"{self.root} was prepared with other settings: {differences(before, settings)}. Give those again, "
                    "name another folder, or remove this one."
                )
            return
        self._describe({"schema": SCHEMA, "settings": settings, "licence": licence})

    def check_room(self) -> None:
        """Raise `UsageError` if the folder is a file, or holds something that is no prepared set."""
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise UsageError(f"{self.root} is a file; name a folder for the prepared faces.")
        others = sorted(path.name for path in self.root.iterdir() if path.name != _PARTS and path.name[0] != ".")
        if others and DESCRIPTION not in others:
            raise UsageError(f"{self.root} holds other things ({', '.join(others[:3])}); name a new or empty folder.")

    def finished(self, people: Sequence[Person]) -> set[str]:
        """The identities all of whose originals have been prepared.

        Raises:
            UsageError: the folder holds people who are not among ``people``.
        """
        sources = self._table_sources()
        for path in self._parts():
            done = self._part(path.name.removesuffix(".json"))
            if done is not None:
                sources[done.identity] = done.sources
        strangers = sorted(sources.keys() - {person.identity for person in people})
        if strangers:
            raise UsageError(
                f"{self.root} holds {len(strangers)} people whom this command does not ask for (first: "
                f"{strangers[0]}). A set can be extended, not cut down: ask for them too, or name another folder."
            )
        return {
            person.identity
            for person in people
            if sources.get(person.identity, frozenset()) == frozenset(original.source for original in person.originals)
        }

    def add(self, done: Done) -> None:
        """Note what became of a person."""
        atomic_write(self.root / _PARTS / f"{done.identity}.json", json.dumps(asdict(done)) + "\n")

    def merge(self, people: Sequence[Person]) -> tuple[pa.Table, pa.Table]:
        """Make the tables of the set, of all people prepared so far; returns the kept and the dropped images."""
        import pyarrow as pa

        schemas = self._schemas()
        old = [_by_identity(self.root / name, schema) for name, schema in schemas.items()]
        rows: list[list[pa.Table]] = [[schema.empty_table()] for schema in schemas.values()]
        for person in people:
            done = self._part(person.identity)
            for kind, schema in enumerate(schemas.values()):
                if done is None:
                    rows[kind].extend(table for table in [old[kind].get(person.identity)] if table is not None)
                else:
                    of_kind = (done.kept, done.dropped)[kind]
                    rows[kind].append(
                        pa.Table.from_pylist([{"identity": done.identity} | asdict(row) for row in of_kind], schema)
                    )
        kept, dropped = (pa.concat_tables(tables).combine_chunks() for tables in rows)
        return kept.sort_by([("identity", "ascending"), ("image", "ascending")]), dropped.sort_by("source")

    def finish(self, kept: pa.Table, dropped: pa.Table, counts: Mapping[str, Any]) -> None:
        """Write the tables and the counts, then remove the parts and crops that no row names."""
        for name, table in ((DROPPED, dropped), (INDEX, kept)):
            _write(self.root / name, table)
        self._describe(read_description(self.root) | {"counts": counts})
        named = set(kept["file"].to_pylist())
        for path in (self.root / CROPS).rglob("*"):
            if path.is_file() and path.relative_to(self.root).as_posix() not in named:
                path.unlink()
        shutil.rmtree(self.root / _PARTS)

    def _describe(self, description: Mapping[str, Any]) -> None:
        text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        atomic_write(self.root / DESCRIPTION, text)

    def _part(self, identity: str) -> Done | None:
        """What became of a person in work that is not merged yet; ``None`` where it is to be made, or made again."""
        try:
            raw = json.loads((self.root / _PARTS / f"{identity}.json").read_text(encoding="utf-8"))
            kept = tuple(Kept(**row | {"landmarks": tuple(row["landmarks"])}) for row in raw["kept"])
            return Done(raw["identity"], kept, tuple(Dropped(**row) for row in raw["dropped"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError):  # what a machine that lost power leaves of a file
            return None

    def _parts(self) -> Iterator[Path]:
        parts = (self.root / _PARTS).glob("*.json")
        return (path for path in parts if not path.name.startswith(TEMPORARY))

    def _table_sources(self) -> dict[str, frozenset[str]]:
        """Identity -> the originals that the tables of a finished set name."""
        found: dict[str, frozenset[str]] = {}
        for name, schema in self._schemas().items():
            for identity, table in _by_identity(self.root / name, schema).items():
                found[identity] = found.get(identity, frozenset()) | frozenset(table["source"].to_pylist())
        return found

    def _schemas(self) -> dict[str, pa.Schema]:
        """File -> its columns: kept images first, dropped ones second."""
        import pyarrow as pa

        text = pa.string()
        source = read_description(self.root)["settings"].get("source", {})
        columns = [
            *((name, text) for name in ("identity", "image", "file", "source")),
            ("side", pa.float64()),
            ("landmarks", pa.list_(pa.float32(), 10)),
            ("content", text),
            *([(LABEL, text)] if "labels" in source else []),
        ]
        dropped = [(name, text) for name in ("source", "identity", "reason", "detail")]
        return {INDEX: pa.schema(columns), DROPPED: pa.schema(dropped)}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str:
    """What differs between two settings, in words; long values are cut."""
    words = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            words.append(differences(old, new, f"{prefix}{name}."))
        elif old != new:
            words.append(f"{prefix}{name} {_short(old)} there, {_short(new)} here")
    return "; ".join(filter(None, words))


def _short(value: object) -> str:
    text = str(value)
    is_hash = len(text) == 64 and " " not in text and "/" not in text
    return text[:12] if is_hash else text


def _by_identity(path: Path, schema: pa.Schema) -> dict[str, pa.Table]:
    """Identity -> its rows of a table on disk; nothing where there is no table yet."""
    import pyarrow as pa
    from pyarrow import parquet

    if not path.exists():
        return {}
    try:
        table = parquet.ParquetFile(path).read().cast(schema).sort_by("identity")
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(f"{path} is broken ({error}); remove {path.parent} and prepare the faces again.") from error
    runs = table["identity"].combine_chunks().dictionary_encode()
    counts = runs.indices.value_counts() if len(table) else []
    lengths = {entry["values"].as_py(): entry["counts"].as_py() for entry in counts}
    found, start = {}, 0
    for code, identity in enumerate(runs.dictionary.to_pylist()):
        found[identity] = table.slice(start, lengths[code])
        start += lengths[code]
    return found


def _write(path: Path, table: pa.Table) -> None:
    from pyarrow import parquet

    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")
