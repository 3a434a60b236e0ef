"""Every command that the documents show: it parses, a rule says how it is run, and it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import doc_scenario
import pytest
from doc_commands import ROOT, Shown, accept, accept_pip, accept_tox, blocks, shown, spelled
from doc_rules import RULES, STAND_INS, Rule, reduced, rule

COMMANDS = shown()


def named(command: Shown) -> str:
    return f"{Path(command.document).stem}: {command.text}"


def is_whole(command: Shown) -> bool:
    """Whether it is a command to run, and not the name of one."""
    return command.words[0] != "hifibench" or accept(standing(command)[1:], command.inline)


def standing(command: Shown) -> list[str]:
    return [STAND_INS.get(word, word) for word in command.words]


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[doc_scenario.Scenario]:
    with pytest.MonkeyPatch.context() as patch:
        yield doc_scenario.make(tmp_path_factory.mktemp("documents"), patch)


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_it_parses(command: Shown) -> None:
    words = standing(command)
    if words[0] == "hifibench":
        accept(words[1:], command.inline)
    elif words[0] == "tox":
        accept_tox(words[1:])
    elif words[:3] == ["python", "-m", "pip"]:
        accept_pip(words[3:])
    elif words[:2] == ["python", "-m"] and words[2].startswith("hifibench."):
        assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file(), words[2]
    elif words[0] == "torchrun":
        accept(words[words.index("hifibench") + 1 :])
    elif words[:2] == ["python", "-c"]:
        ast.parse(words[2])


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_a_rule_says_how_it_is_run(command: Shown) -> None:
    if not is_whole(command):
        return
    how = rule(command.text)
    assert how is not None, f"{command.document}: no rule of doc_rules.RULES fits '{command.text}'"
    assert (how.covered != "") + (how.parsed != "") <= 1
    if how.covered:
        file, _, test = how.covered.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), how.covered


def runnable() -> list[Shown]:
    found = []
    for command in COMMANDS:
        how = rule(command.text)
        if how is not None and not how.covered and not how.parsed and is_whole(command):
            found.append(command)
    # Files that a command writes must be there before they are looked at.
    return sorted(found, key=lambda command: command.words[0] != "hifibench")


@pytest.mark.slow
@pytest.mark.parametrize("command", runnable(), ids=named)
def test_it_is_run(command: Shown, scenario: doc_scenario.Scenario) -> None:
    how = rule(command.text)
    assert how is not None
    words = reduced(command.words, how)
    done = scenario.run(words if command.words[1:2] != ["run"] else folded(words))
    assert done.code == how.exits, done.said
    assert how.says in done.said
    assert "Traceback" not in done.said


def folded(words: list[str]) -> list[str]:
    """A run into a folder of its own: commands that were made smaller alike are one, and share it."""
    kept = list(words)
    if "--out" in kept:
        del kept[kept.index("--out") : kept.index("--out") + 2]
    name = "".join(letter if letter.isalnum() else "-" for letter in " ".join(kept[2:]))
    return [*kept, "--out", f"runs/docs/{name[:150]}"]


def test_every_rule_is_needed_and_no_command_is_taken_by_an_earlier_one() -> None:
    """A rule that fits nothing hides that a document has changed; those of documents still to come are let be."""
    used = {id(rule(command.text)) for command in COMMANDS}
    for one in RULES:
        if not one.runs and "gate" not in one.match:
            assert id(one) in used, f"no command of the documents is run by {one.match}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\nhifibench run demo   # look\n```\n", ["hifibench run demo"]),
        ("```\nhifibench a OUT      some words\npython -m pip install x && tox\n```\n",
         ["hifibench a OUT", "python -m pip install x", "tox"]),
        ("```\nhifibench run demo \\\n  --quiet\n```\n", ["hifibench run demo --quiet"]),
        ("```yaml\n- run: hifibench gate RUN\n  run: |\n    hifibench validate RUN\n```\n",
         ["hifibench gate RUN", "hifibench validate RUN"]),
        ("```python\nhifibench = 1\n```\n", []),
    ],
)  # fmt: skip
def test_commands_are_found_in_blocks(text: str, expected: list[str]) -> None:
    assert list(blocks(text)) == expected


def test_what_may_be_left_out_or_chosen_is_spelled_out() -> None:
    assert spelled("hifibench x [--a A | --b B]") == ["hifibench x", "hifibench x --a A", "hifibench x --b B"]
    assert spelled("hifibench list a|b") == ["hifibench list a", "hifibench list b"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("runn demo", "no command hifibench runn"),
        ("run demo --metod x", "No such option"),
        ("run demo --estimators mine", "is not one of"),
        ("list metods", "is not one of"),
        ("run demo --limit few", "--limit"),
        ("swap a.jpg", "Missing argument"),
    ],
)
def test_wrong_commands_are_refused(words: str, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        accept(words.split())


def test_a_rule_replaces_and_adds_options() -> None:
    how = Rule("", put={"--limit": "1", "--quiet": ""}, default={"--methods": "a"}, runs=False)
    assert reduced(["hifibench", "run", "SUITE", "--limit", "8"], how) == [
        "hifibench", "run", "demo", "--limit", "1", "--quiet", "--methods", "a",
    ]  # fmt: skip
    runs = Rule("", runs=True)
    assert reduced(["hifibench", "compare", "x", "y", "--out", "z"], runs)[2:4] == ["runs/demo", "runs/other"]
