"""What the documents say that can be checked: addresses, columns, keys, figures."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from hifibench import assets, methods_file, registry
from hifibench.contracts import SwapperPlugin
from hifibench.experts.landmarker import CARD as MEDIAPIPE
from hifibench.experts.reconstruction import CARD as TDDFA
from hifibench.pipeline.plan import pairs_table
from hifibench.records import Manifest, Status
from metrics.reference import CEILING, CHANCE_SLACK
from reports import records
from reports.formats import CSV_FIELDS
from reports.results import migrate
from reports.results import schema as results_schema

ROOT = Path(__file__).parents[1]
OURS = ("hifibench.", "baselines.")
DOCUMENTS = (
    "README.md",
    "docs/protocol.md",
    "docs/contracts.md",
    "docs/hififace.md",
    "docs/baselines.md",
    "docs/methods.md",
    "docs/external.md",
    "docs/studies.md",
    "docs/faceforensics.md",
    "docs/networks.md",
    "docs/tables.md",
    "docs/video.md",
    "docs/throughput.md",
    "docs/inference.md",
    "docs/observing.md",
    "docs/scale.md",
    "docs/retrieval.md",
    "docs/profiling.md",
    "docs/heads.md",
    "docs/calibration.md",
    "docs/forgery.md",
    "docs/statistics.md",
    "docs/metrics_attributes.md",
    "docs/metrics_truth.md",
    "docs/robustness.md",
    "docs/splits.md",
    "docs/known_defects.md",
    "docs/quickstart.md",
    "docs/reproduce.md",
    "docs/add_method.md",
    "docs/add_metric.md",
    "docs/add_dataset.md",
    "docs/results.md",
    "docs/compare.md",
    "docs/gate.md",
    "docs/ci.md",
    "docs/figures.md",
    "docs/metrics/README.md",
    "RESPONSIBLE_USE.md",
)


def read(name: str) -> str:
    return " ".join((ROOT / name).read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", read(name)) if "://" not in link]
    assert links
    for link in links:
        assert ((ROOT / name).parent / link).is_file(), link


def test_every_column_and_key_is_documented() -> None:
    text = read("docs/results.md")
    columns = list(pairs_table(Manifest((), (), {}, "")).columns)
    for word in (*columns, *CSV_FIELDS, *(field.name for field in dataclasses.fields(records.Latency))):
        assert f"`{word}`" in text, word
    schema = results_schema.load(migrate.NEWEST)
    for name, one in {"results": schema, **schema["$defs"]}.items():
        # The scores of parts are those of the run, but for one key.
        for key, entry in one["properties"].items() if name != "partScore" else ():
            means = schema["$defs"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
            row = f"| `{key}` | {_kind(means)} | {means['description']} |"
            assert row in text, f"docs/results.md lacks this row: {row}"


def _kind(entry: dict[str, Any]) -> str:
    """What a key may hold, in the words of the schema."""
    if "const" in entry:
        return str(entry["const"])
    if "enum" in entry:
        return " or ".join(f"`{word}`" for word in entry["enum"])
    return entry["type"] if isinstance(entry["type"], str) else " or ".join(entry["type"])


def test_every_version_of_the_results_is_documented() -> None:
    text = read("docs/results.md")
    for version in range(migrate.OLDEST, migrate.NEWEST + 1):
        assert f"| {version} | " in text
        assert f"results-{version}.json" in text
    for base in (*migrate.RATES, *migrate.WHOLES):
        assert f"`{base}`" in text, base


def test_the_floors_are_those_of_the_cards() -> None:
    text = read("docs/protocol.md")
    for card, said, documented in (
        (MEDIAPIPE, "pose by 0.18 deg, the shape by 0.12 mm", "pose 0.18 deg, shape 0.12 mm, blendshapes 0.05"),
        (MEDIAPIPE, "one generated person 1.6 mm, between people 3.4 mm", "1.6 mm between views of one person, 3.4 mm"),
        (TDDFA, "pose by 0.1 deg, the identity by 0.04", "pose 0.1 deg, identity 0.04 sd, expression 0.02 sd"),
        (TDDFA, "one generated person 0.9 sd, between people 1.9 sd", "0.9 sd between views of one person, 1.9 sd"),
    ):
        assert said in card.limits, "the card has changed: measure and change docs/protocol.md too"
        assert documented in text


def test_every_way_in_which_a_pair_can_end_is_documented() -> None:
    text = read("docs/contracts.md")
    for status in Status:
        assert f"`{status}`" in text, status


def test_every_method_and_every_kind_is_documented() -> None:
    text = read("docs/methods.md")
    short = {"hififace-n3d": "-n3d", "hififace-bare": "-bare", "hififace-blend": "-blend", "hififace-concat": "-concat"}
    short |= {"ghost-2-onnx": "-2-", "ghost-3-onnx": "-3-"}
    ours = {point.name for point in entry_points(group="hifibench.swappers") if point.value.startswith(OURS)}
    for name in (*ours, *registry.kinds.names()):
        assert f"`{short.get(name, name)}`" in text, name


def test_the_example_of_a_methods_file_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "swappers", registry.Registry("hifibench.swappers", "method", SwapperPlugin))
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/methods.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "methods.toml").write_text(example, encoding="utf-8")
    names = methods_file.add(tmp_path / "methods.toml")
    kinds = {tomllib.loads(example)[name]["kind"] for name in names}
    assert len(names) == 5 and kinds == {"onnx", "released", "external"}


def test_the_bounds_of_the_checks_are_documented() -> None:
    text = read("docs/protocol.md")
    assert f"lower end at most {CHANCE_SLACK:.0f} points above" in text
    assert f"retrieval reaches {CEILING:.0f} %" in text


def test_every_expert_and_every_network_to_bring_stands_in_the_document_on_networks() -> None:
    text = read("docs/networks.md")
    brought = {re.sub(r"^dfdc-b7-.*", "dfdc-b7-…", name) for name in assets.brought()}
    for name in {*registry.experts.names(), *brought}:
        assert f"`{name}`" in text, name
