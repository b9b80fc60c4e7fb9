"""A backtest of the same history says what shadow said; of another policy it differs, with why."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from sqlalchemy import Engine

from schemas.enums import Mode
from streams.backtest.report import report
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Phase, Policy
from streams.index.database import FILE_NAME, reading
from streams.index.fresh import Fresh
from streams.settings_checks import variable
from streams.shadow.against import NOT_REACHED, Compared, against, read
from streams.shadow.report import reports
from tests.backtest.given import ReadingRow, backtested, csv_file, rising
from tests.cli.conftest import Byline
from tests.core.given import DAY, HOUR, PLATFORM, START, policy
from tests.index.filled import empty, write
from tests.rollout.played import Played

SHADOW = policy(mode=Mode.SHADOW)


def history() -> list[ReadingRow]:
    """Accounts that come over the line; one of them falls below again."""
    rows = [*rising("a1"), *rising("a2", step=HOUR * 5), *rising("a3", days=2)]
    fallen = [ReadingRow(2 * DAY + number * DAY, "a3", 100) for number in range(1, 10)]
    return sorted([*rows, *fallen, ReadingRow(12 * DAY, "a1", 1_500)], key=lambda it: it.at)


def worked(rows: Iterable[ReadingRow], under: Policy, start: int = START) -> Played:
    """What a worker makes of it."""
    played = Played(under, start)
    assert played.part is not None
    labelled: set[str] = set()
    for row in rows:
        played.part.until(START + row.at, inclusive=False)
        at = rfc3339(START + row.at)
        if row.account not in labelled:
            labelled.add(row.account)
            label = {"account_id": row.account, "category": row.label, "observed_at": at}
            played.say("category-changes", [label])
        count = {"account_id": row.account, "followers": row.followers, "observed_at": at}
        played.say("follower-counts", [count])
    return played


def written(folder: Path, rows: list[ReadingRow], *policies: Policy) -> Path:
    """The report of a backtest, as `--json` writes it."""
    found, _ = backtested(folder, csv_file(folder / "r.csv", rows), *policies)
    path = folder / "report.json"
    path.write_text(json.dumps(report(found)))
    return path


def compared(engine: Engine, played: Played, path: Path) -> Compared:
    with reading(engine) as connection:
        (found,) = against(connection, Fresh(played.now, 0, 0), PLATFORM, read(path))
    return found


def indexed(folder: Path, played: Played, name: str = "index.sqlite") -> Engine:
    engine = empty(folder, name)
    write(engine, played.records())
    return engine


def test_the_same_history_under_the_same_policy_says_the_same(tmp_path: Path) -> None:
    played = worked(history(), SHADOW)
    found = compared(indexed(tmp_path, played), played, written(tmp_path, history(), SHADOW))
    assert not found.differs, found.rows
    assert found.why == []
    rows = {what: one for what, one, _ in found.rows}
    assert rows["accounts invited"] == 3
    assert rows["restrictions begun"] > 0
    assert rows["cancelled"] == 1
    assert rows["restricted at the end: tips"] == 2


def test_another_policy_differs_and_the_ground_is_named(tmp_path: Path) -> None:
    played = worked(history(), SHADOW)
    lower = (Phase("first", 50, START - 30 * DAY, None, None),)
    path = written(tmp_path, history(), replace(SHADOW, version=2, phases=lower))
    found = compared(indexed(tmp_path, played), played, path)
    assert found.differs
    assert found.why[0].startswith("the backtest is of version 2")
    assert "version 1" in found.why[0]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("late", "the index does not reach to the end of the backtest"),
        ("begun", "the index has nothing before"),
        ("before", "the backtest knows nothing before it begins"),
        ("words", "in that time people said something (1 account-changes)"),
        ("enforce", "the backtest is of a policy in enforce"),
    ],
)
def test_each_ground_is_a_fact_of_the_two(what: str, says: str, tmp_path: Path) -> None:
    rows = history()
    early = [it for it in rows if it.at < 4 * DAY]
    late = rows[len(early) :]
    seen = {"begun": late, "late": early}.get(what, rows)
    played = worked(seen, SHADOW, START if what != "begun" else START + late[0].at)
    if what == "words":
        said = {"account_id": "a1", "change": "exempted", "observed_at": rfc3339(played.now)}
        played.say("account-changes", [said])
    under = replace(SHADOW, mode=Mode.ENFORCE) if what == "enforce" else SHADOW
    asked = late if what == "before" else rows
    found = compared(indexed(tmp_path, played), played, written(tmp_path, asked, under))
    assert found.differs
    assert any(it.startswith(says) for it in found.why), found.why


@pytest.mark.parametrize("as_of", [None, START + DAY])
def test_counts_of_an_index_that_ends_before_the_backtest_are_the_same_so_far(
    as_of: int | None, tmp_path: Path
) -> None:
    """Nothing in either, and the days that the index lacks may have had something."""
    low = [ReadingRow(number * DAY, "a1", 950) for number in range(4)]
    played = worked(low[:2], SHADOW)
    engine, path = indexed(tmp_path, played), written(tmp_path, low, SHADOW)
    with reading(engine) as connection:
        fresh = Fresh(as_of, 5, START)
        (found,) = reports(connection, fresh, {}, 0, START, PLATFORM, read(path))
    (beside,) = found.backtests
    assert (beside.differs, beside.reaches, found.differs) == (False, False, True)
    assert beside.why == [NOT_REACHED]


@pytest.mark.parametrize("width", [80, 120])
def test_the_command_folds_and_says_the_difference_by_its_exit_code(
    width: int, byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    files = tmp_path / "policies"
    files.mkdir()
    monkeypatch.setenv(variable("policies"), str(files))
    none = byline("shadow", "report")
    assert none.code == 2
    assert "there is no index" in none.err
    played = worked(history(), SHADOW)
    (tmp_path / "byline").mkdir()
    indexed(tmp_path / "byline", played, FILE_NAME).dispose()
    same = written(tmp_path, history(), SHADOW)
    monkeypatch.setattr("streams.cli.output.PLAIN_WIDTH", width)
    told = byline("shadow", "report", "--backtest", str(same))
    assert told.code == 0, told.err
    assert "from the index as of" in told.out
    assert "weibo: version 1, shadow (what runs)" in told.out
    assert "Switching weibo to enforce now would invite 2 accounts" in told.out
    assert "Beside the backtest of p0: the same" in told.out
    tables = [it for it in told.out.splitlines() if it.startswith(("tips", "restricted at"))]
    assert tables
    assert max(cell_len(it) for it in tables) <= width
    plain = json.loads(byline("shadow", "report", "--json").out)
    (its,) = plain["platforms"]
    assert its["enforce"]["surfaces"] == {"recommend-feed": 2, "tips": 2}
    assert its["said"]["surfaces"]["tips"]["shadow"]["at_the_end"] == 2
    other = replace(SHADOW, version=2, rollout_percent=0)
    changed = byline("shadow", "report", "--backtest", str(written(tmp_path, history(), other)))
    assert changed.code == 1
    assert "it differs" in changed.out
    assert "What may make the difference:" in changed.out
    assert byline("shadow", "report", "--platform", "zhihu").out.count("\n") == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("{}", "is no report of `byline backtest … --json"),
        ('{"form":"byline-backtest/9"', "is no report"),
    ],
)
def test_what_is_no_report_of_a_backtest_is_refused(
    text: str | None, says: str, byline: Byline, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    told = byline("shadow", "report", "--backtest", str(path))
    assert told.code == 2
    assert says in told.err
