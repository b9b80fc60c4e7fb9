"""Controls and switches that an operator sends: one account, many, and the way back.

A control's id is a function of what it says, so that sending the same twice counts once.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.inputs import Control
from schemas.words import ACCOUNT_ID_PATTERN, Command, ControlReason
from streams.operate.audit.records import Record, iso
from streams.operate.errors import UsageError

AT_MOST = 1_000
"""How many accounts one bulk may name unless --at-most says otherwise."""

INVERSE = {Command.HOLD: Command.UNHOLD}
"""What takes a command back. Nothing takes back a lift, an extension, a reissue or a verdict: they
have told the owner something."""

NEEDS_UNTIL = frozenset({Command.EXTEND})
MAY_EXPIRE = frozenset({Command.HOLD})


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be said of each account, by whom and why; times as the wire writes them."""

    command: Command
    actor: str
    reason: ControlReason
    issued_at: int
    expires_at: str | None = None
    until: str | None = None
    approved_by: str | None = None
    bulk_id: str | None = None

    def check(self) -> None:
        """UsageError when a time is missing that the command needs, or given that it ignores."""
        word = self.command.value.replace("_", "-")
        if (self.until is not None) != (self.command in NEEDS_UNTIL):
            raise UsageError(f"{word} {'needs' if self.until is None else 'has no'} --until")
        if self.expires_at is not None and self.command not in MAY_EXPIRE:
            raise UsageError(f"{word} has no --expires-at: only a hold ends by itself")

    def value(self, account: str) -> dict[str, Any]:
        """The control's value for `platform:account_id`."""
        platform, _, account_id = account.partition(":")
        identity = (
            account,
            self.command.value,
            self.actor,
            str(self.issued_at),
            self.bulk_id or "",
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
        }
        return {key: value for key, value in plain.items() if value is not None}


def accounts_in(file: Path, at_most: int) -> list[str]:
    """The accounts that a file names, one `platform:account_id` a line, `#` begins a comment.

    A line named twice counts once. UsageError when it cannot be read or names more than allowed.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read ({error})") from error
    bare = (line.partition("#")[0].strip() for line in lines)
    found = list(dict.fromkeys(line for line in bare if line))
    if not found:
        raise UsageError(f"{file} names no account")
    if len(found) > at_most:
        raise UsageError(f"{file} names {len(found)} accounts, --at-most allows {at_most}")
    return found


def checked(accounts: Iterable[str]) -> list[str]:
    """The same accounts; UsageError when one is not `platform:account_id`."""
    kept = list(dict.fromkeys(accounts))
    for number, account in enumerate(kept, start=1):
        if ":" not in account:
            raise UsageError(
                f"account {number} is not platform:account_id (an id is {ACCOUNT_ID_PATTERN})"
            )
    return kept


def default_bulk_id(accounts: Iterable[str], order: Order) -> str:
    """An id of a bulk: a function of what it says and when."""
    words = [order.command.value, order.actor, str(order.issued_at), *accounts]
    return "bulk-" + hashlib.sha256("|".join(words).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class WayBack:
    """What undoing a bulk can do: accounts to send `command` to, and those it leaves, with why."""

    command: Command | None
    accounts: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def way_back(records: Iterable[Record], bulk_id: str) -> WayBack:
    """How to take a bulk back, from all controls ever sent. UsageError when there is no such bulk.

    An account about which people spoke again since (another hold, or an unhold) is left alone.
    """
    last: dict[str, Control] = {}
    named: dict[str, Command] = {}
    for key, control in _controls(records):
        if control.bulk_id == bulk_id:
            named[key] = control.command
        if control.command in (Command.HOLD, Command.UNHOLD):
            last[key] = control
    if not named:
        raise UsageError(f"no control has the bulk id {bulk_id}")
    accounts, left = [], []
    command = None
    for key, said in named.items():
        if said not in INVERSE:
            left.append((key, f"{said.value} cannot be taken back"))
        elif last[key].bulk_id != bulk_id:
            left.append((key, f"{last[key].command.value} was said since"))
        else:
            command = INVERSE[said]
            accounts.append(key)
    return WayBack(command, tuple(accounts), tuple(left))


def _controls(records: Iterable[Record]) -> Iterator[tuple[str, Control]]:
    for record in records:
        try:
            yield (record.key or b"").decode(), Control.model_validate_json(record.value or b"")
        except (ValidationError, UnicodeDecodeError):
            continue
