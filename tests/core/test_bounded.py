"""State is bounded: 100,000 of anything on one key cost no more room than some thousands."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from schemas.enums import Mode
from schemas.inputs import InputName
from streams.core.model.account import decode_account
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from streams.core.model.ports import ACCOUNTS
from tests.core.given import ACCOUNT, HOUR, PLATFORM, START, GivenRecord, policy
from tests.core.invariants.world import WorldRun

KEY = f"{PLATFORM}:{ACCOUNT}"
FEW, MANY = 2_000, 8_000
ROUND = 1_000
INVITATION = invitation_id(PLATFORM, ACCOUNT, Mode.ENFORCE, 1)

TURNS: dict[InputName, tuple[dict[str, Any], ...]] = {
    "account-changes": tuple(
        {"change": word} for word in ("exempted", "exemption_ended", "owner_changed")
    ),
    "controls": tuple(
        {"command": word, "actor": "op", "reason": "test"} for word in ("hold", "unhold")
    ),
    "category-changes": tuple({"category": text} for text in ("财经", "法律", "旅游")),
    "follower-counts": tuple({"followers": count} for count in (1500, 950, 890, 2100)),
    "notice-receipts": tuple(
        {"invitation_id": INVITATION, "outcome": word} for word in ("delivered", "failed")
    ),
    "consent-answers": tuple({"answer": word} for word in ("granted", "declined", "withdrawn")),
    "switches": tuple(
        {"scope": "*", "switch": "adverse_off", "on": on, "actor": "op", "reason": "test"}
        for on in (True, False)
    ),
}
CLOCK = {
    "controls": "issued_at",
    "switches": "issued_at",
    "notice-receipts": "occurred_at",
    "consent-answers": "occurred_at",
}


class Cost(NamedTuple):
    """What so many inputs left behind: bytes of state, entries of the schedule, seconds."""

    size: int
    entries: int
    seconds: float
    run: WorldRun


def records(topic: InputName, count: int) -> Iterator[GivenRecord]:
    """So many different inputs of a topic about one account, a second apart."""
    turns, clock = TURNS[topic], CLOCK.get(topic, "observed_at")
    key = b"*:adverse_off" if topic == "switches" else KEY.encode()
    who = {} if topic == "switches" else {"platform": PLATFORM, "account_id": ACCOUNT}
    for number in range(count):
        at = START + number * 1000
        value = {**who, **turns[number % len(turns)], clock: rfc3339(at)}
        if topic == "controls":
            value["control_id"] = f"c{number}"
        yield GivenRecord(number + 1, at, key, msgspec.json.encode(value))


def flooded(topic: InputName, count: int) -> Cost:
    """An invited account and so many inputs on its key."""
    run = WorldRun(policy())
    who = {"platform": PLATFORM, "account_id": ACCOUNT, "observed_at": START - 2 * HOUR}
    run.put("category-changes", KEY, {**who, "category": "财经"})
    run.put("follower-counts", KEY, {**who, "followers": 1500})
    run.run_timers()
    waiting = list(records(topic, count))
    began = time.process_time()
    for first in range(0, count, ROUND):
        run.now = START + (first + ROUND) * 1000
        run.partition.step(run.memory, run.now, [(topic, waiting[first : first + ROUND])])
        run.memory.raw.clear()
    seconds = time.process_time() - began
    size = sum(
        len(key) + len(value) for store in run.memory.state.values() for key, value in store.items()
    )
    return Cost(size, run.partition.schedule.entries, seconds, run)


@pytest.mark.slow
@pytest.mark.parametrize("topic", TURNS)
def test_four_times_as_many_inputs_of_one_key_leave_no_more_behind(topic: InputName) -> None:
    few, many = flooded(topic, FEW), flooded(topic, MANY)
    assert many.size <= 1.1 * few.size
    assert many.entries <= 2 + 64, "no more entries than accounts, but for a few"


def test_an_account_costs_no_more_for_any_number_of_account_changes_alone() -> None:
    run = WorldRun(policy())
    sizes = []
    for record in records("account-changes", 300):
        run.partition.step(run.memory, record.timestamp, [("account-changes", [record])])
        run.memory.raw.clear()
        sizes.append(len(run.memory.state[ACCOUNTS][KEY.encode()]))
    assert max(sizes[10:]) <= max(sizes[:10]) + 8
    assert len(run.partition.schedule) == 0


@pytest.mark.slow
def test_100_000_account_changes_end_no_worker_and_cost_linear_time() -> None:
    few, many = flooded("account-changes", 20_000), flooded("account-changes", 100_000)
    assert many.size <= 1.1 * few.size
    assert many.seconds <= 5 * few.seconds * 2, "five times, with room for a busy machine"


def test_stops_that_can_move_no_deadline_any_more_are_not_kept() -> None:
    """Holds that were over before the notice was delivered."""
    run = flooded("controls", FEW).run
    before = decode_account(run.memory.state[ACCOUNTS][KEY.encode()]).live.cycle
    assert before is not None
    assert len(before.stops) == 64
    who = {"platform": PLATFORM, "account_id": ACCOUNT}
    receipt = {**who, "invitation_id": INVITATION, "outcome": "delivered", "occurred_at": run.now}
    run.put("notice-receipts", KEY, receipt)
    for number, command in enumerate(("hold", "unhold")):
        run.now += HOUR
        given = {"control_id": f"d{number}", "command": command, "actor": "op", "reason": "test"}
        run.put("controls", KEY, {**who, **given, "issued_at": run.now})
    after = decode_account(run.memory.state[ACCOUNTS][KEY.encode()]).live.cycle
    assert after is not None
    assert after.stops == ((run.now - HOUR, run.now),)
