"""Share and delay of acknowledgement by system; the silence of one that spoke is told."""

import json
import os
import time
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from sqlalchemy import Engine, update

from streams.index import tables
from streams.index.database import FILE_NAME, reading, writing
from streams.index.propagation import Asked, System, systems
from streams.operate.audit.records import Record, millis
from streams.serve.metrics import registry_of
from streams.settings_checks import variable
from tests.cli.conftest import clean_environment
from tests.core.given import DAY, HOUR, START
from tests.explain.test_nearest import restricted
from tests.index.filled import all_of, empty, write
from tests.operate.recording import Tape, invited
from tests.support import processes

__all__ = ["clean_environment"]
SECOND = 1_000


class Acks:
    """What enforcing systems say, in their topic's order."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def says(
        self, system: str, event: dict[str, str], outcome: str, after: int = 5 * SECOND
    ) -> None:
        key = f"{event['platform']}:{event['account_id']}"
        at = millis(event["decided_at"]) + after
        value = {
            "platform": event["platform"],
            "account_id": event["account_id"],
            "event_id": event["event_id"],
            "outcome": outcome,
            "system": system,
            "occurred_at": event["decided_at"],
        }
        place = ("throttle-acks", 0, len(self.records), at)
        self.records.append(Record(*place, key.encode(), json.dumps(value).encode()))


def twice() -> Tape:
    """Two accounts restricted on two surfaces each, a day apart; the first one is freed later."""
    tape = restricted()
    tape.wait(DAY)
    invited(tape, "p2").receipt(account="p2").wait(4 * DAY)
    return tape.answer("granted", "p1").wait(HOUR)  # type: ignore[return-value]


def of(tape: Tape, account: str, event: str) -> list[dict[str, str]]:
    return [it for it in tape.events if it["account_id"] == account and it["event"] == event]


def found(engine: Engine, tape: Tape, before: int | None = None) -> list[System]:
    asked = Asked(START, tape.now + 1, tape.now if before is None else before)
    with reading(engine) as connection:
        return systems(connection, asked)


def indexed(folder: Path, tape: Tape, acks: Acks, name: str = "acks.sqlite") -> Engine:
    engine = empty(folder, name)
    write(engine, [*all_of(tape), *acks.records])
    return engine


def test_while_nobody_ever_spoke_silence_means_nothing(tmp_path: Path) -> None:
    tape = twice()
    engine = indexed(tmp_path, tape, Acks())
    assert found(engine, tape) == []
    shown = generate_latest(registry_of(engine, lambda: tape.now, HOUR)).decode()
    assert not [it for it in shown.splitlines() if it.startswith("byline_unacknowledged_events{")]


def test_a_system_is_held_to_what_it_ever_acknowledged(tmp_path: Path) -> None:
    tape, acks = twice(), Acks()
    feed, tips = of(tape, "p1", "throttle.applied")
    acks.says("feed", feed, "applied", 4 * SECOND)
    acks.says("feed", feed, "applied", 90 * SECOND)
    acks.says("pay", tips, "failed")
    acks.says("pay", tips, "applied", 60 * SECOND)
    for it in of(tape, "p2", "throttle.applied"):
        if it["surface"] == "recommend-feed":
            acks.says("feed", it, "applied", 8 * SECOND)
        else:
            acks.says("pay", it, "failed", 7 * SECOND)
    first, second = found(indexed(tmp_path, tape, acks), tape)
    assert (first.system, first.duties) == ("feed", (("weibo", "recommend-feed"),))
    assert (first.asked, first.acknowledged, first.failed) == (3, 2, 0)
    assert (first.median_ms, first.p95_ms) == (4 * SECOND, 8 * SECOND), "of the first word each"
    assert (second.system, second.asked, second.acknowledged, second.failed) == ("pay", 3, 1, 1)
    assert second.share_ppm == 333_333
    lifted = of(tape, "p1", "throttle.lifted")[0]["decided_at"]
    assert [it.silent_since for it in (first, second)] == [millis(lifted)] * 2


def test_a_lift_that_is_young_or_obeyed_makes_nobody_silent(tmp_path: Path) -> None:
    tape, acks = twice(), Acks()
    acks.says("feed", of(tape, "p1", "throttle.applied")[0], "applied")
    acks.says("feed", of(tape, "p2", "throttle.applied")[0], "applied")
    engine = indexed(tmp_path, tape, acks, "young.sqlite")
    lift = of(tape, "p1", "throttle.lifted")[0]
    assert found(engine, tape, millis(lift["decided_at"]))[0].silent_since is None
    assert found(engine, tape)[0].silent_since == millis(lift["decided_at"])
    acks.says("feed", lift, "lifted")
    (now,) = found(indexed(tmp_path, tape, acks, "obeyed.sqlite"), tape)
    assert (now.silent_since, now.asked, now.acknowledged) == (None, 3, 3)


def test_the_metrics_say_who_is_silent_and_what_nobody_carried_out(tmp_path: Path) -> None:
    tape, acks = twice(), Acks()
    acks.says("feed", of(tape, "p1", "throttle.applied")[0], "applied")
    engine = indexed(tmp_path, tape, acks)
    shown = generate_latest(registry_of(engine, lambda: tape.now + HOUR, HOUR)).decode()
    lines = dict(it.rsplit(" ", 1) for it in shown.splitlines() if not it.startswith("#"))
    event = 'byline_unacknowledged_events{event="throttle.lifted",platform="weibo"}'
    assert float(lines[event]) == 2
    assert float(lines['byline_system_silent_seconds{system="feed"}']) > 0
    assert 'byline_acknowledged_ratio{system="feed"}' in lines


@pytest.mark.parametrize("obeyed", [True, False])
def test_the_command_exits_1_while_a_system_is_silent(
    obeyed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape, acks = restricted(), Acks()
    for it in of(tape, "p1", "throttle.applied")[: 2 if obeyed else 1]:
        acks.says("feed", it, "applied")
    later = invited(tape.wait(DAY), "p2").receipt(account="p2").wait(4 * DAY)  # type: ignore[arg-type]
    if obeyed:
        for it in of(later, "p2", "throttle.applied"):  # type: ignore[arg-type]
            acks.says("feed", it, "applied")
    (tmp_path / "byline").mkdir()
    engine = indexed(tmp_path / "byline", tape, acks, FILE_NAME)
    with writing(engine) as connection:
        # An index that is old does not know who speaks.
        connection.execute(update(tables.freshness).values(as_of=int(time.time() * 1000)))
    engine.dispose()
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    told = processes.run(("propagation", "--from", "2020-01-01T00:00:00Z"), os.environ)
    assert told.returncode == (0 if obeyed else 1), told.stderr
    assert ("feed has been silent since" in told.stderr) is not obeyed
    plain = json.loads(processes.run(("propagation", "--json"), os.environ).stdout)
    assert [it["system"] for it in plain["systems"]] == ["feed"]
