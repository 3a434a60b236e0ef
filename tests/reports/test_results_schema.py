from __future__ import annotations

import copy
import dataclasses
import json
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from hifibench.errors import UsageError
from hifibench.records import Cost, Status
from reports import read, records
from reports.results import file as results_file
from reports.results import migrate
from reports.results import rules as results_rules
from reports.results import schema as results_schema
from reports.results.problems import Problem, pointer, said

MakeRun = Callable[..., Path]
VERSIONS = range(migrate.OLDEST, migrate.NEWEST + 1)
RECORDS = {
    "gallery": records.GallerySize, "method": records.Method, "cost": Cost, "expert": records.Expert,
    "metric": records.Metric, "calibration": records.Calibration, "score": records.Result, "part": records.Part,
    "check": records.Check,
}  # fmt: skip
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def valid() -> dict[str, Any]:
    """A run with something under every key."""
    content = finished_run.complete(finished_run.results())
    calibration = {"floor": 0.1, "ceiling": 9.0, "series": "yaw", "rho": 0.9, "resolution": 0.2, "pairs": 100,
                   "poor": False, "reason": "", "made_on": 32, "manifest": "ab" * 32}  # fmt: skip
    content["metrics"][6]["calibration"] = calibration
    content["metrics"][12]["whole"] = True
    scores = [{key: value for key, value in score.items() if key != "worst_case"} for score in content["scores"][:12]]
    content["splits"] = [{"split": "yaw[mediapipe]", "title": "Yaw", "unit": "deg", "level": "hard", "n": 100,
                          "scores": scores}]  # fmt: skip
    content["methods"][4]["trained_with"] = ["3ddfa"]
    content["findings"] = ["pose[mediapipe] finds faceswap better"]
    return content


def at(content: Any, path: str) -> tuple[Any, Any]:
    """The container of a place, and its key in it."""
    steps = path.strip("/").split("/")
    for step in steps[:-1]:
        content = content[int(step) if isinstance(content, list) else step]
    return content, int(steps[-1]) if isinstance(content, list) else steps[-1]


def problems(content: dict[str, Any]) -> list[Problem]:
    return results_schema.check(content) or results_rules.check(content)


def objects(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"results": schema, **schema["$defs"]}


def test_a_run_with_something_under_every_key_is_valid() -> None:
    assert problems(valid()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_schemas_are_schemas_closed_and_explain_every_key(version: int) -> None:
    schema = results_schema.load(version)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    for name, one in objects(schema).items():
        assert one["title"] and one["description"], name
        assert one["additionalProperties"] is False, name
        for key, entry in one["properties"].items():
            assert "$ref" in entry or len(entry["description"]) > 8, f"{name}.{key}"


def test_the_newest_schema_asks_for_every_key() -> None:
    for name, one in objects(results_schema.load(migrate.NEWEST)).items():
        assert one["required"] == list(one["properties"]), name


def kinds(annotation: Any) -> set[str]:
    """JSON types of what a record's field takes."""
    if isinstance(annotation, types.UnionType):
        return {kind for part in typing.get_args(annotation) for kind in kinds(part)}
    if dataclasses.is_dataclass(annotation) or typing.get_origin(annotation) is typing.get_origin(
        typing.Mapping[str, int]
    ):
        return {"object"}
    if typing.get_origin(annotation) is tuple:
        return {"array"}
    if typing.get_origin(annotation) is typing.Literal:
        return {"string"}
    return {TYPES[annotation]}


@pytest.mark.parametrize("name", ["results", *RECORDS])
def test_the_newest_schema_and_the_records_agree(name: str) -> None:
    schema = results_schema.load(migrate.NEWEST)
    record = RECORDS.get(name, records.Results)
    entries = dict(objects(schema)[name]["properties"])
    entries.pop("schema", None)
    assert set(entries) == {field.name for field in dataclasses.fields(record)}
    for key, annotation in typing.get_type_hints(record).items():
        entry = entries[key]
        entry = schema["$defs"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
        given = {entry["type"]} if isinstance(entry["type"], str) else {*entry["type"]}
        assert given == kinds(annotation), key


def test_scores_of_parts_are_scores_without_a_worst_case() -> None:
    defs = results_schema.load(migrate.NEWEST)["$defs"]
    assert {*defs["score"]["properties"]} - {*defs["partScore"]["properties"]} == {"worst_case"}


def test_statuses_and_directions_are_those_of_the_package() -> None:
    for version in VERSIONS:
        defs = results_schema.load(version)["$defs"]
        assert defs["method"]["properties"]["status"]["propertyNames"]["enum"] == [*Status]
        assert defs["metric"]["properties"]["direction"]["enum"] == ["up", "down"]


@pytest.mark.parametrize(
    ("path", "value", "found", "expected"),
    [
        ("/n_pairs", -1, "-1", "at least 0"),
        ("/n_pairs", 10**18, "1000000000000000000", "at most 9.007e+15"),
        ("/n_pairs", True, "true", "a whole number"),
        ("/seed", 0.5, "0.5", "a whole number"),
        ("/manifest", "AB" * 32, '"' + "AB" * 29 + "…", "a SHA-256 in hexadecimal, 64 of 0-9 and a-f"),
        ("/methods", {}, "an object", "an array"),
        ("/methods/0", "faceswap", '"faceswap"', "an object"),
        ("/methods/0/name", "", '""', "some text"),
        ("/methods/0/kind", "winner", '"winner"', 'one of "reference", "method"'),
        ("/methods/4/cost/macs", 1.5, "1.5", "a whole number or null"),
        ("/methods/0/cost", 3, "3", "an object or null"),
        ("/methods/0/trained_with", "x", '"x"', "an array"),
        ("/metrics/0/direction", "left", '"left"', 'one of "up", "down"'),
        ("/metrics/0/decimals", 21, "21", "at most 20"),
        ("/metrics/0/leader", 1, "1", "a string or null"),
        ("/metrics/6/calibration/rho", 1.5, "1.5", "at most 1"),
        ("/metrics/6/calibration/manifest", "x", '"x"', "a SHA-256 in hexadecimal, 64 of 0-9 and a-f, or nothing"),
        ("/scores/0/value", "95.0", '"95.0"', "a number or null"),
        ("/scores/0/value", 10**308, "1" + "0" * 58 + "…", "at most 1e+300"),
        ("/scores/0/n", None, "null", "a whole number"),
        ("/splits/0/scores/0/n", -3, "-3", "at least 0"),
        ("/checks/0/ok", "yes", '"yes"', "true or false"),
        ("/protocol/detector", 3, "3", "a string"),
        ("/methods/0/status/ok", "100", '"100"', "a whole number"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(path: str, value: Any, found: str, expected: str) -> None:
    content = valid()
    container, key = at(content, path)
    container[key] = value
    assert results_schema.check(content) == [Problem(path, found, expected)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/manifest", "a string"),
        ("/scores", "an array"),
        ("/methods/1/cost", "an object or null"),
        ("/metrics/0/rate", "true or false"),
        ("/metrics/0/calibration", "an object or null"),
        ("/scores/7/low", "a number or null"),
    ],
)
def test_a_missing_key_is_told_with_what_it_should_hold(path: str, expected: str) -> None:
    content = valid()
    container, key = at(content, path)
    del container[key]
    assert results_schema.check(content) == [Problem(path, "nothing", expected)]


def test_two_missing_keys_are_told_once_each() -> None:
    content = valid()
    del content["scores"][0]["n"], content["scores"][0]["low"]
    assert [problem.where for problem in results_schema.check(content)] == ["/scores/0/low", "/scores/0/n"]


def test_an_unknown_key_names_the_nearest_one() -> None:
    content = valid()
    content["scores"][2]["worst_cases"] = 1.0
    content["methods"][0]["status"] = {"fine": 100}
    first, second = results_schema.check(content)
    assert str(first).startswith('/methods/0/status/fine: found a key of that name, expected one of "ok", "no face in')
    assert str(second) == ("/scores/2/worst_cases: found a key of that name, expected none. Did you mean 'worst_case'?")


def change(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    container, key = at(content, path)
    container[key] = value
    return content


@pytest.mark.parametrize(
    ("changes", "where", "told"),
    [
        ({"/methods/1/name": "target-copy"}, "/methods/1", '"target-copy" once more, expected each once'),
        ({"/metrics/1/name": "pose[3ddfa]"}, "/metrics/8", '"pose[3ddfa]" once more'),
        ({"/scores/0/metric": "ghost"}, "/scores/0/metric", 'found "ghost", expected a metric of this run'),
        ({"/scores/0/metric": "ghost"}, "/scores", 'no score of "target-copy", expected one in "id_retrieval[edgeface'),
        ({"/scores/1/metric": finished_run.METRICS[0][0]}, "/scores/1", "once more, expected each once"),
        ({"/scores/0/n_failed": 101}, "/scores/0/n_failed", "found 101, expected at most n, 100"),
        ({"/scores/0/n": 101}, "/scores/0/n", "found 101, expected at most the pairs there are, 100"),
        ({"/scores/6/low": 20.0}, "/scores/6/low", "found 20.0, expected at most high, 0.4"),
        ({"/scores/6/value": 0.5}, "/scores/6/value", "found 0.5, expected within its interval, -0.4 to 0.4"),
        ({"/scores/6/n_failed": 100}, "/scores/6/value", "found 0.0, expected null: all pairs failed"),
        ({"/scores/0/worst_case": 101}, "/scores/0/worst_case", "expected 0 to 100: it is a share"),
        ({"/metrics/0/leader": "ghost"}, "/metrics/0/leader", 'found "ghost", expected a method of this run'),
        ({"/metrics/0/leader": "target-copy"}, "/metrics/0/leader", "a reference row, expected a method"),
        ({"/scores/52/value": None}, "/metrics/0/leader", '"hififace", which has no value here'),
        ({"/splits/0/n": 101}, "/splits/0/n", "found 101, expected at most n_pairs, 100"),
        ({"/splits/0/scores/3/method": "ghost"}, "/splits/0/scores/3/method", "expected a method of this run"),
        ({"/splits/0/scores/3/n": 101}, "/splits/0/scores/3/n", "at most the pairs there are, 100"),
        ({"/splits/0/scores/3/metric": "background[ssim]"}, "/splits/0/scores/3/metric", "expected a mean over pairs"),
        ({"/methods/0/status/ok": 101}, "/methods/0/status", "found 101 pairs in all, expected at most n_pairs, 100"),
        ({"/galleries/frames/identities": 201}, "/galleries/frames/identities", "expected at most its images, 200"),
        ({"/checks/0/skipped": True, "/checks/0/ok": False}, "/checks/0/ok", "the check was skipped"),
        ({"/checks/1/name": "target-copy keeps the pose"}, "/checks/1", "once more"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_with_its_place(changes: dict[str, Any], where: str, told: str) -> None:
    content = valid()
    for path, value in changes.items():
        change(content, path, value)
    assert results_schema.check(content) == []
    assert any(problem.where == where and told in str(problem) for problem in results_rules.check(content)), [
        str(problem) for problem in results_rules.check(content)
    ]


def test_two_parts_of_one_name_are_told() -> None:
    content = valid()
    content["splits"].append(content["splits"][0])
    assert str(results_rules.check(content)[0]) == (
        '/splits/1: found "yaw[mediapipe]" on "hard" once more, expected each once'
    )


def test_the_number_of_a_set_may_lie_outside_its_interval() -> None:
    assert results_rules.check(change(valid(), "/scores/12/value", 5.0)) == []
    low = change(change(valid(), "/scores/12/value", 5.0), "/scores/12/low", 9.0)
    assert [problem.where for problem in results_rules.check(low)] == ["/scores/12/low"]


def test_rounding_to_nine_digits_is_no_contradiction() -> None:
    assert results_rules.check(change(valid(), "/scores/6/value", 0.4 + 1e-10)) == []


@pytest.mark.parametrize(("text", "found"), [("NaN", "NaN"), ("-Infinity", "beyond all"), ("1e999", "beyond all")])
def test_what_is_no_finite_number_is_refused_with_its_place(make_run: MakeRun, text: str, found: str) -> None:
    folder = make_run()
    path = folder / "results.json"
    marked = json.dumps(change(valid(), "/scores/3/low", 123456.0)).replace("123456.0", text)
    path.write_text(marked)
    with pytest.raises(UsageError, match=rf"/scores/3/low: found .*{found}.*, expected a finite number, or null"):
        read.run(folder)


def test_half_a_character_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "results.json").write_text(json.dumps(change(valid(), "/methods/0/summary", "a\ud800b")))
    with pytest.raises(UsageError, match=r"/methods/0/summary: found half a character") as raised:
        read.run(folder)
    assert str(raised.value).encode()


def test_names_of_all_kinds_are_harmless(make_run: MakeRun) -> None:
    evil = "<script>alert('x')</script> 100 % _ \\ | `a` “ü” \x1b[31m"
    content = valid()
    content["methods"][0]["name"] = evil
    for score in (*content["scores"], *content["splits"][0]["scores"]):
        score["method"] = evil if score["method"] == "target-copy" else score["method"]
    assert problems(content) == []
    assert read.run(make_run(content)).results.methods[0].name == evil
    (problem,) = problems(change(content, "/methods/0/status", {evil: 1}))
    assert "\x1b" not in str(problem)
    assert "\\u001b" in str(problem)


def test_a_refusal_lists_twenty_problems_and_counts_the_others(tmp_path: Path) -> None:
    content = valid()
    for score in content["scores"]:
        score["n"] = -1
    file = results_file.ResultsFile(3, {}, tuple(results_schema.check(content)))
    lines = results_file.refusal(tmp_path / "results.json", file).splitlines()
    assert len(lines) == 22
    assert lines[0].endswith("schema 3: 65 problems.")
    assert lines[1] == "  /scores/0/n: found -1, expected at least 0"
    assert lines[-1] == "  … and 45 more"


def test_pointers_escape_what_would_divide_them() -> None:
    assert pointer("a/b", 0, "c~d") == "/a~1b/0/c~0d"
    assert said("x" * 10**7) == '"' + "x" * 58 + "…"


# What hypothesis may put in the place of any value.
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 200), st.integers(-(10**350), 10**350), st.floats(), st.text(max_size=5),
    st.just([]), st.just({}), st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.none(),
    max_size=2), st.sampled_from(["method", "target-copy", "up", "ok", "pose[3ddfa]", "ab" * 32, "../..", "\ud800"]),
)  # fmt: skip


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every container and key below ``content``."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    found = [(content, key) for key in keys]
    return found + [place for key in keys for place in places(content[key])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzzed") / "run"
    return finished_run.write(made, finished_run.results(), [])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_mutated_file_is_valid_or_refused_with_a_place(folder: Path, data: st.DataObject) -> None:
    content = copy.deepcopy(valid())
    for _ in range(data.draw(st.integers(1, 3))):
        listed = places(content)
        container, key = listed[data.draw(st.integers(0, len(listed) - 1))]
        match data.draw(st.sampled_from(["replace", "drop", "add", "double"])):
            case "replace":
                container[key] = data.draw(VALUES)
            case "drop":
                del container[key]
            case "add" if isinstance(container, dict):
                container[data.draw(st.text(max_size=4))] = data.draw(VALUES)
            case "double" if isinstance(container, list):
                container.append(container[key])
    text = json.dumps(content)
    (folder / "results.json").write_text(text)
    try:
        read.run(folder)
    except UsageError as error:
        said_of = str(error)
        assert said_of.encode()
        # Where the version or the manifest is another one, the file as a whole is refused.
        whole = "cannot be read. It has" in said_of or "mixes two runs" in said_of
        assert whole or ": found " in said_of or "does not read at /" in said_of


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_text_is_valid_or_refused(folder: Path, data: st.DataObject) -> None:
    text = bytearray(json.dumps(valid()).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([None, None, data.draw(st.integers(0, len(text)))]))
    (folder / "results.json").write_bytes(bytes(text[:cut]))
    try:
        read.run(folder)
    except UsageError as error:
        assert "results.json" in str(error)
