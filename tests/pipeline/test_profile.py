"""Where the time goes: spans add up, whoever times them, and end up in a trace and a table."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from hifibench import profiling
from hifibench.errors import MissingError, UsageError
from hifibench.pipeline import profile as files
from hifibench.pipeline.profile_table import ELSEWHERE, REST, WHOLE, Record, build, markdown, show
from hifibench.pipeline.store import Shard
from hifibench.pipeline.trace import lanes, trace
from hifibench.profiling import NOTHING, Profile, Span, Start


class Clock:
    """Says what it is told."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def span(begin: float, end: float, part: str = "decode", stage: str = "images", **more: Any) -> Span:
    return Span(stage, part, more.pop("items", 1), begin, end, more.pop("thread", "T"), **more)


def record(profile: Profile, share: tuple[int, int] = (1, 1), workers: int = 2, began: float = 0.0) -> Record:
    return Record("host", 1, share, began, workers, profile.totals())


def seconds(profile: Profile) -> dict[tuple[str, str, str], float]:
    return {(one.stage, one.part, one.method): one.seconds for one in profile.totals().work}


def one_thread() -> Profile:
    """Ten seconds: one before anything, a stage of 7 with 5 in parts (1 of them inside another), a stage of 2."""
    clock = Clock(100.0)
    profile = Profile(clock=clock)

    def work(lasting: float) -> None:
        clock.now += lasting

    work(1)
    with profile.span("observe", method="m"):
        work(1.5)
        with profile.span("observe", "detect", 4, "m"):
            work(2)
            with profile.span("observe", "cache", 2, "m"):
                work(1)
            work(1)
        with profile.span("observe", "detect", 1, "m"):
            work(1)
        work(0.5)
    with profile.span("score"):
        work(2)
    return profile


def test_what_lies_in_spans_within_a_part_is_not_counted_twice() -> None:
    profile = one_thread()
    totals = profile.totals()
    assert seconds(profile) == {
        ("observe", "", "m"): 7, ("observe", "detect", "m"): 4, ("observe", "cache", "m"): 1, ("score", "", ""): 2
    }  # fmt: skip
    assert totals.stages == (("observe", 7, 2), ("score", 2, 2))
    assert (totals.seconds, totals.elsewhere) == (10, 1)
    detect = next(one for one in totals.work if one.part == "detect")
    assert (detect.calls, detect.items) == (2, 5)


def test_of_one_thread_the_parts_and_the_rest_are_the_time_on_the_wall() -> None:
    rows = build([record(one_thread())]).parts
    assert sum(row.seconds for row in rows[:-1]) == rows[-1].seconds == 10
    assert [(row.stage, row.part, row.seconds) for row in rows] == [
        ("observe", "detect", 4),
        ("observe", "cache", 1),
        ("observe", REST, 2),
        ("score", WHOLE, 2),
        (ELSEWHERE, "", 1),
        ("all", "", 10),
    ]
    assert sum(row.share for row in rows[:-1]) == pytest.approx(1)
    assert rows[0].ms_per_item == 800 and rows[2].ms_per_item is None


@pytest.mark.parametrize("seed", range(5))
def test_wall_times_agree_with_counting_every_moment(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_BATCH", 32)
    rng = np.random.default_rng(seed)
    length, stages = 1000, ("images", "swap", "observe")
    clock = Clock()
    profile = Profile(clock=clock)
    moments = {stage: np.zeros(length, bool) for stage in stages}
    parts = np.zeros(length, bool)
    happens: list[tuple[float, Callable[[], object]]] = []
    for _ in range(200):
        begin, stage, part = int(rng.integers(0, length - 1)), str(rng.choice(stages)), bool(rng.random() < 0.8)
        end = min(length, begin + 1 + int(rng.exponential(1 if part else 5)))
        if part:  # a little late, as spans of other processes come
            happens.append((end + rng.uniform(0, 10), partial(profile.add, span(begin, end, "part", stage))))
        else:
            whole = profile.span(stage)
            happens += [(begin, whole.__enter__), (end, partial(whole.__exit__, None, None, None))]
        moments[stage][begin:end] = True
        parts[begin:end] |= part
    for when, happen in sorted(happens, key=itemgetter(0)):
        clock.now = when
        happen()
    clock.now = length
    totals = profile.totals()
    assert {stage.stage: stage.wall for stage in totals.stages} == {name: at.sum() for name, at in moments.items()}
    anything = np.any([parts, *moments.values()], axis=0)
    assert totals.elsewhere == (~anything).sum() > 0
    assert sum(stage.rest for stage in totals.stages) == (anything & ~parts).sum()


def test_of_stages_side_by_side_the_last_one_has_the_time_that_no_part_claims() -> None:
    clock = Clock()
    profile = Profile(clock=clock)
    with profile.span("swap"):
        clock.now = 1
        with profile.span("observe"):
            clock.now = 3
        clock.now = 7
    assert profile.totals().stages == (("swap", 7, 5), ("observe", 2, 2))


def test_a_span_that_comes_too_late_takes_no_time_from_others() -> None:
    profile = Profile(clock=(clock := Clock()))
    with profile.span("swap"):
        clock.now = 8
    clock.now = 10
    assert profile.totals().elsewhere == 2
    profile.add(span(1, 2, stage="observe"))
    assert profile.totals().stages == (("swap", 8, 8), ("observe", 0, 0)) and profile.totals().elsewhere == 2
    assert seconds(profile)["observe", "decode", ""] == 1


def test_threads_side_by_side_are_busier_than_one() -> None:
    profile = Profile(clock=(clock := Clock()))
    for thread in ("A", "B", "C"):
        profile.add(span(0, 4, thread=thread))
    clock.now = 4
    (stage, elsewhere, everything) = build([record(profile, workers=4)]).stages
    assert (stage.wall, stage.work, stage.busy) == (4, 12, 0.75)
    assert elsewhere.wall == 0 and everything.busy == 0.75


def test_a_block_that_fails_is_timed_too() -> None:
    profile = Profile()
    with pytest.raises(ValueError, match="broken"), profile.span("swap", "paste", 3):
        raise ValueError("broken")
    (one,) = profile.spans
    assert (one.stage, one.part, one.items, one.thread) == ("swap", "paste", 3, "MainThread")
    with profile.span("swap"), profile.span("swap", "write"):
        pass
    assert profile.spans[-1].part == "" and profile.spans[-1].inside > 0, "the failed one is still open"


def test_a_generator_left_within_a_span_disturbs_no_other() -> None:
    clock = Clock()
    profile = Profile(clock=clock)

    def chunks() -> Generator[int, None, None]:
        with profile.span("swap", "decode"):
            clock.now += 1
            yield 1

    open_one = chunks()
    next(open_one)
    with profile.span("swap", "paste"):
        clock.now += 2
        open_one.close()
        clock.now += 4
        with profile.span("swap", "align"):
            clock.now += 16
    with profile.span("swap", "write"):
        clock.now += 8
    assert seconds(profile)["swap", "paste", ""] == 6
    assert seconds(profile)["swap", "write", ""] == 8


def test_nothing_is_lost_between_threads() -> None:
    profile = Profile(keep=500)

    def work(number: int) -> None:
        for _ in range(5000):
            with profile.span("observe", f"expert {number % 2}", 2), profile.span("observe", "cache"):
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = {one.part: (one.calls, one.items) for one in profile.totals().work}
    assert counted == {"expert 0": (10_000, 20_000), "expert 1": (10_000, 20_000), "cache": (20_000, 20_000)}
    totals = profile.totals()
    assert 0 < len(profile.spans) <= 500
    assert len(profile.spans) + totals.left_out == 40_000
    (stage,) = totals.stages
    assert stage.wall + totals.elsewhere == pytest.approx(totals.seconds)


def test_the_longest_spans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_BATCH", 64)
    profile = Profile(keep=100)
    lengths = np.random.default_rng(0).permutation(1000) + 1
    for length in map(int, lengths):
        profile.add(span(0, length))
    for _ in range(30):
        profile.add(span(0, 0.5))
    kept = sorted(one.end for one in profile.spans)
    totals = profile.totals()
    assert 50 <= len(kept) <= 100 and kept[-1] == 1000
    assert kept[0] > totals.shorter_than_s and len(kept) + totals.left_out == 1030
    assert kept == list(range(int(totals.shorter_than_s) + 1, 1001))


def test_memory_is_flat_over_length() -> None:
    def peak(spans: int) -> int:
        profile = Profile(keep=1000)
        tracemalloc.start()
        with profile.span("observe"):
            for number in range(spans):
                profile.add(span(number * 1e-6, number * 1e-6 + 1e-7, thread=f"pool-{number // 16}"))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(60_000) <= 1.1 * peak(20_000)


def test_spans_of_a_child_process_stand_at_the_time_at_which_they_happened() -> None:
    code = (
        "import json, time\n"
        "from hifibench.profiling import Profile\n"
        "profile = Profile()\n"
        "with profile.span('observe', 'expert x', 3, 'm'): time.sleep(0.05)\n"
        "print(json.dumps([profile.start, profile.spans]))\n"
    )
    profile = Profile()
    time.sleep(0.05)
    before = time.perf_counter() - profile.start.counter
    with profile.span("observe"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    start, spans = json.loads(done.stdout)
    for one in spans:
        profile.add(Span(*one), Start(*start))
    whole, child = profile.spans
    assert before < child.begin < child.end < whole.end
    assert child.end - child.begin == pytest.approx(0.05, abs=0.04)
    assert (child.part, child.items, child.method) == ("expert x", 3, "m")


def test_a_clock_of_another_origin_is_set_by_the_date() -> None:
    profile = Profile(clock=(clock := Clock(50.0)))
    clock.now = 60.0
    profile.add(span(1, 2), Start(profile.start.counter - 1e6, profile.start.date + 7))
    (one,) = profile.spans
    assert (one.begin, one.end) == pytest.approx((8, 9))


def test_nothing_keeps_nothing() -> None:
    with NOTHING.span("swap", "decode"), NOTHING.span("swap"):
        NOTHING.add(span(0, 1))
    assert NOTHING.spans == [] and NOTHING.totals().work == ()


# The trace


def events(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in made["traceEvents"] if event["ph"] == "X"]


def check_format(made: dict[str, Any]) -> None:
    """What the description of the format asks of complete events and of metadata."""
    named = set()
    for event in made["traceEvents"]:
        assert event["ph"] in "XM" and isinstance(event["name"], str) and event["name"]
        assert all(type(event[key]) is int for key in ("pid", "tid", "ts"))
        if event["ph"] == "M":
            (value,) = event["args"].values()
            assert isinstance(value, {"process_name": str, "thread_name": str, "thread_sort_index": int}[event["name"]])
            named |= {event["tid"]} if event["name"] == "thread_name" else set()
        else:
            assert type(event["dur"]) is int and event["dur"] >= 0 and isinstance(event["cat"], str)
    for lane in {event["tid"] for event in events(made)}:
        assert lane in named
        around: list[int] = []
        own = [event for event in events(made) if event["tid"] == lane]
        for event in sorted(own, key=lambda event: (event["ts"], -event["dur"])):
            while around and around[-1] <= event["ts"]:
                around.pop()
            assert not around or event["ts"] + event["dur"] <= around[-1], "on one line spans nest or lie apart"
            around.append(event["ts"] + event["dur"])


def test_a_trace_is_what_the_format_asks_for() -> None:
    profile = one_thread()
    made = json.loads(json.dumps(trace(profile.spans, 7, "hifibench", {"share": "1/1"})))
    check_format(made)
    assert set(made) == {"traceEvents", "displayTimeUnit", "otherData"} and made["displayTimeUnit"] in ("ms", "ns")
    found = [(event["name"], event["cat"], event["ts"], event["dur"], event["args"]) for event in events(made)]
    assert found == [
        ("observe m", "observe", 1_000_000, 7_000_000, {"method": "m"}),
        ("detect", "observe", 2_500_000, 4_000_000, {"items": 4, "method": "m"}),
        ("cache", "observe", 4_500_000, 1_000_000, {"items": 2, "method": "m"}),
        ("detect", "observe", 6_500_000, 1_000_000, {"items": 1, "method": "m"}),
        ("score", "score", 8_000_000, 2_000_000, {}),
    ]
    names = [event["args"]["name"] for event in made["traceEvents"] if event["name"].endswith("_name")]
    assert names == ["hifibench", "MainThread"] and {event["pid"] for event in made["traceEvents"]} == {7}


@pytest.mark.parametrize("seed", range(3))
def test_spans_nest_on_every_line_whatever_was_timed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begins, lengths = rng.uniform(0, 3e-4, 200), rng.exponential(1e-5, 200)
    spans = [
        span(float(begin), float(begin + length), thread=f"T{rng.integers(5)}")
        for begin, length in zip(begins, lengths, strict=True)
    ]
    made = trace(spans, 1, "x", {})
    check_format(made)
    assert len(events(made)) == 200


def test_threads_that_come_and_go_share_a_line() -> None:
    spans = [
        span(10 * chunk + part, 10 * chunk + part + 1, thread=f"pool-{chunk}_{worker}")
        for chunk in range(50)
        for worker in range(2)
        for part in range(3)
    ]
    main = span(0, 1000, "", thread="MainThread")
    rows = lanes([*spans, main])
    assert [len(row) for _, row in rows] == [1, 150, 150]
    assert rows[0] == ("MainThread", [main])
    assert [one for _, row in lanes([]) for one in row] == []


# The tables


def busy_profile() -> Profile:
    profile = Profile(clock=(clock := Clock()))
    metric = "metric id_retrieval[edgeface,sources,top1,with a rather long name]"
    for stage, part, method, end in (
        ("images", "decode", "", 2.0),
        ("swap", "", "hififace", 3.0),
        ("swap", "swap", "hififace", 2.0),
        ("swap", "paste", "hififace", 1.0),
        ("swap", "swap", "faceswap", 0.5),
        ("score", metric, "", 1234.5),
        ("zeal", "a|b", "", 1.0),
    ):
        profile.add(span(0, end, part, stage, method=method, thread=f"{stage} {part}", items=1000))
    clock.now = 1300.0
    return profile


def test_the_tables_fit_into_80_columns_and_keep_every_name() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    show(build([record(busy_profile())]), console)
    said = console.export_text()
    assert max(map(len, said.splitlines())) <= 80
    assert "id_retrieval[edgeface," in said, "brackets are no markup"
    for word in ("images", "decode", "hififace", "1,234.50", "1,000", ELSEWHERE, "busy", "wall s", "ms/item", "a|b"):
        assert word in said


def test_the_document_has_the_same_rows() -> None:
    tables = build([record(busy_profile())])
    lines = markdown(tables).splitlines()
    assert [row.stage for row in tables.stages] == ["images", "swap", "score", "zeal", ELSEWHERE, "all"]
    assert "| stage | part | calls | items | work s | share | ms/item |" in lines
    assert "| swap | swap | 2 | 2,000 | 2.50 | 0.2 % | 1.250 |" in lines
    assert "| hififace | swap | swap 66.7 % | 3.00 | 3.00 |" in lines
    assert "| faceswap | swap | swap 100.0 % | — | 0.50 |" in lines
    assert any(line.startswith("| zeal | a\\|b |") for line in lines)
    for heads in ("| stage |", "| method |"):
        (first, *_) = (number for number, line in enumerate(lines) if line.startswith(heads))
        columns = lines[first].count("|")
        block = lines[first : [*lines, ""].index("", first)]
        assert len(block) > 2 and all(line.replace("\\|", "").count("|") == columns for line in block)


def test_several_processes_add_up() -> None:
    one, other = one_thread(), one_thread()
    alone, both = build([record(one)]), build([record(one, (1, 2)), record(other, (2, 2), workers=6)])
    for single, double in zip(alone.parts, both.parts, strict=True):
        assert double.seconds == 2 * single.seconds and double.share == pytest.approx(single.share)
        assert double.calls == (None if single.calls is None else 2 * single.calls)
    for stage, twice in zip(alone.stages, both.stages, strict=True):
        assert (twice.wall, twice.work) == (stage.wall, 2 * stage.work)
        assert twice.busy == pytest.approx(stage.busy / 2), "twice the work in four times the threads"
    assert "2 processes" in markdown(both) and "processes" not in markdown(alone)


def test_nothing_at_all_is_a_table_too() -> None:
    rows = build([record(Profile(clock=Clock()))]).parts
    assert [(row.stage, row.seconds, row.share) for row in rows] == [(ELSEWHERE, 0, 0), ("all", 0, 0)]


# The files


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    profile = Profile(keep=4, clock=Clock())
    for length in range(1, 10):
        profile.add(span(0, length))
    path = files.write(tmp_path, profile, Shard(2, 3), workers=5)
    made = json.loads(path.read_text())
    check_format(made)
    assert made["otherData"]["left_out"] == profile.totals().left_out > 0 and made["otherData"]["share"] == "2/3"
    (read,) = files.records(tmp_path)
    assert read.totals == profile.totals()
    assert (read.share, read.workers, read.began) == ((2, 3), 5, profile.start.date)
    table = (tmp_path / "profile" / "table.md").read_text()
    assert table == markdown(build([read])) and "leave out" in table


def test_every_call_has_files_of_its_own_and_the_table_is_of_the_latest(tmp_path: Path) -> None:
    for part in ("first", "second"):
        profile = Profile(clock=Clock())
        profile.start = profile.start._replace(date={"first": 10.0, "second": 20.0}[part])
        profile.add(span(0, 1, part))
        files.write(tmp_path, profile, Shard())
    assert len(list((tmp_path / "profile").glob("*.json"))) == len(files.records(tmp_path)) == 2
    table = (tmp_path / "profile" / "table.md").read_text()
    assert "second" in table and "first" not in table
    for index in (1, 2):
        profile = Profile(clock=Clock())
        profile.add(span(0, 1, f"share {index}"))
        files.write(tmp_path, profile, Shard(index, 2))
    table = (tmp_path / "profile" / "table.md").read_text()
    assert "share 1" in table and "share 2" in table and "second" not in table


def test_a_damaged_file_is_named_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files.write(tmp_path, one_thread(), Shard())
    (good,) = (tmp_path / "profile" / "totals").glob("*.json")
    for name, text in {
        "half": good.read_text()[:200],
        "other": "[1]",
        "new": json.dumps({**json.loads(good.read_text()), "schema": 99}),
    }.items():
        bad = good.with_name(f"{name}.json")
        bad.write_text(text)
        with pytest.raises(UsageError, match=f"{name}.json holds no profile .*remove it"):
            files.read(bad)
    with caplog.at_level(logging.WARNING, "hifibench"):
        files.write(tmp_path, one_thread(), Shard())
    assert len(files.records(tmp_path)) == 2
    assert all(f"{name}.json" in caplog.text for name in ("half", "other", "new"))


def test_no_profile_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no profile of 1 shares.*--profile"):
        files.show(tmp_path, 1, Console())


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("")
    with pytest.raises(MissingError, match="Cannot write"):
        files.write(tmp_path, one_thread(), Shard())


def test_a_run_is_recorded_only_where_it_is_asked_for(tmp_path: Path) -> None:
    with files.recorded(tmp_path, Shard(), wanted=False) as profile:
        assert profile is NOTHING
    assert not list(tmp_path.iterdir())
    console = Console(width=80, record=True, file=io.StringIO())
    with files.recorded(tmp_path, Shard(), wanted=True, console=console) as profile, profile.span("plan"):
        pass
    said = console.export_text()
    assert "plan" in said and f"Trace: {next((tmp_path / 'profile').glob('*.json'))}" in said


@pytest.mark.parametrize(
    ("error", "begun", "kept"),
    [(KeyboardInterrupt, True, True), (KeyboardInterrupt, False, False), (UsageError, True, False)],
)
def test_a_stopped_run_keeps_its_profile_and_a_refused_folder_is_left_alone(
    tmp_path: Path, error: type[BaseException], begun: bool, kept: bool
) -> None:
    if begun:
        (tmp_path / "run.json").write_text("{}")
    with pytest.raises(error), files.recorded(tmp_path, Shard(), wanted=True):
        raise error
    assert (tmp_path / "profile" / "table.md").exists() == kept
