"""Tables that are wrong, and files that do not fit their rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from onnx import helper
from onnx_files import DOUBLE, Converter, Recogniser, Swapper, write
from user_rows import EMBEDDING, SIZE, crops, load, swap, table

import baselines.onnx_swappers as package
from hifibench.errors import UsageError

FITS = "does not fit its row"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ({"names": ("face", "target")}, r"it has no input source.*its input face stands for nothing in the row"),
        ({"size": 32}, r"its input target is \(1, 3, 32, 32\), by the row \(1, 3, 16, 16\).*its output output is "),
        ({"identity": (512,)}, r"its input source is \(1, 512\), by the row \(1, 3, 16, 16\)"),
        ({"identity": (3,)}, r"its input source is \(1, 3\), by the row \(1, 3, 16, 16\)"),
        ({"identity": (3, 8, 8)}, r"its input source is \(1, 3, 8, 8\), by the row"),
        ({"kind": DOUBLE}, r"its input \w+ is of tensor\(double\), expected one of tensor\(float\), tensor\(float16\)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_before_the_first_swap(
    tmp_path: Path, file: dict[str, Any], told: str
) -> None:
    dataclasses.replace(Swapper(SIZE, (3, SIZE, SIZE)), **file).write(tmp_path / "tiny.onnx")
    with pytest.raises(UsageError, match=rf"(?s)tiny\.onnx {FITS}: .*{told}.*The file takes .*The row gives it"):
        load(table(), tmp_path)


def test_an_output_of_another_size_is_refused(tmp_path: Path) -> None:
    shape = (1, 3, SIZE, SIZE)
    nodes = [
        helper.make_node("Add", ["source", "target"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["output"], kernel_shape=[2, 1], strides=[2, 1]),
    ]
    write(tmp_path / "tiny.onnx", nodes, {"source": shape, "target": shape}, {"output": (1, 3, 8, SIZE)}, {})
    with pytest.raises(UsageError, match=r"its output output is \(1, 3, 8, 16\), by the row \(1, 3, 16, 16\)"):
        load(table(), tmp_path)


@pytest.mark.parametrize(
    ("output", "told"),
    [({"image": "picture"}, "it has no output picture"), ({"mask": "matte"}, "it has no output matte")],
)
def test_an_output_that_the_file_has_not_is_refused(tmp_path: Path, tiny: Swapper, output: Any, told: str) -> None:
    with pytest.raises(UsageError, match=f"{FITS}: {told}.*\n.*it gives output"):
        load(table(output=output), tmp_path)


def test_a_file_that_only_runs_in_batches_is_refused(tmp_path: Path) -> None:
    shape = (2, 3, SIZE, SIZE)
    nodes = [helper.make_node("Add", ["source", "target"], ["output"])]
    write(tmp_path / "tiny.onnx", nodes, {"source": shape, "target": shape}, {"output": shape}, {})
    with pytest.raises(UsageError, match=r"its input source is \(2, 3, 16, 16\), by the row \(1, 3, 16, 16\)"):
        load(table(), tmp_path)


def test_an_output_whose_shape_the_file_leaves_open_is_held_to_the_row_when_it_comes(tmp_path: Path) -> None:
    shape = (1, 3, "h", "w")
    nodes = [
        helper.make_node("Add", ["source", "target"], ["sum"]),
        helper.make_node("MaxPool", ["sum"], ["output"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    write(tmp_path / "tiny.onnx", nodes, {"source": shape, "target": shape}, {"output": (1, 3, "a", "b")}, {})
    with pytest.raises(UsageError, match=r"gives an output of shape \(1, 3, 8, 8\), expected \(1, 3, 16, 16\)"):
        swap(table(), tmp_path, crops(1), crops(1))


@pytest.mark.parametrize(
    ("length", "converter", "told"),
    [
        (256, "none", r"its input source is \(1, 512\), by the row \(1, 256\)"),
        (256, "c.onnx", r"who\.onnx gives embeddings of 256 numbers; the converter 'c\.onnx' takes 512"),
        (256, "emap", r"gives embeddings of 256 numbers; the converter 'emap' takes 512"),
        (512, "emap", r"tiny\.onnx .*expected .*of shape \(512, 512\)"),
        (512, "who.onnx", r"who\.onnx maps .*expected one input and one output of \(1, 512\)"),
    ],
)
def test_an_identity_of_another_length_is_refused(
    tmp_path: Path, known: Swapper, length: int, converter: str, told: str
) -> None:
    Recogniser(length).write(tmp_path / "who.onnx")
    Converter().write(tmp_path / "c.onnx")
    with pytest.raises(UsageError, match=rf"(?s){told}"):
        load(table(EMBEDDING, converter=converter), tmp_path)


@pytest.mark.parametrize("recogniser", [Recogniser(size=128), Swapper(112, (512,))])
def test_what_is_no_recogniser_is_refused(tmp_path: Path, known: Swapper, recogniser: Recogniser | Swapper) -> None:
    recogniser.write(tmp_path / "who.onnx")
    with pytest.raises(UsageError, match=r"who\.onnx is no recogniser for this row: it takes .*expected one"):
        load(table(EMBEDDING), tmp_path)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(b"GIF89a")
    with pytest.raises(UsageError, match=r"tiny\.onnx cannot be opened as an ONNX network"):
        load(table(), tmp_path)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (table(templat="ffhq"), "templat: no such key"),
        (table(converters="none"), "converters: no such key. Did you mean 'converter'"),
        (table(target__sise=9), "target.sise: no such key. Did you mean 'size'"),
        (table(target__template="fhq"), "no such template of crops as 'fhq'. Did you mean 'ffhq'"),
        (table(target__template="frame"), "no such template of crops as 'frame'"),
        (table(target__size=0), "target.size: .*greater than 0"),
        (table(target__std=[1, 0, 1]), "target.std: .*expected numbers above 0"),
        (table(target__mean=[1, 1]), "target.mean.2: Field required"),
        (table(target__mean=[float("nan")] * 3), "target.mean.0: .*finite"),
        (table(source__range=0), "source.range: .*greater than 0"),
        (table(source__channels="rgb"), "source.channels: .*'RGB' or 'BGR'"),
        (table(source__input="target"), "source.input and target.input are both 'target'"),
        (table(output__matte="m"), "output.matte: no such key"),
        (table(identity="face"), "identity: .*'crop' or 'embedding'"),
        (table(recogniser="who.onnx"), "identity = 'crop' has no recogniser"),
        (table(converter="emap"), "identity = 'crop' has no recogniser and no converter"),
        (table(identity="embedding"), "identity = 'embedding' needs a recogniser: .*w600k-mbf"),
        (table(EMBEDDING, converter="emap", unit=False), "unit cannot be false"),
        ({"row": "inswaper_128"}, "row = 'inswaper_128' is no published row. Did you mean 'inswapper_128'"),
        ({"row": 3}, "row = 3 is no published row"),
        ({"row": "inswapper_128", "target": {"sise": 1}}, "target.sise: no such key"),
        ({"file": "x.onnx"}, "source: Field required.*identity: Field required"),
        (table(trained_with=["edgefase"]), "trained_with names the unknown expert 'edgefase'. Did you mean 'edgeface'"),
    ],
)
def test_a_wrong_table_is_told(tmp_path: Path, fields: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=rf"(?s)The ONNX method mine.*{told}"):
        package.make("mine", fields, tmp_path)


@pytest.mark.parametrize("field", ["mean", "std"])
def test_mean_and_std_are_never_guessed(tmp_path: Path, field: str) -> None:
    fields = table()
    del fields["target"][field]
    with pytest.raises(UsageError, match=f"target.{field}: Field required"):
        package.make("mine", fields, tmp_path)
