"""Dead letters on a page: shown masked, settled after a dry run, each once, by whom may."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from schemas.enums import Refused
from streams.console import outdated
from streams.core.inputs.letters import dead_letter
from streams.core.inputs.plain import Refusal
from streams.index import settled, sums, tables
from streams.index.database import reading, writing
from streams.letters.producer import OutcomeUnknownError
from streams.letters.reading import Letter, NoLetterError, Origin
from streams.letters.settle import Left
from streams.operate.audit.records import Record
from streams.operate.errors import KafkaAbsentError
from tests.console.given import ConsoleGround, guard
from tests.console.test_access import written
from tests.console.test_actions import prepared as actions_prepared
from tests.console.test_actions import pressed
from tests.core.given import DAY, START, GivenRecord
from tests.index.filled import empty, filled, write
from tests.operate.recording import Tape


@pytest.fixture
def refused(tmp_path: Path) -> ConsoleGround:
    """Where three controls of one account were refused, and an answer of another."""
    recorded = Tape().label("财经", "w1").reads(2_000, "w1")
    for _ in range(3):
        recorded.put("controls", "weibo:w1", b"nonsense")
    recorded.put("consent-answers", "weibo:w2", b"{}").wait(60_000)
    return ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)


def places(browser: TestClient, query: str = "") -> list[str]:
    """The letters that can be chosen."""
    return re.findall(r'name="place" value="([^"]+)"', browser.get(f"/dead-letters{query}").text)


def prepared(browser: TestClient, *chosen: str, work: str = "redrive", **form: Any) -> Any:
    page = guard(browser.get("/dead-letters"))
    said = {"guard": page, "place": list(chosen), "work": work, "reason": "incident", **form}
    return browser.post("/actions/dead-letters", data=said)


def test_a_letter_is_shown_with_its_record_masked_and_the_look_is_written_down(
    refused: ConsoleGround,
) -> None:
    browser = refused.signed_in("viewer")
    (place, *_) = re.findall(r'href="/dead-letters/([^"]+)"', browser.get("/dead-letters").text)
    refused.letters.records[place.replace("%5B", "[").replace("%5D", "]").replace("%40", "@")] = {
        "key": "weibo:w2",
        "headers": 2,
        "value": {"answer": "masked, 7 characters", "<b>": "<img>"},
    }
    page = browser.get(f"/dead-letters/{place}").text
    assert "masked, 7 characters" in page
    assert "&lt;img&gt;" in page
    assert "nobody has settled it" in page
    assert "<fieldset>" not in page, "a viewer settles nothing"
    (_, _, account) = written(refused)[-1]
    assert str(account).startswith("weibo:w")


def test_without_kafka_the_letter_is_shown_as_the_index_has_it(refused: ConsoleGround) -> None:
    browser = refused.signed_in("operator")
    refused.letters.failing = KafkaAbsentError("no Kafka answers at x")
    (first, *_) = places(browser)
    page = browser.get(f"/dead-letters/{first}").text
    assert "which did not give it: no Kafka answers at x" in page
    answer = prepared(browser, first)
    assert (answer.status_code, "Nothing was sent" in answer.text) == (503, True)


@pytest.mark.parametrize("place", ["controls[9]@9", "nonsense", "controls[0]@" + "9" * 40])
def test_a_letter_that_is_not_there_is_said_not_to_be(refused: ConsoleGround, place: str) -> None:
    answer = refused.signed_in("viewer").get(f"/dead-letters/{place}")
    assert answer.status_code == 404
    assert "no dead letter of this record" in answer.text


@pytest.mark.parametrize("work", ["redrive", "dismiss"])
def test_chosen_letters_are_settled_after_a_dry_run_by_who_is_signed_in(
    refused: ConsoleGround, work: str
) -> None:
    browser = refused.signed_in("operator")
    chosen = places(browser, "?topic=controls")
    assert len(chosen) == 3
    letter = Letter(Origin("controls", 0, 1), b"", 0, "not_json", None, None, 0, "", None)
    refused.letters.stay = [Left(letter, "it would be refused again: not_json")]
    path = prepared(browser, *chosen, work=work, rekey="1", actor="other").headers["location"]
    page = browser.get(path).text
    assert "3 letters: 2 would be settled" in page
    assert "1 stay: it would be refused again: not_json" in page
    assert refused.letters.settled == []
    assert pressed(browser, path, "send").status_code == 303
    assert "2 letters were settled" in browser.get(path).text
    ((word, order),) = refused.letters.settled
    assert (word, order.actor, order.reason, order.rekey) == (work, "operator", "incident", True)
    assert sorted(map(str, order.wanted.origins)) == sorted(chosen)
    assert pressed(browser, path, "send").status_code == 409
    assert pressed(browser, path, "undo").status_code == 409
    assert len(refused.letters.settled) == 1


def test_every_open_letter_of_a_kind_is_chosen_at_once_and_no_settled_one(
    refused: ConsoleGround,
) -> None:
    browser = refused.signed_in("operator")
    every = {"which": "every", "of_topic": "controls", "of_platform": "weibo"}
    (one, *_) = places(browser, "?topic=controls")
    settle(refused, one)
    path = prepared(browser, **every).headers["location"]
    assert "2 letters" in browser.get(path).text
    none = prepared(browser, **every, of_reason="bad_id")
    assert (none.status_code, "No letter is chosen" in none.text) == (400, True)
    assert one not in browser.get(path).text


def settle(ground: ConsoleGround, place: str) -> None:
    """The index reads that a person has settled a letter."""
    origin = Origin("controls", 0, int(place.partition("@")[2]))
    row = {
        "topic": origin.topic,
        "origin_partition": 0,
        "origin_offset": origin.offset,
        "partition": 0,
        "offset": 99,
        "account": "weibo:w1",
        "settled": "dismissed",
        "actor": "desk.7",
        "reason": "test",
        "at": ground.now,
    }
    with writing(ground.engine) as connection:
        columns = tables.settlements.c.keys()
        connection.execute(insert(tables.settlements), {k: row[k] for k in columns if k in row})
        settled.recount(connection)
        sums.recount(connection)


def test_a_settled_letter_says_by_whom_and_has_no_form(refused: ConsoleGround) -> None:
    browser = refused.signed_in("operator")
    (one, *_) = places(browser, "?topic=controls")
    settle(refused, one)
    page = browser.get(f"/dead-letters/{one}").text
    assert "dismissed, by desk.7" in page
    assert "<fieldset>" not in page
    assert one not in places(browser)
    assert one not in places(browser, "?show=all")


def test_the_outcome_of_a_lost_connection_is_said_and_it_is_asked_again(
    refused: ConsoleGround,
) -> None:
    browser = refused.signed_in("operator")
    (one, *_) = places(browser)
    path = prepared(browser, one).headers["location"]
    refused.letters.failing = OutcomeUnknownError("the last transaction did not end")
    assert pressed(browser, path, "send").status_code == 503
    assert "It is not known whether Kafka has it" in browser.get(path).text
    at = refused.now
    refused.letters.failing = None
    refused.now += 60_000
    assert pressed(browser, path, "send").status_code == 303
    ((_, order),) = refused.letters.settled
    assert (order.now, order.again) == (at, True)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"place": []}, "No letter is chosen"),
        ({"place": ["nonsense"]}, "no place of a record"),
        ({"work": "burn"}, "Choose what and why"),
        ({"reason": ""}, "Choose what and why"),
        ({"place": [f"controls[0]@{it}" for it in range(1_001)]}, "more than 1000 letters"),
    ],
)
def test_what_cannot_be_settled_is_refused_before_anything(
    refused: ConsoleGround, form: dict[str, Any], said: str
) -> None:
    browser = refused.signed_in("operator")
    answer = prepared(browser, **{"place": places(browser), **form})
    assert answer.status_code == 400
    assert said in answer.text
    with reading(refused.engine) as connection:
        assert connection.execute(select(tables.proposals)).all() == []


def test_a_place_without_a_letter_is_the_persons_mistake(refused: ConsoleGround) -> None:
    browser = refused.signed_in("operator")
    refused.letters.failing = NoLetterError("controls[2]@1: no dead letter speaks of it")
    answer = prepared(browser, "controls[2]@1")
    assert (answer.status_code, "no dead letter speaks of it" in answer.text) == (404, True)
    refused.letters.failing = None
    path = prepared(browser, "controls[2]@1").headers["location"]
    refused.letters.failing = NoLetterError("controls[2]@1: no dead letter speaks of it")
    assert pressed(browser, path, "send").status_code == 303
    assert "no dead letter speaks of it" in browser.get(path).text


def test_an_order_that_another_one_overtook_says_so_and_goes_on_when_pressed_again(
    refused: ConsoleGround,
) -> None:
    browser = refused.signed_in("operator")
    path = prepared(browser, *places(browser, "?topic=controls")).headers["location"]
    refused.letters.fenced = True
    answer = pressed(browser, path, "send")
    assert (answer.status_code, "press again" in answer.text) == (409, True)
    refused.letters.fenced = False
    assert pressed(browser, path, "send").status_code == 303
    assert "3 letters were settled" in browser.get(path).text


def test_a_chosen_letter_is_a_look_at_its_account(refused: ConsoleGround) -> None:
    browser = refused.signed_in("operator")
    prepared(browser, *places(browser, "?topic=controls"), "nonsense")
    assert written(refused)[-1] == ("operator", "console /actions/{what}", "weibo:w1")


def test_a_letter_of_no_input_has_a_page_and_counts_as_unknown(tmp_path: Path) -> None:
    forged = json.loads(LETTER) | {"topic": "byline.a/b", "reason": "=cmd|' /C calc'!A0"}
    record = Record("dead-letters", 0, 0, START, b"weibo:w1", json.dumps(forged).encode())
    engine = empty(tmp_path)
    write(engine, [record])
    ground = ConsoleGround(engine, START + DAY, tmp_path)
    browser = ground.signed_in("operator")
    listed = browser.get("/dead-letters").text
    (place,) = re.findall(r'href="/dead-letters/([^"]+)"', listed)
    assert browser.get(f"/dead-letters/{place}").status_code == 200
    for form in ("csv", "markdown", "html", "json"):
        text = browser.get(f"/reports/download?from=2024-01-01&to=2024-01-09&as={form}").text
        assert "unknown" in text, form
        assert "calc" not in text + listed, form


LETTER = dead_letter(
    "byline.controls", 0, GivenRecord(7, START, b"weibo:w1", b"x"), Refusal(Refused.NOT_JSON), START
)


def test_whoever_ends_a_guard_is_told_of_the_records_that_nobody_has_seen_to(
    refused: ConsoleGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = refused.signed_in("operator")
    form = {"switch": "refusals_settled", "scope": "weibo", "on": "on", "reason": "incident"}
    told = actions_prepared(browser, "switches", **form)
    assert "nobody has seen to 4 refused records of weibo, and to 0 whose" in browser.get(told).text
    other = {**form, "switch": "adverse_off"}
    silent = actions_prepared(browser, "switches", **other)
    assert "nobody has seen to" not in browser.get(silent).text
    # The number has to be that of now: what the index has not read is not counted.
    monkeypatch.setattr(outdated, "PATIENCE_SECONDS", 0.2)
    refused.ends = {"dead-letters": {0: 10_000}}
    answer = pressed(browser, told, "send")
    assert (answer.status_code, "has not yet read" in answer.text) == (409, True)
    assert pressed(browser, silent, "send").status_code == 303
