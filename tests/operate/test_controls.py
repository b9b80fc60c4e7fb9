"""Controls and brakes: validated, counted, capped, approved, sent where they belong, taken back."""

import asyncio
import json
from pathlib import Path

import pytest

from schemas.words import Command, ControlReason
from streams.operate.audit.records import Record
from streams.operate.bulk import Order, accounts_in, checked, way_back
from streams.operate.errors import UsageError
from streams.operate.send import partition_of
from streams.operate.topics import create
from streams.settings import Settings, variable
from tests.cli.conftest import Byline
from tests.operate.test_audit_on_kafka import committed

WHO = ("--actor", "op.1", "--reason", "incident")
NOW = 1_750_000_000_000


def order(command: Command = Command.HOLD, **more: str) -> Order:
    return Order(command, "op.1", ControlReason.TEST, NOW, **more)


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    file = tmp_path / "accounts.txt"
    file.write_text("# those of the fault\nweibo:a1\nweibo:a2  # twice\nweibo:a2\n\nweibo:a3\n")
    return file


def test_a_control_says_what_was_meant_and_its_id_is_derived() -> None:
    value = order(expires_at="2030-01-01T00:00:00Z").value("weibo:a1")
    assert value["issued_at"] == "2025-06-15T15:06:40.000Z"
    assert value["control_id"] == order(expires_at=None).value("weibo:a1")["control_id"]
    assert value["control_id"] != order().value("weibo:a2")["control_id"]
    assert "until" not in value


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (order(Command.EXTEND), "extend needs --until"),
        (order(Command.LIFT, until="2030-01-01T00:00:00Z"), "lift has no --until"),
        (order(Command.APPEAL_OPENED, expires_at="2030-01-01T00:00:00Z"), "only a hold ends"),
    ],
)
def test_a_time_that_does_not_belong_is_refused(said: Order, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        said.check()


def test_a_file_is_read_once_each_and_never_beyond_its_cap(crowd: Path) -> None:
    assert accounts_in(crowd, 3) == ["weibo:a1", "weibo:a2", "weibo:a3"]
    with pytest.raises(UsageError, match="names 3 accounts, --at-most allows 2"):
        accounts_in(crowd, 2)
    with pytest.raises(UsageError, match="account 2 is not platform:account_id"):
        checked(["weibo:a1", "a2"])


def record(value: dict[str, str], number: int) -> Record:
    key = f"{value['platform']}:{value['account_id']}".encode()
    return Record("controls", 0, number, NOW, key, json.dumps(value).encode())


def test_the_way_back_unholds_and_leaves_what_people_spoke_of_since() -> None:
    said = [order(bulk_id="b1").value(f"weibo:a{number}") for number in (1, 2)]
    said += [order(Command.LIFT, bulk_id="b1").value("weibo:a3"), order().value("weibo:a2")]
    way = way_back((record(it, number) for number, it in enumerate(said)), "b1")
    assert (way.command, way.accounts) == (Command.UNHOLD, ("weibo:a1",))
    assert dict(way.left) == {
        "weibo:a2": "hold was said since",
        "weibo:a3": "lift cannot be taken back",
    }
    with pytest.raises(UsageError, match="no control has the bulk id b2"):
        way_back([], "b2")


def test_two_people_are_needed_when_approvals_are(
    byline: Byline, crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("require_approvals"), "true")
    alone = byline("control", "bulk", str(crowd), "--command", "hold", *WHO)
    assert alone.code == 1
    assert "not_approved" in alone.out
    same = ("--approved-by", "op.1")
    assert byline("control", "bulk", str(crowd), "--command", "hold", *WHO, *same).code == 1
    two = byline("control", "bulk", str(crowd), "--command", "hold", *WHO, "--approved-by", "op.2")
    assert two.code == 0
    assert "3 would be sent" in two.out


@pytest.mark.kafka
def test_a_bulk_is_counted_sent_and_taken_back(
    on_kafka: Settings, byline: Byline, crowd: Path
) -> None:
    asyncio.run(create(on_kafka, 4, 1))
    bulk = ("control", "bulk", str(crowd), "--command", "hold", "--bulk-id", "b7", *WHO)
    assert "a dry run" in byline(*bulk).out
    assert asyncio.run(committed(on_kafka, "controls")) == []
    assert byline(*bulk, "--at-most", "2").code == 2
    assert "3 sent, bulk id b7" in byline(*bulk, "--yes").out
    sent = asyncio.run(committed(on_kafka, "controls"))
    assert all(it.partition == partition_of(it.key, 4) for it in sent)
    assert {json.loads(it.value)["bulk_id"] for it in sent} == {"b7"}
    assert byline("control", "hold", "weibo:a3", *WHO).code == 0
    back = byline("control", "undo", "b7", *WHO, "--yes", "--json")
    assert json.loads(back.out)["count"] == 2
    said = [json.loads(it.value) for it in asyncio.run(committed(on_kafka, "controls"))]
    assert sorted(it["account_id"] for it in said if it["command"] == "unhold") == ["a1", "a2"]
    assert byline("control", "undo", "nothing", *WHO).code == 2
    assert byline("control", "lift", "nowhere:a1", *WHO).code == 1
    assert byline("worklist", "appeals", "--json").out.strip() == "[]"
    assert byline("control", "appeal-opened", "weibo:a1", *WHO).code == 0
    assert json.loads(byline("worklist", "appeals", "--json").out)[0]["account"] == "weibo:a1"


@pytest.mark.kafka
def test_a_brake_is_pulled_listed_and_released(on_kafka: Settings, byline: Byline) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    assert byline("switch", "adverse-off", "on", "--scope", "weibo", *WHO).code == 0
    assert byline("switch", "answers-paused", "on", "--scope", "*", *WHO).code == 0
    listed = json.loads(byline("switch", "list", "--json").out)
    assert [(it["scope"], it["switch"]) for it in listed] == [
        ("*", "answers_paused"),
        ("weibo", "adverse_off"),
    ]
    assert byline("switch", "adverse-off", "off", "--scope", "weibo", *WHO).code == 0
    assert byline("switch", "answers-paused", "off", "--scope", "*", *WHO).code == 0
    assert "no brake is on" in byline("switch", "list").out
    assert byline("switch", "adverse-off", "on", "--scope", "nowhere", *WHO).code == 1
