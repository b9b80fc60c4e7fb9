"""Inputs that are read together are applied in the contract's order.

schemas/CONTRACT.md, "Topics".
"""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from schemas.enums import Mode
from schemas.inputs import FIRST_EDITION_ORDER, InputName
from streams.core.model.ids import invitation_id
from streams.core.model.instants import rfc3339
from streams.core.model.ports import Records
from streams.core.partition import ORDER
from tests.core.given import ACCOUNT, HOUR, PLATFORM, Day, GivenRecord
from tests.core.invariants.replay import recompute
from tests.core.states import invited

KEY = f"{PLATFORM}:{ACCOUNT}".encode()


def batch(day: Day, name: InputName, **value: Any) -> tuple[InputName, Records]:
    """One record of an account."""
    raw = msgspec.json.encode({"platform": PLATFORM, "account_id": ACCOUNT, **value})
    offset = day._offsets[name]
    return name, [GivenRecord(offset, day.now, KEY, raw)]


def batches(day: Day) -> list[tuple[InputName, Records]]:
    """A receipt, an operator's `extend` and a reading: which is first matters."""
    now = rfc3339(day.now)
    return [
        batch(
            day,
            "notice-receipts",
            invitation_id=invitation_id(PLATFORM, ACCOUNT, Mode.ENFORCE, 1),
            outcome="delivered",
            occurred_at=now,
        ),
        batch(
            day,
            "controls",
            control_id="c1",
            command="lift",
            actor="op",
            reason="test",
            issued_at=now,
        ),
        batch(day, "follower-counts", followers=1600, observed_at=now),
    ]


def test_the_order_is_the_contracts() -> None:
    assert ORDER == (
        "switches",
        "account-changes",
        "notice-receipts",
        "consent-answers",
        "controls",
        "category-changes",
        "follower-counts",
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_batches_are_applied_in_one_order_whatever_order_they_are_handed_over_in(
    order: tuple[int, ...],
) -> None:
    day = invited().wait(HOUR)
    day.said()
    given = batches(day)
    day.partition.step(day.tables, day.now, [given[place] for place in order])
    assert day.said() == ["delivered receipt", "cancelled operator"]


def test_a_log_of_the_first_edition_is_replayed_in_its_own_order() -> None:
    day = invited().wait(HOUR)
    day.said()
    day.partition.step(day.tables, day.now, batches(day), FIRST_EDITION_ORDER)
    assert day.said() == ["cancelled operator"]


def test_replay_follows_the_order_of_the_logs_edition() -> None:
    day = Day()
    inputs: dict[str, list[GivenRecord]] = {name: [] for name in ORDER}
    together = [
        batch(day, "follower-counts", followers=1600, observed_at=rfc3339(day.now)),
        batch(day, "account-changes", change="exempted", observed_at=rfc3339(day.now)),
        batch(day, "consent-answers", answer="withdrawn", occurred_at=rfc3339(day.now)),
    ]
    for name, records in together:
        inputs[name] += records  # type: ignore[arg-type]
    day.partition.step(day.tables, day.now, together)
    day.partition.before_commit(day.tables, day.now, {})
    log = [value for topic, _, value, _ in day.tables.raw if topic == "decisions" and value]
    assert msgspec.json.decode(log[-1])["edition"] == 2
    policies = {one.digest: one for one in day.partition._policies.values()}
    again = recompute(inputs, log, policies)
    assert [value for topic, _, value, _ in again if topic == "decisions"] == log
