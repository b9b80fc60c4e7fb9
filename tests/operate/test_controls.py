"""Controls and brakes: validated, counted, capped, approved, sent where they belong, taken back."""

import asyncio
import json
from pathlib import Path

import pytest

from schemas.enums import Command, ControlReason, Switch
from streams.app import publish_policies
from streams.operate.audit.records import HOUR, Record, iso
from streams.operate.bulk import BulkOrder, accounts_in, checked, way_back, within
from streams.operate.errors import UsageError
from streams.operate.send import partition_of
from streams.operate.topics import create, names_of
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline
from tests.core.given import policy
from tests.operate.test_audit_on_kafka import committed

WHO = ("--actor", "op.1", "--reason", "incident")
NOW = 1_750_000_000_000
DAY = 24 * HOUR


def order(command: Command = Command.HOLD, **more: str) -> BulkOrder:
    return BulkOrder(command, "op.1", ControlReason.TEST, NOW, **more)


def test_an_appeal_and_its_verdict_may_have_an_id() -> None:
    value = order(Command.APPEAL_UPHELD, appeal_id="a-7").value("weibo:a1")
    assert value["appeal_id"] == "a-7"
    other = order(Command.APPEAL_UPHELD, appeal_id="a-8").value("weibo:a1")
    assert value["control_id"] != other["control_id"], "verdicts on two appeals are two words"
    assert "appeal_id" not in order(Command.APPEAL_UPHELD).value("weibo:a1")


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
        (order(Command.SETTLE, appeal_id="a-7"), "settle has no --appeal-id: only an appeal"),
    ],
)
def test_a_time_that_does_not_belong_is_refused(said: BulkOrder, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        said.check()


def test_a_file_is_read_once_each_and_never_beyond_its_cap(crowd: Path) -> None:
    named = accounts_in(crowd)
    assert within(named, 3) == ["weibo:a1", "weibo:a2", "weibo:a3"]
    assert sorted(named.values()) == list(named.values())
    with pytest.raises(UsageError, match="3 accounts are named, --max-accounts allows 2"):
        within(named, 2)
    with pytest.raises(UsageError, match="account 2 is not platform:account_id"):
        checked(["weibo:a1", "a2"])


def lay(*values: dict[str, str]) -> list[Record]:
    """The topic of controls with these in it."""
    keys = [f"{it['platform']}:{it['account_id']}".encode() for it in values]
    return [
        Record("controls", 0, number, NOW, key, json.dumps(value).encode())
        for number, (key, value) in enumerate(zip(keys, values, strict=True))
    ]


def refusal(offset: int) -> Record:
    """The dead letter of the control at an offset."""
    letter = {"topic": "byline.controls", "partition": 0, "offset": offset}
    return Record("dead-letters", 0, 0, NOW, b"k", json.dumps(letter).encode())


def test_the_way_back_unholds_and_leaves_what_people_spoke_of_since() -> None:
    said = [order(bulk_id="b1").value(f"weibo:a{number}") for number in (1, 2)]
    said += [order(Command.LIFT, bulk_id="b1").value("weibo:a3"), order().value("weibo:a2")]
    way = way_back(lay(*said), "b1", NOW)
    assert (way.command, way.accounts) == (Command.UNHOLD, ("weibo:a1",))
    assert dict(way.left) == {
        "weibo:a2": "hold was said since",
        "weibo:a3": "lift cannot be taken back",
    }
    with pytest.raises(UsageError, match="no control has the bulk id b2"):
        way_back([], "b2", NOW)


def test_the_way_back_leaves_a_hold_that_was_there_before_the_bulk() -> None:
    ends = {"expires_at": iso(NOW + DAY)}
    said = [
        order().value("weibo:for-ever"),
        order(**ends).value("weibo:until-tomorrow"),
        order().value("weibo:ended"),
        order(Command.UNHOLD).value("weibo:ended"),
        *(order(bulk_id="b1").value(f"weibo:{it}") for it in ("for-ever", "until-tomorrow")),
        *(order(bulk_id="b1").value(f"weibo:{it}") for it in ("ended", "free")),
    ]
    way = way_back(lay(*said), "b1", NOW + HOUR)
    assert way.accounts == ("weibo:ended", "weibo:free")
    words = "was held before: an unhold would end that hold, too"
    assert dict(way.left) == {"weibo:for-ever": words, "weibo:until-tomorrow": words}
    assert way.left_by_reason() == {words: 2}
    later = way_back(lay(*said), "b1", NOW + 2 * DAY)
    assert "weibo:until-tomorrow" in later.accounts, "that hold is over by then"


def test_the_way_back_leaves_what_was_refused_and_hears_no_refused_word() -> None:
    said = [
        order().value("weibo:held"),
        *(order(bulk_id="b1").value(f"weibo:{it}") for it in ("held", "refused", "free")),
        order(Command.UNHOLD).value("weibo:free"),
    ]
    way = way_back([refusal(4), refusal(2), refusal(0), *lay(*said)], "b1", NOW)
    assert way.accounts == ("weibo:held", "weibo:free")
    assert way.left == (("weibo:refused", "its control was refused: nothing to take back"),)


def test_an_unhold_that_ends_no_hold_does_not_take_the_way_back() -> None:
    verdict = BulkOrder(Command.UNHOLD, "op.1", ControlReason.APPEAL, NOW)
    said = [order(bulk_id="b1").value("weibo:a1"), verdict.value("weibo:a1")]
    assert way_back(lay(*said), "b1", NOW).accounts == ("weibo:a1",)
    said += [order(Command.UNHOLD).value("weibo:a1"), verdict.value("weibo:a1")]
    assert dict(way_back(lay(*said), "b1", NOW).left) == {"weibo:a1": "unhold was said since"}


def test_an_undo_that_would_end_no_hold_is_refused_before_anything_is_asked(byline: Byline) -> None:
    said = ("control", "undo", "b7", "--actor", "op.1", "--reason", "appeal")
    for more in ((), ("--yes",), ("--json",)):
        refused = byline(*said, *more)
        assert refused.code == 2
        assert "an unhold for this reason ends no hold, it ends the protection" in refused.err


def test_a_control_said_twice_counts_once_on_the_way_back() -> None:
    hold, unhold = order().value("weibo:a1"), order(Command.UNHOLD).value("weibo:a1")
    bulk = order(bulk_id="b1").value("weibo:a1")
    assert way_back(lay(hold, unhold, hold, bulk), "b1", NOW).accounts == ("weibo:a1",)


def test_several_accounts_in_one_command_are_a_bulk(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = ("control", "reissue", "weibo:a1", "weibo:a2", "weibo:a3", *WHO)
    counted = json.loads(byline(*several, "--json").out)
    assert (counted["dry_run"], counted["count"]) == (True, 3)
    assert counted["bulk_id"].startswith("bulk-")
    assert byline(*several, "--max-accounts", "2").code == 2
    alone = json.loads(byline("control", "lift", "weibo:a1", *WHO, "--dry-run", "--json").out)
    assert alone["bulk_id"] is None
    monkeypatch.setenv(variable("require_approvals"), "true")
    assert "not_approved" in byline(*several, "--yes").out
    assert byline(*several, "--approved-by", "op.2").code == 0
    assert byline("control", "lift", "weibo:a1", *WHO, "--dry-run").code == 0


def test_two_people_are_needed_when_approvals_are(
    byline: Byline, crowd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("require_approvals"), "true")
    alone = byline("control", "bulk", str(crowd), "--command", "unhold", *WHO)
    assert alone.code == 1
    assert "not_approved" in alone.out
    same = ("--approved-by", "op.1")
    assert byline("control", "bulk", str(crowd), "--command", "unhold", *WHO, *same).code == 1
    two = byline(
        "control", "bulk", str(crowd), "--command", "unhold", *WHO, "--approved-by", "op.2"
    )
    assert two.code == 0
    assert "3 would be sent" in two.out


@pytest.mark.parametrize("command", list(Command))
def test_every_word_can_be_said_by_its_name(byline: Byline, command: Command) -> None:
    more = ("--until", "2030-01-01T00:00:00Z") if command is Command.EXTEND else ()
    for name in {command.value, command.value.replace("_", "-")}:
        said = byline("control", name, "weibo:a1", *WHO, *more, "--dry-run", "--json")
        assert (said.code, json.loads(said.out)["command"]) == (0, command.value)
    assert command.value.replace("_", "-") in byline("control", "--help").out


@pytest.mark.parametrize("switch", list(Switch))
def test_every_switch_is_turned_by_its_name(byline: Byline, switch: Switch) -> None:
    for name in (switch.value, switch.value.replace("_", "-")):
        assert byline("switch", name, "--help").code == 0


def test_a_word_needs_no_policy_file_but_its_form_is_checked(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable("policies"), str(tmp_path / "nowhere"))
    monkeypatch.setenv(variable("kafka_bootstrap_servers"), "127.0.0.1:1")
    said = byline("control", "hold", "weibo:a1", *WHO, "--dry-run")
    assert said.code == 0
    assert "is not known, it is taken as given" in said.err
    assert byline("control", "hold", "weibo:a 1", *WHO, "--dry-run").code == 1
    assert byline("policy", "check").code == 2, "where policies are needed they are asked for"


@pytest.mark.kafka
def test_a_brake_works_whatever_the_policy_files_are_like(
    on_kafka: Settings, byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asyncio.run(create(on_kafka, 2, 1))
    (tmp_path / "weibo.yaml").write_text("half a thought: [")
    for folder in (tmp_path, tmp_path / "nowhere"):
        monkeypatch.setenv(variable("policies"), str(folder))
        said = byline("switch", "adverse_off", "on", "--scope", "weibo", *WHO)
        assert said.code == 0
        assert "it is taken as given" in said.err
        everywhere = byline("switch", "adverse_off", "on", "--scope", "*", *WHO)
        assert (everywhere.code, "taken as given" in everywhere.err) == (0, False)
    asyncio.run(publish_policies(on_kafka, names_of(on_kafka), {"weibo": policy()}))
    said = byline("switch", "refusals_settled", "on", "--scope", "weibo", *WHO)
    assert (said.code, "taken as given" in said.err) == (0, False)
    assert "no refusal guard of weibo was tripped: nothing changes" in said.err
    other = byline("switch", "refusals_settled", "on", "--scope", "weibbo", *WHO)
    assert other.code == 1
    assert "did you mean weibo? there are policies for weibo only" in other.err
    listed = json.loads(byline("switch", "list", "--json").out)
    assert [(it["scope"], it["switch"]) for it in listed] == [
        ("*", "adverse_off"),
        ("weibo", "adverse_off"),
    ]


@pytest.mark.kafka
def test_a_bulk_is_counted_sent_and_taken_back(
    on_kafka: Settings, byline: Byline, crowd: Path
) -> None:
    asyncio.run(create(on_kafka, 4, 1))
    bulk = ("control", "bulk", str(crowd), "--command", "hold", "--bulk-id", "b7", *WHO)
    assert "a dry run" in byline(*bulk).out
    assert asyncio.run(committed(on_kafka, "controls")) == []
    assert byline(*bulk, "--max-accounts", "2").code == 2
    assert "3 sent, bulk id b7" in byline(*bulk, "--yes").out
    sent = asyncio.run(committed(on_kafka, "controls"))
    assert all(it.partition == partition_of(it.key, 4) for it in sent)
    assert {json.loads(it.value)["bulk_id"] for it in sent} == {"b7"}
    several = ("control", "hold", "weibo:b1", "weibo:b2", *WHO)
    assert "2 would be sent" in byline(*several).out
    assert len(asyncio.run(committed(on_kafka, "controls"))) == 3
    assert "2 sent, bulk id bulk-" in byline(*several, "--yes").out
    assert byline("control", "hold", "weibo:a3", *WHO).code == 0
    assert "1 left alone: hold was said since" in byline("control", "undo", "b7", *WHO).out
    back = byline("control", "undo", "b7", *WHO, "--yes", "--json")
    assert json.loads(back.out)["count"] == 2
    said = [json.loads(it.value) for it in asyncio.run(committed(on_kafka, "controls"))]
    assert sorted(it["account_id"] for it in said if it["command"] == "unhold") == ["a1", "a2"]
    assert byline("control", "undo", "nothing", *WHO).code == 2
    assert byline("control", "lift", "nowhere:a1", *WHO).code == 1
    assert byline("control", "appeal-opened", "weibo:a1", *WHO).code == 0
    assert byline("worklist", "appeals", "--json").out.strip() == "[]", "no worker has read it"


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
