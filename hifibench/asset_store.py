"""The cache folder: what lies in it, and how a file gets there.

Layout::

    <cache>/assets/<name>-<start of its sha256>/<file>   whole, checked files; nothing else is ever read
    <cache>/downloads/<sha256>.part                      what has come of a download; the next attempt goes on
    <cache>/downloads/<sha256>.unpacked                  a member of it being written
    <cache>/downloads/<sha256>.lock                      one process at a time a download

A file reaches ``assets`` by a rename after its hash was found right, so a process killed at any moment leaves
nothing that could be mistaken for whole. Every process hashes each file once, when it first asks for it: at
more than a gigabyte a second that costs less than a record of earlier checks, which would have to be trusted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO

from hifibench import archives
from hifibench.asset_records import Asset, Origin, Source
from hifibench.errors import MissingError, UsageError
from hifibench.fetching import Fetcher, Reporter, megabytes, sha256_of
from hifibench.package_index import SourceError


class State(StrEnum):
    """How an asset stands in the cache."""

    PRESENT = "present"
    ABSENT = "absent"
    CORRUPT = "corrupt"


class Store:
    """A cache folder and the assets it may hold.

    Attributes:
        root: the cache folder; need not exist yet.
        assets: what it may hold, by name.
        fetcher: how files are downloaded; by default a new `Fetcher` for every batch.
    """

    def __init__(self, root: Path, assets: Mapping[str, Asset], fetcher: Fetcher | None = None) -> None:
        self.root = root
        self.assets = assets
        self.fetcher = fetcher

    def asset(self, name: str) -> Asset:
        """The asset of that name; raises ``UsageError`` if there is none."""
        if name not in self.assets:
            from hifibench.registry import did_you_mean

            raise UsageError(f"Unknown asset {name!r}.{did_you_mean(name, sorted(self.assets))}")
        return self.assets[name]

    def place(self, name: str) -> Path:
        """Where the asset's file belongs, whether it is there or not."""
        asset = self.asset(name)
        return self.root / "assets" / f"{name}-{asset.sha256[:8]}" / asset.filename

    def path(self, name: str) -> Path:
        """The file of an asset, checked, and fetched first if it is not there: `hifibench.assets.path`."""
        if self.state(name) is not State.PRESENT:
            self.ensure([name])
        return self.place(name)

    def state(self, name: str) -> State:
        """How an asset stands in the cache; changes nothing."""
        return self._compare(name, _sha256_once)

    def verify(self, names: Iterable[str]) -> dict[str, State]:
        """How assets stand in the cache, every byte read anew."""
        return {name: self._compare(name, _sha256_once.__wrapped__) for name in names}

    def ensure(self, names: Iterable[str], quiet: bool = False) -> None:
        """Fetch whatever of these assets is not there yet: `hifibench.assets.ensure`."""
        missing = [asset for asset in map(self.asset, names) if self.state(asset.name) is not State.PRESENT]
        if not missing:
            return
        offline = os.environ.get("HIFIBENCH_OFFLINE", "").lower() not in ("", "0", "no", "false")
        fetcher = self.fetcher or Fetcher(Reporter(quiet))
        failures: dict[str, list[str]] = {}
        # What only one archive holds comes first: it may bring others along which could be had elsewhere too.
        for asset in sorted(missing, key=lambda asset: len(asset.sources)):
            if self.state(asset.name) is State.CORRUPT and not offline:
                fetcher.report.line(f"{self._mismatch(asset)}; fetching it again")
            reasons = ["HIFIBENCH_OFFLINE is set"] if offline else self._fetch(asset, fetcher)
            if self.state(asset.name) is not State.PRESENT:
                failures[asset.name] = reasons
        if failures:
            raise MissingError("\n\n".join(self._how_to_get(self.assets[name], failures[name]) for name in failures))

    def _fetch(self, asset: Asset, fetcher: Fetcher) -> list[str]:
        """Try the sources until the file is there; returns why each that failed did."""
        reasons: list[str] = []
        for source in asset.sources:
            try:
                with self._alone(source.origin, fetcher.report):
                    if self.state(asset.name) is not State.PRESENT:
                        self._take(source.origin, fetcher)
                return reasons
            except SourceError as error:
                reasons.append(str(error))
        return reasons

    def _take(self, origin: Origin, fetcher: Fetcher) -> None:
        """Download one origin and store every asset it holds and the cache does not."""
        wanted = {
            source.member: asset
            for asset in self.assets.values()
            for source in asset.sources
            if source.origin == origin and self.state(asset.name) is not State.PRESENT
        }
        part = self._downloads / f"{origin.sha256}.part"
        there = part.stat().st_size if part.exists() else 0
        needed = max(origin.size - there, 0) + sum(asset.size for asset in wanted.values())
        free = shutil.disk_usage(self._downloads).free
        if free < needed:
            raise MissingError(
                f"The disk of the cache {self.root} has {megabytes(free)} free, and {origin.filename} needs "
                f"{megabytes(needed)}. Free some space, or set HIFIBENCH_CACHE to a folder with more."
            )
        fetcher.fetch(origin, part)
        try:
            self._unpack(part, origin, wanted, fetcher.report)
        finally:
            part.unlink()

    def _unpack(self, part: Path, origin: Origin, wanted: Mapping[str, Asset], report: Reporter) -> None:
        left = dict(wanted)
        with archives.members(part, origin.filename) as members:
            for path, stream in members:
                member = next((member for member in left if archives.is_member(path, member)), None)
                if member is None:
                    continue
                asset = left.pop(member)
                self._save(asset, stream, member, origin)
                report.line(f"Fetched {asset.name}; licence: {asset.licence}")
                if not left:
                    return
        raise SourceError(f"{origin.filename} has no member {', '.join(left)}")

    def _save(self, asset: Asset, stream: IO[bytes], member: str, origin: Origin) -> None:
        """Write one member, check it, and only then give it its name."""
        # Always the same name, under the lock: what a killed process leaves is overwritten by its successor.
        unpacked = self._downloads / f"{origin.sha256}.unpacked"
        with unpacked.open("wb") as file:
            # One byte more than expected tells a longer member, however long it may be.
            left = asset.size + 1
            while left and (chunk := stream.read(min(left, 1 << 20))):
                file.write(chunk)
                left -= len(chunk)
            file.flush()
            os.fsync(file.fileno())
        found = sha256_of(unpacked)
        if found != asset.sha256:
            unpacked.unlink()
            what = f"{member or 'the content'} of {origin.filename}"
            raise SourceError(f"{what} has sha256 {found}, expected {asset.sha256}")
        place = self.place(asset.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        unpacked.replace(place)

    @property
    def _downloads(self) -> Path:
        return self.root / "downloads"

    @contextmanager
    def _alone(self, origin: Origin, report: Reporter) -> Iterator[None]:
        """Hold the lock of one download; whoever comes second waits, and finds the files there."""
        from filelock import FileLock, Timeout

        try:
            self._downloads.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._downloads / f"{origin.sha256}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                report.line(f"Another process is fetching {origin.filename}; waiting for it")
                lock.acquire()
            try:
                yield
            finally:
                lock.release()
        except OSError as error:
            raise MissingError(
                f"Cannot write to the cache {self.root}: {error.strerror or error}. Free some space, or set "
                "HIFIBENCH_CACHE to a folder that can be written to. What has come so far is kept: the same "
                "command goes on from there."
            ) from error

    def _compare(self, name: str, sha256: Callable[[Path, int, int], str]) -> State:
        place = self.place(name)
        try:
            there = place.stat()
            if there.st_size != self.assets[name].size:
                return State.CORRUPT
            found = sha256(place, there.st_size, there.st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            return State.ABSENT
        except OSError as error:
            raise MissingError(
                f"Cannot read {place}: {error.strerror or error}. Give yourself the right to read it, or "
                "delete it: it will be fetched again."
            ) from error
        return State.PRESENT if found == self.assets[name].sha256 else State.CORRUPT

    def _mismatch(self, asset: Asset) -> str:
        place = self.place(asset.name)
        return (
            f"{place} is not the file of the asset {asset.name!r}: it has {place.stat().st_size:,} bytes and "
            f"sha256 {sha256_of(place)}, expected {asset.size:,} bytes and sha256 {asset.sha256}"
        )

    def _how_to_get(self, asset: Asset, reasons: list[str]) -> str:
        place = self.place(asset.name)
        spoilt = self.state(asset.name) is State.CORRUPT
        lines = [
            f"{self._mismatch(asset)}." if spoilt else f"The asset {asset.name!r} is not in the cache.",
            f"Needed: {asset.filename}, {asset.size:,} bytes, sha256 {asset.sha256} ({asset.role}).",
            "It could not be fetched:",
            *(f"  - {line}" for reason in reasons for line in reason.splitlines()),
            "It comes from",
            *(f"  - {_describe(source, asset)}" for source in asset.sources),
            f"Go online and run 'hifibench assets fetch {asset.name}', or put the file by hand at",
            f"  {place}",
        ]
        return "\n".join(lines)


def _describe(source: Source, asset: Asset) -> str:
    origin = source.origin
    if origin.sha256 == asset.sha256:
        return str(origin)
    what = f"member {source.member}" if source.member else "decompressed"
    return f"{origin} ({origin.size:,} bytes, sha256 {origin.sha256}), {what}"


@cache
def _sha256_once(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file, once a process as long as its size and time stay the same."""
    return sha256_of(path)
