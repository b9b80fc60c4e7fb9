"""Tries what `enforce` would do: runs the core in enforce on the present state of every account.

The state is a copy from the index, partition by partition, each with its share of the caps. Every
invitation is delivered at once, nobody answers, and counts and labels stay as they are; so the
result is the most that could be restricted. Accounts over the line whose facts are older than
`max_age` are left out; the facts of others do not age meanwhile. Nothing is sent anywhere.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Connection, select

from schemas.enums import Event, Mode
from streams.core.model.account import decode_account
from streams.core.model.instants import DAY, HOUR, rfc3339
from streams.core.model.policy import Phase, Policy
from streams.core.model.ports import ACCOUNTS
from streams.index import tables
from streams.index.states import feed_beside, partition_count
from streams.lives.partition import Input, SimulatedPartition
from streams.operate.account_states import States
from streams.stop_worker import StopWorker

PLACEHOLDER = "not-assessed-yet"
MARGIN = 2 * DAY
LONGEST = 400 * DAY
"""How far ahead (ms) the trial runs at most, however low the caps are."""


@dataclass(slots=True)
class Trial:
    """The result of a trial; times in ms.

    `invited`: the first invitation by account. `applied`: the first restriction by account and
    surface. `stale`: accounts over the line that were left out because of old facts. `until`: how
    far the trial ran; `cut`: some accounts may have to wait for longer than that, because of caps.
    `refused`: why a worker would refuse the policy; then nothing was tried.
    `unknown`: why some accounts are not known yet: the policy covers more than the running one.
    """

    invited: dict[str, int] = field(default_factory=dict)
    applied: dict[tuple[str, str], int] = field(default_factory=dict)
    stale: int = 0
    until: int = 0
    cut: bool = False
    refused: str | None = None
    unknown: str | None = None

    @property
    def restricted(self) -> set[str]:
        """The accounts that would be restricted."""
        return {account for account, _ in self.applied}

    @property
    def surfaces(self) -> dict[str, int]:
        """The number of restricted accounts by surface."""
        return dict(sorted(Counter(surface for _, surface in self.applied).items()))

    @property
    def first_at(self) -> int | None:
        """The time (ms) of the first restriction; None: there is none."""
        return min(self.applied.values(), default=None)

    def beyond(self, other: "Trial") -> "Trial":
        """Returns what happens in this trial but not in the other one."""
        return replace(
            self,
            invited={it: at for it, at in self.invited.items() if it not in other.invited},
            applied={it: at for it, at in self.applied.items() if it not in other.applied},
        )


class _TrialEvent(msgspec.Struct, gc=False):
    event: str
    account_id: str
    invitation_id: str
    mode: str
    surface: str | None = None


_decode = msgspec.json.Decoder(_TrialEvent).decode


def enforced(policy: Policy, version: int) -> Policy:
    """Returns the policy with everything that is in shadow put in enforce, and with what it lacks.

    A missing window becomes a day, missing surfaces none, a missing assessment a placeholder.
    `max_age` is removed, because accounts with old facts are left out before.
    """
    notice, consequence = policy.notice, policy.consequence
    if notice.answer_window is None:
        notice = replace(notice, answer_window=DAY, reminders=())
    surfaces = {
        surface: replace(it, mode=None) if it.mode is Mode.SHADOW else it
        for surface, it in (consequence.surfaces or {}).items()
    }
    return replace(
        policy,
        version=version,
        mode=Mode.ENFORCE,
        notice=notice,
        impact_assessment=policy.impact_assessment or PLACEHOLDER,
        phases=tuple(map(_woken, policy.phases)),
        stability=replace(policy.stability, max_age=None),
        consequence=replace(consequence, surfaces=surfaces),
    )


def _woken(phase: Phase) -> Phase:
    return replace(phase, mode=None) if phase.mode is Mode.SHADOW else phase


def in_shadow(policy: Policy) -> bool:
    """Returns whether anything of a policy is in shadow: all of it, a phase or a surface."""
    if policy.mode is not Mode.ENFORCE:
        return policy.mode is Mode.SHADOW
    surfaces = (policy.consequence.surfaces or {}).values()
    modes = [*(it.mode for it in policy.phases), *(it.mode for it in surfaces)]
    return Mode.SHADOW in modes


def tried(connection: Connection, policy: Policy, now: int) -> Trial:
    """Returns what would follow only from switching a platform to enforce at `now` (ms)."""
    found = _tried(connection, policy, now, enforce=True)
    if policy.mode is not Mode.ENFORCE or found.refused is not None:
        return found
    return found.beyond(_tried(connection, policy, now, enforce=False))


def _tried(connection: Connection, policy: Policy, now: int, *, enforce: bool) -> Trial:
    states = States(partition_count=partition_count(connection))
    feed_beside(connection, states.feed)
    count = states.partition_count
    parts = [states.part(number) for number in range(count)]
    known = [it.adopted[policy.platform].version for it in parts if policy.platform in it.adopted]
    version = max((policy.version, *known)) + 1
    undated = replace(policy, version=version, stability=replace(policy.stability, max_age=None))
    changed = enforced(policy, version) if enforce else undated
    found = Trial()
    try:
        for number in range(count):
            rows = _accounts(connection, policy, number, now, found)
            state = {**rows, **states.reserved(number)}
            _Led(changed, state, now, (number, count), found).run()
    except StopWorker as error:
        return Trial(refused=str(error))
    return found


def _accounts(
    connection: Connection, policy: Policy, number: int, now: int, found: Trial
) -> dict[bytes, bytes]:
    states = tables.states
    mine = select(states.c.key, states.c.value).where(
        states.c.partition == number,
        states.c.key.startswith(f"{policy.platform}:", autoescape=True),
    )
    limit = policy.stability.max_age
    kept: dict[bytes, bytes] = {}
    for key, value in connection.execute(mine):
        raw = bytes(value)
        if limit is not None:
            account = decode_account(raw)
            seen = account.observed_at
            over = account.followers is not None and account.followers >= policy.lines[0]
            if over and (seen is None or seen + limit < now):
                found.stale += 1
                continue
        kept[key.encode()] = raw
    return kept


class _Led:
    """Runs one partition, with a notifier that delivers every notice at once."""

    def __init__(
        self,
        policy: Policy,
        state: Mapping[bytes, bytes],
        now: int,
        place: tuple[int, int],
        found: Trial,
    ) -> None:
        self._policy, self._found = policy, found
        self._issued: list[tuple[str, str]] = []
        length = horizon(policy, len(state), place[1], now)
        self._end = now + min(length, LONGEST)
        found.until = max(found.until, self._end)
        found.cut |= length > LONGEST
        self._led = SimulatedPartition({}, self._sent, now, number=place[0], count=place[1])
        self._led.memory.state[ACCOUNTS].update(state)

    def _sent(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic not in _LIVE or value is None:
            return
        it, now = _decode(value), self._led.now
        if it.event == Event.INVITATION_ISSUED:
            self._issued.append((it.account_id, it.invitation_id))
            self._found.invited.setdefault(it.account_id, now)
        elif it.event == Event.THROTTLE_APPLIED and it.surface is not None:
            self._found.applied.setdefault((it.account_id, it.surface), now)

    def run(self) -> None:
        """Runs it until all answer windows have ended. Raises StopWorker if a worker would stop."""
        led = self._led
        led.take_up({self._policy.platform: self._policy})
        self._found.unknown = led.partition.adoption.rescans.get(self._policy.platform)
        # Accounts store offsets of the real topics, which do not fit those of the trial.
        led.any_order()
        led.run_timers()
        while True:
            if self._issued:
                issued, self._issued = self._issued, []
                led.put([self._delivered(*it) for it in issued])
            due = led.due()
            if due is None or due > self._end:
                return
            led.until(due)

    def _delivered(self, account_id: str, invitation_id: str) -> Input:
        value = {
            "platform": self._policy.platform,
            "account_id": account_id,
            "invitation_id": invitation_id,
            "outcome": "delivered",
            "occurred_at": rfc3339(self._led.now),
        }
        key = f"{self._policy.platform}:{account_id}".encode()
        return ("notice-receipts", key, msgspec.json.encode(value))


_LIVE = frozenset({"invitations", "throttles"})


def horizon(policy: Policy, accounts: int, partitions: int, now: int) -> int:
    """Returns how long (ms) it takes until all could be invited and their windows are over.

    `accounts`: of one partition, which has its share of each cap. `partitions`: how many there are.
    """
    longest = policy.notice.answer_window or 0
    for phase in policy.phases:
        if phase.answer_by is not None:
            longest = max(longest, phase.answer_by - now)
    longest += policy.stability.dwell + MARGIN
    for cap, length in ((policy.invitations_per_day, DAY), (policy.throttles_per_hour, HOUR)):
        if cap:
            longest += _waiting(cap, length, accounts, partitions)
    return longest


def _waiting(cap: int, length: int, accounts: int, partitions: int) -> int:
    """Returns how long (ms) the last of so many accounts of a partition waits for its cap at most.

    `length`: of a window of the cap (ms). Where the cap is smaller than the number of partitions, a
    partition has 1 on as many days of its turn as the cap says, and else nothing.
    """
    each = cap // partitions
    if each:
        return -(-accounts // each) * length
    return -(-accounts // (cap * DAY // length)) * partitions * DAY
