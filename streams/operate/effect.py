"""Predicts from the workers' state whether a control can have an effect on its accounts.

This is only a warning for the operator. The core decides when it reads the control. A control that
seems to have no effect is still sent, because inputs of the account may be on their way; but the
command then does not report success.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schemas.enums import Command, ControlReason
from streams.core.lifecycle import OPEN, Input, Invitation, row_of
from streams.core.model.account import Account, decode_account
from streams.core.rules.controls import active_mode
from streams.core.rules.unclear import is_unclear
from streams.kafka.consumer import TolerantConsumer
from streams.operate.account_states import CHANGELOG, account_of
from streams.operate.audit.reading import Reader, read_to_end
from streams.operate.audit.records import Record, iso, millis
from streams.operate.bulk import BulkOrder
from streams.settings import Settings

KEPT = frozenset({Command.HOLD, Command.APPEAL_OPENED, Command.APPEAL_UPHELD})
"""Commands that the workers store even for an account that they do not know yet."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Which accounts a control cannot affect.

    `reasons`: the number of accounts for each reason. `none`: it can affect no account at all.
    """

    reasons: dict[str, int]
    none: bool

    def warnings(self) -> list[str]:
        """Returns one sentence for each reason."""
        return [f"{count} of them: {why}" for why, count in self.reasons.items()]


def pointless(order: BulkOrder, now: int) -> str | None:
    """Returns why a control is useless for every account at `now` (ms), or None if it is not."""
    until, expires_at = order.until, order.expires_at
    if until is not None and millis(until) <= now:
        return f"--until {until} is past: a deadline only ever moves later"
    if expires_at is not None and millis(expires_at) <= now:
        return f"--expires-at {expires_at} is past: the hold would have ended"
    return None


Ends = Mapping[int, int]
"""The end offset of each partition of the changelog before the control was sent."""


async def changelog_ends(client: TolerantConsumer, settings: Settings) -> Ends:
    """Returns the end offsets of the accounts' changelog.

    Call it before the control is sent: later the changelog may show what the control itself did.
    Raises MissingTopicsError.
    """
    reader = Reader(client, f"{settings.application_id}-")
    await reader.find([CHANGELOG])
    found = await reader.ends(reader.of(CHANGELOG))
    return {place.partition: end for place, end in found.items()}


async def effect(
    client: TolerantConsumer,
    settings: Settings,
    order: BulkOrder,
    accounts: Collection[str],
    ends: Ends,
) -> Effect:
    """Looks the accounts up in the changelog below `ends`; returns what the control can do.

    Raises MissingTopicsError, NoRightError, EndHiddenError, UnreadableStateError.
    """
    wanted = {account.encode() for account in accounts}
    last: dict[str, Record] = {}
    async for record in read_to_end(client, f"{settings.application_id}-", [CHANGELOG]):
        if record.key in wanted and record.offset < ends.get(record.partition, 0):
            last[record.key.decode()] = record
    for record in last.values():
        if record.value is not None:
            account_of(record)
    return judged(order, {key: last[key].value if key in last else None for key in accounts})


def judged(order: BulkOrder, values: dict[str, bytes | None]) -> Effect:
    """Returns what the control can do, from the changelog's values by account.

    A value of None means that the changelog does not have the account.
    """
    found = [
        _against(order, None if raw is None else decode_account(raw)) for raw in values.values()
    ]
    reasons: Counter[str] = Counter(why for why in found if why is not None)
    none = bool(found) and all(why is not None for why in found) and order.command not in KEPT
    return Effect(dict(reasons.most_common()), none)


def _against(order: BulkOrder, account: Account | None) -> str | None:
    """Returns why a control has no effect on one account, or None if it may have one."""
    if account is None:
        kept = " the word is kept until it comes" if order.command in KEPT else " nothing to act on"
        return f"no worker knows the account; is the id right?{kept}"
    command = order.command
    if command is Command.UNHOLD:
        return _no_hold(order, account)
    if command is Command.SETTLE:
        return None if is_unclear(account) else "no unclear word is there to settle"
    if command is Command.APPEAL_REJECTED:
        appeals = {} if account.heard is None else account.heard.appeals
        name = order.appeal_id or ""
        open_ones = ", ".join(sorted(repr(it) for it in appeals)) or "none"
        return None if name in appeals else f"no such appeal is open (open: {open_ones})"
    if command in (Command.LIFT, Command.EXTEND, Command.REISSUE):
        return _no_cycle(order, account)
    return None


def _no_hold(order: BulkOrder, account: Account) -> str | None:
    if order.reason is ControlReason.APPEAL:
        marked = account.heard is not None and account.heard.upheld_at is not None
        return None if marked else "no upheld appeal has left a mark to end"
    return None if account.hold is not None else "no hold is in force"


def _no_cycle(order: BulkOrder, account: Account) -> str | None:
    """Returns why a lift, extend or reissue has no effect: they concern the open cycle alone."""
    life = account.life(active_mode(account))
    cycle = life.cycle
    if cycle is None or life.state not in OPEN:
        return f"no invitation is open (it stands at {life.state.name})"
    if order.command is Command.REISSUE and row_of(life.state, Input.REISSUE) is None:
        return "its notice was delivered: it is sent again only if it turns out to be undelivered"
    if order.command is Command.EXTEND and order.until is not None:
        if life.state is Invitation.EXPIRED:
            return "its time is over: that counts only if the notice turns out to be undelivered"
        if cycle.deadline_at is not None and millis(order.until) <= cycle.deadline_at:
            return f"its deadline is later already ({iso(cycle.deadline_at)})"
    return None


def not_known(why: object) -> str:
    """Returns the message for a state that could not be read."""
    return f"whether it can have an effect is not known: {why}"
