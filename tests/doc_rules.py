"""How each command of the documents is run by a test: made smaller, or by which other test."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

STAND_INS: Mapping[str, str] = {
    "SUITE": "demo",
    "METHOD": "hififace",
    "NAME": "spectrum",
    "[NAME…]": "scrfd-500m",
    "[METHOD…]": "target-copy",
    "STUDY": "masks",
    "RUN": "runs/demo",
    "RUN_A": "runs/demo",
    "RUN_B": "runs/other",
    "ROOT": "ffpp",
    "FOLDER": "photos",
    "A,B": "faceswap,hififace",
    "SOURCE": "ann.jpg",
    "TARGET": "bob.jpg",
    "TARGET.mp4": "bob.mp4",
    "CHECKPOINT": "ring_6_68641",
    "paper-…": "paper-256",
    "mine=FILE": "mine=weights.safetensors",
    "FILE": "weights.safetensors",
    "RESULTS.json": "runs/demo/results.json",
}
"""What a reader puts in the place of a word; other words stand for themselves."""


@dataclass(frozen=True)
class Rule:
    """What is done with the commands that a pattern fits.

    Attributes:
        match: regular expression of the whole command.
        put: option -> value that takes the place of the shown one, so that the command is quick; empty: a flag.
        default: the same of options that are not shown.
        instead: the same of options where they are shown.
        words: other words and what takes their place, before `STAND_INS`.
        runs: the words without an option are finished runs: those of the scenario take their place.
        exits: exit code, of commands that cannot end well here.
        says: what must be told.
        covered: the test that runs such a command, ``file::name``; it is parsed here only.
        parsed: why it is parsed only.
    """

    match: str
    put: Mapping[str, str] = field(default_factory=dict)
    default: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    runs: bool = False
    exits: int = 0
    says: str = ""
    covered: str = ""
    parsed: str = ""


_NEWCOMER = "tests/test_newcomer.py::"
_PLUGIN = "tests/test_example_plugin.py::"
_TINY = {"--steps": "1", "--batch": "2", "--data": "prepared", "--no-compile": "", "--device": "cpu"}
_QUIET = {"--quiet": ""}
_ONE = {"--limit": "1"}
_ROWS = {"--methods": "target-copy,source-paste"}
_OWN_SET = {"VGGFace2/train": "photos", "OUT": "prepared-photos", "prepared": "prepared-photos"}
_TOLD = {"--junit": "junit.xml", "--summary": "summary.md"}
_NOTHING = f"{sys.executable} -c pass"
_CALIBRATION = "tests/calibration/test_calibration_command.py::test_it_writes_page_and_numbers_and_keeps_them"

RULES: tuple[Rule, ...] = (
    # What there is.
    Rule(r"hifibench( \w+)* --help", says="Usage"),
    Rule(r"hifibench list \w+"),
    Rule(r"hifibench doctor", says="cache"),
    Rule(r"hifibench assets (list|verify)"),
    Rule(r"hifibench assets fetch.*", put=_QUIET, says="assets are in"),
    Rule(
        r"hifibench assets convert ringnet CHECKPOINT",
        covered="tests/experts/test_ringnet.py::"
        "test_the_official_layout_converts_and_the_expert_sees_what_tensorflow_computes",
    ),
    # Packages of a newcomer, and the one to copy.
    Rule(r"python -m pip install -e \./my-metric|.*\bmy-metric", covered=_NEWCOMER + "test_a_metric"),
    Rule(r"hifibench run \./mouth\S*\.yaml .*", covered=_NEWCOMER + "test_a_metric"),
    Rule(r'hifibench calibrate --metrics "mouth_open\[mediapipe\]"', covered=_NEWCOMER + "test_a_metric"),
    Rule(r"(hifibench|python -m pip) .*my-swapper.*", covered=_NEWCOMER + "test_a_method_as_a_package"),
    Rule(
        r"hifibench .*(my-onnx|my-program).*|python export\.py|cp .*child\.py",
        covered=_NEWCOMER + "test_methods_of_a_file",
    ),
    Rule(r"hifibench .*my-pictures.*", covered=_NEWCOMER + "test_a_method_by_its_pictures"),
    Rule(r"python -m pip install \./examples/swapper-plugin", covered=_PLUGIN + "test_it_is_listed"),
    Rule(r"hifibench selftest lab-paste", covered=_PLUGIN + "test_it_passes_the_self_test"),
    Rule(r"hifibench run demo .*lab-paste.*", covered=_PLUGIN + "test_it_is_run_and_scored"),
    # Methods.
    Rule(r"hifibench selftest \w+.*", put={"--device": "cpu"}, default=_QUIET, says="roles"),
    Rule(r"hifibench swap .*", put={"--device": "cpu"}),
    # Trainings.
    Rule(r"hifibench train .*--set \w+_file=.*", put=_TINY, exits=2, says="epoch_20.pth cannot be read"),
    Rule(r"hifibench train .*--preset paper-.*", put=_TINY, exits=2, says="needs ffhq of 256"),
    Rule(r"hifibench train .*", put=_TINY | _QUIET, says="safetensors"),
    Rule(
        r"torchrun .*hifibench (run|calibrate) .*",
        covered="tests/pipeline/test_group.py::test_torchrun_ends_as_one_process",
    ),
    Rule(
        r"torchrun .*",
        covered="tests/training/test_processes.py::test_two_processes_agree_with_one_on_the_same_global_batch",
    ),
    Rule(
        r"python -m hifibench\.forensics\.train .*",
        covered="tests/forensics/test_train.py::test_a_tiny_training_ends_with_both_detectors_and_their_cards",
    ),
    Rule(
        r"python -m hifibench\.heads\.extract",
        covered="tests/heads/test_rendered_heads.py::test_the_shipped_head_is_annys",
    ),
    # Data.
    Rule(r"hifibench data portraits OUT", put={"--identities": "1", "--views": "1", "--size": "64"} | _QUIET),
    Rule(r"hifibench data prepare .*--(enhance|parser) .*", put={"--workers": "1"}, exits=2, says="no"),
    Rule(r"hifibench data prepare .*", put={"--workers": "1"} | _QUIET, words=_OWN_SET, says="kept"),
    Rule(r"hifibench data verify ffpp ROOT"),
    Rule(r"hifibench data manifest ffpp ROOT.*", says="000"),
    # Runs on FaceForensics++.
    Rule(r"hifibench run ffpp-(?!.*embedded).*", exits=3, says="does not fetch"),
    Rule(r"hifibench run ffpp-.*--add .*", put=_ONE | _QUIET, default={"--methods": "target-copy,my-release"}),
    Rule(
        r"hifibench run ffpp-.*", put=_ONE | _QUIET, default={"--methods": "target-copy,faceswap-ffpp,faceshifter-ffpp"}
    ),
    # Other runs.
    # The least of its clips: some of its metrics take three frames.
    Rule(r"hifibench run ci --add .*", put={"--limit": "3"} | _QUIET, default={"--methods": "target-copy,my-onnx"}),
    Rule(r"hifibench run ci( --out \S+)?", put={"--limit": "3"} | _QUIET, default=_ROWS),
    Rule(r"hifibench run .*--add .*", put=_ONE | _QUIET, default={"--methods": "target-copy,my-onnx"}),
    Rule(
        r"hifibench run .*--detector .*", put=_ONE | _QUIET, default={"--methods": "target-copy,source-paste,faceswap"}
    ),
    Rule(r"hifibench run \./clips\.yaml .*", put=_QUIET),
    Rule(r"hifibench run truth-video", put={"--limit": "3"} | _QUIET, default=_ROWS),
    Rule(r"hifibench run .*", put=_ONE | _QUIET, default=_ROWS),
    # Finished runs.
    Rule(r"hifibench report .*", runs=True, says="index.html"),
    Rule(r"hifibench robustness .*", put={"--through": "jpeg:75"} | _QUIET, runs=True),
    Rule(r"hifibench analyse shape RUN .*", put={"--metric": "shape[mediapipe]"}, runs=True),
    Rule(r"hifibench analyse shape .*", put={"--methods": "faceswap,hififace"}, runs=True),
    Rule(r"hifibench analyse .*", put={"--pairs": "1"} | _QUIET),
    Rule(r"hifibench compare .*", instead={"--methods": "hififace,faceswap=hififace"}, runs=True),
    Rule(r"hifibench leaderboard .*", runs=True),
    Rule(r"hifibench gate .*", put={"--golden": "golden.json"}, instead=_TOLD, runs=True),
    Rule(
        r"hifibench gate-speed .*",
        put={"--base": _NOTHING, "--head": _NOTHING, "--rounds": "6", "--slower": "1000"},
        instead=_TOLD,
    ),
    Rule(r"hifibench validate .*", runs=True),
    Rule(r"hifibench calibrate .*|hifibench calibrate", covered=_CALIBRATION),
    Rule(
        r"hifibench throughput.*",
        put={"--seconds": "0.2", "--batch": "1", "--scope": "+extractors"} | _QUIET,
        instead={"--device": "cpu", "--precision": "fp32"},
        says="offline",
    ),
    # Marks of origin.
    Rule(r"python -c .*ann-on-bob\.(png|mp4).*", says="trainedAlgorithmicMedia"),
    Rule(r"grep -c .*", says="ann-on-bob"),
    # What would install or test everything.
    Rule(r"python -m pip install .*", parsed="takes minutes; the environment of the tests is its result"),
    Rule(r"python -m venv .*", parsed="makes an environment; test_example_plugin.py makes one the same way"),
    Rule(r"tox.*", parsed="is what runs this test"),
)
"""The first rule that fits a command decides."""


def rule(command: str) -> Rule | None:
    """The rule for a command; ``None``: nothing is said of it, and that is an error."""
    return next((one for one in RULES if re.fullmatch(one.match, command)), None)


def reduced(words: list[str], how: Rule) -> list[str]:
    """A command as it is run: with stand-ins, the rule's options, and the scenario's runs.

    Args:
        words: the command, ``hifibench`` first.
        how: its rule.
    """
    given = [how.words.get(word, STAND_INS.get(word, word)) for word in words]
    for option, value in (*how.put.items(), *((o, v) for o, v in how.instead.items() if o in given)):
        if option in given:
            place = given.index(option)
            given[place : place + (2 if value else 1)] = [option, value] if value else [option]
        else:
            given += [option, value] if value else [option]
    for option, value in how.default.items():
        if option not in given:
            given += [option, value] if value else [option]
    return _with_runs(given) if how.runs else given


def _with_runs(words: list[str]) -> list[str]:
    """The words without an option, after the command's own, become the runs of the scenario, in turn."""
    start = 3 if words[1] == "analyse" else 2
    flags = ("--update", "--other-manifest", "--quiet")
    known, option = iter(["runs/demo", "runs/other"] * 4), False
    made = words[:start]
    for word in words[start:]:
        file = word.endswith(".json") and words[1] == "validate"
        made.append(word if option or word.startswith("-") else next(known) + ("/results.json" if file else ""))
        option = word.startswith("-") and word not in flags and "=" not in word
    return made
