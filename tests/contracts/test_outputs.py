"""What the core emits, against the models of the wire: events, decisions, dead letters, chain."""

import hashlib
import json
from typing import Any

import pytest

from schemas.enums import Event, Failure, Mode, Switch
from schemas.events import CLOUDEVENT_HEADERS, EVENT_MODELS, EVENT_REASONS, EVENT_TOPIC
from schemas.inputs import SwitchChange, input_key
from schemas.records import RECORD_MODELS, DeadLetter
from streams.core.log.chain import GENESIS, Chain
from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, NOT_EVENTS, Day, policy
from tests.core.states import STATES, begun, delivered, expired, invited
from tests.core.test_invitation_rows import INPUTS
from tests.core.test_restart import acts


def days() -> list[Day]:
    """Days on which everything that can happen happens."""
    told = []
    for state in STATES:
        for input_ in INPUTS:
            told.append(INPUTS[input_](STATES[state]().wait(MINUTE)).run_timers())
    for seed in range(12):
        for mode in (Mode.ENFORCE, Mode.SHADOW):
            day = Day(policy(mode=mode))
            for act in acts(seed):
                act(day)
            told.append(day)
    told += [expired().wait(20 * DAY), delivered().control("hold").wait(1).control("unhold")]
    told += [invited().receipt("failed", failure=str(word)) for word in Failure]
    told.append(STATES["DECLINED"]().wait(3 * DAY))
    told.append(expired().answer("granted", at=expired().now))
    longer = policy(version=2, stability=policy().stability)
    day = delivered()
    day.open(longer)
    told.append(day.run_timers())
    told.append(begun().put("controls", "weibo:a1", b"{").put("controls", None, b"{"))
    return told


@pytest.fixture(scope="module")
def outputs() -> list[tuple[str, bytes | None, dict[str, Any], Any]]:
    """Every output of those days."""
    return [output for day in days() for output in day.tables.outputs]


def test_every_event_is_what_its_model_says(outputs: list[Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for topic, key, value, headers in outputs:
        if topic in NOT_EVENTS:
            continue
        event = Event(value["event"])
        EVENT_MODELS[event].model_validate(value)
        assert set(value) == set(EVENT_MODELS[event].model_fields), event
        assert value["reason"] in EVENT_REASONS[event]
        shadow = "shadow." if value["mode"] == "shadow" else ""
        assert topic == shadow + EVENT_TOPIC[event]
        assert key == f"{value['platform']}:{value['account_id']}".encode()
        named = dict(headers)
        assert tuple(named) == CLOUDEVENT_HEADERS
        assert named["ce_specversion"] == b"1.0"
        assert named["ce_id"] == value["event_id"].encode()
        assert named["ce_source"] == b"/byline/weibo"
        assert named["ce_type"] == f"byline.{event}.v1".encode()
        assert named["ce_time"] == value["decided_at"].encode()
        assert named["ce_subject"] == value["account_id"].encode()
        assert named["content-type"] == b"application/json"
        seen.add((event, value["reason"]))
    every = {(event, reason) for event, reasons in EVENT_REASONS.items() for reason in reasons}
    assert every - seen == {(Event.INVITATION_EXTENDED, "policy")}, "told in tests/core"


def test_every_instant_is_utc_to_the_millisecond(outputs: list[Any]) -> None:
    for topic, _, value, _ in outputs:
        if topic == "decisions":
            continue
        for name, said in value.items():
            if name.endswith("_at") and said is not None:
                assert len(said) == len("2024-01-01T00:00:00.000Z"), name
                assert said.endswith("Z")


def test_reasons_in_the_models_are_the_closed_list() -> None:
    for event, model in EVENT_MODELS.items():
        schema = model.model_json_schema()["properties"]["reason"]
        assert tuple(schema.get("enum", [schema.get("const")])) == EVENT_REASONS[event]


def test_every_record_of_the_log_is_what_its_model_says(outputs: list[Any]) -> None:
    kinds = set()
    for topic, _, value, _ in outputs:
        if topic == "decisions":
            RECORD_MODELS[value["kind"]].model_validate(value)
            kinds.add(value["kind"])
    assert kinds == set(RECORD_MODELS)


def test_what_a_tripped_guard_writes_to_the_switches_is_one(outputs: list[Any]) -> None:
    written = [(key, value) for topic, key, value, _ in outputs if topic == "switches"]
    assert written
    for key, value in written:
        switch = SwitchChange.model_validate(value)
        assert key == input_key("switches", switch).encode()
        assert (switch.switch, switch.on) == (Switch.REFUSALS_SETTLED, False)
        assert (switch.actor, switch.reason) == ("byline", "incident")


def test_every_dead_letter_is_what_its_model_says(outputs: list[Any]) -> None:
    letters = [value for topic, _, value, _ in outputs if topic == "dead-letters"]
    assert letters
    for letter in letters:
        DeadLetter.model_validate(letter)


def canonical(record: dict[str, Any]) -> bytes:
    """RFC 8785 for what occurs here, by another library than the core's."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def verify(raws: list[bytes]) -> None:
    """Walk a partition's chain. Raises AssertionError where it is broken."""
    previous = GENESIS
    for number, raw in enumerate(raws, 1):
        record = json.loads(raw)
        said = record.pop("hash")
        assert record["number"] == number
        assert record["previous"] == previous
        assert hashlib.sha256(canonical(record)).hexdigest() == said
        assert raw == canonical({**record, "hash": said})
        previous = said


def log_of(day: Day) -> list[bytes]:
    """The decision log as it was sent."""
    return [value for topic, _, value, _ in day.tables.raw if topic == "decisions" and value]


def test_the_chain_verifies_over_restarts_and_shows_every_change() -> None:
    day = delivered()
    day.open(policy())
    log = log_of(day.wait(30 * DAY))
    verify(log)
    changed = [log[0], log[1].replace(b'"partition":0', b'"partition":1'), *log[2:]]
    for broken in (log[1:], log[:3] + log[4:], [log[1], log[0], *log[2:]], changed):
        with pytest.raises(AssertionError):
            verify(broken)


def test_a_chain_begins_with_zeros() -> None:
    chain = Chain()
    assert json.loads(chain.seal({"kind": "x"}))["previous"] == "0" * 64
    assert chain.number == 1


def test_ids_are_functions_of_what_they_name_alone() -> None:
    def ids(**given: Any) -> list[str]:
        day = delivered(policy(), **given).wait(5 * DAY)
        return [event["event_id"] for event in day.events]

    assert ids() == ids(partition=3, partition_count=8)
    other = delivered(policy(version=7, rollout_percent=99)).wait(5 * DAY)
    assert ids() == [event["event_id"] for event in other.events], "no digest, no instant"


def test_a_reissue_keeps_the_invitation_and_takes_an_id_of_its_own() -> None:
    day = STATES["UNDELIVERED"]().control("reissue").run_timers()
    issued = [event for event in day.events if event["event"] == "invitation.issued"]
    assert issued[0]["invitation_id"] == issued[1]["invitation_id"]
    assert issued[0]["event_id"] != issued[1]["event_id"]
    assert rfc3339(day.now - HOUR) < issued[1]["decided_at"]
