"""An order that ends a protection goes only while nobody spoke about the same since its preview."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from schemas.enums import Command, Switch
from streams.console import outdated
from streams.console.orders import Wish
from streams.console.outdated import ends_protection
from streams.index import tables
from streams.index.database import writing
from streams.operate.errors import KafkaAbsentError
from tests.console.given import ConsoleGround, guard
from tests.console.test_actions import BULK, HOLD, prepared, pressed
from tests.operate.recording import Tape

PROTECTING = {Command.HOLD, Command.LIFT, Command.EXTEND, Command.APPEAL_OPENED}
PROTECTING |= {Command.APPEAL_UPHELD}


@pytest.fixture(params=[False, True], ids=["one person", "two persons"])
def ground(request: Any, engine: Any, tape: Tape, tmp_path: Path) -> ConsoleGround:
    return ConsoleGround(engine, tape.now, tmp_path, options={"require_approvals": request.param})


def indexed(ground: ConsoleGround, topic: str, word: str, **said: Any) -> None:
    """Puts a word of another person into the index, behind all that it has."""
    account = None if topic == "switches" else f"weibo:{said['account_id']}"
    value = json.dumps({"actor": "desk-9", **said})
    row = {"topic": topic, "partition": 0, "offset": 9_999, "word": word, "account": account}
    row |= {"at": ground.now, "entered_at": ground.now, "value": value}
    with writing(ground.engine) as connection:
        connection.execute(insert(tables.words), row)


def decided(ground: ConsoleGround, path: str) -> Any:
    """Presses what sends a preview, by one person or by two."""
    first = pressed(ground.signed_in("operator"), path, "send")
    if not ground.console.settings.require_approvals or first.status_code != 303:
        return first
    assert ground.sent == []
    return pressed(ground.signed_in("approver"), path, "approve")


def test_what_ends_a_protection_is_known_of_every_word() -> None:
    for command in Command:
        wish = Wish("controls", command.value, "test")
        assert ends_protection(wish) is (command not in PROTECTING)
    for switch in Switch:
        for on in (False, True):
            wish = Wish("switches", switch.value, "test", scope="weibo", on=on)
            assert ends_protection(wish) is (on is (switch is Switch.REFUSALS_SETTLED))
    assert not ends_protection(Wish("dead-letters", "redrive", "test"))


def test_an_unhold_does_not_end_a_hold_of_others_since(ground: ConsoleGround) -> None:
    path = prepared(ground.signed_in("operator"), **BULK)
    indexed(ground, "controls", "hold", account_id="a5")
    answer = decided(ground, path)
    assert answer.status_code == 409
    assert "weibo:a5: desk-9 said hold since this was prepared" in answer.text
    assert ground.sent == []


def test_between_proposal_and_approval_as_well(engine: Any, tape: Tape, tmp_path: Path) -> None:
    there = ConsoleGround(engine, tape.now, tmp_path, options={"require_approvals": True})
    path = prepared(there.signed_in("operator"), **BULK)
    assert pressed(there.signed_in("operator"), path, "send").status_code == 303
    indexed(there, "controls", "hold", account_id="a4")
    answer = pressed(there.signed_in("approver"), path, "approve")
    assert answer.status_code == 409
    assert "weibo:a4: desk-9 said hold" in answer.text
    assert there.sent == []


def test_what_was_said_of_others_or_before_is_no_reason(ground: ConsoleGround) -> None:
    indexed(ground, "controls", "hold", account_id="a9")
    path = prepared(ground.signed_in("operator"), **BULK)
    assert decided(ground, path).status_code == 303
    assert len(ground.sent) == 2


def test_what_protects_goes_whatever_was_said(ground: ConsoleGround) -> None:
    ground.ends = {"controls": {0: 99_999}, "switches": {0: 99_999}}
    path = prepared(ground.signed_in("operator"), **HOLD, account="weibo:a5")
    indexed(ground, "controls", "unhold", account_id="a5")
    assert pressed(ground.signed_in("operator"), path, "send").status_code == 303
    form = {"switch": "adverse_off", "scope": "weibo", "on": "on", "reason": "incident"}
    path = prepared(ground.signed_in("operator"), "switches", **form)
    assert pressed(ground.signed_in("operator"), path, "send").status_code == 303
    assert len(ground.sent) == 2


def test_an_old_way_back_of_a_switch_does_not_end_what_another_turned_on_since(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("operator")
    form = {"switch": "adverse_off", "scope": "weibo", "on": "on", "reason": "incident"}
    path = prepared(browser, "switches", **form)
    pressed(browser, path, "send")
    back = pressed(browser, path, "undo").headers["location"]
    indexed(ground, "switches", "adverse_off", scope="weibo", on=True)
    answer = pressed(browser, back, "send")
    assert answer.status_code == 409
    assert "desk-9 turned it on since" in answer.text
    assert [it["on"] for _, it in ground.sent] == [True]


def test_an_index_that_is_behind_lets_nothing_go_that_ends_a_protection(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outdated, "PATIENCE_SECONDS", 0.2)
    browser = ground.signed_in("operator")
    path = prepared(browser, **BULK)
    positions = tables.positions
    mine = update(positions).where(positions.c.topic == "controls", positions.c.partition == 0)
    with writing(ground.engine) as connection:
        assert connection.execute(mine.values(next_offset=7)).rowcount == 1
    ground.ends = {"controls": {0: 10}}
    answer = pressed(browser, path, "send")
    assert answer.status_code == 409
    assert "has not yet read 3 records" in answer.text
    page = browser.get("/actions/controls")
    again = browser.post("/actions/controls", data={"guard": guard(page), **BULK})
    assert (again.status_code, ground.sent) == (409, [])
    with writing(ground.engine) as connection:
        connection.execute(mine.values(next_offset=10))
    assert pressed(browser, path, "send").status_code == 303


def test_without_kafka_it_is_not_even_prepared(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")

    class Away(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise KafkaAbsentError("no Kafka answers at x")

    ground.ends = Away()
    page = browser.get("/actions/controls")
    answer = browser.post("/actions/controls", data={"guard": guard(page), **BULK})
    assert answer.status_code == 503
    assert "no Kafka answers at x" in answer.text


def test_an_order_of_somebody_who_may_no_longer_give_any_is_not_approved(
    engine: Any, tape: Tape, tmp_path: Path
) -> None:
    there = ConsoleGround(engine, tape.now, tmp_path, options={"require_approvals": True})
    path = prepared(there.signed_in("operator"), **BULK)
    pressed(there.signed_in("operator"), path, "send")
    (mine,) = (key for key, who in there.roles.items() if who.actor == "operator")
    kept = there.roles[mine]
    viewer = next(who for who in there.roles.values() if who.actor == "viewer")
    approver = there.signed_in("approver")
    for now in (None, kept._replace(roles=viewer.roles)):
        there.roles.pop(mine, None)
        there.roles |= {} if now is None else {mine: now}
        answer = pressed(approver, path, "approve")
        assert answer.status_code == 409
        assert "operator, who prepared it, may no longer give orders" in answer.text
    there.roles[mine] = kept
    assert pressed(approver, path, "approve").status_code == 303
    assert len(there.sent) == 2


def test_a_switch_is_turned_by_on_and_off_alone(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    page = guard(browser.get("/actions/switches"))
    form = {"guard": page, "switch": "adverse_off", "scope": "weibo", "reason": "incident"}
    for more in ({}, {"on": ""}, {"on": "yes"}, {"on": "ON"}):
        answer = browser.post("/actions/switches", data={**form, **more})
        assert answer.status_code == 400, more
        assert "Choose what and why" in answer.text
