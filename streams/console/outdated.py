"""Refuses an order that ends a protection if its maker or approver did not know the newest word.

Half an hour may pass between a preview and its sending, and a day until a second person approves.
Somebody may hold an account or turn a switch on meanwhile, and nobody has decided that this shall
end, too. So such an order goes only while the index has read all of its topic, and has nothing of
others about the same since the preview; nor while an order about the same is being sent. Its
records say the time before Kafka was asked, so a word that came later is the newer one. What
protects owners is never held up like this.
"""

import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, and_, or_, select

from schemas.enums import Command, Switch
from schemas.topics import DEAD_LETTERS
from streams.console.orders import CONTROLS, SWITCHES, Wish
from streams.console.progress import turned_since
from streams.console.proposals import Proposal, sent_since, underway
from streams.console.site import PageRefusal, PageRequest
from streams.core.inputs.checker import PROTECTS_NOBODY
from streams.core.model.instants import DAY, HOUR
from streams.index import tables
from streams.index.chunks import chunks
from streams.index.database import reading
from streams.operate.errors import OperateError

PATIENCE_SECONDS = 3.0
"""How long the index may take to read what was said last."""
_LOOK_SECONDS = 0.1

Seen = Mapping[int, int]
"""By partition of an order's topic, the offset up to which its maker knew it."""


class SaidSince(NamedTuple):
    """A control about an account of an order, and whose it is."""

    account: str
    command: str
    actor: str


def ends_protection(wish: Wish) -> bool:
    """Whether an order may let adverse events come that were held back."""
    if wish.topic == SWITCHES:
        return wish.on is (wish.word == Switch.REFUSALS_SETTLED)
    return wish.topic == CONTROLS and Command(wish.word) in PROTECTS_NOBODY


def known_up_to(asked: PageRequest, wish: Wish) -> dict[int, int]:
    """Returns what the index knows of an order's topic, once that is all that Kafka has.

    Of an order that protects owners it is what the index has now. Before one that ends a guard the
    refused records have to be read, too. Raises PageRefusal if the index stays behind, or Kafka
    cannot be asked.
    """
    if not ends_protection(wish):
        with reading(asked.console.engine) as connection:
            return _positions(connection, wish.topic)
    if wish.ends_a_guard:
        _read_whole(asked, DEAD_LETTERS.name)
    return _read_whole(asked, wish.topic)


def _read_whole(asked: PageRequest, topic: str) -> dict[int, int]:
    """Returns what the index knows of a topic, once that is all that Kafka had at the call."""
    try:
        ends = asked.console.ends(topic)
    except OperateError as error:
        raise PageRefusal(503, "error.kafka_asked", why=str(error)) from None
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        with reading(asked.console.engine) as connection:
            known = _positions(connection, topic)
        unread = sum(max(0, ends[it] - known.get(it, 0)) for it in ends)
        if not unread:
            return known
        if time.monotonic() >= end:
            raise PageRefusal(409, "error.unread", count=unread)
        time.sleep(_LOOK_SECONDS)


def refuse_outdated(asked: PageRequest, wish: Wish, seen: Seen) -> None:
    """Raises PageRefusal if an order ends a protection, and others spoke about the same since."""
    if not ends_protection(wish):
        return
    known_up_to(asked, wish)
    with reading(asked.console.engine) as connection:
        if wish.topic == SWITCHES:
            turned = turned_since(connection, wish, seen.get(0, 0))
            if turned is not None:
                key = "error.turned_on" if turned.on else "error.turned_off"
                raise PageRefusal(409, key, actor=turned.actor)
            return
        said = said_since(connection, wish.accounts, seen)
    if said is not None:
        raise PageRefusal(409, "error.said_since", **said._asdict())


def refuse_overtaking(connection: Connection, found: Proposal, now: int) -> None:
    """Raises PageRefusal if an order ends a protection while another one about the same is sent.

    What was sent from here, but was not in Kafka when that was asked, is found like this. Of an
    order that Kafka did not take nobody knows whether it has it; after a day it is in the way of
    nobody. The transaction has to be `alone`, and the order's own step to follow in it.
    """
    if not ends_protection(found.wish):
        return
    for it in underway(connection, found.wish, now, found.id):
        if it.decided_at is not None and it.decided_at > now - DAY:
            raise PageRefusal(409, "error.underway", actor=it.actor, what=it.wish.what)
    seen = found.seen
    for it in sent_since(connection, found.wish, found.made_at - HOUR, found.id):
        if any(end > seen.get(int(number), 0) for number, end in it.outcome["ends"].items()):
            raise PageRefusal(409, "error.sent_since", actor=it.actor, what=it.wish.what)


def said_since(connection: Connection, accounts: tuple[str, ...], seen: Seen) -> SaidSince | None:
    """Returns a control about one of these accounts that is not in `seen`; None: there is none."""
    words = tables.words
    newer = or_(
        *(and_(words.c.partition == it, words.c.offset >= seen[it]) for it in seen),
        words.c.partition.not_in(list(seen)),
    )
    for some in chunks(accounts):
        mine = words.c.account.in_(some)
        asked = select(words).where(words.c.topic == CONTROLS, mine, newer)
        it = connection.execute(asked.order_by(words.c.entered_at.desc()).limit(1)).first()
        if it is not None:
            return SaidSince(it.account, it.word, str(json.loads(it.value).get("actor", "")))
    return None


def _positions(connection: Connection, topic: str) -> dict[int, int]:
    """Returns the next offset that the index reads of each partition of a topic."""
    positions = tables.positions
    mine = select(positions.c.partition, positions.c.next_offset)
    found = connection.execute(mine.where(positions.c.topic == topic))
    return {it.partition: it.next_offset for it in found}
