"""Names, folders, split files and the map of people of FaceForensics++."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hifibench.data import ffpp_identities, ffpp_layout, ffpp_splits
from hifibench.data.ffpp_layout import Name, VideoPair
from hifibench.errors import MissingError, UsageError


@pytest.mark.parametrize(
    ("group", "file", "name"),
    [
        ("youtube", "003.mp4", Name("003")),
        ("FaceSwap", "000_003.mp4", Name("000", "003")),
        ("NeuralTextures", "999_998.mp4", Name("999", "998")),
        ("actors", "01__exit_phone_room.mp4", Name("01", scene="exit_phone_room")),
        (
            "DeepFakeDetection",
            "01_02__exit_phone_room__YVGY8LOK.mp4",
            Name("01", "02", "exit_phone_room", "YVGY8LOK"),
        ),
    ],
)
def test_names_are_read_and_built(group: str, file: str, name: Name) -> None:
    assert ffpp_layout.parse(group, file) == name
    assert ffpp_layout.build(group, name) == file


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("youtube", "3.mp4"),
        ("youtube", "003_000.mp4"),
        ("youtube", "003.avi"),
        ("youtube", "003.mp4.part"),
        ("FaceSwap", "000.mp4"),
        ("FaceSwap", "000-003.mp4"),
        ("FaceSwap", "0000_003.mp4"),
        ("actors", "01_exit_phone_room.mp4"),
        ("DeepFakeDetection", "01_02__exit_phone_room.mp4"),
        ("DeepFakeDetection", "01_02__exit_phone_room__yvgy8lok.mp4"),
    ],
)
def test_names_of_another_form_are_refused(group: str, file: str) -> None:
    with pytest.raises(UsageError, match=rf"no name of a video of {group}; expected .*\.mp4"):
        ffpp_layout.parse(group, file)


def test_paths_have_the_target_first() -> None:
    pair = VideoPair(target="000", source="003")
    assert ffpp_layout.original("000", "c40") == "original_sequences/youtube/c40/videos/000.mp4"
    found = ffpp_layout.manipulated("FaceShifter", pair, "raw")
    assert found == "manipulated_sequences/FaceShifter/raw/videos/000_003.mp4"
    with pytest.raises(UsageError, match=r"no method 'FaceShift'.*Did you mean 'FaceShifter'"):
        ffpp_layout.manipulated("FaceShift", pair, "raw")


@pytest.mark.parametrize("uri", ["file:a.png", "video:../a.mp4", "video:/etc/passwd", "video:original_sequences/../x"])
def test_uris_that_lead_elsewhere_are_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="names no video of FaceForensics"):
        ffpp_layout.path_of(uri)


def test_the_root_is_where_released_methods_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("HIFIBENCH_FFPP", raising=False)
    assert ffpp_layout.default_root() == tmp_path / "methods/ffpp"
    monkeypatch.setenv("HIFIBENCH_FFPP", str(tmp_path / "elsewhere"))
    assert ffpp_layout.default_root() == tmp_path / "elsewhere"


def test_a_folder_that_is_not_there_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"nowhere is no folder\. .*after a form on https.*HIFIBENCH_FFPP"):
        ffpp_layout.need_root(tmp_path / "nowhere")
    with pytest.raises(MissingError, match="holds no folder original_sequences"):
        ffpp_layout.need_root(tmp_path)


def split(root: Path, name: str, text: object, place: str = "splits") -> Path:
    file = root / place / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return file


@pytest.mark.parametrize("place", ["splits", "dataset/splits"])
def test_each_pair_of_a_split_file_is_two_swaps(tmp_path: Path, place: str) -> None:
    split(tmp_path, "test", [["720", "672"], ["004", "982"]], place)
    found = ffpp_splits.pairing(tmp_path, "test", "c23")
    assert found.pairs == (("004", "982"), ("672", "720"), ("720", "672"), ("982", "004"))
    assert found.origin == "test"


def test_all_is_the_union_of_the_three_split_files(tmp_path: Path) -> None:
    for name, pair in (("train", ["000", "003"]), ("val", ["001", "002"]), ("test", ["004", "005"])):
        split(tmp_path, name, [pair])
    assert len(ffpp_splits.pairing(tmp_path, "all", "c23").pairs) == 6


def test_without_split_files_the_names_of_all_methods_say_it(tmp_path: Path) -> None:
    for method, name in (
        ("FaceSwap", "000_003"),
        ("FaceShifter", "000_003"),
        ("FaceShifter", "004_001"),
        ("FaceShifter", "x"),
    ):
        folder = tmp_path / ffpp_layout.folder(method, "c23")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.mp4").touch()
    found = ffpp_splits.pairing(tmp_path, "all", "c23")
    assert found.pairs == (VideoPair(target="000", source="003"), VideoPair(target="004", source="001"))
    assert "no split files" in found.origin
    with pytest.raises(MissingError, match=r"neither split files in .*splits nor swaps of compression c40"):
        ffpp_splits.pairing(tmp_path, "all", "c40")


def test_a_split_without_its_file_is_told(tmp_path: Path) -> None:
    split(tmp_path, "test", [["000", "003"]])
    with pytest.raises(MissingError, match=r"needs train\.json and val\.json: put it into .*splits; it comes from"):
        ffpp_splits.pairing(tmp_path, "all", "c23")
    with pytest.raises(MissingError, match=r"val of FaceForensics\+\+ needs val\.json.*github\.com/ondyari"):
        ffpp_splits.pairing(tmp_path, "val", "c23")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ({"000": "003"}, "holds no list"),
        ([["000", "003", "004"]], "expected two numbers"),
        ([["0", "003"]], r'holds \["0", "003"\]'),
        ([[0, 3]], "expected two numbers"),
        ([["000", "000"]], "expected two numbers"),
        ([["000", "003"], ["003", "000"]], "names the pair 003, 000 twice"),
    ],
)
def test_split_files_of_another_form_are_refused(tmp_path: Path, text: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ffpp_splits.read(split(tmp_path, "test", text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", "video,person\n179,183\n826,183\n"),
        ("people.csv", "\ufeffVideo;Person\r\n179;183\r\n\r\n826;183\r\n"),
        ("people.json", '{"826": "183", "179": "183"}'),
    ],
)
def test_one_person_stands_behind_several_videos(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = ffpp_identities.read(tmp_path / name)
    assert [found.of(video) for video in ("179", "183", "826", "000")] == ["183", "183", "183", "000"]
    (tmp_path / "again.json").write_text('{"179": "183", "826": "183"}')
    assert found.origin == ffpp_identities.read(tmp_path / "again.json").origin
    assert found.origin.startswith("2 videos named, map ")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("people.csv", "id,person\n1,2\n", "begins with 'id,person'; expected 'video,person'"),
        ("people.csv", "video,person\n179,\n", "line 2: '179' is ''"),
        ("people.csv", "video,person\n179,183,826\n", "line 2: '179' is"),
        ("people.csv", "video,person\n179,183\n179,826\n", "line 3: '179' stands there already"),
        ("people.csv", "video,person\n", "it names nobody"),
        ("people.json", '{"179": 183}', "entry '179': '179' is 183"),
        ("people.json", '{"179": "183", "179": "826"}', "'179' stands there already"),
        ("people.json", '["179"]', "holds no object"),
    ],
)
def test_maps_of_people_of_another_form_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        ffpp_identities.read(tmp_path / name)


def test_a_map_of_people_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no file of people .*none\.csv"):
        ffpp_identities.read(tmp_path / "none.csv")
