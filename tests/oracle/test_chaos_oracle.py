"""The chaos oracle permits what the contract permits, and nothing else."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.oracle.chaos_oracle import (
    Tolerance,
    TooManyOutcomesError,
    compare,
    expected,
    same_events,
)
from tests.oracle.given import ENFORCE, at
from tests.oracle.model import OracleLife
from tests.oracle.records import OracleRecord
from tests.oracle.sample import input_record, records_of, values_of, wire_time
from tests.oracle.transactions import differences, follow

POLICIES = {"weibo": ENFORCE}
IDS = {("weibo:a", "enforce", 1): "i-enforce-1"}
MINUTE = timedelta(minutes=1)
INPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "label": ("category-changes", {"category": "财经"}),
    "reading": ("follower-counts", {"followers": 1000}),
    "fallen": ("follower-counts", {"followers": 100}),
    "receipt": ("notice-receipts", {"invitation_id": "i-enforce-1", "outcome": "delivered"}),
    "granted": ("consent-answers", {"answer": "granted"}),
    "withdrawn": ("consent-answers", {"answer": "withdrawn"}),
    "closed": ("account-changes", {"change": "closed"}),
    "brake": ("switches", {"scope": "*", "switch": "adverse_off", "on": True}),
    "release": ("switches", {"scope": "*", "switch": "adverse_off", "on": False}),
}
Told = list[tuple[float, str]]


def sent_at(told: Told) -> list[OracleRecord]:
    """Inputs, each with the minute at which it happens and is sent."""
    records = []
    for offset, (minute, word) in enumerate(told):
        name, value = INPUTS[word]
        now = wire_time(at(minute))
        head = {} if name == "switches" else {"platform": "weibo", "account_id": "a"}
        times = dict.fromkeys(("observed_at", "occurred_at", "issued_at"), now)
        whole = {**head, **value, **times}
        records.append(input_record(name, whole, round(at(minute).timestamp() * 1000), offset))
    return records


def shown(applied: Told, end: float, timers_wait_for: float = -1) -> list[OracleRecord]:
    """Outputs of a worker that applied the inputs in this order.

    After the minute `timers_wait_for` no timer acts until all inputs are read.
    """
    life = OracleLife(ENFORCE, invitation_id=lambda mode, cycle: f"i-{mode}-{cycle}")
    for (minute, _), record in zip(applied, sent_at(applied), strict=True):
        value = json.loads(record.value or b"")
        name = record.topic.removeprefix("byline.")
        if -1 < timers_wait_for < minute:
            life.receive(at(minute), name, value)
        elif at(minute) >= life.clock:
            life.apply(at(minute), name, value)
        else:
            life.receive(life.clock, name, value)
    life.advance(at(end))
    return records_of(values_of(life))


def breaches(applied: Told, told: Told, end: float, **options: Any) -> list[str]:
    """What the oracle says of a worker that applied `applied` while `told` was sent."""
    wait = options.pop("timers_wait_for", -1)
    outputs = shown(applied, end, wait)
    return compare(outputs, sent_at(told), POLICIES, at(end), Tolerance(**options))


LIFE: Told = [(0, "label"), (5, "reading"), (9, "receipt"), (80, "granted"), (90, "withdrawn")]


def test_a_punctual_run_is_permitted_and_expected() -> None:
    assert breaches(LIFE, LIFE, 119) == []
    plain = expected(
        sent_at(LIFE), POLICIES, at(119), ids={("weibo:a", "enforce", 1): "i-enforce-1"}
    )
    assert [event for event, *_ in plain["weibo:a"]] == [
        "invitation.issued",
        "invitation.delivered",
        "invitation.expired",
        "throttle.applied",
        "throttle.applied",
        "consent.granted",
        "throttle.lifted",
        "throttle.lifted",
        "consent.withdrawn",
    ]


@pytest.mark.parametrize("missing", range(len(LIFE)))
def test_an_input_that_took_no_effect_is_found(missing: int) -> None:
    applied = [one for place, one in enumerate(LIFE) if place != missing]
    assert breaches(applied, LIFE, 119) != []


@pytest.mark.parametrize("missing", [3, 8])
def test_a_lost_event_is_found(missing: int) -> None:
    outputs = shown(LIFE, 119)
    del outputs[missing]
    assert compare(outputs, sent_at(LIFE), POLICIES, at(119), Tolerance()) != []


def test_an_answer_may_save_an_owner_from_a_late_worker_and_only_then() -> None:
    told: Told = [(0, "label"), (5, "reading"), (9, "receipt"), (72, "granted")]
    assert breaches(told, told, 80) == []
    late = {"timers_wait_for": 20}
    assert breaches(told, told, 80, lateness=5 * MINUTE, **late) == []
    assert breaches(told, told, 80, lateness=MINUTE, **late) != []


def test_an_answer_in_time_beats_the_deadline_always() -> None:
    told: Told = [(0, "label"), (5, "reading"), (9, "receipt"), (68, "granted")]
    hasty: Told = [*told[:3], (70, "granted")]
    assert breaches(told, told, 80, lateness=9 * MINUTE) == []
    assert breaches(hasty, told, 80, lateness=9 * MINUTE) != []


def test_receipt_and_answer_may_race_but_not_when_sent_apart() -> None:
    told: Told = [(0, "label"), (5, "reading"), (9, "receipt"), (9.5, "granted")]
    swapped: Told = [*told[:2], (9.5, "granted"), (9.5, "receipt")]
    assert breaches(told, told, 20) == []
    assert breaches(swapped, told, 20, race=MINUTE) == []
    assert breaches(swapped, told, 20) != []


def test_inputs_read_together_go_by_topic() -> None:
    told: Told = [(0, "label"), (5, "reading"), (6, "closed")]
    together: Told = [(6, "closed"), (6, "label"), (6, "reading")]
    assert breaches(told, told, 20) == []
    assert breaches(together, told, 20, lateness=10 * MINUTE) == []
    assert breaches(together, told, 20) != []


def test_timers_near_the_end_may_not_have_acted_yet() -> None:
    told = LIFE[:3]
    outputs = shown(told, 60)
    near = compare(outputs, sent_at(told), POLICIES, at(70), Tolerance(lateness=5 * MINUTE))
    assert near == []
    assert compare(outputs, sent_at(told), POLICIES, at(90), Tolerance(lateness=5 * MINUTE)) != []


def test_a_chain_of_late_timers_is_permitted() -> None:
    told: Told = [(0, "label"), (5, "reading"), (9, "receipt")]
    outputs = shown(told, 318)
    ends = compare(outputs, sent_at(told), POLICIES, at(324), Tolerance(lateness=3 * MINUTE))
    assert ends == []
    assert compare(outputs, sent_at(told), POLICIES, at(350), Tolerance(lateness=3 * MINUTE)) != []


def restricted_late(told: Told) -> OracleLife:
    """A life whose deadline acts half an hour late, before what is told after the minute 99."""
    life = OracleLife(ENFORCE, invitation_id=lambda mode, cycle: f"i-{mode}-{cycle}")
    for (minute, _), record in zip(told, sent_at(told), strict=True):
        if minute > 99:
            life.round(at(99), at(99))
        name = record.topic.removeprefix("byline.")
        life.apply(at(minute), name, json.loads(record.value or b""))
    return life


def test_an_answer_may_come_before_an_end_that_counts_from_a_late_decision() -> None:
    """Restricted half an hour late, so that the restriction also ends half an hour later."""
    told = [*LIFE[:3], (325.0, "granted")]
    life = restricted_late(told)
    outputs = records_of(values_of(life))
    late = Tolerance(lateness=40 * MINUTE)
    assert compare(outputs, sent_at(told), POLICIES, at(326), late) == []
    assert compare(outputs, sent_at(told), POLICIES, at(326), Tolerance()) != []


def test_an_account_may_leave_before_an_end_that_counts_from_a_late_decision() -> None:
    """Restricted half an hour late, fallen four minutes before a punctual restriction ends."""
    told = [*LIFE[:3], (315.0, "fallen")]
    life = restricted_late(told)
    life.advance(at(330))
    outputs = records_of(values_of(life))
    assert [it["reason"] for it in values_of(life)][-2:] == ["left", "left"]
    late = Tolerance(lateness=40 * MINUTE)
    assert compare(outputs, sent_at(told), POLICIES, at(330), late) == []
    assert compare(outputs, sent_at(told), POLICIES, at(330), Tolerance()) != []


def test_switches_reach_every_account_of_their_platform() -> None:
    told: Told = [*LIFE[:3], (20, "brake"), (50, "release"), (98, "granted")]
    assert breaches(told, told, 110) == []
    assert breaches([one for one in told if one[1] != "brake"], told, 110) != []


def test_a_crowded_scenario_is_refused() -> None:
    told: Told = [(0.1 * number, "reading") for number in range(9)]
    told += [(0.1 * number, "label") for number in range(9)]
    told.sort()
    with pytest.raises(TooManyOutcomesError):
        breaches(told, told, 20, race=MINUTE, limit=5)


def test_two_runs_are_compared_account_by_account() -> None:
    calm = shown(LIFE, 119)
    assert same_events(calm, shown(LIFE, 119)) == []
    assert "became" in same_events(calm, shown(LIFE[:4], 119))[0]


def transaction(number: int, minute: float, partition: int, reads: dict[str, int]) -> OracleRecord:
    """One closing record of a transaction."""
    value = {"kind": "transaction", "now": wire_time(at(minute)), "reads": reads}
    return OracleRecord("byline.decisions", partition, number, b"-", json.dumps(value).encode())


def test_a_run_is_followed_by_its_transactions() -> None:
    told = LIFE[:4]
    inputs, outputs = sent_at(told), shown(told, 85)
    home = inputs[0].partition
    reads = {f"byline.{INPUTS[word][0]}": place + 1 for place, (_, word) in enumerate(told)}
    steps = list(reads.items())
    decisions = [
        transaction(1, 0, home, dict(steps[:1])),
        transaction(2, 5, home, dict(steps[:2])),
        transaction(3, 9, home, dict(steps[:3])),
        transaction(4, 69, home, dict(steps[:3])),
        transaction(5, 80, home, reads),
        transaction(9, 80, home + 1, reads),
    ]
    followed = follow(inputs, decisions, POLICIES, ids=IDS)
    assert differences(outputs, followed) == []
    late = [*decisions[:3], decisions[4]]
    assert differences(outputs, follow(inputs, late, POLICIES, ids=IDS)) != []
