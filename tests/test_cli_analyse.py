"""``hifibench analyse``, called in this process: what a child process adds is tested with the other commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from hifibench.cli_analyse import app
from hifibench.errors import MissingError, UsageError
from hifibench.hififace import weights
from hifibench.hififace.analysis.study import load
from hifibench.hififace.config import TDDFA, Config, Variant
from hifibench.hififace.generator import Generator


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def trained(tmp_path: Path):
    """``trained(variant)`` writes small weights and returns the file; they are random and so are their swaps."""

    def make(variant: Variant = "full") -> Path:
        file = tmp_path / f"{variant}.safetensors"
        weights.save(Generator(Config(128, 1 / 16, variant, TDDFA)), {}, file)
        return file

    return make


@pytest.mark.slow
@pytest.mark.parametrize("study", ["interpolation", "fusion", "masks", "blending"])
def test_a_study_of_generated_portraits(tmp_path: Path, trained, study: str) -> None:
    out = tmp_path / "out"
    done = call(study, "--weights", trained(), "--pairs", "1", "--out", out, "--device", "cpu", "--quiet")
    assert done.exit_code == 0, done.exception
    names = {f"{study}.{ending}" for ending in ("csv", "json", "npz", "png", "pdf", "svg")}
    assert {path.name for path in out.iterdir()} == names
    assert all(str(out / name) in done.stdout for name in names)
    made = load(out, study)
    assert (made.about["method"], made.about["variant"], made.about["study"]) == ("full", "full", study)
    assert made.arrays["source"].shape == (1, 128, 128, 3)
    assert len(set(made.table["pair"])) == 1


@pytest.mark.slow
def test_a_study_of_photographs(tmp_path: Path, trained, portrait) -> None:
    for name, seed in (("a.png", 2_000_000_001), ("b.png", 2_000_000_002)):
        Image.fromarray(portrait(seed)).save(tmp_path / name)
    (tmp_path / "pairs.csv").write_text("source,target\na.png,b.png\n")
    words = ("masks", "--weights", trained("blend"), "--pairs-csv", tmp_path / "pairs.csv", "--out", tmp_path / "out")
    fewer = call(*words, "--pairs", "2", "--quiet")
    assert isinstance(fewer.exception, UsageError) and "2 pairs were asked for" in str(fewer.exception)
    assert not (tmp_path / "out").exists()
    assert call(*words, "--pairs", "1", "--quiet").exit_code == 0
    made = load(tmp_path / "out", "masks")
    assert list(made.table["mask"]) == ["m_r"] and made.about["images"] == "files of the user's own"


def test_wrong_use_is_told_before_anything_is_made(tmp_path: Path, trained, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    cases = [
        (("fusion", "--method", "hififase"), UsageError, "Did you mean 'hififace'"),
        (("fusion", "--method", "hififace", "--weights", "x"), UsageError, "name one of the two"),
        (("fusion", "--weights", tmp_path / "none.safetensors"), MissingError, "There are no weights"),
        (("fusion", "--weights", trained(), "--split", "tset"), UsageError, "Did you mean 'test'"),
        (("fusion", "--weights", trained(), "--pairs-csv", tmp_path / "none.csv"), UsageError, "no file of pairs"),
        (("fusion", "--weights", trained(), "--device", "tpu"), UsageError, "is no device"),
        (("shape", tmp_path / "none", "--methods", "a,b"), UsageError, "is no folder"),
        (("shape", tmp_path, "--methods", "a"), UsageError, "name them as A,B"),
    ]
    for words, kind, message in cases:
        done = call(*words)
        assert isinstance(done.exception, kind) and message in str(done.exception), (words, done.exception)
    assert call("colour").exit_code == 2
    assert call("fusion", "--pairs", "0").exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"full.safetensors"}


def test_the_shape_study_of_a_run(tmp_path: Path, monkeypatch) -> None:
    from hifibench.hififace.analysis.study import Study
    from reports.figures import shape_study

    table = pd.DataFrame(
        {"pair": ["x", "y"], "source_target": [1.0, 2.0], "error_a": [1.0, 0.5], "error_b": [0.5, 1.0]}
    )
    table["difference"] = table["error_a"] - table["error_b"]
    about = {"a": "one", "b": "two", "metric": "shape[3ddfa]", "unit": "sd", "left_out": "0 of 2 pairs"}
    asked = []

    def compare(*words: object) -> Study:
        asked.append(words)
        return Study("shape", table.sort_values("difference", ignore_index=True), {}, about)

    monkeypatch.setattr(shape_study, "compare", compare)
    done = call("shape", tmp_path, "--methods", "one, two")
    assert done.exit_code == 0, done.exception
    assert asked == [(tmp_path, "one", "two", "shape[3ddfa]")]
    assert "top half: one has the lower shape[3ddfa] than two on 1 of 1 samples" in done.stdout
    written = pd.read_csv(tmp_path / "analysis" / "shape.csv")
    np.testing.assert_array_equal(written["difference"], [-0.5, 0.5])
