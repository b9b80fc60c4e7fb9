"""An index of millions of decisions, made in minutes: each account's rows are copies of one life.

The database itself makes the copies, step by step for all accounts, so that no account's rows lie
beside each other. Their offsets are below 0: what a Kafka holds, which begins at 0, comes after.
The lives begin on different days of a month, so that the days before `newest` have their share.
"""

import bisect
import functools
import hashlib
import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
)

from schemas.topics import CHANGELOGS
from streams.index import settled, sums, tables, unobeyed
from streams.index.bulk import Bulk
from streams.index.projection import project
from streams.index.rows import Row, Rows
from streams.operate.audit.records import Record
from streams.operate.send import partition_of
from tests.core.given import DAY, HOUR, MINUTE
from tests.index.filled import all_of
from tests.operate.recording import Tape, invited

PARTITIONS = 8
COPIES, BARE = -10_000_000_000, -1_000_000_000
"""Where the offsets of copies begin, and those of rows of the bare insert."""
WHO = "p1"
_COPIED = (tables.decisions, tables.events, tables.words, tables.acks)
_STATE = CHANGELOGS[0].name

people = Table(
    "people_of_a_proof",
    MetaData(),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("name", String(32), nullable=False),
)


@dataclass(frozen=True)
class Life:
    """What one account's records are: in their order, its state after each decision."""

    steps: list[Record]
    of_partition: list[Record]
    """Of no account: the partition's own state, and the policies."""


@dataclass(frozen=True)
class GrownKind:
    """A life that begins so many ms before `newest`; `share`: of 10,000 accounts, who lead it."""

    life: str
    begins: int
    share: int


def _kinds() -> Iterator[GrownKind]:
    for number in range(14):
        passed = number * 50 * HOUR
        yield GrownKind("near", HOUR + passed, 499)
        yield GrownKind("granted", 5 * DAY + passed, 100)
        yield GrownKind("restricted", 5 * DAY + passed, 100)
    for number in range(7):
        yield GrownKind("waiting", (6 + number * 8) * HOUR, 20)
    yield GrownKind("untold", 2 * DAY, 34)
    yield from (GrownKind(name, 6 * DAY, 10) for name in ("undeliverable", "appealed", "unclear"))


KINDS = tuple(_kinds())


def _flaps(tape: Tape, times: int) -> Tape:
    tape.label("财经", WHO)
    for _ in range(times):
        tape.reads(1_500, WHO).wait(MINUTE).reads(500, WHO).wait(MINUTE)
    return tape


def _life(tape: Tape, acknowledged: bool) -> Life:
    records = all_of(tape)
    mine = [it for it in records if it.key == f"weibo:{WHO}".encode()]
    (state,) = [it for it in mine if it.topic == _STATE]
    steps = []
    for it in mine:
        if it.topic != _STATE:
            steps += [it, state] if it.topic == "decisions" else [it]
    if acknowledged:
        steps += [_ack(it) for it in mine if it.topic == "throttles"]
    wanted = [it for it in records if it.topic == "policies" or it.key in (b"#policies", b"#caps")]
    return Life(steps, [it for it in wanted if it.topic in ("policies", _STATE)])


def _ack(event: Record) -> Record:
    """What an enforcing system says of an event, three seconds after it."""
    said = json.loads(event.value or b"")
    value = {it: said[it] for it in ("platform", "account_id", "event_id")}
    value |= {"outcome": "applied", "system": "feed", "occurred_at": said["decided_at"]}
    at = event.timestamp + 3_000
    return Record("throttle-acks", 0, 0, at, event.key, json.dumps(value).encode())


def _granted(tape: Tape) -> Tape:
    return _told(tape).wait(4 * DAY).answer("granted", WHO).wait(HOUR)


def _told(tape: Tape) -> Tape:
    return invited(_flaps(tape, 2), WHO).receipt(account=WHO)


LIVES: dict[str, Callable[[Tape], Tape]] = {
    "near": lambda tape: _flaps(tape, 5).reads(1_500, WHO),
    "granted": _granted,
    "restricted": lambda tape: _told(tape).wait(4 * DAY),
    "waiting": _told,
    "untold": lambda tape: invited(_flaps(tape, 4), WHO),
    "undeliverable": lambda tape: invited(_flaps(tape, 2), WHO).receipt("failed", WHO),
    "appealed": lambda tape: _told(tape).wait(4 * DAY).control("appeal_opened", WHO),
    "unclear": lambda tape: _told(tape).answer("granted", WHO, notice_version="0"),
}
"""Each of about ten decisions: not yet invited; agreed late; silent; invited, told or not."""


@functools.lru_cache(maxsize=2)
def lives(newest: int) -> tuple[Life, ...]:
    """The life of each of KINDS, the newest records at most as new as `newest` (ms)."""
    found = []
    for kind in KINDS:
        tape = Tape()
        tape.now = newest - kind.begins
        found.append(_life(LIVES[kind.life](tape), kind.life != "appealed"))
    return tuple(found)


def name_of(number: int, seed: int) -> str:
    """The id of an account."""
    return "u" + hashlib.sha256(f"{seed}:{number}".encode()).hexdigest()[:12]


def names(accounts: int, seed: int) -> Iterator[tuple[int, int, int, str]]:
    """Partition, kind (its place in KINDS), rank there and id of each account."""
    ranks: dict[tuple[int, int], int] = {}
    ends = list(itertools.accumulate(it.share for it in KINDS))
    for number in range(accounts):
        name = name_of(number, seed)
        # 10,000 numbers in a row have each remainder once, so the shares are exact.
        kind = bisect.bisect_right(ends, number * 3_773 % ends[-1])
        place = (partition_of(f"weibo:{name}".encode(), PARTITIONS), kind)
        ranks[place] = ranks.get(place, -1) + 1
        yield *place, ranks[place], name


def grow(engine: Engine, accounts: int, seed: int, newest: int) -> int:
    """Fills an index that has no row yet; returns how many records it stands for."""
    told = lives(newest)
    indices = [it for table in (*_COPIED, tables.states, tables.cycles) for it in table.indexes]
    with engine.begin() as connection:
        for it in indices:
            it.drop(connection)
        people.metadata.create_all(connection)
        found = [dict(zip(people.columns.keys(), it, strict=True)) for it in names(accounts, seed)]
        for start in range(0, accounts, 50_000):
            connection.execute(insert(people), found[start : start + 50_000])
    count = 0
    for partition in range(PARTITIONS):
        with engine.begin() as connection:
            count += _fill(connection, told, partition)
    with engine.begin() as connection:
        _refuse(engine, connection, accounts // 10, newest)
        for it in indices:
            it.create(connection)
        settled.recount(connection)
        sums.recount(connection)
        unobeyed.recount(connection)
    return count


def reset(engine: Engine) -> None:
    """Takes away what an earlier run added to the copies. States stay as that run left them."""
    with engine.begin() as connection:
        connection.execute(delete(tables.positions))
        for table in tables.APPENDED:
            for partition in range(PARTITIONS):
                added = table.c.offset >= BARE
                connection.execute(delete(table).where(table.c.partition == partition, added))
        settled.recount(connection)
        sums.recount(connection)
        unobeyed.recount(connection)


def _refuse(engine: Engine, connection: Connection, letters: int, newest: int) -> None:
    """So many letters of a month, of which a person has settled all but one of fifty."""
    tape = Tape().put("controls", f"weibo:{WHO}", b"nonsense")
    one = Rows()
    for it in tape.records():
        project(it, one, "byline.")
    names = [it.name for it in tables.letters.columns]
    (about,) = (dict(zip(names, it, strict=True)) for it in one.letters)
    made: list[Row] = []
    answers: list[Row] = []
    for number in range(letters):
        at = newest - (letters - number) * 30 * DAY // letters
        place = (number % PARTITIONS, COPIES + number)
        where = {"partition": place[0], "offset": place[1], "origin_offset": place[1]}
        row = {**about, **where, "origin_partition": place[0], "refused_at": at, "entered_at": at}
        made.append(tuple(row[it] for it in names))
        if number % 50:
            said = (about["topic"], *place, "dismissed", "desk.1", "incident", at + HOUR)
            answers.append((place[0], COPIES + letters + number, *said))
    bulk = Bulk(engine)
    bulk.add(connection, tables.letters, made)
    bulk.add(connection, tables.settlements, answers)


def _fill(connection: Connection, told: Sequence[Life], partition: int) -> int:
    """All rows of one partition."""
    offsets: dict[str, int] = {}
    count, sizes = 0, {}
    for kind in range(len(KINDS)):
        mine = (people.c.partition == partition, people.c.kind == kind)
        size = connection.scalar(select(func.count()).select_from(people).where(*mine))
        sizes[kind] = size or 0
    longest = max(len(it.steps) for it in told)
    for step in range(longest):
        for kind, life in enumerate(told):
            steps = life.steps
            if step >= len(steps) or not sizes[kind]:
                continue
            record, count = steps[step], count + sizes[kind]
            if record.topic == _STATE:
                continue
            at = offsets.setdefault(record.topic, COPIES)
            offsets[record.topic] += sizes[kind]
            rows = Rows()
            project(record, rows, "byline.")
            for table in _COPIED:
                for row in getattr(rows, table.name):
                    _copy(connection, table, row, partition, kind, at)
    for kind, life in enumerate(told):
        _newest(connection, life, partition, kind)
    return count


def _newest(connection: Connection, life: Life, partition: int, kind: int) -> None:
    """The state of each account, its invitation, and once for all the partition's own state."""
    rows = Rows()
    for it in life.steps:
        project(it, rows, "byline.")
    ((_, state),) = rows.states.items()
    assert state is not None
    key = f"weibo:{WHO}"
    _copy(connection, tables.states, (0, key, *state), partition, kind, COPIES)
    for place, about in rows.cycles.items():
        columns = [it.name for it in tables.cycles.columns][2:]
        _copy(connection, tables.cycles, (*place, *map(about.get, columns)), partition, kind, 0)
    if kind:
        return
    own = Rows()
    for it in life.of_partition:
        project(it, own, "byline.")
    for (_, name), its in own.states.items():
        assert its is not None
        connection.execute(insert(tables.states).values((partition, name, *its)))
    if partition == 0:
        for digest, policy in own.policies.items():
            connection.execute(insert(tables.policies).values((digest, *policy)))


def _copy(
    connection: Connection, table: Table, row: Row, partition: int, kind: int, at: int
) -> None:
    """One row for each account of a partition and kind, in the order of their ranks."""
    made: list[Any] = []
    for column, value in zip(table.columns, row, strict=True):
        if column.name == "partition":
            made.append(literal(partition, column.type))
        elif column.name == "offset":
            made.append(literal(at, column.type) + people.c.rank)
        elif value == f"weibo:{WHO}":
            made.append(literal("weibo:", Text) + people.c.name)
        elif isinstance(value, str) and f'"{WHO}"' in value:
            quoted = literal('"', Text) + people.c.name + literal('"', Text)
            made.append(func.replace(literal(value, Text), literal(f'"{WHO}"', Text), quoted))
        else:
            made.append(literal(value, column.type))
    mine = (people.c.partition == partition, people.c.kind == kind)
    source = select(*made).where(*mine).order_by(people.c.rank)
    connection.execute(insert(table).from_select([it.name for it in table.columns], source))


def going_on(accounts: int, records: int, seed: int, newest: int) -> Iterator[Record]:
    """About so many records of accounts chosen at random, step by step, as Kafka has them."""
    told = lives(newest)
    everyone = list(names(accounts, 15))
    a_life = sum(kind.share * len(it.steps) for kind, it in zip(KINDS, told, strict=True))
    share = sum(it.share for it in KINDS)
    chosen = random.Random(seed).sample(everyone, min(accounts, records * share // a_life))
    for step in range(max(len(it.steps) for it in told)):
        for partition, kind, _, name in chosen:
            steps = told[kind].steps
            if step < len(steps):
                it, quoted = steps[step], b'"' + name.encode() + b'"'
                value = (it.value or b"").replace(f'"{WHO}"'.encode(), quoted)
                key = f"weibo:{name}".encode()
                yield it._replace(key=key, partition=partition, value=value)
