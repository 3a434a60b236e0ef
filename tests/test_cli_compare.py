"""``hifibench compare`` as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "reports"))
from compare_runs import POSE, manifest, paint, write

from hifibench.commands_compare import chosen, compare
from hifibench.errors import MissingError, UsageError
from reports import read

N = 24
NAMES = [f"p{k:03d}" for k in range(N)]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of the methods ``m`` and ``a=b``; the second is worse."""
    rng = np.random.default_rng(0)
    values = {(name, POSE.name): rng.normal(5, 1, N) for name in ("m", "a=b")}
    worse = {key: column + rng.normal(1, 0.1, N) for key, column in values.items()}
    a, b = (write(tmp_path / name, of, [POSE], manifest(NAMES)) for name, of in (("a", values), ("b", worse)))
    for run in (a, b):
        paint(run, ["m"], NAMES)
    return a, b


def test_it_writes_beside_the_second_run_and_ends_well(pair, cli) -> None:
    a, b = pair
    done = cli("compare", a, b, env={"COLUMNS": "80"})
    names = {"compare.json", "compare.md", "index.html", "moved.png"}
    assert {path.name for path in (b / "compare").iterdir()} == names
    assert "worse *" in done.stdout and str(b / "compare" / "index.html") in done.stdout
    raw = json.loads((b / "compare" / "compare.json").read_text())
    assert [one["verdict"] for one in raw["comparisons"]] == ["worse", "worse"]
    # A folder of one's own; what an earlier comparison left there does not stay.
    out = a.parent / "out"
    out.mkdir()
    (out / "moved.png").write_bytes(b"old")
    for run in (a, b):
        for picture in (run / "pictures").rglob("*.jpg"):
            picture.unlink()
    cli("compare", b, a, "--out", out, "--methods", "m")
    assert {path.name for path in out.iterdir()} == names - {"moved.png"}
    assert [one["verdict"] for one in json.loads((out / "compare.json").read_text())["comparisons"]] == ["better"]


def test_other_manifests(pair, cli, tmp_path: Path) -> None:
    a, _ = pair
    plan = manifest(NAMES, views=1)
    other = write(tmp_path / "other", {("m", POSE.name): np.linspace(4, 6, N)}, [POSE], plan)
    said = cli("compare", a, other, expect=2).stderr
    assert all(text in "".join(said.split()) for text in (manifest(NAMES).hash, plan.hash, "--other-manifest"))
    assert not (other / "compare").exists()
    assert "Not paired" in cli("compare", a, other, "--other-manifest").stdout


def test_an_unfinished_run(pair, cli) -> None:
    a, b = pair
    (b / "results.json").unlink()
    assert "not finished" in cli("compare", a, b, expect=3).stderr


def test_refusals(pair) -> None:
    a, b = pair
    with pytest.raises(UsageError, match="are one folder"):
        compare(a, a / ".." / a.name)
    with pytest.raises(UsageError, match="is no folder"):
        compare(a, a / "nowhere")
    with pytest.raises(UsageError, match=r"has no method 'n'\..*m"):
        compare(a, b, "n")
    (b / "scores.parquet").unlink()
    with pytest.raises(MissingError, match=r"scores\.parquet"):
        compare(a, b)
    assert not (b / "compare").exists()


def test_which_methods(pair) -> None:
    a, b = map(read.run, pair)
    assert chosen("m", a, b) == [("m", "m")]
    assert chosen(" m , m ,", a, b) == [("m", "m")]
    assert chosen("m=a=b", a, b) == [("m", "a=b")]
    # A name with the sign in it is a name first.
    assert chosen("a=b", a, b) == [("a=b", "a=b")]
    with pytest.raises(UsageError, match="names none"):
        chosen(" , ", a, b)
    with pytest.raises(UsageError, match="has no method"):
        chosen("m=", a, b)
    with pytest.raises(UsageError, match=r"b has no method 'a-b'. Did you mean 'a=b'\?"):
        chosen("m=a-b", a, b)
