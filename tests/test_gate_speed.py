"""``hifibench gate-speed``: what rounds say, and how commands are run and measured."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from subprocess import CompletedProcess
from xml.etree import ElementTree as XML

import numpy as np
import pytest
from scipy import stats

from hifibench import commands_gate_speed
from hifibench.commands_gate_speed import gate_speed, seconds
from hifibench.errors import GateError, UsageError
from reports.gates import speed as speed_gate
from reports.gates.speed import Outcome, Round, judge


def rounds(*ratios: float) -> tuple[Round, ...]:
    return tuple(Round(2.0, 2.0 * ratio) for ratio in ratios)


def python(script: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", script])


IDLE = python("pass")


@pytest.mark.parametrize(
    ("ratios", "outcome"),
    [
        ((1.0, 1.02, 0.98, 1.01, 0.99, 1.0, 1.03), Outcome.HELD),
        ((1.2, 1.22, 1.18, 1.21, 1.19, 1.2, 1.23), Outcome.SLOWER),
        ((1.0, 1.4, 0.8, 1.3, 0.9, 1.05, 1.2), Outcome.UNKNOWN),
        ((0.5, 0.51, 0.52, 0.5, 0.49, 0.5, 0.5), Outcome.HELD),
        # Six of seven are beyond: what the seventh says cannot be told from chance.
        ((1.2, 1.2, 1.2, 1.2, 1.2, 1.2, 1.0), Outcome.UNKNOWN),
        ((1.1,) * 7, Outcome.HELD),
    ],
)
def test_what_rounds_say(ratios: tuple[float, ...], outcome: Outcome) -> None:
    speed = judge(rounds(*ratios), 10.0)
    assert speed.outcome is outcome
    assert speed.ratio == pytest.approx(median(ratios))
    assert outcome.value in speed.verdict or (outcome is Outcome.HELD and "within the limit" in speed.verdict)


@pytest.mark.parametrize("n", [1, 3, 5, 6, 7, 9, 12, 20, 41])
def test_the_interval_is_that_of_the_sign_test(n: int) -> None:
    ratios = [1 + index / 100 for index in range(n)]
    speed = judge(rounds(*ratios), 0.0)
    cut = round((speed.low - 1) * 100)
    assert speed.high == pytest.approx(ratios[n - 1 - cut])
    # The level by the binomial distribution, and that the next narrower interval would not do.
    assert speed.level == pytest.approx(max(0.0, 1 - 2 * stats.binom.cdf(cut, n, 0.5)))
    if n >= speed_gate.ENOUGH:
        assert speed.level >= 0.95 > 1 - 2 * stats.binom.cdf(cut + 1, n, 0.5)
    else:
        assert cut == 0 and speed.level < 0.95


def test_noise_seldom_fails_and_a_slow_head_mostly_does() -> None:
    rng = np.random.default_rng(3)

    def share(slower: float) -> float:
        outcomes = [
            judge(rounds(*(slower * np.exp(0.05 * rng.standard_t(3, size=7)))), 10.0).outcome for _ in range(300)
        ]
        return outcomes.count(Outcome.SLOWER) / len(outcomes)

    assert share(1.0) == 0.0
    # At the limit itself one side of the interval errs in 1/128 of all cases.
    assert share(1.1) <= 0.03
    assert share(1.4) >= 0.9


def test_what_weakens_a_measurement_is_said() -> None:
    said = " ".join(speed_gate.notes(judge(rounds(1.0, 1.5, 0.7), 10.0), "4"))
    assert "OMP_NUM_THREADS=4" in said and "Fewer than 6 rounds" in said and "More rounds" in said
    short = judge(tuple(Round(0.01, 0.01) for _ in range(6)), 10.0)
    assert any("ticks" in note for note in speed_gate.notes(short, "1"))


@pytest.mark.parametrize(
    ("ratio", "failures", "skipped"), [((1.0,), "0", "0"), ((2.0,), "1", "0"), ((0.9, 2.0), "0", "1")]
)
def test_junit(ratio: tuple[float, ...], failures: str, skipped: str) -> None:
    head = 'run "<a>"\x00 & \x1b[1m'
    (suite,) = XML.fromstring(speed_gate.junit(judge(rounds(*ratio * 6), 10.0), head, ("note <b>",)))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("1", failures, skipped)
    case = suite.find("testcase")
    assert case is not None and case.get("name") == 'run "<a>" & [1m'
    assert (case.find("failure") is not None) is (failures == "1")


def test_markdown() -> None:
    text = speed_gate.markdown(judge(rounds(*(2.0,) * 6), 10.0), "old | `x`", "<new>", ("a note",))
    assert text.startswith("### ❌ hifibench gate-speed: head takes 2.000 times")
    assert r"- base: old \| \`x\`" in text and r"- head: \<new\>" in text
    assert text.count("\n| ") == 8 and text.endswith("</details>\n")


def test_processor_time_of_a_command_and_its_children_is_counted() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    alone = seconds("base", shlex.split(python(burn)), {})
    assert 0.3 <= alone < 0.6
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {burn!r}], check=True)"
    assert seconds("base", shlex.split(python(child)), {}) >= 0.3
    # Waiting is no processor time.
    assert seconds("base", shlex.split(python("import time; time.sleep(0.5)")), {}) < 0.3


def test_commands_take_turns_and_warm_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    environments = set()

    def measured(name: str, words: list[str], environment: dict[str, str]) -> float:
        order.append(name)
        environments.add(environment["OMP_NUM_THREADS"])
        return 1.0

    monkeypatch.setattr(commands_gate_speed, "seconds", measured)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    gate_speed("a", "b", 3, 10.0, None, None)
    assert order == ["base", "head", "base", "head", "head", "base", "base", "head"]
    assert environments == {"1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    gate_speed("a", "b", 3, 10.0, None, None)
    assert environments == {"1", "3"}


def test_a_slower_head_fails_and_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_gate_speed, "seconds", lambda name, *_: {"base": 1.0, "head": 1.3}[name])
    junit, summary = tmp_path / "speed.xml", tmp_path / "summary.md"
    with pytest.raises(GateError, match=r"Head takes 1\.300 times .* slower than the limit of 1\.100.*--slower"):
        gate_speed("a", "b", 6, 10.0, junit, summary)
    assert XML.parse(junit).getroot().get("failures") == "1"
    assert summary.read_text().startswith("### ❌")
    gate_speed("a", "b", 6, 40.0, None, None)


def test_what_cannot_be_told_warns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    took = iter([1.0, 1.0, *(1.0, 0.8, 1.5, 1.0) * 3])
    monkeypatch.setattr(commands_gate_speed, "seconds", lambda *_: next(took))
    gate_speed("a", "b", 6, 10.0, None, None)
    said = " ".join(capsys.readouterr().out.split())
    assert "Warning: cannot tell" in said and "holds the limit of 1.100" in said


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        ("", IDLE, "--base is empty"),
        (IDLE, "echo 'open", "--head .* does not read as a command line"),
        ("no-such-program --x", IDLE, "--base: no-such-program cannot be run.*No shell"),
        (
            IDLE,
            python("import sys; print('out'); print('[red]why[/red]', file=sys.stderr); sys.exit(4)"),
            r"--head: [\s\S]*exit code 4[\s\S]*\[red\]why\[/red\]",
        ),
        (python("import os; os.kill(os.getpid(), 9)"), IDLE, "--base: .* stopped by signal 9"),
    ],
)
def test_commands_that_cannot_be_compared(base: str, head: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gate_speed(base, head, 3, 10.0, None, None)


def test_only_the_end_of_what_a_failed_command_said_is_shown() -> None:
    loud = python("print('\\n'.join(map(str, range(50_000)))); raise SystemExit(1)")
    with pytest.raises(UsageError, match="49999") as caught:
        seconds("base", shlex.split(loud), {})
    assert len(str(caught.value).splitlines()) == commands_gate_speed.TAIL + 1
    assert "49979" not in str(caught.value)


def test_no_time_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands_gate_speed, "seconds", lambda *_: 0.0)
    with pytest.raises(UsageError, match="no processor time"):
        gate_speed("a", "b", 3, 10.0, None, None)


@pytest.mark.slow
def test_on_the_command_line(cli: Callable[..., CompletedProcess[str]]) -> None:
    busy = python("import time\nwhile time.process_time() < 0.3: pass")
    done = cli("gate-speed", "--base", IDLE, "--head", busy, "--rounds", "6", expect=1)
    assert "slower than the limit" in done.stderr and "round 6/6" in done.stdout
    done = cli("gate-speed", "--base", "no-such-program", "--head", IDLE, expect=2)
    assert "cannot be run" in done.stderr
