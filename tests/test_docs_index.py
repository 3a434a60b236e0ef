"""The index names every document, links lead somewhere, the citation and the changelog fit the package."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_commands import ROOT, documents, files

OURS = [
    *(ROOT / name for name in ("RESPONSIBLE_USE.md", "CHANGELOG.md")),
    *(
        ROOT / f"docs/{name}.md"
        for name in ("README", "quickstart", "reproduce", "add_method", "add_metric", "add_dataset")
    ),
]
_REFERENCE = {"type", "title", "authors", "year", "conference", "identifiers"}
"""Keys of a reference of CFF 1.2.0 that are used here."""


def anchors(text: str) -> set[str]:
    """Where a link may jump to: headings in small letters, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", path.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        goal = path.parent / link if link else path
        assert goal.exists(), link
        if anchor:
            assert anchor in anchors(goal.read_text(encoding="utf-8")), f"{link}#{anchor}"


def test_the_index_names_every_document() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", index)}
    pages = {path for path in documents() if path.parent != ROOT / "docs/metrics"}
    missing = pages - linked - {ROOT / "docs/README.md", ROOT / "README.md"}
    assert not missing, f"docs/README.md does not name {sorted(path.name for path in missing)}"


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_lines_are_no_longer_than_120(path: Path) -> None:
    fence = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence ^= line.startswith("```")
        assert fence or line.startswith("|") or len(line) <= 120, f"{path.name}:{number}"


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_files_that_are_shown_can_be_read(path: Path) -> None:
    from hifibench.suite import parse

    for name, text in files(path).items():
        if name.endswith(".yaml"):
            parse(text, name)
        elif name.endswith(".toml"):
            tomllib.loads(text)
        elif name.endswith(".py"):
            compile(text, name, "exec")


@pytest.fixture(scope="module")
def cited() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


class TestCitation:
    def test_it_has_what_the_format_asks_for(self, cited: dict[str, Any]) -> None:
        assert cited["cff-version"] == "1.2.0"
        assert {"message", "title", "authors"} <= set(cited)
        assert cited["type"] == "software"
        for author in cited["authors"]:
            assert set(author) in ({"name"}, {"family-names", "given-names"})

    def test_it_is_of_this_version_and_licence(self, cited: dict[str, Any]) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert (str(cited["version"]), cited["license"]) == (project["version"], project["license"])

    def test_the_paper_is_named_whole(self, cited: dict[str, Any]) -> None:
        (paper,) = cited["references"]
        assert set(paper) == _REFERENCE
        assert (paper["type"], paper["year"], len(paper["authors"])) == ("conference-paper", 2021, 10)
        assert paper["authors"][0] == {"family-names": "Wang", "given-names": "Yuhan"}
        assert set(paper["conference"]) == {"name"}
        (identifier,) = paper["identifiers"]
        assert identifier["type"] in ("doi", "url", "swh", "other") and "2106.09965" in identifier["value"]


def test_the_changelog_has_the_form_and_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    versions = re.findall(r"^## (\S+)", text, re.MULTILINE)
    assert versions[:2] == ["Unreleased", version]
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.slow
def test_a_report_without_pictures_is_made_as_the_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hifibench.cli import main

    monkeypatch.chdir(tmp_path)
    words = ["run", "demo", "--limit", "1", "--methods", "target-copy,source-paste", "--out", "run", "--quiet"]
    said = " ".join((ROOT / "RESPONSIBLE_USE.md").read_text(encoding="utf-8").split())
    assert "deleting `pictures/`, `examples/` and `report/` and typing `hifibench report RUN`" in said
    for command in (words, ["report", "run"]):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert not end.value.code
        figures = {path.stem for path in (tmp_path / "run/report/figures").iterdir()}
        page = (tmp_path / "run/report/index.html").read_text(encoding="utf-8")
        pictures = "/9j/" in page or "qualitative" in figures  # how base64 of a JPEG file begins
        assert pictures == (command is words)
        for name in ("pictures", "examples", "report"):
            if command is words:
                shutil.rmtree(tmp_path / "run" / name)
