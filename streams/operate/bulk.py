"""Makes the controls that an operator sends to one account or many, and plans how to undo them.

Controls that are sent together have one bulk id. A control's id is a function of its content, so
that one that is sent twice counts once.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.enums import ACCOUNT_ID_PATTERN, Command, ControlReason
from schemas.inputs import Control, input_key
from streams.operate.audit.records import Record, iso
from streams.operate.errors import UsageError
from streams.operate.in_force import HoldInForce, ParsedControl, parsed_control, refused_place
from streams.operate.lines import name_of, read_text

_NO_ACCOUNT = f"is not platform:account_id (an id is {ACCOUNT_ID_PATTERN})"
MAX_ACCOUNTS = 1_000
"""How many accounts one command may name unless --max-accounts says otherwise."""

NEEDS_UNTIL = frozenset({Command.EXTEND})
MAY_EXPIRE = frozenset({Command.HOLD})
ENDS_NO_HOLD = ControlReason.APPEAL
"""An unhold for this reason ends the mark of an upheld appeal, and no hold (CONTRACT.md)."""
ON_APPEALS = frozenset({Command.APPEAL_OPENED, Command.APPEAL_UPHELD, Command.APPEAL_REJECTED})


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """The content of the controls: command, actor, reason, and their times.

    `issued_at`: ms since 1970. `expires_at`, `until`: RFC 3339.
    """

    command: Command
    actor: str
    reason: ControlReason
    issued_at: int
    expires_at: str | None = None
    until: str | None = None
    approved_by: str | None = None
    bulk_id: str | None = None
    appeal_id: str | None = None

    def check(self) -> None:
        """Raises UsageError if an option is missing that the command needs, or given in vain."""
        word = self.command.value.replace("_", "-")
        if (self.until is not None) != (self.command in NEEDS_UNTIL):
            raise UsageError(f"{word} {'needs' if self.until is None else 'has no'} --until")
        if self.expires_at is not None and self.command not in MAY_EXPIRE:
            raise UsageError(f"{word} has no --expires-at: only a hold ends by itself")
        if self.appeal_id is not None and self.command not in ON_APPEALS:
            raise UsageError(f"{word} has no --appeal-id: only an appeal and its verdict have one")

    def value(self, account: str) -> dict[str, Any]:
        """Returns the JSON value of the control for `platform:account_id`."""
        platform, _, account_id = account.partition(":")
        identity = (
            account,
            self.command.value,
            self.actor,
            str(self.issued_at),
            self.bulk_id or "",
            *(() if self.appeal_id is None else (self.appeal_id,)),
        )
        plain = {
            "platform": platform,
            "account_id": account_id,
            "control_id": hashlib.sha256("|".join(identity).encode()).hexdigest()[:32],
            "command": self.command.value,
            "actor": self.actor,
            "reason": self.reason.value,
            "issued_at": iso(self.issued_at),
            "expires_at": self.expires_at,
            "until": self.until,
            "approved_by": self.approved_by,
            "bulk_id": self.bulk_id,
            "appeal_id": self.appeal_id,
        }
        return {key: value for key, value in plain.items() if value is not None}


def accounts_in(file: Path) -> dict[str, int]:
    """Returns the accounts that a file (`-`: standard input) names, each with its first line.

    The file has one `platform:account_id` a line; `#` begins a comment. Raises UsageError if it
    cannot be read, names no account, or has a line that is no account.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        account = line.partition("#")[0].strip()
        if account and ":" not in account:
            raise UsageError(f"{name_of(file)}:{number} {_NO_ACCOUNT}")
        if account:
            found.setdefault(account, number)
    if not found:
        raise UsageError(f"{name_of(file)} names no account")
    return found


def within(accounts: Collection[str], max_accounts: int) -> list[str]:
    """Returns the accounts as a list. Raises UsageError if there are more than `max_accounts`."""
    if len(accounts) > max_accounts:
        raise UsageError(
            f"{len(accounts)} accounts are named, --max-accounts allows {max_accounts}"
        )
    return list(accounts)


def checked(accounts: Iterable[str]) -> list[str]:
    """Returns the accounts without repeats. Raises UsageError if one has no `:`."""
    kept = list(dict.fromkeys(accounts))
    for number, account in enumerate(kept, start=1):
        if ":" not in account:
            raise UsageError(f"account {number} {_NO_ACCOUNT}")
    return kept


def default_bulk_id(accounts: Iterable[str], order: BulkOrder) -> str:
    """Returns a bulk id that is a function of command, actor, time and accounts."""
    words = [order.command.value, order.actor, str(order.issued_at), *accounts]
    return "bulk-" + hashlib.sha256("|".join(words).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How to undo a bulk.

    `accounts` get the `command`; None: there is nothing to send. `left` are the other accounts,
    each with the reason.
    """

    command: Command | None
    accounts: tuple[str, ...]
    left: tuple[tuple[str, str], ...]

    def left_by_reason(self) -> dict[str, int]:
        """Returns, by reason, the number of accounts that an undo skips."""
        return dict(Counter(why for _, why in self.left).most_common())


@dataclass(slots=True)
class _SaidOf:
    """The controls of one account: the order's own, the hold of others, the last hold or unhold.

    `named`: the order names the account. `counted`: the order's command, if it was not refused.
    `last_mine`: the last hold or unhold is the order's own.
    """

    named: bool = False
    counted: Command | None = None
    others: HoldInForce = field(default_factory=HoldInForce)
    last: Control | None = None
    last_mine: bool = False
    parsed_control: set[Control] = field(default_factory=set)

    def hear(self, control: Control, mine: bool, refused: bool) -> None:
        self.named = self.named or mine
        if refused or control in self.parsed_control:
            return
        self.parsed_control.add(control)
        if mine:
            self.counted = control.command
        else:
            self.others.hear(control)
        ends_a_hold = control.command is Command.UNHOLD and control.reason is not ENDS_NO_HOLD
        if control.command is Command.HOLD or ends_a_hold:
            self.last, self.last_mine = control, mine

    def why_left(self, now: int) -> str | None:
        """Returns why the order's control cannot be undone here; None: its opposite undoes it."""
        if self.counted is None:
            return "its control was refused: nothing to take back"
        if self.counted is not Command.HOLD:
            return f"{self.counted.value} cannot be taken back"
        if self.last is not None and not self.last_mine:
            return f"{self.last.command.value} was said since"
        if self.others.hold_at(now) is not None:
            return "was held before: an unhold would end that hold, too"
        return None


def refuse_ending_no_hold(reason: ControlReason) -> None:
    """Raises UsageError if an unhold for this reason would end no hold, so that it undoes none."""
    if reason is ENDS_NO_HOLD:
        raise UsageError(
            f"--reason {reason.value}: an unhold for this reason ends no hold, it ends the"
            " protection of accounts whose appeal was upheld; say why the holds end, like"
            " error_correction"
        )


def way_back(records: Iterable[Record], bulk_id: str, now: int) -> UndoPlan:
    """Plans how to undo a bulk at `now` (ms), from all records of controls and dead letters.

    Raises UsageError if no control has this bulk id.
    """
    plan = undo_plan(records, lambda it: it.bulk_id == bulk_id, now)
    if plan is None:
        raise UsageError(f"no control has the bulk id {bulk_id}")
    return plan


def undo_plan(
    records: Iterable[Record], mine: Callable[[Control], bool], now: int
) -> UndoPlan | None:
    """Plans how to undo the controls that are `mine` at `now` (ms); None: there is none of them.

    `records`: of controls and dead letters. Only a hold can be undone. A lift, an extension, a
    reissue or a verdict cannot: the owner has been told. An account is left alone if it got another
    hold or an unhold since, if somebody else's hold still covers it, or if its control was refused.
    """
    controls: list[ParsedControl] = []
    refused: set[str] = set()
    for record in records:
        place = refused_place(record)
        if place is not None:
            refused.add(place)
        elif record.topic == "controls" and (found := parsed_control(record)) is not None:
            controls.append(found)
    said: dict[str, _SaidOf] = {}
    for place, control in controls:
        account = said.setdefault(input_key("controls", control), _SaidOf())
        account.hear(control, mine(control), place in refused)
    why = {key: it.why_left(now) for key, it in said.items() if it.named}
    if not why:
        return None
    accounts = tuple(key for key, reason in why.items() if reason is None)
    left = tuple((key, reason) for key, reason in why.items() if reason is not None)
    return UndoPlan(Command.UNHOLD if accounts else None, accounts, left)
