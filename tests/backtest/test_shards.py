"""Shards together are the whole, byte for byte, and say where a cap or guard would have bound."""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from streams.backtest import files, shards
from streams.backtest.answers import AnswerModel
from streams.backtest.page import page
from streams.backtest.report import LEFT_OUT, report
from streams.backtest.run import Backtest
from streams.operate.errors import UsageError
from tests.backtest.given import ReadingRow, backtested, json_file, parquet_file, policy, rising
from tests.backtest.test_filter import POLICIES, ROWS, WORDS, _word
from tests.cli.conftest import Byline
from tests.core.given import DAY, HOUR, START, stability

FREE = {"invitations_per_day": 1000, "throttles_per_hour": 1000, "guards": None}
"""Nothing that one account does holds another back."""
MANY = [ReadingRow(number * HOUR, f"b{number}", 1_500) for number in range(40)]
"""Accounts for every shard."""


def _files(found: Backtest) -> tuple[str, str, str]:
    """All that a backtest writes."""
    plain = report(found)
    return files.json_text(plain), files.accounts_csv(found.tallies), page(plain, found.tallies)


def _merged(folder: Path, parts: list[Backtest]) -> Backtest:
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(files.json_text(shards.shard_plain(part, against=False)))
    # The order in which they are named does not matter.
    return shards.merge(paths[::-1]).found


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    # Each example is several runs: made smaller it would take minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    ROWS,
    WORDS,
    st.lists(
        st.one_of(POLICIES, *[POLICIES.map(lambda it: replace(it, **FREE))] * 3),
        min_size=1,
        max_size=2,
    ),
    st.booleans(),
    st.sampled_from([1, 3]),
)
def test_merged_shards_write_the_files_of_the_whole_or_say_what_they_leave_out(
    rows: list[ReadingRow],
    words: list[tuple[int, str, str]],
    policies: list,
    spoken: bool,
    count: int,
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        readings = parquet_file(folder / "r.parquet", [*rows, *MANY])
        more: dict[str, object] = {"model": AnswerModel(0.4, 0.3, 0.2, HOUR, DAY)}
        if spoken and words:
            said = [_word(number, *it) for number, it in enumerate(words)]
            more = {"words": str(json_file(folder / "w.jsonl", said))}
        whole, _ = backtested(folder, readings, *policies, **more)
        parts = [
            backtested(folder, readings, *policies, shard=(number, count), **more)[0]
            for number in range(count)
        ]
        merged = _merged(folder, parts)
    assert merged.now == whole.now
    assert sum(it.carried.kept_rows for it in parts) == whole.carried.kept_rows
    caps = any("the cap on" in it for it in merged.left_out)
    guards = any("the guards of" in it for it in merged.left_out)
    assert guards == any(it.guards is not None for it in policies)
    event(f"caps bind: {caps}; guards: {guards}")
    bound = [it for tally in whole.tallies for it in tally.deferred if it[1] in ("cap", "guard")]
    tripped = [it.guard_trips for it in whole.tallies if it.guard_trips]
    if bound or tripped:
        assert caps or guards
    elif not merged.left_out:
        assert _files(merged) == _files(whole)
    else:
        # What is said to be left out did nothing here: all the rest is the same.
        assert merged.left_out
        merged.left_out = ()
        assert _files(merged) == _files(whole)


def test_a_cap_that_would_bind_over_all_shards_is_named_though_none_of_them_reaches_it(
    tmp_path: Path,
) -> None:
    given_policy = policy(stability=stability(dwell=0), invitations_per_day=9, guards=None)
    rows = [ReadingRow(0, f"c{number}", 1_500) for number in range(12)]
    readings = parquet_file(tmp_path / "r.parquet", rows)
    parts = [
        backtested(tmp_path, readings, given_policy, shard=(number, 4))[0] for number in range(4)
    ]
    assert max(it.tallies[0].busiest("invitation.issued")[1] for it in parts) < 9
    merged = _merged(tmp_path, parts)
    (said,) = merged.left_out
    assert said.startswith("the cap on invitation.issued of")
    assert "1 windows hold more than 9" in said
    assert report(merged)["left_out"] == [*LEFT_OUT, said]


def test_a_cap_on_restrictions_counts_accounts_and_not_their_surfaces(tmp_path: Path) -> None:
    given_policy = policy(stability=stability(dwell=0), throttles_per_hour=3, guards=None)
    assert given_policy.consequence.surfaces is not None
    assert len(given_policy.consequence.surfaces) == 2
    rows = [ReadingRow(0, f"c{number}", 1_500) for number in range(3)]
    readings = parquet_file(tmp_path / "r.parquet", rows)
    more = {"model": AnswerModel(), "now": START + 10 * DAY}
    whole, _ = backtested(tmp_path, readings, given_policy, **more)
    (plain,) = report(whole)["policies"]
    assert plain["stages"]["throttle.applied"] == 6
    assert plain["deferred"] == []
    assert (plain["load"]["throttles"]["cap"], plain["load"]["throttles"]["most"]) == (3, 3)
    parts = [
        backtested(tmp_path, readings, given_policy, shard=(number, 2), **more)[0]
        for number in range(2)
    ]
    merged = _merged(tmp_path, parts)
    assert merged.left_out == (), "nobody had to wait"
    assert _files(merged) == _files(whole)


def test_the_command_merges_what_its_shards_wrote(byline: Byline, tmp_path: Path) -> None:
    rows = [row for number in range(9) for row in rising(f"d{number}")]
    readings = str(parquet_file(tmp_path / "r.parquet", rows))
    weibo = str(Path(__file__).parents[2] / "deploy" / "policies" / "weibo.yaml")
    words = ("backtest", weibo, "--readings", readings)
    whole, merged = tmp_path / "whole.json", tmp_path / "merged.json"
    assert byline(*words, "--json", str(whole)).code == 0
    parts = [str(tmp_path / f"{number}.json") for number in range(2)]
    for number, part in enumerate(parts):
        done = byline(*words, "--shard", f"{number}/2", "--json", part)
        assert done.code == 0, done.err
        assert f"shard {number}/2" in done.out
    done = byline("backtest", "merge", *parts, "--json", str(merged))
    assert done.code == 0, done.err
    one, other = json.loads(whole.read_text()), json.loads(merged.read_text())
    assert one["left_out"] == other["left_out"][: len(one["left_out"])]
    assert one | {"left_out": []} == other | {"left_out": []}
    missing = byline("backtest", "merge", parts[0])
    assert (missing.code, "shard 1/2 is missing" in missing.err) == (2, True)
    twice = byline("backtest", "merge", *parts, parts[1])
    assert (twice.code, "shard 1/2 is named twice" in twice.err) == (2, True)
    other_run = tmp_path / "other.json"
    byline(*words, "--shard", "1/2", "--json", str(other_run), "--now", "2030-01-01T00:00:00Z")
    strange = byline("backtest", "merge", parts[0], str(other_run))
    assert (strange.code, "not of the same run" in strange.err) == (2, True)
    for wrong in ("2/2", "x/2", "1"):
        assert byline(*words, "--shard", wrong, "--json", parts[0]).code == 2


def test_a_life_of_another_shard_ends_at_the_same_instant(tmp_path: Path) -> None:
    """The clock of every shard runs on to the last word of any account."""
    said = [_word(0, 50 * DAY, "late", "exempted")]
    readings = parquet_file(
        tmp_path / "r.parquet", [ReadingRow(0, "high", 1_500), ReadingRow(0, "late", 10)]
    )
    more = {"words": str(json_file(tmp_path / "w.jsonl", said))}
    asked = replace(policy(), guards=None)
    for number in range(4):
        found, _ = backtested(tmp_path, readings, asked, shard=(number, 4), **more)
        assert found.now == START + 50 * DAY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"form":"byline-backtest-shard/1"}',
        '{"form":"byline-backtest-shard/1","shard":[0,1],"run":{}}',
        '{"form":"byline-backtest-shard/1","shard":[0,0],"run":{},"carried":{},"crossings":{}',
    ],
)
def test_a_file_of_which_a_part_is_missing_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "0.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="not a shard of a backtest: it "):
        shards.merge([path])
