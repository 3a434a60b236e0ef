"""Networks that only the user can bring: where they lie, when they count, and the one table of what is missing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hifibench import assets
from hifibench.asset_records import Brought, Licence
from hifibench.asset_store import State
from hifibench.brought.store import BroughtStore
from hifibench.contracts import Crop, ExpertCard
from hifibench.errors import MissingError

FREE = Brought("free", ("net.pth", "net.onnx"), "A network", "https://example.org/net", Licence("MIT"))
PINNED = Brought(
    "pinned",
    ("a b.pkl",),
    "Another one",
    "ask its authors",
    Licence("non-commercial", research_only=True),
    registration=True,
    sha256=hashlib.sha256(b"right").hexdigest(),
)


@pytest.fixture
def store(tmp_path: Path) -> BroughtStore:
    return BroughtStore(tmp_path, {one.name: one for one in (FREE, PINNED)})


def put(store: BroughtStore, name: str, filename: str, content: bytes) -> Path:
    place = store.folder(name) / filename
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def test_what_is_missing_stands_in_one_table_with_all_that_it_takes_to_bring_it(
    store: BroughtStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(MissingError) as told:
        store.need(["pinned", "free", "pinned"])
    assert told.value.exit_code == 3
    lines = str(told.value).splitlines()
    header, _, one, other = lines[-4:]
    assert "2 files are missing" in lines[0]
    columns = [header.index(word) for word in ("network", "file wanted", "where to get it", "licence", "where to put")]
    cut = [[line[a:b].strip() for a, b in zip(columns, [*columns[1:], None], strict=True)] for line in (one, other)]
    where = [str(store.root / "networks" / end) for end in ("pinned/a b.pkl", "free/net.pth")]
    terms = "non-commercial (RESEARCH ONLY)"
    assert cut[0] == ["Another one", "a b.pkl", "ask its authors (registration)", terms, where[0]]
    assert cut[1] == ["A network", "net.pth or net.onnx", "https://example.org/net", "MIT", where[1]]


def test_on_a_narrow_terminal_every_file_has_a_paragraph(store: BroughtStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(MissingError) as told:
        store.need(["pinned", "free"])
    _, one, other = str(told.value).split("\n\n")
    assert [line.split()[0] for line in one.splitlines()] == ["network", "file", "where", "licence", "where"]
    assert one.splitlines()[1] == "file wanted      a b.pkl"
    assert other.splitlines()[-1].endswith(str(store.root / "networks/free/net.pth"))


def test_any_of_its_names_counts_and_the_first_one_wins(store: BroughtStore) -> None:
    other = put(store, "free", "net.onnx", b"x")
    assert store.path("free") == other
    first = put(store, "free", "net.pth", b"y")
    assert store.path("free") == first


def test_another_file_than_the_published_one_is_refused(store: BroughtStore) -> None:
    place = put(store, "pinned", "a b.pkl", b"wrong")
    assert store.state("pinned") is State.CORRUPT
    with pytest.raises(MissingError, match=f"of SHA-256 {PINNED.sha256}; the one that is there is another"):
        store.path("pinned")
    place.write_bytes(b"right")
    assert store.path("pinned") == place


def test_what_lies_there_in_its_place_is_told(store: BroughtStore) -> None:
    folder = store.folder("free")
    (folder / "net.onnx").mkdir(parents=True)
    with pytest.raises(MissingError, match=r"net\.pth or net\.onnx; net\.onnx there is a folder"):
        store.path("free")
    (folder / "net.pth").symlink_to(folder / "nowhere")
    with pytest.raises(MissingError, match=r"the link net\.pth there leads to no file"):
        store.path("free")


def test_a_card_changes_with_the_file_that_the_user_brings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(assets, "BROUGHT", {FREE.name: FREE})
    card = ExpertCard("e", "", "recognition", Crop("arcface", 112), {}, assets=("free",))
    absent = card.hash
    put(BroughtStore(tmp_path, {}), "free", "net.pth", b"one")
    one = card.hash
    put(BroughtStore(tmp_path, {}), "free", "net.pth", b"another")
    assert len({absent, one, card.hash}) == 3


def test_nothing_is_fetched_for_a_run_that_ends_for_want_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(assets, "BROUGHT", {FREE.name: FREE})
    with pytest.raises(MissingError, match="One file is missing"):
        assets.ensure(["scrfd-500m", "free"])
    assert not (tmp_path / "downloads").exists()


def test_no_name_is_taken_twice_and_every_entry_says_where_it_comes_from() -> None:
    assert not {*assets.brought()} & {*assets.catalogue()}
    for one in assets.brought().values():
        assert one.filenames and one.network and one.origin and one.licence.terms
        assert len(one.sha256) in (0, 64)
