from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hifibench import registry
from hifibench.errors import UsageError
from reports.paper import published

HEADING = ",".join(published.FIELDS)
ROW = 'FF++ own paper,HifiFace-256,id_retrieval,98.48,%,"a page, of it"'


def write(tmp_path: Path, *rows: str, heading: str = HEADING) -> Path:
    path = tmp_path / "figures.csv"
    path.write_text("\n".join([heading, *rows, ""]), encoding="utf-8")
    return path


def test_the_shipped_file_reads_and_holds_the_papers_own_figures() -> None:
    figures = published.read()
    own = {figure.metric: figure for figure in figures if figure.source.source == published.PAPER_SOURCE}
    assert {metric: (one.method, one.text, one.unit) for metric, one in own.items()} == {
        "id_retrieval": ("HifiFace-256", "98.48", "%"),
        "pose": ("HifiFace-256", "2.63", "deg"),
    }
    assert {figure.source.block for figure in figures} == set(published.BLOCKS)
    assert all(float(figure.text) == figure.value for figure in figures)


def test_digits_stay_as_published_and_sources_get_letters_in_the_order_of_the_file(tmp_path: Path) -> None:
    pose = ROW.replace("id_retrieval,98.48,%", "pose,2.63,deg")
    path = write(tmp_path, ROW, "CASIA Normal,FSGAN,fid,30.50,,z", "cost,FSGAN,params,226,M,z", pose)
    figures = published.read(path)
    assert [(figure.text, figure.source.key) for figure in figures] == [
        ("98.48", "a"), ("30.50", "b"), ("226", "c"), ("2.63", "a"),
    ]  # fmt: skip
    assert [(one.key, one.source) for one in published.sources(reversed(figures))] == [
        ("a", "a page, of it"), ("b", "z"), ("c", "z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("FF++ own paper,HifiFace,pose,2.63,deg", "line 3: expected block, method, metric, value, unit, source"),
        (f"{ROW},more", "line 3: expected block"),
        ("FF++ own paper,,pose,2.63,deg,s", "line 3: expected block"),
        ("FF++ own paper,HifiFace,pose,2.63,deg,", "line 3: expected block"),
        ("DFDC,HifiFace,pose,2.63,deg,s", "unknown block 'DFDC'; expected one of: FF\\+\\+ own paper"),
        ("cost,HifiFace,speed,25,fps,s", "metric 'speed' in 'fps'; expected one of: id_retrieval in '%'"),
        ("cost,HifiFace,pose,0.03,rad,s", "metric 'pose' in 'rad'"),
        ("cost,HifiFace,params,many,M,s", "value 'many' is no number"),
        ("cost,HifiFace,params,nan,M,s", "value 'nan' is no number"),
        (ROW, "line 3: id_retrieval of HifiFace-256 is there twice"),
    ],
)
def test_a_row_that_does_not_fit_is_told(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        published.read(write(tmp_path, ROW, row))


def test_another_heading_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the columns method,value, expected block,method"):
        published.read(write(tmp_path, "a,1", heading="method,value"))
    with pytest.raises(UsageError, match="does not read"):
        published.read(tmp_path / "none.csv")


def test_names_of_methods_exist_on_both_sides_and_belong_to_one_method_each() -> None:
    listed = (*published.TABLE_1, *published.FURTHER)
    ours = Counter(name for one in listed for name in (*one.own, *one.others))
    theirs = Counter(name for one in listed for name in one.published)
    assert max((*ours.values(), *theirs.values())) == 1
    assert set(ours) <= set(registry.swappers.names())
    assert set(theirs) <= {figure.method for figure in published.read()}


def test_titles_are_the_papers() -> None:
    assert [one.title for one in published.TABLE_1] == ["FaceSwap", "FaceShifter", "SimSwap", "HifiFace"]
    assert published.title("HifiFace-256") == published.title("HifiFace") == "HifiFace"
    assert published.title("MegaFS") == "MegaFS"
    faceshifter = published.named("faceshifter-ffpp")
    assert faceshifter is not None and faceshifter.title == "FaceShifter"
    assert published.named("lab-paste") is None
