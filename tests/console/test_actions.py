"""Acting: a counted preview first, each order once, a second person, progress, and the way back."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from starlette.testclient import TestClient

from schemas.enums import Command, Switch
from streams.console.proposals import PREPARED_FOR_MS, PROPOSED_FOR_MS
from streams.index import tables
from streams.index.database import reading, writing
from streams.index.states import POSITION
from streams.operate.errors import KafkaAbsentError
from streams.operate.send_check import CheckedLine, LineChecker
from tests.console.given import ConsoleGround, guard
from tests.index.filled import filled
from tests.operate.recording import Tape


def prepared(browser: TestClient, what: str = "controls", **form: Any) -> str:
    """Sends the form; returns the path of the preview."""
    page = browser.get(f"/actions/{what}")
    answer = browser.post(f"/actions/{what}", data={"guard": guard(page), **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def pressed(browser: TestClient, path: str, button: str) -> Any:
    """Presses a button of a proposal's page."""
    page = browser.get(path)
    return browser.post(f"{path}/{button}", data={"guard": guard(page)})


HOLD = {"command": "hold", "reason": "legal_hold"}


def test_nothing_is_sent_before_a_counted_preview(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a4\nweibo:a5, weibo:a6")
    page = browser.get(path).text
    assert ground.sent == []
    assert "3 accounts, 3 known to the workers" in page
    assert "It can be taken back" in page
    assert pressed(browser, path, "send").status_code == 303
    values = [value for topic, value in ground.sent if topic == "controls"]
    assert [it["account_id"] for it in values] == ["a4", "a5", "a6"]
    assert {it["actor"] for it in values} == {"operator"}
    assert len({it["bulk_id"] for it in values}) == 1
    checker = LineChecker("controls", {"weibo"}, ground.now / 1000)
    assert all(isinstance(checker.check(json.dumps(it).encode()), CheckedLine) for it in values)


@pytest.mark.parametrize("command", list(Command))
def test_every_command_can_be_sent_and_says_whether_it_can_be_undone(
    ground: ConsoleGround, command: Command
) -> None:
    browser = ground.signed_in("operator")
    more = {"until": "2099-01-01T00:00"} if command is Command.EXTEND else {}
    form = {"command": command.value, "reason": "test", "account": "weibo:a5", **more}
    path = prepared(browser, **form)
    undone = "It can be taken back" in browser.get(path).text
    assert undone is (command is Command.HOLD)
    pressed(browser, path, "send")
    assert [it["command"] for _, it in ground.sent] == [command.value]
    assert ("until" in ground.sent[0][1]) is (command is Command.EXTEND)


def test_a_button_pressed_twice_sends_once(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a5")
    page = guard(browser.get(path))
    first, second = (browser.post(f"{path}/send", data={"guard": page}) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 409)
    assert len(ground.sent) == 1


def test_without_kafka_nothing_is_lost_and_the_same_is_sent_again(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a4 weibo:a5")
    ground.failing = KafkaAbsentError("no Kafka answers at x")
    answer = pressed(browser, path, "send")
    assert answer.status_code == 503
    assert "no Kafka answers" in answer.text
    assert "It is not known whether Kafka has it" in browser.get(path).text
    before = ground.console.clock()
    ground.now += 60_000
    ground.failing = None
    assert pressed(browser, path, "send").status_code == 303
    at = {it["issued_at"] for _, it in ground.sent}
    assert len(at) == 1
    assert before // 1000 == ground.now // 1000 - 60, "it states the time of the first decision"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"command": "hold", "account": "weibo:a5", "reason": ""}, "Choose what and why"),
        ({"command": "harm", "account": "weibo:a5", "reason": "test"}, "Choose what and why"),
        ({**HOLD, "account": " "}, "No account is chosen"),
        ({**HOLD, "account": "nonsense"}, "is not platform:account_id"),
        ({**HOLD, "account": "weibo:张三"}, "account_id is not"),
        ({**HOLD, "account": "weibp:a5"}, "did you mean weibo?"),
        ({**HOLD, "account": "weibo:a5", "expires_at": "2001-01-01T00:00"}, "is past"),
        ({**HOLD, "account": "weibo:a5", "expires_at": "soon"}, "is no time like"),
        ({"command": "extend", "reason": "test", "account": "weibo:a5"}, "needs until"),
        ({**HOLD, "account": "weibo:a5", "until": "2099-01-01T00:00"}, "has no until"),
        ({**HOLD, "account": "\n".join(f"weibo:b{it}" for it in range(1_001))}, "1001 accounts"),
    ],
)
def test_what_a_worker_would_refuse_is_told_and_not_sent(
    ground: ConsoleGround, form: dict[str, str], said: str
) -> None:
    browser = ground.signed_in("operator")
    page = guard(browser.get("/actions/controls"))
    answer = browser.post("/actions/controls", data={"guard": page, **form})
    assert answer.status_code == 400
    assert said in answer.text
    with reading(ground.engine) as connection:
        assert connection.execute(select(tables.proposals)).all() == []


def test_a_preview_is_its_makers_alone_and_ends(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a5")
    other = ground.signed_in("operator.2")
    assert other.get(path).status_code == 404
    form = {"guard": guard(other.get("/proposals"))}
    assert other.post(f"{path}/send", data=form).status_code == 404
    ground.now += PREPARED_FOR_MS
    browser = ground.signed_in("operator")
    assert "Its time is over" in browser.get(path).text
    form = {"guard": guard(browser.get("/proposals"))}
    assert browser.post(f"{path}/send", data=form).status_code == 409
    assert ground.sent == []


@pytest.fixture
def strict(engine: Any, tape: Tape, tmp_path: Path) -> ConsoleGround:
    """Where a second person is required."""
    return ConsoleGround(engine, tape.now, tmp_path, options={"require_approvals": True})


BULK = {"command": "unhold", "reason": "test", "account": "weibo:a4 weibo:a5"}


def test_a_bulk_that_protects_nobody_needs_a_second_person(strict: ConsoleGround) -> None:
    maker, approver = strict.signed_in("operator"), strict.signed_in("approver")
    path = prepared(maker, **BULK)
    assert "Propose to a second person" in maker.get(path).text
    assert pressed(maker, path, "send").status_code == 303
    assert strict.sent == []
    assert "Waiting for a second person" in approver.get("/proposals").text
    assert path in approver.get("/proposals").text
    assert pressed(maker, path, "approve").status_code == 403, "no approver"
    assert pressed(approver, path, "approve").status_code == 303
    assert {(it["actor"], it["approved_by"]) for _, it in strict.sent} == {("operator", "approver")}
    assert pressed(approver, path, "approve").status_code == 409, "once"
    assert len(strict.sent) == 2


def test_nobody_approves_what_is_his_own(strict: ConsoleGround) -> None:
    maker = strict.signed_in("operator")
    path = prepared(maker, **BULK)
    pressed(maker, path, "send")
    mine = next(key for key, who in strict.roles.items() if who.actor == "approver")
    for name in ("operator", "Operator", "OPERATOR"):
        strict.roles[mine] = strict.roles[mine]._replace(actor=name)
        assert pressed(strict.signed_in("approver"), path, "approve").status_code == 403
        assert pressed(strict.signed_in("approver"), path, "decline").status_code == 403
    assert strict.sent == []


def test_a_refused_or_late_proposal_is_never_sent(strict: ConsoleGround) -> None:
    maker, approver = strict.signed_in("operator"), strict.signed_in("approver")
    one = prepared(maker, **BULK)
    pressed(maker, one, "send")
    assert pressed(approver, one, "decline").status_code == 303
    assert pressed(approver, one, "approve").status_code == 409
    assert "refused by the second person" in maker.get(one).text
    late = prepared(maker, **{**BULK, "account": "weibo:a6 weibo:a7"})
    pressed(maker, late, "send")
    strict.now += PROPOSED_FOR_MS
    assert pressed(strict.signed_in("approver"), late, "approve").status_code == 409
    assert strict.sent == []
    for path in (late, "/proposals"):
        assert "its time is over, nothing was sent" in strict.signed_in("operator").get(path).text
    assert "Nothing waits." in strict.signed_in("operator").get("/proposals").text


def test_what_protects_or_concerns_one_account_needs_no_second_person(
    strict: ConsoleGround,
) -> None:
    maker = strict.signed_in("operator")
    for form in ({**HOLD, "account": "weibo:a4 weibo:a5"}, {**BULK, "account": "weibo:a4"}):
        pressed(maker, prepared(maker, **form), "send")
    assert len(strict.sent) == 3


@pytest.mark.parametrize("switch", list(Switch))
def test_a_switch_is_previewed_turned_and_turned_back(
    ground: ConsoleGround, switch: Switch
) -> None:
    browser = ground.signed_in("operator")
    form = {"switch": switch.value, "scope": "weibo", "on": "on", "reason": "incident"}
    path = prepared(browser, "switches", **form)
    assert re.search(r"\d+ accounts, \d+ known", browser.get(path).text)
    pressed(browser, path, "send")
    back = pressed(browser, path, "undo").headers["location"]
    pressed(browser, back, "send")
    said = [(it["scope"], it["switch"], it["on"]) for _, it in ground.sent]
    assert said == [("weibo", switch.value, True), ("weibo", switch.value, False)]


def test_a_switch_that_changes_nothing_says_so_before(tmp_path: Path) -> None:
    recorded = Tape()
    recorded.switch("invitations_off", True, "weibo")
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("operator")
    form = {"switch": "invitations_off", "scope": "weibo", "reason": "incident"}

    def shown(**more: str) -> str:
        return str(browser.get(prepared(browser, "switches", **{**form, **more})).text)

    assert "it was on already, since" in shown(on="on")
    assert "As the index has it" not in shown(on="off")
    assert "it was not on for weibo: nothing changes" in shown(on="off", switch="adverse_off")
    assert "no refusal guard of weibo was tripped" in shown(on="on", switch="refusals_settled")
    assert "it is still on for weibo, since" in shown(on="off", scope="*")


def test_a_switch_is_not_taken_back_where_another_person_turned_it_since(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("operator")
    form = {"switch": "adverse_off", "scope": "weibo", "on": "on", "reason": "incident"}
    path = prepared(browser, "switches", **form)
    pressed(browser, path, "send")
    value = json.dumps({"scope": "weibo", "on": True, "actor": "desk-9"})
    row = {"topic": "switches", "partition": 0, "offset": 9_999, "word": "adverse_off"}
    row |= {"at": ground.now, "entered_at": ground.now, "value": value}
    with writing(ground.engine) as connection:
        connection.execute(insert(tables.words), row)
    answer = pressed(browser, path, "undo")
    assert answer.status_code == 409
    assert "desk-9 turned it on since" in answer.text
    with writing(ground.engine) as connection:
        elsewhere = value.replace("weibo", "douyin")
        connection.execute(
            update(tables.words).values(value=elsewhere).where(tables.words.c.offset == 9_999)
        )
    assert pressed(browser, path, "undo").status_code == 303


def test_progress_waits_for_the_workers(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a5")
    pressed(browser, path, "send")
    assert "0 of 1 partitions have read it" in browser.get(path).text
    told = json.dumps({"next": {"byline.controls": 1}}).encode()
    row = {"partition": 0, "key": POSITION, "offset": 9_999, "written_at": 0, "watched": False}
    states = tables.states
    with writing(ground.engine) as connection:
        done = connection.execute(
            update(states).where(states.c.key == POSITION).values(value=told)
        ).rowcount
        if not done:
            connection.execute(insert(states), {**row, "value": told})
    assert "All partitions have read it" in browser.get(path).text


@pytest.mark.parametrize(
    ("reason", "back_for"), [("incident", "incident"), ("appeal", "operator_request")]
)
def test_a_bulk_of_holds_is_taken_back_where_nobody_spoke_since(
    tmp_path: Path, reason: str, back_for: str
) -> None:
    recorded = Tape()
    for name in ("h1", "h2", "h3"):
        recorded.label("财经", name).reads(2000, name)
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("operator")
    said = {**HOLD, "reason": reason}
    path = prepared(browser, **said, account="weibo:h1 weibo:h2 weibo:h3")
    pressed(browser, path, "send")
    early = pressed(browser, path, "undo")
    assert early.status_code == 409
    assert "The index has not yet read it" in early.text
    for _, value in there.sent:
        recorded.put("controls", f"weibo:{value['account_id']}", value)
    recorded.wait(60_000).control("unhold", "h2")
    again = ConsoleGround(filled(tmp_path, recorded, "again.sqlite"), recorded.now, tmp_path)
    kept = tables.proposals
    with reading(there.engine) as old, writing(again.engine) as new:
        new.execute(insert(kept), [dict(it) for it in old.execute(select(kept)).mappings()])
    browser = again.signed_in("operator")
    back = pressed(browser, path, "undo").headers["location"]
    page = browser.get(back).text
    assert "2 accounts" in page
    assert "1 are left alone: unhold was said since" in page
    pressed(browser, back, "send")
    assert [(it["account_id"], it["command"]) for _, it in again.sent] == [
        ("h1", "unhold"),
        ("h3", "unhold"),
    ]
    # An unhold for the reason `appeal` would end no hold.
    assert {it["reason"] for _, it in again.sent} == {back_for}


def test_one_hold_is_not_taken_back_where_that_would_end_another_persons(tmp_path: Path) -> None:
    recorded = Tape()
    recorded.label("财经", "h1").reads(2000, "h1").control("hold", "h1").wait(60_000)
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:h1")
    pressed(browser, path, "send")
    assert "The index has not yet read it" in pressed(browser, path, "undo").text
    recorded.put("controls", "weibo:h1", there.sent[0][1])
    again = ConsoleGround(filled(tmp_path, recorded, "again.sqlite"), recorded.now, tmp_path)
    kept = tables.proposals
    with reading(there.engine) as old, writing(again.engine) as new:
        new.execute(insert(kept), [dict(it) for it in old.execute(select(kept)).mappings()])
    answer = pressed(again.signed_in("operator"), path, "undo")
    assert answer.status_code == 409
    assert "an unhold would end that hold, too" in answer.text
    assert again.sent == []


def test_times_of_an_order_are_shown_in_the_persons_zone(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    form = {"command": "extend", "reason": "test", "account": "weibo:a5"}
    path = prepared(browser, **form, until="2099-01-01T08:00")
    assert "2099-01-01 08:00:00 +08:00" in browser.get(path).text


def test_rows_of_a_list_are_chosen_and_acted_on_at_once(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    page = browser.get("/worklists/unconfirmed")
    chosen = re.findall(r'name="account" value="([^"]+)"', page.text)[:2]
    assert len(chosen) == 2
    form = {"guard": guard(page), "account": chosen, "command": "reissue", "reason": "incident"}
    path = browser.post("/actions/controls", data=form).headers["location"]
    pressed(browser, path, "send")
    assert [f"weibo:{it['account_id']}" for _, it in ground.sent] == chosen
    assert 'type="checkbox"' not in ground.signed_in("viewer").get("/worklists/unconfirmed").text


def test_the_actor_is_the_signed_in_person_whatever_a_form_says(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    form = {**HOLD, "account": "weibo:a5", "actor": "somebody.else", "approved_by": "another"}
    pressed(browser, prepared(browser, **form), "send")
    assert ground.sent[0][1]["actor"] == "operator"
    assert "approved_by" not in ground.sent[0][1]
