"""The file: what is written is read again, what is damaged is refused; the machine; the tables for the eye."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from speed_runs import measurement, timed

from hifibench.errors import UsageError
from hifibench.throughput import machine as machines
from hifibench.throughput import records, show
from hifibench.throughput.records import FILE, Method, Scope

WHOLE = measurement(timed("hififace", "ab" * 32), Method("simswap", reason="weights are missing"))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / FILE
    records.write(path, WHOLE)
    assert records.read(path) == WHOLE
    assert json.loads(path.read_text())["schema"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw.update(schema=7), r"has the schema 7; expected 1"),
        (
            lambda raw: raw["methods"][0]["scopes"][0]["offline"].update(batch="many"),
            r"/methods/0/scopes/0/offline/batch",
        ),
        (lambda raw: raw.pop("machine"), r"does not read at /machine"),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(tmp_path: Path, change: Any, said: str) -> None:
    path = tmp_path / FILE
    records.write(path, WHOLE)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=said):
        records.read(path)


@pytest.mark.parametrize("text", ["{", "[]", '"a"'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UsageError, match=r"throughput.json .*Run 'hifibench throughput' again"):
        records.read(tmp_path / FILE)
    with pytest.raises(UsageError, match="does not read"):
        records.read(tmp_path / "none.json")


def test_a_method_under_another_card_is_another_method() -> None:
    assert WHOLE.method("hififace", "ab" * 32) is WHOLE.methods[0]
    assert WHOLE.method("hififace") is WHOLE.methods[0]
    assert WHOLE.method("hififace", "cd" * 32) is None
    assert WHOLE.method("ghost") is None


def test_a_scope_without_numbers_is_none() -> None:
    method = replace(WHOLE.methods[0], scopes=(Scope("generator", reason="no networks"),))
    assert method.scope("generator") is None
    assert WHOLE.methods[0].scope("+detect+paste") is None


def test_the_machine_is_read() -> None:
    got = machines.machine("cpu")
    assert got.torch_threads == torch.get_num_threads()
    assert 1 <= got.usable_cores <= got.cores
    assert got.versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert got.gpu == {}


def test_a_driver_that_cannot_be_asked_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machines._driver("GPU-1") == {}
    program.write_text('#!/bin/sh\necho "570.1, 1980 MHz, 1980 MHz, 700.00 W, 31"\n')
    program.chmod(0o755)
    assert machines._driver("1") == {
        "driver_version": "570.1", "clocks.current.sm": "1980 MHz", "clocks.max.sm": "1980 MHz",
        "power.limit": "700.00 W", "temperature.gpu": "31",
    }  # fmt: skip
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machines._driver("1") == {}


def printed(width: int = 80) -> str:
    out = io.StringIO()
    show.show(WHOLE, Console(file=out, width=width))
    return out.getvalue()


def test_the_table_fits_eighty_columns_and_says_everything() -> None:
    text = printed()
    assert max(map(len, text.splitlines())) <= 80
    row = next(line for line in text.splitlines() if line.startswith("hififace "))
    assert row.split() == ["hififace", "generator", "20.0", "30.0", "40.0", "100", "2", "25.0", "%"]
    flat = " ".join(text.split())
    assert "simswap: not measured: weights are missing" in flat
    assert "Ceiling in bf16: 1.5 TFLOP/s (1.25 to 1.75)" in flat
    assert "of +extractors the source takes 7.25 ms" in flat


def test_markdown_has_every_number_and_escapes_names() -> None:
    text = show.markdown(measurement(timed("a|b*c")))
    row = next(line for line in text.splitlines() if line.startswith("| a"))
    assert row.startswith(r"| a\|b\*c | generator | 20.0 |")
    assert len(row.replace(r"\|", "").split("|")) == len(show.FULL) + 4
    assert "1.00 G" in row and "0.2 T" in row and "25.0 %" in row and "3.00 MiB" in row


def test_what_had_not_settled_and_what_ended_early_is_said() -> None:
    method = WHOLE.methods[0]
    first = method.scopes[0]
    assert first.single_stream is not None and first.offline is not None
    shaky = replace(
        first,
        single_stream=replace(first.single_stream, steady=False),
        offline=replace(first.offline, ended="a batch of 4 does not fit into memory"),
    )
    notes = list(show.notes(measurement(replace(method, scopes=(shaky, *method.scopes[1:])))))
    assert "hififace, generator: the time had not settled when warming up ended." in notes
    assert "hififace, generator: the sweep ended early: a batch of 4 does not fit into memory." in notes


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_number(value: float, text: str) -> None:
    assert show.number(value) == text
