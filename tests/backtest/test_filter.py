"""What the filter leaves out decides nothing: both runs are the same, byte for byte."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from streams.backtest.answers import AnswerModel
from streams.backtest.columns import connect
from streams.backtest.expressions import among, quoted
from streams.core.model.policy import Guards, Phase
from tests.backtest.given import (
    EXEMPT,
    FINANCE,
    UNKNOWN,
    ReadingRow,
    backtested,
    decisions,
    events,
    json_file,
    parquet_file,
    policy,
    words_of,
)
from tests.backtest.rates import PLATFORMS
from tests.core.given import DAY, HOUR, PLATFORM, START, rfc3339, stability

ACCOUNTS = st.sampled_from([f"a{number}" for number in range(8)])
COUNTS = st.one_of(
    st.sampled_from([0, 400, 899, 900, 999, 1000, 1500, 3000]), st.integers(300, 1200)
)
ROWS = st.lists(
    st.builds(
        ReadingRow,
        st.integers(0, 40 * 24).map(lambda hours: hours * HOUR),
        ACCOUNTS,
        COUNTS,
        st.sampled_from([FINANCE, FINANCE, FINANCE, UNKNOWN, EXEMPT, ""]),
        st.sampled_from([PLATFORM] * 6 + ["nowhere"]),
    ),
    min_size=3,
    max_size=60,
)
WORDS = st.lists(
    st.tuples(
        st.integers(0, 40 * 24).map(lambda hours: hours * HOUR + 1),
        ACCOUNTS,
        st.sampled_from(["exempted", "exemption_ended", "closed", "reopened", "withdrawn", "hold"]),
    ),
    max_size=6,
)
GUARDS = Guards(HOUR * 30, 1, 300_000, 300_000, 300_000, 300_000)
POLICIES = st.builds(
    lambda dwell, cap, per_hour, guards, second: policy(
        stability=replace(stability(), dwell=dwell, cool_down=2 * DAY),
        invitations_per_day=cap,
        throttles_per_hour=per_hour,
        guards=guards,
        phases=(
            Phase("first", 1000, START - DAY, None, None),
            *([Phase("second", 800, START + 20 * DAY, None, None)] if second else []),
        ),
    ),
    st.sampled_from([0, HOUR, DAY]),
    st.sampled_from([0, 1, 2, 1000]),
    st.sampled_from([1, 1000]),
    st.sampled_from([None, GUARDS]),
    st.booleans(),
)


def _word(number: int, at: int, account: str, what: str) -> dict[str, object]:
    word: dict[str, object] = {"platform": PLATFORM, "account_id": account}
    time = rfc3339(START + at)
    if what == "hold":
        return word | {
            "control_id": f"c{number}",
            "command": "hold",
            "actor": "op",
            "reason": "test",
            "issued_at": time,
        }
    if what == "withdrawn":
        return word | {"answer": what, "occurred_at": time}
    return word | {"change": what, "observed_at": time}


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(ROWS, WORDS, st.lists(POLICIES, min_size=1, max_size=2), st.booleans())
def test_what_the_filter_leaves_out_changes_no_event_and_no_decision_of_those_kept(
    rows: list[ReadingRow], words: list[tuple[int, str, str]], policies: list, with_words: bool
) -> None:
    rows = [*rows, ReadingRow(0, "first", 10)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        readings = parquet_file(folder / "r.parquet", rows)
        more: dict[str, object] = {"model": AnswerModel(0.4, 0.3, 0.2, HOUR, DAY)}
        if with_words and words:
            said = [_word(number, *it) for number, it in enumerate(words)]
            more = {"words": str(json_file(folder / "w.jsonl", said))}
        more["now"] = START + 60 * DAY
        kept, few = backtested(folder, readings, *policies, **more)
        whole, all_of_it = backtested(folder, readings, *policies, everybody=True, **more)
    # Each policy has a core of its own: only the order within one means something.
    few.sort(key=lambda it: it.policy)
    all_of_it.sort(key=lambda it: it.policy)
    assert events(few) == events(all_of_it)
    names = {it["account_id"] for it in decisions(few)}
    assert decisions(few) == [it for it in decisions(all_of_it) if it["account_id"] in names]
    assert [it.stages() for it in kept.tallies] == [it.stages() for it in whole.tallies]
    event(f"filtered: {kept.carried.kept_rows < whole.carried.kept_rows}")
    event(f"events: {min(len(events(few)), 20) // 5 * 5}")


def test_an_account_below_the_floor_is_never_read_and_one_with_a_word_on_it_is(
    tmp_path: Path,
) -> None:
    """The guard of the test above: it would prove nothing if nothing were filtered."""
    rows = [ReadingRow(0, "low", 10), ReadingRow(0, "high", 1000), ReadingRow(0, "spoken-of", 10)]
    words = json_file(tmp_path / "w.jsonl", [_word(0, HOUR, "spoken-of", "exempted")])
    found, _ = backtested(tmp_path, parquet_file(tmp_path / "r.parquet", rows), words=str(words))
    assert (found.carried.accounts, found.carried.kept_accounts) == (3, 2)
    assert found.carried.kept_rows == 2
    assert found.carried.words == {"account-changes": 1}


def test_timers_of_an_instant_at_which_all_rest_act_before_the_answers_of_the_model(
    tmp_path: Path,
) -> None:
    """The receipt of a1 comes at the instant at which a2 is invited and a3 only read."""
    rows = [ReadingRow(0, name, 1500) for name in ("a1", "a3")]
    rows += [ReadingRow(HOUR, "a2", 1500), ReadingRow(2 * HOUR, "a3", 1501)]
    readings = parquet_file(tmp_path / "r.parquet", rows)
    more = {"model": AnswerModel(delivery=HOUR), "now": START + 3 * HOUR}
    _, few = backtested(tmp_path, readings, **more)
    _, whole = backtested(tmp_path, readings, everybody=True, **more)
    said = words_of(few)
    assert said.index("a2 invitation.issued over_line") < said.index(
        "a1 invitation.delivered receipt"
    )
    assert events(few) == events(whole)
    assert decisions(few) == decisions(whole)


def test_an_input_of_a_row_names_the_row_as_its_offset(tmp_path: Path) -> None:
    rows = [
        ReadingRow(0, "low", 10),
        ReadingRow(HOUR, "high", 1000),
        ReadingRow(9 * HOUR, "high", 1200),
    ]
    _, said = backtested(
        tmp_path,
        parquet_file(tmp_path / "r.parquet", rows),
        policy(stability=stability(dwell=0)),
    )
    causes = [it["cause"] for it in decisions(said) if "offset" in it["cause"]]
    assert {"topic": "follower-counts", "offset": 1} in causes
    assert msgspec.json.decode(events(said)[0].value or b"")["account_id"] == "high"


def test_the_names_of_seven_platforms_are_compared_and_not_joined_with_every_row(
    tmp_path: Path,
) -> None:
    file = parquet_file(tmp_path / "r.parquet", [ReadingRow(0, "a1", 1)])

    def plan(condition: str) -> str:
        query = f"EXPLAIN SELECT count(*) FROM read_parquet('{file}') WHERE {condition}"
        with closing(connect(tmp_path)) as connection:
            return str(connection.execute(query).fetchall())

    names = ", ".join(map(quoted, PLATFORMS))
    assert "Join" in plan(f"platform IN ({names})"), "DuckDB does it by itself: drop `among`"
    assert "Join" not in plan(among("platform", PLATFORMS))
