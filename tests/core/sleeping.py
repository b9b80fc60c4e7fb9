"""The same records, read as they came in or by a worker that slept meanwhile."""

from dataclasses import replace
from typing import Any

import msgspec

from schemas.enums import Mode
from schemas.inputs import INPUT_MODELS, InputName
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, PLATFORM, Day, GivenRecord, policy

Happened = list[tuple[int, InputName, dict[str, Any]]]
"""When something entered, in which topic, and what; each states the instant of its entry."""

ORDER: list[InputName] = list(INPUT_MODELS)
CLOCK = {
    "switches": "issued_at",
    "controls": "issued_at",
    "notice-receipts": "occurred_at",
    "consent-answers": "occurred_at",
}
ABOUT = {"platform": PLATFORM, "account_id": ACCOUNT}
INVITATION = invitation_id(PLATFORM, ACCOUNT, Mode.ENFORCE, 1)
REFUSAL_ALONE = policy(consequence=replace(policy().consequence, on=frozenset({"declined"})))
"""Silence restricts nobody under it; so what restricts is a refusal."""


def _record(day: Day, entered: int, topic: InputName, more: dict[str, Any]) -> GivenRecord:
    whose = {"scope": PLATFORM} if topic == "switches" else {**ABOUT}
    value: dict[str, Any] = {**whose, **more}
    value.setdefault(CLOCK.get(topic, "observed_at"), rfc3339(entered))
    if topic == "controls":
        value = {"control_id": f"k{entered}", **value}
    if topic in ("controls", "switches"):
        value = {"actor": "op", "reason": "test", **value}
    key = f"{value['scope']}:{value['switch']}" if topic == "switches" else f"{PLATFORM}:{ACCOUNT}"
    offset = day._offsets[topic]
    day._offsets[topic] += 1
    return GivenRecord(offset, entered, key.encode(), msgspec.json.encode(value))


def punctual(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when each record is read at its entry."""
    day.said()
    for entered, topic, more in happened:
        day.wait(entered - day.now)
        record = _record(day, entered, topic, more)
        day.partition.step(day.tables, day.now, [(topic, [record])])
    return day.wait(until - day.now).said()


def late(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and reads them all in one batch."""
    day.said()
    day.now = until
    batches: dict[InputName, list[GivenRecord]] = {topic: [] for topic in ORDER}
    for entered, topic, more in happened:
        batches[topic].append(_record(day, entered, topic, more))
    day.partition.step(day.tables, day.now, list(batches.items()))
    return day.run_timers().said()


def one_by_one(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and reads each by itself before any timer acts."""
    day.said()
    day.now = until
    for entered, topic, more in happened:
        record = _record(day, entered, topic, more)
        day.partition.step(day.tables, day.now, [(topic, [record])])
    return day.run_timers().said()


def backwards(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and what it fetched first is what entered last."""
    return one_by_one(day, happened[::-1], until)


def controls_first(day: Day, happened: Happened, until: int) -> list[str]:
    """What is said when the worker slept, and fetched controls before all else."""
    return one_by_one(day, sorted(happened, key=lambda one: one[1] != "controls"), until)


def restricted(said: list[str]) -> set[str]:
    """The surfaces that were restricted."""
    return {words.split()[1] for words in said if words.startswith("applied")}


def freed(said: list[str]) -> set[str]:
    """The surfaces that were freed."""
    return {words.split()[1] for words in said if words.startswith("lifted")}


def reading(followers: int) -> dict[str, Any]:
    """A count."""
    return {"followers": followers}


def receipt(outcome: str) -> dict[str, Any]:
    """The notifier's word."""
    return {"invitation_id": INVITATION, "outcome": outcome}
