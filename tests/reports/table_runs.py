"""Finished runs for the tables: with forgery detectors, with HifiFace's ablations, with names from anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import finished_run
import numpy as np
import pandas as pd
from markdown_it import MarkdownIt

FORGERY = ("forgery_auc[xception-ffpp]", "forgery_ap[xception-ffpp]", "forgery_eer[xception-ffpp]",
           "forgery_auc[blend-cnn]", "forgery_ap[blend-cnn]")  # fmt: skip
ABLATION = ("target-copy", "hififace", "hififace-n3d", "hififace-bare", "hififace-concat")
HOSTILE = (
    "<script>alert(1)</script>",
    r"&%$#_{}~^\ done",
    "[opt] Müller-Straße, Ångström",
    "→ ↓ ↑ ρ § † ‡ ≈ ≠ — · \u00d7 ≤ ≥ µ",
    "中文 😀 ﬁ ½ \u202ex",
    "unbroken" * 10,
    "- `code` $x$ *b* | pipe &lt; ''q'' a--b",
)


def with_forgery(content: dict[str, Any], metrics: Sequence[str] = FORGERY) -> dict[str, Any]:
    """The same run judged by forgery detectors besides; ``hififace`` leads the first AUC."""
    for name in metrics:
        first = name == metrics[0]
        content["metrics"].append(
            {"name": name, "title": "Forgery", "unit": "%", "direction": "down", "decimals": 1, "group": "realism",
             "whole": True, "needs": [name.partition("[")[2].rstrip("]")], "leader": "hififace" if first else None}
        )  # fmt: skip
        for place, method in enumerate(content["methods"]):
            value = 50 + 7 * place + 1 / 3
            content["scores"].append(
                {"method": method["name"], "metric": name, "value": value, "low": value - 2, "high": value + 2,
                 "n": 100, "n_failed": 0, "worst_case": value}
            )  # fmt: skip
    return content


def renamed(content: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    for entry in content["methods"]:
        entry["name"] = new if entry["name"] == old else entry["name"]
    for score in content["scores"]:
        score["method"] = new if score["method"] == old else score["method"]
    for metric in content["metrics"]:
        metric["leader"] = new if metric.get("leader") == old else metric.get("leader")
    return content


def hostile(names: Iterable[str] = HOSTILE) -> dict[str, Any]:
    """A run whose title, methods, summaries, messages and metrics have names from anywhere."""
    methods = ["target-copy", *names, "hififace", "hififace-n3d"]
    content = with_forgery(finished_run.results(methods))
    everything = " ".join(HOSTILE)
    content["title"] = everything
    content["checks"].append({"name": everything, "ok": False, "detail": everything})
    for method in content["methods"]:
        method["summary"] = everything
        method["messages"] = [everything]
    content["methods"][1] |= {"status": {"not available": 100}}
    for metric in content["metrics"][:2]:
        metric["title"] = everything
    return content


def silent(content: dict[str, Any], method: str) -> dict[str, Any]:
    """The same run, in which not a single pair of a method could be scored."""
    for score in content["scores"]:
        if score["method"] == method:
            score |= {"value": None, "low": None, "high": None, "n_failed": score["n"], "worst_case": None}
    for metric in content["metrics"]:
        metric["leader"] = None if metric["leader"] == method else metric["leader"]
    return content


def write_scores(folder: Path, content: dict[str, Any], shift: float = 0.0) -> Path:
    """``scores.parquet`` whose pairs lie around the scores of the run, each method's apart by the same amounts."""
    pairs = [pair.pair for pair in finished_run.manifest().pairs]
    spread = np.random.default_rng(0).normal(0, 0.01, len(pairs))
    # A number of a set is no mean of its pairs, and every other one is.
    whole = {metric["name"]: metric["whole"] for metric in content["metrics"]}
    parts = []
    for score in content["scores"]:
        around = spread if whole[score["metric"]] else spread - spread.mean()
        value = np.nan if score["value"] is None else score["value"] + shift
        row = {"method": score["method"], "metric": score["metric"]}
        parts.append(pd.DataFrame({**row, "pair": pairs, "value": value + around}))
    pd.concat(parts).to_parquet(folder / "scores.parquet", index=False)
    return folder


def settle(folder: Path) -> Path:
    """Make the numbers of a run the means of its pairs, as they are but for those of a set."""
    path = folder / "results.json"
    content = json.loads(path.read_text())
    frame = pd.read_parquet(folder / "scores.parquet")
    means = frame[np.isfinite(frame["value"])].groupby(["method", "metric"])["value"].mean()
    whole = {metric["name"]: metric["whole"] for metric in content["metrics"]}
    for score in content["scores"]:
        if not whole[score["metric"]] and score["value"] is not None:
            by = float(means[score["method"], score["metric"]]) - score["value"]
            score |= {key: score[key] + by for key in ("value", "low", "high", "worst_case")}
    path.write_text(json.dumps(content))
    return folder


def tables_of(markdown: str) -> list[list[list[str]]]:
    """Tables, rows and cells as an independent parser of GitHub's Markdown sees them; a line break is a blank."""
    tables: list[list[list[str]]] = []
    inside = False
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("td_open", "th_open"):
            inside = True
        elif token.type == "inline" and inside:
            tables[-1][-1].append("".join(_text(child) for child in token.children or []))
            inside = False
    return tables


def _text(token: Any) -> str:
    return " " if token.type == "html_inline" and token.content == "<br>" else str(token.content)
