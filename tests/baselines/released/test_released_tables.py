from __future__ import annotations

from pathlib import Path

import pytest

from hifibench.data import frame_tables
from hifibench.errors import MissingError, UsageError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", '{"000_003": 57, "003_000": 0}'),
        ("t.JSON", '\ufeff{"000_003": 57, "003_000": 0}'),
        ("t.csv", "pair,frame\n000_003,57\n003_000,0\n"),
        ("t.csv", "\ufeffvideo;Frame\r\n 000_003 ; 57\r\n\r\n003_000;000\r\n"),
        ("t.txt", "video\tframe\n000_003\t57\n003_000\t0"),
    ],
)
def test_frames_are_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert frame_tables.read(tmp_path / name) == {"000_003": 57, "003_000": 0}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.json", "[1, 2]", "holds no object"),
        ("t.json", "{", "is no JSON"),
        ("t.json", "{}", "it holds no frames"),
        ("t.json", '{"a": -1}', "entry 'a': -1 is no index of a frame"),
        ("t.json", '{"a": true}', "entry 'a': True is no index"),
        ("t.json", '{"a": 1.0}', "entry 'a': 1.0 is no index"),
        ("t.json", '{"a": {"frame": 1}}', "entry 'a': .* is no index"),
        ("t.json", '{"a": 1, "a": 2}', "entry 'a': 'a' stands there already"),
        ("t.csv", "", "begins with ''"),
        (
            "t.csv",
            "000_003,57\n",
            "begins with '000_003,57'; expected a header of two columns, the second being 'frame'",
        ),
        ("t.csv", "pair,frame\n", "it holds no frames"),
        ("t.csv", "pair,frame\na,1\na,1\n", "line 3: 'a' stands there already"),
        ("t.csv", "pair,frame\na,-1\nb,x\n", "(?s)line 2: '-1' is no index.*line 3: 'x' is no index"),
        ("t.csv", "pair,frame\na,1,2\n", "line 2: 3 cells, expected a name and a frame"),
        ("t.csv", "pair,frame\n,1\n", "line 2: 2 cells"),
        ("t.csv", 'pair,frame\n"a,1\n', "no valid CSV"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        frame_tables.read(tmp_path / name)


def test_a_missing_file_a_folder_and_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"There is no file of frames .*none\.csv"):
        frame_tables.read(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="cannot be read"):
        frame_tables.read(tmp_path)
    (tmp_path / "t.csv").write_bytes("pair,frame\né,1\n".encode("latin-1"))
    with pytest.raises(UsageError, match="is no UTF-8 text"):
        frame_tables.read(tmp_path / "t.csv")


def test_problems_are_listed_up_to_a_screenful(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("pair,frame\n" + "".join(f"p{number},x\n" for number in range(25)))
    with pytest.raises(UsageError, match=r"… and 5 more$"):
        frame_tables.read(tmp_path / "t.csv")
