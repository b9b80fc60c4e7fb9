"""Reads from the index which accounts the last change of a policy let in, and which were before.

An account counts once, by its first live invitation, in the phase of that invitation.

* The change is the newest version of the policy, or, if that is asked for, the newest version that
  raised `rollout_percent`.
* If it raised `rollout_percent` from P, it let in the accounts whose bucket (a number of the core's
  that never changes) is P or more. An account with a lower bucket would have been let in without
  it, and so belongs to the group before, even if it was invited afterwards.
* Any other change let in the accounts that were first invited under it or a later version.

The group before has a fixed order: first those invited before the change, the newest first, then
those invited after it, the oldest first. So accounts that are found later come at its end.
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
    """An outcome whose rate is compared between the new accounts and those before."""

    UNDELIVERED = "undelivered"
    DECLINED = "declined"
    UPHELD = "appeals upheld"


WITHIN: Mapping[Rate, int] = {
    Rate.UNDELIVERED: 3 * DAY,
    Rate.DECLINED: 7 * DAY,
    Rate.UPHELD: 14 * DAY,
}
"""Until how long (ms) after the first issue an event counts. Only then the account is judged."""


class LetIn(NamedTuple):
    """An account of a cohort; times in ms.

    `issued_at`: its first invitation. `receipt_at`: the first delivery or failure of the notice.
    `first`: when each rate's event first happened to it. `cancelled_at`: the first cancellation.
    """

    account: str
    issued_at: int
    receipt_at: int | None
    first: Mapping[Rate, int]
    cancelled_at: int | None = None

    def befell(self, rate: Rate, within: int) -> bool:
        """Returns whether the event of a rate happened within this time (ms) after the issue."""
        return self._in_time(self.first.get(rate), within)

    def known(self, rate: Rate, within: int) -> bool:
        """Returns whether it is known if the event of a rate happened within this time (ms).

        Without a receipt nobody knows whether a notice was delivered.
        """
        return rate is not Rate.UNDELIVERED or self._in_time(self.receipt_at, within)

    def silent(self, within: int) -> bool:
        """Returns whether a receipt should have come within this time (ms), and did not.

        After a cancellation none has to come.
        """
        return not (
            self._in_time(self.receipt_at, within) or self._in_time(self.cancelled_at, within)
        )

    def _in_time(self, at: int | None, within: int) -> bool:
        return at is not None and self.issued_at <= at <= self.issued_at + within


class CohortVersion(NamedTuple):
    """A version of a policy.

    `percent`: its `rollout_percent`. `since`: when (ms) the first partition began to work under it;
    None: not known. `running`: how many partitions work under it now.
    """

    version: int
    percent: int
    mode: str
    since: int | None
    running: int


@dataclass(slots=True)
class CohortChange:
    """A version of a policy and the one before it."""

    platform: str
    before: CohortVersion
    after: CohortVersion

    @property
    def raised(self) -> bool:
        """Whether it raised `rollout_percent`; then the bucket of an account decides its group."""
        return self.after.percent > self.before.percent


@dataclass(slots=True)
class Cohorts:
    """Both groups of accounts of one phase, each in its fixed order."""

    before: list[LetIn] = field(default_factory=list)
    new: list[LetIn] = field(default_factory=list)


class _PolicyText(msgspec.Struct, gc=False):
    mode: str
    rollout_percent: int


class _Issued(msgspec.Struct, gc=False):
    phase: str
    policy_version: int


_text = msgspec.json.Decoder(_PolicyText)
_issued = msgspec.json.Decoder(_Issued)


def versions(connection: Connection) -> dict[str, list[CohortVersion]]:
    """Returns the versions of each platform's policy that were ever in force, in order.

    If two texts have one version number, the one that was published last counts. A version that was
    published and never taken up, for a later one was, is left out: it let nobody in.
    """
    lines, texts = of_index(connection)
    ran = {(it.platform, it.digest): it for it in history(lines, texts)}
    found: dict[str, dict[int, CohortVersion]] = {}
    policies = tables.policies
    statement = select(policies).order_by(policies.c.platform, policies.c.offset)
    for it in connection.execute(statement):
        text, known = _text.decode(it.value), ran.get((it.platform, it.digest))
        since, running = (None, 0) if known is None else (millis(known.since), known.running)
        version = CohortVersion(it.version, text.rollout_percent, text.mode, since, running)
        found.setdefault(it.platform, {})[it.version] = version
    return {
        name: _taken_up([its[key] for key in sorted(its)]) for name, its in sorted(found.items())
    }


def _taken_up(known: list[CohortVersion]) -> list[CohortVersion]:
    """Leaves out versions between two that ran, which did not run themselves.

    Before the first that is known to have run the decision log may begin too late to tell.
    """
    ran = [at for at, it in enumerate(known) if it.since is not None]
    if not ran:
        return known
    return [it for at, it in enumerate(known) if it.since is not None or not ran[0] < at < ran[-1]]


def last_change(
    platform: str, known: list[CohortVersion], *, raise_only: bool
) -> CohortChange | None:
    """Returns the last change; None if there is none. `raise_only`: of `rollout_percent`."""
    for before, after in reversed(list(pairwise(known))):
        if not raise_only or after.percent > before.percent:
            return CohortChange(platform, before, after)
    return None


def cohorts(connection: Connection, change: CohortChange) -> dict[str, Cohorts]:
    """Returns both groups for each phase in which an account was invited."""
    since = change.after.since or 0
    found: dict[str, Cohorts] = {}
    befell = _befell(connection, change.platform)
    upheld = _upheld(connection, change.platform)
    for account, issued_at, text in _first_issues(connection, change.platform):
        phase = found.setdefault(text.phase, Cohorts())
        first = {rate: at for rate in Rate if (at := befell.get((account, rate))) is not None}
        # An appeal from before the invitation must not hide a later one.
        after = [at for at in upheld.get(account, ()) if at >= issued_at]
        if after:
            first[Rate.UPHELD] = after[0]
        receipt_at = befell.get((account, Event.INVITATION_DELIVERED))
        cancelled_at = befell.get((account, Event.INVITATION_CANCELLED))
        its = LetIn(account, issued_at, receipt_at, first, cancelled_at)
        (phase.new if _is_new(change, account, text.policy_version) else phase.before).append(its)
    for phase in found.values():
        phase.new.sort(key=lambda it: (it.issued_at, it.account))
        phase.before.sort(key=lambda it: _outward(since, it))
    return found


def _outward(since: int, it: LetIn) -> tuple[int, int, str]:
    later = it.issued_at >= since
    return int(later), it.issued_at if later else -it.issued_at, it.account


def _is_new(change: CohortChange, account: str, version: int) -> bool:
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


def _befell(connection: Connection, platform: str) -> dict[tuple[str, Rate | Event], int]:
    """Returns when (ms) each rate's event first happened, by account and rate.

    Under INVITATION_DELIVERED: the first delivery or failure of the account's notice. Under
    INVITATION_CANCELLED: the first cancellation.
    """
    events = tables.events
    first = func.min(events.c.decided_at)
    statement = (
        select(events.c.account, events.c.event, first)
        .where(
            events.c.topic.in_(("invitations", "consents")),
            events.c.platform == platform,
            events.c.mode == Mode.ENFORCE,
            events.c.cycle == 1,
            events.c.event.in_((*_OF_EVENT, *_RECEIPTS, Event.INVITATION_CANCELLED)),
        )
        .group_by(events.c.account, events.c.event)
    )
    found: dict[tuple[str, Rate | Event], int] = {}
    for account, event, at in connection.execute(statement):
        if event in _OF_EVENT:
            found[account, _OF_EVENT[event]] = at
        if event in _RECEIPTS:
            earlier = found.get((account, Event.INVITATION_DELIVERED), at)
            found[account, Event.INVITATION_DELIVERED] = min(at, earlier)
        if event == Event.INVITATION_CANCELLED:
            found[account, Event.INVITATION_CANCELLED] = at
    return found


def _upheld(connection: Connection, platform: str) -> dict[str, list[int]]:
    """Returns, by account, when (ms) an appeal was upheld, in order."""
    words = tables.words
    statement = (
        select(words.c.account, words.c.entered_at)
        .where(
            words.c.topic == "controls",
            words.c.word == Command.APPEAL_UPHELD,
            words.c.account.startswith(f"{platform}:", autoescape=True),
        )
        .order_by(words.c.entered_at)
    )
    found: dict[str, list[int]] = {}
    for account, at in connection.execute(statement):
        found.setdefault(account, []).append(at)
    return found


_OF_EVENT: Mapping[str, Rate] = {
    Event.INVITATION_UNDELIVERABLE: Rate.UNDELIVERED,
    Event.CONSENT_DECLINED: Rate.DECLINED,
}
_RECEIPTS = (Event.INVITATION_DELIVERED, Event.INVITATION_UNDELIVERABLE)
