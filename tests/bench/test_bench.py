"""That the benchmark runs and reckons rightly; how fast anything is, it says itself."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.bench import charts, profiling
from tests.bench.__main__ import NEEDED, SCENARIOS, main
from tests.bench.arithmetic import latencies, number, percentile, ratio, spread
from tests.bench.contestants import CONTESTANTS
from tests.bench.data import COVERED, FLOOR, LINE, DataShape, partition_of
from tests.bench.gates import GATES, hold
from tests.bench.report import SCENARIO_NAMES, render
from tests.bench.results import BenchRun, Results, read, together
from tests.bench.rows import sheet, verdict
from tests.bench.watch import judge

RIGHT = {"outputs": 5, "missing": 0, "extra": 0, "duplicates": 0}
WRONG = {"outputs": 6, "missing": 1, "extra": 0, "duplicates": 2}


def runs(group: tuple[str, str, str], **figures: float) -> list[BenchRun]:
    return [BenchRun(*group, number, {"verdict": RIGHT, **figures}) for number in range(3)]


def all_within_bounds() -> Results:
    """Results in which every gate holds, just so."""
    figures: dict[tuple[str, str, str], dict[str, float]] = {}
    for gate in GATES:
        figures.setdefault(gate.ours, {})[gate.figure] = gate.bound
        if gate.theirs is not None:
            figures.setdefault(gate.theirs, {})[gate.figure] = 1.0
    for ours in ("byline", "byline-2"):
        figures["drain", "backlog", ours]["events_per_second"] = 300_000
    figures["drain", "backlog", "kstreams"]["events_per_second"] = 100_000
    figures["drain", "backlog", "faust"]["events_per_second"] = 3_000
    for raw in ("raw-json", "raw-msgspec"):
        figures["drain", "backlog", raw]["events_per_second"] = 500_000
    found = [run for group, own in figures.items() for run in runs(group, **own)]
    return Results({"scale": 1.0}, {}, found)


# ---- arithmetic ------------------------------------------------------------------------------


def test_a_percentile_is_the_nearest_rank() -> None:
    values = list(range(1, 101))
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0
    assert percentile([3, 1, 2], 0.0) == 1


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 1.5), ([1], -0.1)])
def test_a_percentile_of_nothing_or_beyond_is_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"percentile of nothing|a share is 0 to 1"):
        percentile(values, share)


def test_latencies_are_milliseconds() -> None:
    assert latencies([0.010, 0.020, 0.030]) == {
        "samples": 3,
        "p50_ms": 20.0,
        "p95_ms": 30.0,
        "p99_ms": 30.0,
        "max_ms": 30.0,
    }
    assert latencies([]) == {"samples": 0}


def test_a_spread_is_median_least_and_most() -> None:
    assert spread([3, 1, 2]) == (2, 1, 3)
    assert str(spread([103_000, 105_200, 102_000])) == "103,000 (102,000–105,200)"
    assert str(spread([2.0])) == "2"
    assert spread([]) is None


def test_a_ratio_to_nothing_is_none() -> None:
    assert ratio(3, 2) == 1.5
    assert ratio(None, 2) is ratio(3, None) is ratio(3, 0) is None


def test_numbers_have_three_digits_that_count() -> None:
    found = [number(value) for value in (325_123, 2400.4, 376.2, 15.92, 2.614, 0.25, 8.0)]
    assert found == ["325,100", "2,400", "376", "15.9", "2.61", "0.25", "8"]


# ---- data and verdict ------------------------------------------------------------------------


def test_the_expected_are_those_whom_the_rule_invites() -> None:
    shape = DataShape("small", 2_000, 5)
    labels: dict[str, str] = {}
    counts: dict[str, int] = {}
    for key, value in shape.labels():
        labels[key.decode()] = json.loads(value)["category"]
    for key, value in shape.rounds():
        followers = json.loads(value)["followers"]
        assert followers >= counts.get(key.decode(), 0)
        counts[key.decode()] = followers
    invited = {key for key in counts if counts[key] >= LINE and labels[key] in COVERED}
    assert shape.expected == invited
    assert len(list(shape.labels())) + len(list(shape.rounds())) == shape.events


def test_the_last_reading_of_each_partition_invites() -> None:
    shape = DataShape("small", 500, 2)
    last = {}
    for key, _ in shape.rounds():
        account = key.decode().partition(":")[2]
        last[partition_of(account, shape.partitions)] = key.decode()
    assert set(last) == set(range(shape.partitions))
    assert set(last.values()) <= shape.expected


def test_a_tracked_account_is_never_below_the_floor() -> None:
    shape = DataShape("tracked", 2_000, 3, tracked=True)
    counts = [json.loads(value)["followers"] for _, value in shape.rounds()]
    assert min(counts) >= FLOOR
    assert 8 < len(shape.expected) < 40


def test_a_verdict_counts_missing_extra_and_double() -> None:
    assert judge(["a", "b"], {"a", "b"}).right
    assert judge(["a", "a", "c"], {"a", "b"}) == (3, 1, 1, 1)


# ---- results, gates, report ------------------------------------------------------------------


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    results = all_within_bounds()
    results.save(tmp_path / "deep" / "out.json")
    assert read(tmp_path / "deep" / "out.json") == results


def test_of_a_scenario_that_was_measured_twice_the_last_word_counts() -> None:
    group = ("drain", "backlog", "byline")
    first = Results({}, {}, [*runs(group, cpu_us=9), *runs(("soak", "x", "byline"))])
    merged = together([first, Results({"scale": 1}, {}, runs(group, cpu_us=3))])
    assert merged.median("cpu_us", *group) == 3
    assert len(merged.of("soak")) == 3


def test_all_gates_hold_within_their_bounds() -> None:
    assert [one.why for one in hold(all_within_bounds())] == [""] * len(GATES)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: f"{gate.line} {gate.what}")
def test_each_gate_fails_beyond_its_bound(gate: object) -> None:
    results = all_within_bounds()
    for run in results.of(*gate.ours):  # type: ignore[attr-defined]
        run.figures[gate.figure] *= 0.98 if gate.at_least else 1.02  # type: ignore[attr-defined]
    failing = {one.gate for one in hold(results) if one.why == "out of bounds"}
    assert gate in failing


def test_a_gate_does_not_hold_unmeasured_wrong_seldom_or_small() -> None:
    results = all_within_bounds()
    assert {one.why for one in hold(Results())} == {"not measured"}
    results.settings["scale"] = 0.01
    assert {one.why for one in hold(results)} == {"not at full scale"}
    results.settings["scale"] = 1
    results.of("memory")[0].figures["verdict"] = WRONG
    assert {one.gate.line for one in hold(results) if "wrong answer" in one.why} == {"5.5"}
    results.runs = [run for run in results.runs if run.round == 0]
    assert all("fewer than 3 runs" in one.why for one in hold(results))


def test_the_gates_command_says_which_line_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.json"
    results = all_within_bounds()
    results.save(path)
    assert main(["gates", str(path)]) == 0
    for run in results.of("latency"):
        run.figures["p99_ms"] = 999
    results.save(path)
    assert main(["gates", str(path)]) == 1
    assert "not shown: 5.4" in capsys.readouterr().out
    assert main(["gates", str(path), "--gates", "5.1,5.3"]) == 0


def test_what_a_gate_needs_is_measured_by_a_scenario() -> None:
    assert {gate.ours[0] for gate in GATES} == set(NEEDED)
    assert set(SCENARIOS) == set(SCENARIO_NAMES)
    peers = {gate.theirs[2] for gate in GATES if gate.theirs}
    assert peers <= set(CONTESTANTS)


def test_a_sheet_has_ratios_and_a_verdict() -> None:
    drain = [
        *runs(("drain", "backlog", "byline"), events_per_second=300_000, cpu_us=3.0),
        *runs(("drain", "backlog", "kstreams"), events_per_second=100_000, cpu_us=15.0),
    ]
    shown = sheet(Results({}, {}, drain), "drain")
    assert shown.heads == ("case", "who", "runs", "events/s", "CPU µs/event", "verdict")
    assert shown.rows[1][2:] == ("3", "100,000 ×0.33", "15 ×5", "right (5 outputs)")
    drain[0].figures["verdict"] = WRONG
    assert verdict(drain[:1]) == "WRONG: 1 missing, 0 extra, 2 double"
    assert verdict([BenchRun("drain", "", "byline", 0, {"failed": "late"})]) == "1 not finished"


def test_the_report_replaces_its_marks_and_draws(tmp_path: Path) -> None:
    results = all_within_bounds()
    drawn = charts.draw_all(results, tmp_path)
    assert all(path.read_text().startswith("<?xml") for path in drawn)
    assert "Kafka Streams" in (tmp_path / "drain-rate.svg").read_text()
    text = render("<!-- drain -->\n<!-- soak -->\n<!-- chart recovery -->", results, ["recovery"])
    assert "| backlog | Byline, the shipped worker |" in text
    assert "Not measured yet." in text
    assert "![kill -9 to first decision](charts/recovery.svg)" in text


def test_every_mark_of_the_template_is_known() -> None:
    text = (Path(__file__).parent / "README.in.md").read_text()
    drawn = [name for name, *_ in charts.CHARTS]
    assert "<!--" not in render(text, all_within_bounds(), drawn)


def test_a_profile_is_shares_of_samples() -> None:
    stack = "thread (1): Main;run (streams/app.py:1);"
    found = profiling.shares(
        f"{stack}decode (/x/site-packages/msgspec/a.py:2) 3\n{stack}step (streams/core/p.py:9) 1\n"
    )
    assert found.samples == 4
    assert found.own == Counter({"decode msgspec/a.py": 3, "step streams/core/p.py": 1})
    assert found.within["run streams/app.py"] == 4


# ---- the tool itself -------------------------------------------------------------------------


def drained(folder: Path, *peers: str) -> tuple[Path, Results]:
    """A small drain of these contestants, each of which gave the right answer; its file as well."""
    out = folder / "out.json"
    given = ["drain", "--rounds", "1", "--scale", "0.01", "--peers", ",".join(peers)]
    assert main([*given, "--json", str(out)]) == 0
    results = read(out)
    assert {run.peer for run in results.runs} == set(peers)
    for run in results.runs:
        assert run.verdict is not None, run.figures
        assert run.verdict.right, run.figures
    return out, results


@pytest.mark.kafka
@pytest.mark.slow
def test_a_smoke_run_gives_right_answers(tmp_path: Path) -> None:
    out, results = drained(tmp_path, "byline", "raw-msgspec", "confluent")
    for run in results.runs:
        assert run.figures["events_per_second"] > 0
    assert results.of("drain")[0].verdict.outputs > 8  # type: ignore[union-attr]
    assert main(["gates", str(out)]) == 1


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.part("kcat", "kafka-tools", "go")
def test_the_ceilings_read_all(tmp_path: Path) -> None:
    _, results = drained(tmp_path, "kcat", "perf-test", "franz-go")
    for run in results.runs:
        assert run.figures["cpu_us"] > 0
        assert run.figures["rss_mb"] > 0
