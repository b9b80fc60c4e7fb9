"""Work-lists for people: accounts on which an operator may have to act.

* `undeliverable`: the notice failed;
* `unconfirmed`: invited, and neither a receipt nor an answer came;
* `unclear`: a refused or unclear word of the owner or an operator stops adverse events;
* `pending`: a restriction will follow at the deadline, which is the one that the owner was told;
* `appeals`: open appeals.

They are read from the workers' state in the changelog of accounts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from schemas.enums import Event, Mode
from streams.core.lifecycle import Invitation
from streams.core.model.account import AccountRef, Cycle
from streams.core.rules.throttle import in_order, restrictable
from streams.core.rules.unclear import unclear_since
from streams.operate.account_states import CHANGELOG, POLICIES, Known, States
from streams.operate.audit.happened import plain_of
from streams.operate.audit.records import Record, iso

WorkList = Literal["undeliverable", "unconfirmed", "unclear", "pending", "appeals"]
WORK_LISTS: tuple[WorkList, ...] = (
    *("undeliverable", "unconfirmed", "unclear", "pending", "appeals"),
)
INVITATIONS = "invitations"
ANSWERS = "consent-answers"


def topics_of(which: WorkList) -> tuple[str, ...]:
    """Returns the topics, without prefix, that a list is read from beside the changelog."""
    return (POLICIES, INVITATIONS) if which == "undeliverable" else (POLICIES,)


@dataclass(slots=True)
class Row:
    """One account on a list. `since` and `due_at`: RFC 3339, UTC.

    `waits_for`: the grounds that defer its restriction, of `schemas.enums.Deferral`.
    `after_delivery`: the notice failed after it had been delivered. `consent`: a consent is in
    force.
    """

    account: str
    since: str
    reason: str
    due_at: str | None = None
    surfaces: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    invitation_id: str | None = None
    after_delivery: bool = False
    consent: bool = False
    appeal_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns the row as JSON of `byline worklist --json`."""
        # Each value is one that nobody changes: `asdict` would copy them all.
        return {it.name: getattr(self, it.name) for it in fields(self)}


@dataclass(slots=True)
class _Notice:
    """The last notice of an account, by its events: whether delivered, and why it failed."""

    delivered: bool = False
    failure: str = "other"


@dataclass(slots=True)
class WorkLists:
    """Makes the lists of all accounts.

    First it is fed every record of the changelog and of the topics in `topics_of`, those of each
    topic in order.
    """

    states: States = field(default_factory=States)
    _notices: dict[str, _Notice] = field(default_factory=dict)

    def feed(self, record: Record) -> None:
        """Takes the next record of one of the topics."""
        if record.topic in (CHANGELOG, POLICIES):
            self.states.feed(record)
        elif record.topic == INVITATIONS and record.key is not None and record.value is not None:
            event = plain_of(record)
            reason = str(event.get("reason", "other"))
            self.notice(record.key.decode(errors="replace"), event.get("event"), reason)

    def notice(self, key: str, name: object, reason: str) -> None:
        """Takes the next event of an account's invitation; ignores what is none of a notice.

        `key`: the account. `name`: the event. `reason`: why it was decided.
        """
        if name == Event.INVITATION_ISSUED:
            self._notices[key] = _Notice()
        elif name == Event.INVITATION_DELIVERED:
            self._notices.setdefault(key, _Notice()).delivered = True
        elif name == Event.INVITATION_UNDELIVERABLE:
            self._notices.setdefault(key, _Notice()).failure = reason
        elif name == Event.INVITATION_CANCELLED:
            self._notices.pop(key, None)

    def delivered(self, key: str) -> bool:
        """Whether an account's last notice was delivered, by the events that were fed."""
        return self._notices.get(key, _Notice()).delivered

    def rows(self, which: WorkList, now: int, within: int) -> list[Row]:
        """Returns a list as of `now` (ms), the longest waiting or first due on top.

        `within` (ms): `pending` has what is due within it; `unconfirmed` has notices that are at
        least that old. In `undeliverable`, notices that failed after a delivery come last; in
        `unclear`, accounts with a consent in force come first.
        """
        return self.rows_of(which, self.states.known(now), now, within)

    def rows_of(
        self, which: WorkList, accounts: Iterable[Known], now: int, within: int
    ) -> list[Row]:
        """Returns the rows of these accounts, as `rows` does."""
        told: dict[WorkList, Callable[[Known], Iterable[Row]]] = {
            "undeliverable": self._undeliverable,
            "unconfirmed": lambda known: _unconfirmed(known, now - within),
            "unclear": _unclear,
            "pending": lambda known: _pending(known, now + within),
            "appeals": _appeals,
        }
        found = [row for known in accounts for row in told[which](known)]
        found.sort(key=_order)
        return found

    def _undeliverable(self, known: Known) -> Iterator[Row]:
        cycle = known.account.live.cycle
        if known.account.live.state is not Invitation.UNDELIVERED or cycle is None:
            return
        notice = self._notices.get(_name(known.ref), _Notice())
        since = cycle.issued_at if cycle.failed_at is None else cycle.failed_at
        row = _row(known, cycle, since, notice.failure)
        row.after_delivery = notice.delivered
        yield row


def _order(row: Row) -> tuple[bool, bool, str, str, str]:
    place = (row.account, row.appeal_id or "")
    return (row.after_delivery, not row.consent, row.due_at or row.since, *place)


def _unconfirmed(known: Known, before: int) -> Iterator[Row]:
    """Yields an account that was invited by `before` (ms), without a receipt or answer since."""
    cycle = known.account.live.cycle
    if known.account.live.state is not Invitation.INVITED or cycle is None:
        return
    if cycle.issued_at <= before:
        yield _row(known, cycle, cycle.issued_at, "no_receipt")


def _unclear(known: Known) -> Iterator[Row]:
    account = known.account
    since = min(unclear_since(account), default=None)
    if since is None:
        return
    cycle = account.live.cycle
    kinds = [] if account.heard is None else sorted(account.heard.unclear)
    if cycle is not None and cycle.unclear is not None:
        kinds = [ANSWERS, *kinds]
    row = _row(known, cycle, since, "+".join(kinds))
    row.consent = account.live.state is Invitation.GRANTED
    yield row


def _pending(known: Known, until: int) -> Iterator[Row]:
    """Yields an account that would be restricted at its deadline, if that is by `until` (ms).

    Surfaces are those that the pinned terms and the policy in force both restrict in enforce.
    """
    life = known.account.live
    cycle = life.cycle
    if life.state not in (Invitation.DELIVERED, Invitation.DECLINED) or cycle is None:
        return
    if cycle.deadline_at is None or cycle.deadline_at > until or cycle.delivered_at is None:
        return
    reason = "declined" if life.state is Invitation.DECLINED else "no_answer"
    policy = known.context.policy
    allowed = restrictable(cycle, policy, Mode.ENFORCE)
    if policy is None and reason in cycle.terms.on:
        allowed = cycle.terms.surfaces  # The policy is unknown: a row too many is the safe choice.
    surfaces = [it for it, (_, mode) in in_order(allowed) if mode is Mode.ENFORCE]
    if not surfaces:
        return
    row = _row(known, cycle, cycle.delivered_at, reason)
    row.due_at = iso(cycle.deadline_at)
    row.surfaces = tuple(surfaces)
    row.waits_for = known.waits_for(Event.INVITATION_EXPIRED, Event.THROTTLE_APPLIED)
    yield row


def _appeals(known: Known) -> Iterator[Row]:
    appeals = {} if known.account.heard is None else known.account.heard.appeals
    for appeal_id, appeal in appeals.items():
        row = _row(known, known.account.live.cycle, appeal.since, "appeal_opened")
        row.appeal_id = appeal_id or None
        yield row


def _row(known: Known, cycle: Cycle | None, since: int, reason: str) -> Row:
    account = _name(known.ref)
    if cycle is None:
        return Row(account, iso(since), reason)
    invitation_id = known.account.live.invitation_id(known.ref, Mode.ENFORCE)
    surfaces = tuple(surface for surface, _ in in_order(cycle.terms.surfaces))
    return Row(account, iso(since), reason, None, surfaces, (), invitation_id)


def _name(ref: AccountRef) -> str:
    return f"{ref.platform}:{ref.account_id}"
