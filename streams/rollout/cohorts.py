"""Who was let in by the last change of a platform's policy, and who before; read from the index.

An account counts once, by its first live invitation, in the phase of that.

* The change is the newest version that partitions work under, or, where that is asked for, the
  newest one that raised `rollout_percent`.
* If it raised `rollout_percent` from P, it let in the accounts whose bucket is P or more: the
  core's own `bucket`, which never changes. Who has a lower one would have been let in without it,
  and belongs to those before, also when invited after it.
* Any other change let in whoever was first invited under it or a later version.

Of those before, the newest before the change come first, then who came after it: this order is
known from the moment of the change, and what is found later is added at its end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from itertools import pairwise
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from schemas.enums import Command, Event, Mode
from streams.core.model.ids import bucket
from streams.core.model.instants import DAY
from streams.index import tables
from streams.index.history import history, of_index
from streams.operate.audit.records import millis


@unique
class Rate(StrEnum):
    """What may befall more of the new ones than of those before."""

    UNDELIVERED = "undelivered"
    DECLINED = "declined"
    UPHELD = "appeals upheld"


WITHIN: Mapping[Rate, int] = {
    Rate.UNDELIVERED: 3 * DAY,
    Rate.DECLINED: 7 * DAY,
    Rate.UPHELD: 14 * DAY,
}
"""So long after the first issue it counts (ms). An account is looked at when that is over."""


class LetIn(NamedTuple):
    """An account: when it was first invited, and when something first happened to it (ms)."""

    account: str
    issued_at: int
    receipt_at: int | None
    first: Mapping[Rate, int]

    def befell(self, rate: Rate, within: int) -> bool:
        """Whether it happened in time."""
        at = self.first.get(rate)
        return at is not None and self.issued_at <= at <= self.issued_at + within


class Version(NamedTuple):
    """A version that ran. `since`: when the first partition took it up; None: not known."""

    version: int
    percent: int
    mode: str
    since: int | None
    running: int


@dataclass(slots=True)
class Change:
    """A version and the one that ran before it. `raised`: it let in a larger share."""

    platform: str
    before: Version
    after: Version

    @property
    def raised(self) -> bool:
        """Whether accounts are told apart by their bucket."""
        return self.after.percent > self.before.percent


@dataclass(slots=True)
class Cohorts:
    """Both groups of one phase, each in its order."""

    before: list[LetIn] = field(default_factory=list)
    new: list[LetIn] = field(default_factory=list)


class _Text(msgspec.Struct, gc=False):
    mode: str
    rollout_percent: int


class _Issued(msgspec.Struct, gc=False):
    phase: str
    policy_version: int


_text = msgspec.json.Decoder(_Text)
_issued = msgspec.json.Decoder(_Issued)


def versions(connection: Connection) -> dict[str, list[Version]]:
    """Every version of each platform that was ever in force, in order.

    A text under a version that another one has too counts by the one that ran last.
    """
    lines, texts = of_index(connection)
    ran = {(it.platform, it.digest): it for it in history(lines, texts)}
    found: dict[str, dict[int, Version]] = {}
    policies = tables.policies
    statement = select(policies).order_by(policies.c.platform, policies.c.offset)
    for it in connection.execute(statement):
        text, known = _text.decode(it.value), ran.get((it.platform, it.digest))
        since, running = (None, 0) if known is None else (millis(known.since), known.running)
        version = Version(it.version, text.rollout_percent, text.mode, since, running)
        found.setdefault(it.platform, {})[it.version] = version
    return {name: [its[key] for key in sorted(its)] for name, its in sorted(found.items())}


def last_change(platform: str, known: list[Version], *, raise_only: bool) -> Change | None:
    """The change to look at; None if there is none."""
    for before, after in reversed(list(pairwise(known))):
        if not raise_only or after.percent > before.percent:
            return Change(platform, before, after)
    return None


def cohorts(connection: Connection, change: Change) -> dict[str, Cohorts]:
    """Both groups of each phase that anybody was invited in."""
    since = change.after.since or 0
    found: dict[str, Cohorts] = {}
    befell = _befell(connection, change.platform)
    for account, issued_at, text in _first_issues(connection, change.platform):
        phase = found.setdefault(text.phase, Cohorts())
        first = {rate: at for rate in Rate if (at := befell.get((account, rate))) is not None}
        its = LetIn(account, issued_at, befell.get((account, None)), first)
        (phase.new if _is_new(change, account, text.policy_version) else phase.before).append(its)
    for phase in found.values():
        phase.new.sort(key=lambda it: (it.issued_at, it.account))
        phase.before.sort(key=lambda it: _outward(since, it))
    return found


def _outward(since: int, it: LetIn) -> tuple[int, int, str]:
    later = it.issued_at >= since
    return int(later), it.issued_at if later else -it.issued_at, it.account


def _is_new(change: Change, account: str, version: int) -> bool:
    if version < change.after.version:
        return False
    platform, _, account_id = account.partition(":")
    return not change.raised or bucket(platform, account_id) >= change.before.percent


def _first_issues(connection: Connection, platform: str) -> Iterable[tuple[str, int, _Issued]]:
    events = tables.events
    mine = select(events.c.account, events.c.decided_at, events.c.value).where(
        events.c.topic == "invitations",
        events.c.platform == platform,
        events.c.event == Event.INVITATION_ISSUED,
        events.c.mode == Mode.ENFORCE,
        events.c.cycle == 1,
    )
    order = (events.c.partition, events.c.offset)
    seen: set[str] = set()
    for account, at, value in connection.execute(mine.order_by(*order)):
        if account not in seen:
            seen.add(account)
            yield account, at, _issued.decode(value)


def _befell(connection: Connection, platform: str) -> dict[tuple[str, Rate | None], int]:
    """By account and rate the first time; under None the first proof that a notice came or not."""
    events, words = tables.events, tables.words
    first = func.min(events.c.decided_at)
    statement = (
        select(events.c.account, events.c.event, first)
        .where(
            events.c.topic.in_(("invitations", "consents")),
            events.c.platform == platform,
            events.c.mode == Mode.ENFORCE,
            events.c.cycle == 1,
            events.c.event.in_((*_OF_EVENT, Event.INVITATION_DELIVERED)),
        )
        .group_by(events.c.account, events.c.event)
    )
    found: dict[tuple[str, Rate | None], int] = {}
    for account, event, at in connection.execute(statement):
        rate = _OF_EVENT.get(event)
        if rate is not None:
            found[account, rate] = at
        if rate is not Rate.DECLINED:
            found[account, None] = min(at, found.get((account, None), at))
    upheld = (
        select(words.c.account, func.min(words.c.entered_at))
        .where(
            words.c.topic == "controls",
            words.c.word == Command.APPEAL_UPHELD,
            words.c.account.startswith(f"{platform}:", autoescape=True),
        )
        .group_by(words.c.account)
    )
    for account, at in connection.execute(upheld):
        found[account, Rate.UPHELD] = at
    return found


_OF_EVENT: Mapping[str, Rate] = {
    Event.INVITATION_UNDELIVERABLE: Rate.UNDELIVERED,
    Event.CONSENT_DECLINED: Rate.DECLINED,
}
