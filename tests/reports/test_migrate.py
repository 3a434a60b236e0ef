from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import pytest

from hifibench import registry
from hifibench.errors import UsageError
from hifibench.pipeline.results import SCHEMA
from reports import read
from reports.results import migrate
from reports.results import rules as results_rules
from reports.results import schema as results_schema

MakeRun = Callable[..., Path]
FORGERY = "forgery_auc[blend-cnn,video]"


def second(early: bool = False) -> dict[str, Any]:
    """What schema 2 held; ``early``: without what its first files lacked."""
    content = finished_run.complete(finished_run.results())
    score = {key: content["scores"][0][key] for key in ("method", "metric", "value", "low", "high", "n", "n_failed")}
    about = {"floor": 0.1, "ceiling": 9.0, "series": "yaw", "rho": 0.9, "resolution": 0.2, "pairs": 100, "poor": False,
             "reason": ""}  # fmt: skip
    late = {} if early else {"made_on": 32, "manifest": "ab" * 32}
    content["metrics"][6]["calibration"] = about | late
    content["metrics"][12] |= {"name": FORGERY, "title": "Forgery AUC"}
    content["scores"] = [one | {"metric": FORGERY} if one["metric"] == "background[ssim]" else one for one in
                         content["scores"]]  # fmt: skip
    for metric in content["metrics"]:
        del metric["rate"], metric["whole"]
    part = {"split": "yaw[mediapipe]", "title": "Yaw", "unit": "deg", "level": "hard", "n": 100,
            "scores": [score | ({} if early else {"reason": "few"})]}  # fmt: skip
    return content | {"schema": 2, "splits": [part], "findings": ["one"]}


def first(early: bool = False) -> dict[str, Any]:
    """What schema 1 held; ``early``: without what its first files lacked."""
    content = second()
    for score in content["scores"]:
        del score["reason"]
    for metric in content["metrics"]:
        del metric["calibration"]
    for method in content["methods"] if early else ():
        del method["trained_with"]
    del content["splits"], content["findings"]
    return content | {"schema": 1}


@pytest.mark.parametrize("old", [first(), first(early=True), second(), second(early=True)])
def test_every_version_fits_its_own_schema_and_after_migration_the_newest(old: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    assert results_schema.check(old) == []
    new = migrate.to_newest(old)
    assert old == before, "migration must not change what it is given"
    assert new["schema"] == migrate.NEWEST
    assert results_schema.check(new) == []
    assert results_rules.check(new) == []


def test_the_newest_version_stays_as_it_is() -> None:
    content = finished_run.complete(finished_run.results())
    assert migrate.to_newest(content) == content


def test_the_pipeline_writes_the_newest_version() -> None:
    assert migrate.NEWEST == SCHEMA
    assert {int(path.stem.rpartition("-")[2]) for path in results_schema.FOLDER.glob("results-*.json")} == {
        *range(migrate.OLDEST, migrate.NEWEST + 1)
    }


def test_the_first_step_adds_what_the_second_version_knows() -> None:
    made = migrate.from_1(first(early=True))
    assert (made["splits"], made["findings"]) == ([], [])
    assert {score["reason"] for score in made["scores"]} == {""}
    assert {metric["calibration"] for metric in made["metrics"]} == {None}
    assert made["methods"][0]["trained_with"] == []


def test_the_second_step_adds_what_kind_of_number_a_metric_is() -> None:
    made = migrate.from_2(second(early=True))
    assert [metric["name"] for metric in made["metrics"] if metric["rate"]] == [name for name, *_ in
                                                                               finished_run.METRICS[:4]]  # fmt: skip
    assert [metric["name"] for metric in made["metrics"] if metric["whole"]] == [FORGERY]
    calibration = made["metrics"][6]["calibration"]
    assert (calibration["made_on"], calibration["manifest"], calibration["floor"]) == (0, "", 0.1)
    assert made["metrics"][0]["calibration"] is None
    assert made["splits"][0]["scores"][0]["reason"] == ""


def test_what_an_older_version_knew_is_kept() -> None:
    made = migrate.from_2(second())
    assert made["metrics"][6]["calibration"]["made_on"] == 32
    assert made["splits"][0]["scores"][0]["reason"] == "few"
    assert made["findings"] == ["one"]
    assert migrate.from_1(first())["scores"][0]["value"] == first()["scores"][0]["value"]


@pytest.mark.parametrize(
    "name", ["id_retrieval[edgeface,sources,top1]", "id_cosine[edgeface]", "pose[mediapipe]", "background[l1]",
             "forgery_auc[blend-cnn]", "forgery_ap[spectrum]", "forgery_eer[blend-cnn]", "fid[inception]",
             "kid[inception]", "truth[l1]", "jitter[mediapipe]", "flicker[mediapipe]", "id_variance[edgeface]"]
)  # fmt: skip
def test_the_kinds_by_name_are_those_of_the_metrics(name: str) -> None:
    metric = registry.metric(name)
    base = name.partition("[")[0]
    assert (base in migrate.RATES, base in migrate.WHOLES) == (metric.rate, metric.whole is not None)


def test_an_older_run_reads_in_the_words_of_the_newest(make_run: MakeRun) -> None:
    folder = make_run()
    for old, schema in ((first(), 1), (second(), 2)):
        (folder / "results.json").write_text(json.dumps(old))
        run = read.run(folder)
        assert run.schema == schema
        assert run.results.metrics[0].rate
        assert run.results.metrics[12].whole
    assert run.results.splits[0].level == "hard"


def test_a_newer_version_names_both_and_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"schema 7, a newer version wrote it: .* reads schemas 1 to 3\. Update"):
        migrate.version({"schema": 7})
    with pytest.raises(UsageError, match="schema 1000"):
        migrate.to_newest({"schema": 10**300})


def test_keys_of_a_later_version_do_not_fit_an_earlier_one() -> None:
    told = [str(problem) for problem in results_schema.check({**second(), "schema": 1})]
    for place in ("/splits", "/scores/0/reason", "/metrics/0/calibration"):
        assert f"{place}: found a key of that name, expected none. Schema 2 is the first to have it." in told
    third = finished_run.complete(finished_run.results())
    told = [str(problem) for problem in results_schema.check({**third, "schema": 2})]
    assert "/metrics/0/rate: found a key of that name, expected none. Schema 3 is the first to have it." in told
