from __future__ import annotations

from pathlib import Path

import pytest

from hifibench.errors import MissingError
from reports.staging import staged


def owned(folder: Path) -> set[str]:
    return {name for name in ("pictures", "more.js") if (folder / name).exists()}


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_made_takes_its_place_and_what_is_the_users_stays(tmp_path: Path) -> None:
    report = tmp_path / "run" / "report"
    fill(report, "index.html", "mine.txt", "figures/mine.svg", "pictures/0.jpg", "pictures/1.jpg", "more.js")
    (report / "index.html").write_text("old")
    with staged(report, owned) as made:
        assert made.parent == report.parent and not [*made.iterdir()]
        fill(made, "pictures/0.jpg", "figures/a.svg", "index.html")
    kept = ("mine.txt", "figures/mine.svg")
    assert files(report) == {name: name for name in ("pictures/0.jpg", "figures/a.svg", "index.html", *kept)}
    assert [*report.parent.iterdir()] == [report]


def test_what_was_written_last_moves_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, to: moved.append(path.name) or replace(path, to))
    with staged(tmp_path / "report", owned) as made:
        fill(made, "pictures/0.jpg", "z.md", "b/c.svg", "a.html")
    assert moved == ["pictures", "z.md", "c.svg", "a.html"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("mistake")])
def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path, error: Exception) -> None:
    report = tmp_path / "report"
    fill(report, "index.html", "pictures/0.jpg")
    expected = MissingError if isinstance(error, OSError) else ValueError
    with pytest.raises(expected, match=r"No space left|mistake"), staged(report, owned) as made:
        fill(made, "index.html", "pictures/1.jpg")
        raise error
    assert files(tmp_path) == {f"report/{name}": name for name in ("index.html", "pictures/0.jpg")}


def test_a_folder_that_cannot_be_changed_keeps_all_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report"
    fill(report, "index.html", "pictures/0.jpg")
    replace = Path.replace

    def read_only(path: Path, to: Path) -> Path:
        if report in (path.parent, to.parent):
            raise PermissionError(13, "Permission denied")
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", read_only)
    with pytest.raises(MissingError, match="Permission denied"), staged(report, owned) as made:
        fill(made, "index.html", "pictures/1.jpg")
    assert files(tmp_path) == {f"report/{name}": name for name in ("index.html", "pictures/0.jpg")}
