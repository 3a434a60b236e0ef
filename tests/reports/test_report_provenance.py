from __future__ import annotations

from reports import provenance
from reports.provenance import Licence


def test_lines_are_facts_and_the_rest_are_details() -> None:
    told = provenance.describe({"run_id": "x", "commit": None, "suite": {"data": {"views": 2}}, "seeds": [1, 2]})
    assert told.facts == (("run id", "x"), ("commit", "—"))
    assert told.details == (("suite", (("data.views", "2"),)), ("seeds", (("", "1, 2"),)))


def test_what_the_results_say_is_not_said_twice() -> None:
    told = provenance.describe({"seed": 0, "manifest": "ab", "suite_name": "demo", "python": "3.11"})
    assert told.facts == (("python", "3.11"),)


def test_nested_lists_are_numbered() -> None:
    told = provenance.describe({"shards": [{"host": "a"}, {"host": "b"}]})
    assert told.details == (("shards", (("1.host", "a"), ("2.host", "b"))),)


def test_a_command_can_be_pasted_into_a_shell() -> None:
    told = provenance.describe({"command": ["hifibench", "run", "--out", "my runs/$1"]})
    assert told.facts == (("command", "hifibench run --out 'my runs/$1'"),)
    assert provenance.describe({"command": "as typed"}).facts == (("command", "as typed"),)


def test_licences_and_acceptance_have_words_of_their_own() -> None:
    told = provenance.describe(
        {"licences": [{"asset": "a", "licence": "MIT"}, {"asset": "b", "research_only": True}, "odd"],
         "acceptance": {"kept": 3, "tried": 4}}
    )  # fmt: skip
    assert told.licences == (Licence("a", "MIT", False), Licence("b", "", True))
    assert told.facts == (("views kept", "3 of 4 tried (75%): the others were another person"),)
    assert told.details == ()


def test_acceptance_of_nothing_is_silent() -> None:
    for acceptance in (None, {"kept": 0, "tried": 0}, {}):
        told = provenance.describe({"acceptance": acceptance, "licences": None})
        assert told == provenance.Provenance((), (), ())


def test_what_is_no_count_is_shown_as_it_stands() -> None:
    told = provenance.describe({"acceptance": {"kept": None, "tried": "many"}})
    assert told.facts == (("acceptance, kept", "—"), ("acceptance, tried", "many"))
    assert provenance.hardware({"memory_gib": "unknown"}) == (("memory gib", "unknown"),)


def test_hardware_has_units() -> None:
    assert provenance.hardware({"cpu": "X", "memory_gib": 16.0}) == (("cpu", "X"), ("memory", "16 GiB"))
