"""Makes the records that a person wants to send: checks them like a worker, counts accounts.

A control is made by the functions of `byline control`, a switch has the fields of `byline switch`,
so the console writes the same records as the command line.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from schemas.enums import Command, ControlReason, Switch
from schemas.inputs import SwitchChange
from schemas.topics import DEAD_LETTERS
from streams.console.site import PageRefusal
from streams.core.inputs.checker import PROTECTS_NOBODY
from streams.core.lifecycle import OPEN
from streams.core.limits.switches import EVERYWHERE
from streams.core.model.account import decode_account
from streams.index import tables
from streams.index.chunks import chunks
from streams.index.refused import Wanted
from streams.index.refused import counted as letters_counted
from streams.index.states import reserved
from streams.letters.reading import unseen
from streams.operate.audit.records import Record, iso
from streams.operate.bulk import MAX_ACCOUNTS, BulkOrder, checked, default_bulk_id, within
from streams.operate.effect import judged, pointless
from streams.operate.errors import UsageError
from streams.operate.in_force import SwitchesInForce
from streams.operate.send_check import LineChecker, Rejection
from streams.operate.switch_reach import without_effect

CONTROLS = "controls"
SWITCHES = "switches"
UNDONE_BY = frozenset({Command.HOLD})
"""Commands that can be undone. The others reach the owner, so they cannot."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to send, as kept in a proposal; times are RFC 3339.

    `topic`: controls, switches or dead-letters. `word`: the command, the switch, redrive or
    dismiss. `bulk_id`: of several accounts alone. `scope`, `on`: of a switch. `places`, `rekey`: of
    dead letters, see settling.py.
    """

    topic: str
    word: str
    reason: str
    accounts: tuple[str, ...] = ()
    until: str | None = None
    expires_at: str | None = None
    appeal_id: str | None = None
    bulk_id: str | None = None
    scope: str = ""
    on: bool = False
    places: tuple[str, ...] = ()
    rekey: bool = False

    def text(self) -> str:
        """Returns the wish as JSON."""
        return json.dumps(asdict(self))

    @property
    def wants_approval(self) -> bool:
        """Whether a second person is needed where REQUIRE_APPROVALS is set."""
        return self.bulk_id is not None and Command(self.word) in PROTECTS_NOBODY

    @property
    def what(self) -> str:
        """What it is, in the words of a record."""
        return f"{self.word} {'on' if self.on else 'off'}" if self.topic == SWITCHES else self.word

    @property
    def ends_a_guard(self) -> bool:
        """Whether it says that somebody has seen to what was refused."""
        return self.topic == SWITCHES and self.word == Switch.REFUSALS_SETTLED and self.on

    def about_same(self, other: "Wish") -> bool:
        """Whether another order is about the same switch, or about one of these accounts."""
        if self.topic != other.topic:
            return False
        if self.topic == SWITCHES:
            return (self.word, self.scope) == (other.word, other.scope)
        return not set(self.accounts).isdisjoint(other.accounts)

    @property
    def can_be_undone(self) -> bool:
        """Whether another order takes it back."""
        return self.topic == SWITCHES or self.word in UNDONE_BY

    def values(self, actor: str, issued_at: int, approved_by: str | None) -> list[dict[str, Any]]:
        """Returns the values to send. The same arguments give the same values, ids included."""
        if self.topic == SWITCHES:
            said = {"scope": self.scope, "switch": self.word, "on": self.on, "actor": actor}
            return [{**said, "reason": self.reason, "issued_at": iso(issued_at)}]
        order = self.order(actor, issued_at, approved_by)
        return [order.value(it) for it in self.accounts]

    def order(self, actor: str, issued_at: int, approved_by: str | None = None) -> BulkOrder:
        """Returns the controls as `byline control` makes them."""
        return BulkOrder(
            Command(self.word),
            actor,
            ControlReason(self.reason),
            issued_at,
            self.expires_at,
            self.until,
            approved_by,
            self.bulk_id,
            self.appeal_id,
        )


def wish_of(text: str) -> Wish:
    """Reads the JSON of a wish."""
    plain = json.loads(text)
    lists = {name: tuple(plain.get(name, ())) for name in ("accounts", "places")}
    return Wish(**{**plain, **lists})


def control(
    command: str,
    accounts: Iterable[str],
    reason: str,
    actor: str,
    now: int,
    **more: str | None,
) -> Wish:
    """Makes a wish of controls. Raises Refusal, which says what is wrong."""
    try:
        named = within(checked(accounts), MAX_ACCOUNTS)
        wish = Wish(CONTROLS, Command(command).value, ControlReason(reason).value, tuple(named))
    except UsageError as error:
        raise PageRefusal(400, "error.order", why=str(error)) from None
    except ValueError:
        raise PageRefusal(400, "error.choice") from None
    if not named:
        raise PageRefusal(400, "error.nobody")
    wish = Wish(**{**_fields(wish), **more})
    order = wish.order(actor, now)
    try:
        order.check()
        why = pointless(order, now)
    except UsageError as error:
        raise PageRefusal(400, "error.order", why=str(error).replace("--", "")) from None
    if why is not None:
        raise PageRefusal(400, "error.order", why=why.replace("--", ""))
    if len(named) > 1 and wish.bulk_id is None:
        wish = Wish(**{**_fields(wish), "bulk_id": default_bulk_id(named, order)})
    return wish


def _fields(wish: Wish) -> dict[str, Any]:
    return {**asdict(wish), "accounts": wish.accounts}


def switch(word: str, scope: str, on: bool, reason: str) -> Wish:
    """Makes a wish of a switch. Raises Refusal for what is on no list."""
    try:
        named, why = Switch(word).value, ControlReason(reason).value
    except ValueError:
        raise PageRefusal(400, "error.choice") from None
    return Wish(SWITCHES, named, why, scope=scope, on=on)


def refused(connection: Connection, wish: Wish, actor: str, now: int) -> list[str]:
    """Returns why a worker would refuse it; empty: it would not. `now`: ms."""
    known = set(connection.scalars(select(tables.policies.c.platform)))
    checker = LineChecker(wish.topic, known or None, now / 1000)
    found = []
    for number, value in enumerate(wish.values(actor, now, None)):
        outcome = checker.check(json.dumps(value, ensure_ascii=False).encode())
        if isinstance(outcome, Rejection):
            where = f"{wish.accounts[number]}: " if wish.accounts else ""
            found.append(f"{where}{outcome.words}")
    return found


def counted(connection: Connection, wish: Wish, actor: str, now: int) -> dict[str, Any]:
    """Counts whom it concerns, as of the index: accounts, open invitations, restrictions.

    `without`: by reason, how many accounts it cannot affect. `warnings`: of a switch, whether it
    changes nothing, or a similar one stays on.
    """
    values = _states(connection, wish)
    lives = [decode_account(it).live for it in values.values() if it is not None]
    found: dict[str, Any] = {
        "accounts": len(values),
        "known": len(lives),
        "invited": sum(it.state in OPEN for it in lives),
        "restricted": sum(it.cycle is not None and bool(it.cycle.throttles) for it in lives),
        "without": {},
        "none": False,
        "warnings": [],
    }
    if wish.topic == CONTROLS:
        effect = judged(wish.order(actor, now), values)
        found |= {"without": effect.reasons, "none": effect.none}
    elif wish.topic == SWITCHES:
        before = _in_force(connection)
        found["warnings"] = [*without_effect(wish.scope, Switch(wish.word), wish.on, before)]
        if wish.ends_a_guard:
            found["warnings"] += filter(None, [_unseen(connection, wish.scope)])
    return found


def _unseen(connection: Connection, scope: str) -> str | None:
    """Says which refused records nobody has seen to, of a platform or of all."""
    platform = None if scope == EVERYWHERE else scope
    known: Counter[bool] = Counter()
    wanted = Wanted(platform, settled=False, unknown=True)
    for name, *_, count in letters_counted(connection, wanted):
        known[name is None] += count
    return unseen(platform, known[False], known[True])


def _in_force(connection: Connection) -> list[SwitchChange]:
    """Returns the switches in force, as `byline switch` finds them, from the index."""
    letters, words, found = tables.letters, tables.words, SwitchesInForce()
    refused = select(letters.c.origin_partition, letters.c.origin_offset)
    for partition, offset in connection.execute(refused.where(letters.c.topic == SWITCHES)):
        said = {"topic": SWITCHES, "partition": partition, "offset": offset}
        found.feed(Record(DEAD_LETTERS.name, 0, 0, 0, None, json.dumps(said).encode()))
    mine = select(words).where(words.c.topic == SWITCHES)
    for it in connection.execute(mine.order_by(words.c.partition, words.c.offset)):
        key = f"{json.loads(it.value).get('scope')}:{it.word}".encode()
        place = (SWITCHES, it.partition, it.offset, it.entered_at)
        found.feed(Record(*place, key, it.value.encode()))
    return found.brakes()[1]


def _states(connection: Connection, wish: Wish) -> dict[str, bytes | None]:
    """Returns the workers' state of each account that a wish concerns."""
    states = tables.states
    columns = select(states.c.key, states.c.value)
    if wish.topic == SWITCHES:
        mine = columns.where(~states.c.key.startswith("#"), ~states.c.key.startswith("~"))
        if wish.scope != EVERYWHERE:
            mine = mine.where(states.c.key.startswith(f"{wish.scope}:", autoescape=True))
        return {it.key: bytes(it.value) for it in connection.execute(mine)}
    found: dict[str, bytes | None] = dict.fromkeys(wish.accounts)
    for some in chunks(wish.accounts):
        for it in connection.execute(columns.where(reserved(connection, some))):
            found[it.key] = bytes(it.value)
    return found
