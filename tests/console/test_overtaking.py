"""Orders that are sent at the same time: none ends a protection that was pressed before it."""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from streams.console import proposals
from streams.console.proposals import CLAIMED_FOR_MS, State
from streams.core.model.instants import DAY
from streams.index import tables
from streams.index.database import reading, writing
from streams.operate.audit.records import millis
from streams.operate.errors import KafkaAbsentError
from streams.operate.send import Sent
from tests.console.given import ConsoleGround, guard
from tests.console.test_actions import HOLD, prepared, pressed
from tests.index.filled import all_of, write
from tests.index.test_postgresql import engine as postgresql
from tests.index.test_postgresql import server
from tests.operate.recording import Tape

__all__ = ["postgresql", "server"]
UNHOLD = {"command": "unhold", "reason": "operator_request", "account": "weibo:a5"}
OFF = {"switch": "adverse_off", "scope": "weibo", "on": "off", "reason": "incident"}
TRIES = 20


@pytest.fixture
def ground(ground: ConsoleGround) -> ConsoleGround:
    """What is sent lies behind all that the index has read."""
    ground.recorded["controls"] = 10_000
    return ground


def state_of(ground: ConsoleGround, path: str) -> str:
    """The state of a proposal by its path."""
    with reading(ground.engine) as connection:
        found = proposals.find(connection, path.rpartition("/")[2])
    assert found is not None
    return found.state.value


def stuck(ground: ConsoleGround, path: str) -> None:
    """Presses send while Kafka does not answer: nobody knows whether it has the records."""
    ground.failing = KafkaAbsentError("no Kafka answers at x")
    assert pressed(ground.signed_in("operator"), path, "send").status_code == 503
    ground.failing = None


def test_an_unhold_waits_for_a_hold_that_kafka_did_not_take(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    old = prepared(browser, **UNHOLD)
    hold = prepared(browser, **HOLD, account="weibo:a4 weibo:a5")
    stuck(ground, hold)
    said = "operator pressed hold about the same"
    assert said in browser.get(old).text
    assert said in browser.get("/accounts/weibo:a5").text
    assert said not in browser.get("/accounts/weibo:a6").text
    answer = pressed(browser, old, "send")
    assert answer.status_code == 409
    assert "it is not known whether Kafka has it" in answer.text
    # Not even when it is prepared anew: the hold can still come.
    assert pressed(browser, prepared(browser, **UNHOLD), "send").status_code == 409
    assert (state_of(ground, old), ground.sent) == ("prepared", [])
    assert pressed(browser, hold, "send").status_code == 303
    answer = pressed(browser, old, "send")
    assert answer.status_code == 409
    assert "operator sent hold about the same since this was prepared" in answer.text
    assert [it["command"] for _, it in ground.sent] == ["hold", "hold"]


def test_an_approval_waits_for_it_as_well(engine: Engine, tape: Tape, tmp_path: Path) -> None:
    there = ConsoleGround(engine, tape.now, tmp_path, options={"require_approvals": True})
    bulk = prepared(there.signed_in("operator"), **{**UNHOLD, "account": "weibo:a4 weibo:a5"})
    assert pressed(there.signed_in("operator"), bulk, "send").status_code == 303
    hold = prepared(there.signed_in("operator"), **HOLD, account="weibo:a5")
    stuck(there, hold)
    assert "pressed hold about the same" in there.signed_in("approver").get(bulk).text
    assert pressed(there.signed_in("approver"), bulk, "approve").status_code == 409
    assert (state_of(there, bulk), there.sent) == ("proposed", [])


def test_a_switch_is_not_turned_off_while_somebody_turns_it_on(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    off = prepared(browser, "switches", **OFF)
    other = prepared(browser, "switches", **{**OFF, "scope": "*"})
    stuck(ground, prepared(browser, "switches", **{**OFF, "on": "on"}))
    answer = pressed(browser, off, "send")
    assert answer.status_code == 409
    assert "operator has pressed adverse_off on about the same" in answer.text
    assert pressed(browser, other, "send").status_code == 303


def test_what_is_stuck_for_a_day_is_in_the_way_of_nobody(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    stuck(ground, prepared(browser, **HOLD, account="weibo:a5"))
    ground.now += DAY + 1
    browser = ground.signed_in("operator")
    path = prepared(browser, **UNHOLD)
    assert "operator pressed hold about the same" in browser.get(path).text
    assert pressed(browser, path, "send").status_code == 303


def test_what_protects_is_never_in_the_way_of_itself(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    stuck(ground, prepared(browser, **UNHOLD))
    path = prepared(browser, **HOLD, account="weibo:a5")
    assert pressed(browser, path, "send").status_code == 303


class Meanwhile(dict[str, Mapping[int, int]]):
    """What Kafka says to the console's question; something happens while it is asked."""

    def __init__(self, what: Any) -> None:
        super().__init__()
        self._what = what

    def get(self, *_: Any) -> Any:
        """The first question alone."""
        what, self._what = self._what, lambda: None
        what()
        return {}


def test_a_hold_that_is_sent_between_the_question_and_the_sending_counts(
    ground: ConsoleGround,
) -> None:
    first, second = ground.signed_in("operator"), ground.signed_in("operator")
    old = prepared(first, **UNHOLD)
    hold = prepared(second, **HOLD, account="weibo:a5")
    token = guard(second.get(hold))
    ground.ends = Meanwhile(lambda: second.post(f"{hold}/send", data={"guard": token}))
    answer = pressed(first, old, "send")
    assert answer.status_code == 409
    assert "operator sent hold about the same" in answer.text
    assert [it["command"] for _, it in ground.sent] == ["hold"]


def test_a_word_of_the_command_line_that_comes_after_the_question_is_the_newer_one(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **UNHOLD)
    asked_at = ground.now

    def passes() -> None:
        ground.now += 2_000

    ground.ends = Meanwhile(passes)
    assert pressed(browser, path, "send").status_code == 303
    assert millis(ground.sent[0][1]["issued_at"]) < asked_at


def test_a_hold_says_the_time_at_which_it_is_sent(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a5")
    assert pressed(browser, path, "send").status_code == 303
    assert millis(ground.sent[0][1]["issued_at"]) == ground.now


def test_one_order_is_sent_by_one_at_a_time(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, **HOLD, account="weibo:a5")
    stuck(ground, path)
    token, answers = guard(browser.get(path)), []
    send = ground.console.send

    def twice(*told: Any) -> Sent:
        if len(answers) < 2:
            answers.append(browser.post(f"{path}/send", data={"guard": token}))
        return send(*told)

    object.__setattr__(ground.console, "send", twice)
    assert browser.post(f"{path}/send", data={"guard": token}).status_code == 303
    assert [it.status_code for it in answers] == [409]
    assert "It is being sent at this moment" in answers[0].text
    assert len(ground.sent) == 1


def test_whoever_is_killed_while_he_sends_keeps_others_waiting_for_seconds_alone(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("operator")
    name = prepared(browser, **HOLD, account="weibo:a5").rpartition("/")[2]
    mine = update(tables.proposals).where(tables.proposals.c.id == name)
    outcome = json.dumps(proposals.claimed({"accounts": 1, "known": 1}, ground.now))
    killed = mine.values(state=State.SENDING.value, decided_at=ground.now, decided_by="operator")
    with writing(ground.engine) as connection:
        connection.execute(killed.values(outcome=outcome))
    assert not proposals.claim(ground.engine, name, ground.now + CLAIMED_FOR_MS - 1)
    assert proposals.claim(ground.engine, name, ground.now + CLAIMED_FOR_MS)
    # A clock that was set back is no reason to wait for it.
    assert proposals.claim(ground.engine, name, ground.now - DAY)
    proposals.release(ground.engine, name)
    with reading(ground.engine) as connection:
        asked = select(tables.proposals.c.outcome).where(tables.proposals.c.id == name)
        assert json.loads(connection.scalar(asked) or "") == {"accounts": 1, "known": 1}
    assert proposals.claim(ground.engine, name, ground.now)


@pytest.fixture(params=["sqlite", "postgresql"])
def live(request: Any, tape: Tape, tmp_path: Path) -> ConsoleGround:
    """A console whose clock runs, on each database; Kafka takes a moment."""
    if request.param == "sqlite":
        engine = request.getfixturevalue("engine")
    else:
        engine = request.getfixturevalue("postgresql")
        write(engine, all_of(tape))
    ground = ConsoleGround(engine, tape.now, tmp_path)
    began, send = time.monotonic_ns(), ground.console.send

    def slowly(*told: Any) -> Sent:
        time.sleep(0.01)
        return send(*told)

    object.__setattr__(ground.console, "send", slowly)
    object.__setattr__(
        ground.console, "clock", lambda: tape.now + (time.monotonic_ns() - began) // 1_000_000
    )
    return ground


def pressed_at_once(
    ground: ConsoleGround, paths: Mapping[str, str], waits: Mapping[str, float]
) -> dict[str, int]:
    """Presses send of several proposals, each by a browser of its own; the statuses by name."""
    browsers = {name: ground.signed_in("operator") for name in paths}
    tokens = {name: guard(browsers[name].get(path)) for name, path in paths.items()}
    answers: dict[str, int] = {}
    ready = threading.Barrier(len(paths))

    def press(name: str) -> None:
        ready.wait()
        time.sleep(waits[name])
        answer = browsers[name].post(f"{paths[name]}/send", data={"guard": tokens[name]})
        answers[name] = answer.status_code

    threads = [threading.Thread(target=press, args=(name,)) for name in paths]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    return answers


@pytest.mark.slow
def test_of_two_that_are_pressed_at_once_the_hold_holds(live: ConsoleGround) -> None:
    browser, outcomes = live.signed_in("operator"), []
    live.recorded["controls"] = 10_000
    for number in range(TRIES):
        live.sent.clear()
        paths = {
            "unhold": prepared(browser, **UNHOLD),
            "hold": prepared(browser, **HOLD, account="weibo:a5"),
        }
        answers = pressed_at_once(live, paths, {"hold": 0.0, "unhold": number % 10 * 0.002})
        said = {it["command"]: millis(it["issued_at"]) for _, it in live.sent}
        outcomes.append(answers["unhold"])
        assert answers["hold"] == 303
        assert (answers["unhold"] == 303) is ("unhold" in said)
        assert "unhold" not in said or said["unhold"] < said["hold"], "the hold is the newer word"
    assert 409 in outcomes, "no unhold was ever too late: the two never met"


@pytest.mark.slow
def test_an_unhold_waits_for_a_step_that_another_console_has_not_committed(
    live: ConsoleGround,
) -> None:
    browser, answers = live.signed_in("operator"), []
    old = prepared(browser, **UNHOLD)
    name = prepared(browser, **HOLD, account="weibo:a5").rpartition("/")[2]
    token = guard(browser.get(old))

    def press() -> None:
        answers.append(browser.post(f"{old}/send", data={"guard": token}))

    thread = threading.Thread(target=press)
    with writing(live.engine) as connection:
        proposals.alone(connection)
        now = live.console.clock()
        step = {"decided_at": now, "decided_by": "operator"}
        assert proposals.moved(connection, name, State.PREPARED, State.SENDING, now, **step)
        thread.start()
        time.sleep(0.5)
        assert answers == []
    thread.join()
    assert answers[0].status_code == 409
    assert "operator has pressed hold about the same" in answers[0].text
