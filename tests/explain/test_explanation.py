"""What is said of an account: what holds, what it waits for, who ends that, and where it lies."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.enums import Deferral
from streams.explain.explanation import Explanation, explain
from streams.explain.gather import from_index
from streams.explain.sentences import LANGUAGES, Length
from streams.operate.audit.records import Record, iso
from tests.core.given import DAY, HOUR
from tests.explain.test_nearest import STATES, delivered, restricted
from tests.index.filled import all_of, empty, filled, write
from tests.operate import test_worklists as deferring
from tests.operate.recording import RECORDINGS, Tape

CASES = deferring.test_every_deferral_is_named_with_the_word_of_the_decision_log.pytestmark[0].args[
    1
]


def told(tape: Tape, folder: Path, account: str = "p1") -> Explanation:
    return explain(from_index(filled(folder, tape), f"weibo:{account}"), tape.now)


def keys(it: Explanation, section: str) -> list[str]:
    return [sentence.key for sentence in it.sections[section]]


def test_what_holds_and_what_it_waits_for_is_said_with_its_records(tmp_path: Path) -> None:
    tape = delivered()
    found = told(tape, tmp_path)
    assert keys(found, "now") == ["count", "label_covered", "inside", "life.DELIVERED"]
    assert keys(found, "waits") == ["clock_runs", "timer.reminder", "timer.deadline"]
    assert found.sections["deferrals"] == []
    (runs,) = (it for it in found.sections["waits"] if it.key == "clock_runs")
    assert runs.says["left"] == Length(2 * DAY)
    for section in ("now", "waits", "terms", "nearest", "timeline"):
        for sentence in found.sections[section]:
            assert sentence.places, sentence.key
    (life,) = (it for it in found.sections["now"] if it.key == "life.DELIVERED")
    assert "invitations[0]@1" in map(str, life.places)


def test_every_record_that_is_named_is_there(tmp_path: Path) -> None:
    tape = RECORDINGS["clean"]()
    records = {(it.topic, it.partition, it.offset) for it in [*all_of(tape), *tape.inputs]}
    engine = filled(tmp_path, tape)
    for number in range(1, 16):
        found = explain(from_index(engine, f"weibo:a{number}"), tape.now)
        for sentences in found.sections.values():
            for sentence in sentences:
                for it in sentence.places:
                    assert (it.topic, it.partition, it.offset) in records, str(it)


def test_while_the_clock_stands_still_it_says_why_since_when_and_what_is_left(
    tmp_path: Path,
) -> None:
    tape = delivered().control("hold", "p1")
    since = tape.now
    tape.wait(3 * DAY)
    found = told(tape, tmp_path)  # type: ignore[arg-type]
    (stopped,) = (it for it in found.sections["waits"] if it.key == "clock_stopped")
    assert stopped.says["by"] == ("hold",)
    assert stopped.says["since"].ms == since
    assert stopped.says["left"] == Length(2 * DAY)
    assert keys(found, "deferrals") == ["ground.hold"]
    assert "`byline control unhold weibo:p1`" in found.sections["deferrals"][0].text("en")
    tape.control("unhold", "p1")
    later = told(tape, tmp_path / "later")  # type: ignore[arg-type]
    (runs,) = (it for it in later.sections["waits"] if it.key == "clock_runs")
    assert runs.says["left"] == Length(2 * DAY), "as much as was left"


def test_an_order_that_the_state_does_not_take_yet_is_said_to_wait(tmp_path: Path) -> None:
    reissued = told(delivered().control("reissue", "p1"), tmp_path / "reissued")
    assert "reissue_waits" in keys(reissued, "waits")
    restricted_one = restricted()
    later = iso(restricted_one.now + 90 * DAY)
    extended = told(restricted_one.control("extend", "p1", until=later), tmp_path / "extended")
    (waits,) = (it for it in extended.sections["waits"] if it.key == "extend_waits")
    assert later[:10] in waits.text("en")
    assert "reissue_waits" not in keys(told(delivered(), tmp_path / "neither"), "waits")


@pytest.mark.parametrize(("word", "happens"), CASES, ids=[str(word) for word, _ in CASES])
def test_every_deferral_is_said_with_who_can_end_it(
    word: Deferral, happens: Callable[[Tape], object], tmp_path: Path
) -> None:
    tape = deferring.at_stake()
    happens(tape)
    tape.sealed()
    assert f"ground.{word}" in keys(told(tape, tmp_path), "deferrals")


def test_surfaces_and_their_ends_are_said(tmp_path: Path) -> None:
    tape = restricted()
    found = told(tape, tmp_path)
    surfaces = [it for it in found.sections["now"] if it.key == "restricted"]
    assert [it.says["surface"] for it in surfaces] == ["recommend-feed", "tips"]
    assert "at the latest" in surfaces[0].text("en")
    assert "推荐信息流" in surfaces[0].text("zh")
    ends = [it for it in found.sections["waits"] if it.key == "timer.throttle-expires"]
    assert len(ends) == 2


def test_a_refused_record_and_an_unclear_word_stand_on_the_timeline(tmp_path: Path) -> None:
    tape = delivered().put("consent-answers", "weibo:p1", b"{}")
    found = told(tape, tmp_path)  # type: ignore[arg-type]
    assert "refused_field" in keys(found, "timeline")
    assert "ground.unclear_answer" in keys(found, "deferrals")


def test_a_closed_account_and_one_that_nobody_knows(tmp_path: Path) -> None:
    tape = delivered().change("closed", "p1")
    assert keys(told(tape, tmp_path), "now") == ["remains"]  # type: ignore[arg-type]
    assert keys(told(tape, tmp_path / "x", "nobody"), "now") == ["unknown"]  # type: ignore[arg-type]


def ack(tape: Tape, event: dict[str, str], outcome: str) -> Record:
    value = {
        "platform": "weibo",
        "account_id": event["account_id"],
        "event_id": event["event_id"],
        "outcome": outcome,
        "system": "feed",
        "occurred_at": "2024-01-05T00:00:00Z",
    }
    key = f"weibo:{event['account_id']}".encode()
    return Record("throttle-acks", 0, 0, tape.now, key, json.dumps(value).encode())


def test_a_lift_that_nobody_obeyed_is_said_once_anybody_acknowledges(tmp_path: Path) -> None:
    tape = restricted()
    applied = [it for it in tape.events if it["event"] == "throttle.applied"]
    tape.answer("granted", "p1").wait(HOUR)
    assert "unobeyed" not in keys(told(tape, tmp_path), "now"), "silence, not noise"
    engine = empty(tmp_path, "acknowledged.sqlite")
    write(engine, [*all_of(tape), ack(tape, applied[0], "applied")])
    found = explain(from_index(engine, "weibo:p1"), tape.now)
    said = [it for it in found.sections["now"] if it.key == "unobeyed"]
    assert [(it.says["event"], it.says["surface"]) for it in said] == [
        ("throttle.lifted", "recommend-feed"),
        ("throttle.lifted", "tips"),
    ]


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_told_in_both_languages(state: str, tmp_path: Path) -> None:
    tape = STATES[state][0]()
    found = told(tape, tmp_path)
    for language in LANGUAGES:
        plain = found.as_dict(language)
        assert plain["now"]
        assert all(it["text"] for name in ("now", "waits", "timeline") for it in plain[name])
    assert json.loads(json.dumps(found.as_dict("zh"), ensure_ascii=False))["account"] == "weibo:p1"
