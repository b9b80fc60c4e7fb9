"""What one tree's core costs, step by step, in this process: run by steps.py for each tree.

It stands alone, for the tree that is measured is the one on PYTHONPATH, and older trees have no
`tests.bench` that knows of it. What differs between the core's editions is asked for, not known:
the records have every field that any edition reads.
"""

import gc
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from murmurhash2 import murmurhash2

try:
    from schemas.enums import Field, Level, Mode, Surface
except ModuleNotFoundError:
    from schemas.words import Field, Level, Mode, Surface  # type: ignore[no-redef]

try:
    from streams.core.model.account import decode_account, encode
    from streams.core.model.ids import invitation_id
    from streams.core.model.policy import (
        Consequence,
        Notice,
        Phase,
        Policy,
        Restriction,
        Stability,
    )
    from streams.core.partition import Partition, PartitionEnvironment
except ModuleNotFoundError:
    # A tree of before the core had rooms.
    from streams.core.account import decode_account, encode
    from streams.core.ids import invitation_id
    from streams.core.policy import Consequence, Notice, Phase, Policy, Restriction, Stability

    from streams.core.partition import Partition
    from streams.core.partition import World as PartitionEnvironment  # type: ignore[attr-defined]

DAY = 86_400_000
NOW = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp() * 1000)
LINE, FLOOR = 1_000_000, 950_000
BATCH = 500
"""Records of a chunk: small, so that some chunks run while nothing else does."""

COVERED, EXEMPT, UNKNOWN = ("财经", "法律", "医疗"), ("美妆", "游戏", "美食"), ("钓鱼", "书法")
Chunk = tuple[int, Callable[[], object]]
"""How many items, and the work on them that is timed."""


class StepRecord(NamedTuple):
    """A record as the engine hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 1


def run_timers(partition: Any) -> Callable[..., bool]:
    """The partition's method; trees of before call it `fire`."""
    found: Callable[..., bool] = getattr(partition, "run_timers", None) or partition.fire
    return found


def before_commit(partition: Any) -> Callable[..., None]:
    """The partition's method; trees of before call it `seal`."""
    found: Callable[..., None] = getattr(partition, "before_commit", None) or partition.seal
    return found


class BenchTables:
    """State in dictionaries; what is sent is counted."""

    def __init__(self) -> None:
        self.state: dict[str, dict[bytes, bytes]] = {"accounts": {}, "categories": {}}
        self.sent = 0

    def get(self, store: str, key: bytes) -> bytes | None:
        return self.state[store].get(key)

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.state[store].pop(key, None)
        else:
            self.state[store][key] = value

    def contains(self, store: str, key: bytes) -> bool:
        return key in self.state[store]

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        return set(filter(self.state[store].__contains__, keys))

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.state[store].items())

    def send(self, *_: object) -> None:
        self.sent += 1


def policy(dwell: int = 0, cool_down: int = 30 * DAY) -> Policy:
    """The benchmark's: one line of a million in force, enforced on two surfaces, no cap."""
    surfaces = {
        Surface.RECOMMEND_FEED: Restriction(Level.LIMITED, None),
        Surface.TIPS: Restriction(Level.OFF, None),
    }
    return Policy(
        platform="weibo",
        version=1,
        mode=Mode.ENFORCE,
        notice=Notice("bench", "1", False, DAY, ()),
        impact_assessment="bench",
        approvals=(),
        phases=(Phase("million", LINE, NOW - 500 * DAY, None, None),),
        covered=None,
        labels=dict.fromkeys(COVERED, Field.FINANCE),
        exempt_labels=frozenset(EXEMPT),
        stability=Stability(dwell, 950_000, 7 * DAY, cool_down, None),
        consequence=Consequence(surfaces, frozenset({"declined", "no_answer"}), 30 * DAY, 90 * DAY),
        keep_on_fall_below=False,
        invitations_per_day=10**9,
        throttles_per_hour=10**9,
        rollout_percent=100,
        guards=None,
    )


def partition_of(key: bytes) -> int:
    """As the shipped worker reckons it, of one partition."""
    return (murmurhash2(key, 0x9747B28C) & 0x7FFFFFFF) % 1


class Bench:
    """A partition and its tables, and what goes into it."""

    def __init__(self, rule: Policy | None = None) -> None:
        self.world = PartitionEnvironment(
            policies={"weibo": rule or policy()},
            partition_count=1,
            partition_of=partition_of,
            require_approvals=False,
            full_name=lambda name: "byline." + name,
        )
        self.tables = BenchTables()
        self.now = NOW
        self.partition = self.opened()
        self._offsets = itertools.count()

    def opened(self) -> Partition:
        """The partition, opened on what there is."""
        return Partition(self.world, 0, self.tables, self.now)

    def step(self, topic: str, records: Sequence[StepRecord]) -> None:
        """Apply records of a topic."""
        self.partition.step(self.tables, self.now, [(topic, records)])  # type: ignore[list-item]

    def chunk(self, topic: str, values: Iterable[tuple[str, dict[str, Any]]]) -> Chunk:
        """Apply records of a topic later: an account and what is said of it."""
        records = []
        for account, value in values:
            raw = {"platform": "weibo", "account_id": account, **value}
            text = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
            key = f"weibo:{account}".encode()
            records.append(StepRecord(next(self._offsets), self.now, key, text.encode()))
        return len(records), lambda: self.step(topic, records)

    def do(self, topic: str, values: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Apply records of a topic now, untimed."""
        for chunk in batched(values):
            self.chunk(topic, chunk)[1]()
        before_commit(self.partition)(self.tables, self.now, {})

    def readings(
        self, accounts: Sequence[str], followers: Callable[[int], int], day: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """A reading of each."""
        for number, account in enumerate(accounts):
            yield account, {"followers": followers(number), "observed_at": instant(day)}

    def labels(
        self, accounts: Sequence[str], words: Sequence[str], day: int = 1
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """A label of each."""
        for number, account in enumerate(accounts):
            category = words[number % len(words)]
            yield account, {"category": category, "observed_at": instant(day)}

    def receipts(self, accounts: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The notice of each was delivered now."""
        at = said(self.now)
        for account in accounts:
            named = invitation_id("weibo", account, Mode.ENFORCE, 1)
            yield account, {"invitation_id": named, "outcome": "delivered", "occurred_at": at}

    def answers(self, accounts: Sequence[str], word: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The word of each owner."""
        for account in accounts:
            yield account, {"answer": word, "occurred_at": said(self.now)}

    def invited(self, accounts: Sequence[str]) -> None:
        """All have an open invitation."""
        self.do("category-changes", self.labels(accounts, COVERED))
        self.do("follower-counts", self.readings(accounts, over, 2))

    def delivered(self, accounts: Sequence[str]) -> None:
        """All have been told, and their clock runs."""
        self.invited(accounts)
        self.now += 1000
        self.do("notice-receipts", self.receipts(accounts))

    def expired(self, accounts: Sequence[str]) -> None:
        """All are restricted."""
        self.delivered(accounts)
        self.now += DAY + 1000
        while run_timers(self.partition)(self.tables, self.now, self.now, 300):
            pass
        before_commit(self.partition)(self.tables, self.now, {})

    def mean_bytes(self) -> float:
        """Of an account's record."""
        sizes = [len(raw) for key, raw in self.tables.items("accounts") if key[:1] != b"#"]
        return sum(sizes) / len(sizes)


def over(number: int) -> int:
    """Above the line."""
    return LINE + number % 40_000


def between(number: int) -> int:
    """At or above the floor and below the line."""
    return FLOOR + number % 40_000


def instant(day: int) -> str:
    """The start of a day in January 2025 or later."""
    return said(NOW - 59 * DAY + day * DAY)[:19] + "Z"


def said(at: int) -> str:
    """Milliseconds UTC as an input says them."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def batched(values: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """Lists of that many."""
    rest = iter(values)
    while found := list(itertools.islice(rest, size)):
        yield found


def names(count: int) -> list[str]:
    """Account ids."""
    return [f"a{number}" for number in range(count)]


# ---- cases -------------------------------------------------------------------------------------


def below_floor() -> Iterator[Chunk]:
    """readings of untracked accounts below the floor"""
    bench, accounts = Bench(), names(10_000)
    for day in range(1, 6):
        for part in batched(bench.readings(accounts, lambda number: 1000 + number, day)):
            yield bench.chunk("follower-counts", part)


def drain() -> Iterator[Chunk]:
    """readings as in `drain`: one account in two hundred is tracked"""
    bench, accounts = Bench(), names(10_000)
    for day in range(1, 6):
        rising = bench.readings(
            accounts,
            lambda number, day=day: 1000 + number if number % 200 else between(number) + day,  # type: ignore[misc]
            day,
        )
        for part in batched(rising, 1000):
            yield bench.chunk("follower-counts", part)


def tracked() -> Iterator[Chunk]:
    """readings of tracked accounts below the line, labels as in `worst`"""
    yield from _rounds_of((*COVERED, *EXEMPT), between)


def tracked_unlabelled() -> Iterator[Chunk]:
    """readings of tracked accounts below the line, no label"""
    yield from _rounds_of((), between)


def inside() -> Iterator[Chunk]:
    """readings over the line of accounts inside, no cycle"""
    yield from _rounds_of(COVERED, over, policy(dwell=DAY, cool_down=0), rollout_percent=0)


def invited_over() -> Iterator[Chunk]:
    """readings over the line of accounts with an open invitation"""
    yield from _rounds_of(COVERED, over)


def _rounds_of(
    words: Sequence[str],
    followers: Callable[[int], int],
    rule: Policy | None = None,
    **changes: Any,
) -> Iterator[Chunk]:
    """Rounds of readings of the same accounts, each a little higher."""
    given = rule or policy()
    fields = {name: getattr(given, name) for name in Policy.__dataclass_fields__}
    bench, accounts = Bench(Policy(**{**fields, **changes})), names(4_000)
    if words:
        bench.do("category-changes", bench.labels(accounts, words))
    bench.do("follower-counts", bench.readings(accounts, followers, 2))
    while run_timers(bench.partition)(bench.tables, bench.now, bench.now, 300):
        pass
    for day in range(3, 9):
        grown = bench.readings(accounts, lambda number, day=day: followers(number) + day, day)  # type: ignore[misc]
        for part in batched(grown):
            yield bench.chunk("follower-counts", part)


def crossing() -> Iterator[Chunk]:
    """readings that begin and break a dwell, each decided and logged"""
    bench, accounts = Bench(policy(dwell=90 * DAY)), names(6_000)
    bench.do("category-changes", bench.labels(accounts, COVERED))
    for part in batched(accounts, 100):
        begun, broken = bench.readings(part, over, 2), bench.readings(part, between, 3)
        yield bench.chunk("follower-counts", [*begun, *broken])


def first_labels() -> Iterator[Chunk]:
    """labels of untracked accounts, covered and exempt, the first"""
    yield from _labels((*COVERED, *EXEMPT), 1)


def next_labels() -> Iterator[Chunk]:
    """labels of untracked accounts that have another one"""
    yield from _labels((*COVERED, *EXEMPT), 3)


def unknown_labels() -> Iterator[Chunk]:
    """labels that the policy does not know"""
    yield from _labels(UNKNOWN, 1)


def _labels(words: Sequence[str], rounds: int) -> Iterator[Chunk]:
    bench, accounts = Bench(), names(20_000 // rounds)
    for day in range(1, rounds + 1):
        for part in batched(bench.labels(accounts, words[day % 2 :], day)):
            if day == rounds:
                yield bench.chunk("category-changes", part)
            else:
                bench.do("category-changes", part)


def tracked_labels() -> Iterator[Chunk]:
    """labels of tracked accounts below the line"""
    bench, accounts = Bench(), names(4_000)
    bench.do("follower-counts", bench.readings(accounts, between, 1))
    for day in range(1, 6):
        for part in batched(bench.labels(accounts, (*COVERED, *EXEMPT)[day % 2 :], day)):
            yield bench.chunk("category-changes", part)


def issued() -> Iterator[Chunk]:
    """readings that issue an invitation at once"""
    bench, accounts = Bench(), names(10_000)
    bench.do("category-changes", bench.labels(accounts, COVERED))
    for part in batched(bench.readings(accounts, over, 2), 100):
        yield bench.chunk("follower-counts", part)


def receipts() -> Iterator[Chunk]:
    """receipts: delivered"""
    bench, accounts = Bench(), names(6_000)
    bench.invited(accounts)
    for part in batched(bench.receipts(accounts), 100):
        yield bench.chunk("notice-receipts", part)


def grants() -> Iterator[Chunk]:
    """answers: granted"""
    yield from _answers("granted")


def refusals() -> Iterator[Chunk]:
    """answers: declined"""
    yield from _answers("declined")


def _answers(word: str) -> Iterator[Chunk]:
    bench, accounts = Bench(), names(6_000)
    bench.delivered(accounts)
    bench.now += 1000
    for part in batched(bench.answers(accounts, word), 100):
        yield bench.chunk("consent-answers", part)


def storm() -> Iterator[Chunk]:
    """deadlines: rounds of 300, two surfaces, statements, decisions"""
    bench, accounts = Bench(), names(12_000)
    bench.delivered(accounts)
    bench.now += DAY + 1000
    more = True
    while more:
        more = bench.partition.due() is not None and bench.partition.due() <= bench.now  # type: ignore[operator]
        if more:
            yield 300, lambda: run_timers(bench.partition)(bench.tables, bench.now, bench.now, 300)


def lifted() -> Iterator[Chunk]:
    """grants of restricted accounts: two lifts each"""
    bench, accounts = Bench(), names(4_000)
    bench.expired(accounts)
    bench.now += 1000
    for part in batched(bench.answers(accounts, "granted"), 100):
        yield bench.chunk("consent-answers", part)


def open_at_rest() -> Iterator[Chunk]:
    """opening a partition, an account at rest"""
    bench, accounts = Bench(), names(2_000)
    bench.do("category-changes", bench.labels(accounts, (*COVERED, *EXEMPT)))
    bench.do("follower-counts", bench.readings(accounts, between, 2))
    for _ in range(60):
        yield len(accounts), bench.opened


def open_invited() -> Iterator[Chunk]:
    """opening a partition, an account with an invitation whose clock runs"""
    bench, accounts = Bench(), names(1_000)
    bench.delivered(accounts)
    for _ in range(40):
        yield len(accounts), bench.opened


def open_restricted() -> Iterator[Chunk]:
    """opening a partition, a restricted account"""
    bench, accounts = Bench(), names(1_000)
    bench.expired(accounts)
    for _ in range(40):
        yield len(accounts), bench.opened


def decoding() -> Iterator[Chunk]:
    """reading and packing an account at rest"""

    bench, accounts = Bench(), names(2_000)
    bench.do("category-changes", bench.labels(accounts, (*COVERED, *EXEMPT)))
    bench.do("follower-counts", bench.readings(accounts, between, 2))
    kept = [raw for key, raw in bench.tables.items("accounts") if key[:1] != b"#"]
    for _ in range(60):
        yield len(kept), lambda: [encode(decode_account(raw)) for raw in kept]


TIMED: dict[str, Callable[[], Iterator[Chunk]]] = {
    case.__name__: case
    for case in (
        below_floor,
        drain,
        tracked,
        tracked_unlabelled,
        inside,
        invited_over,
        crossing,
        first_labels,
        next_labels,
        unknown_labels,
        tracked_labels,
        issued,
        receipts,
        grants,
        refusals,
        storm,
        lifted,
        open_at_rest,
        open_invited,
        open_restricted,
        decoding,
    )
}


def sizes() -> dict[str, float]:
    """Bytes of an account's record, by what there is to say of it."""
    accounts = names(500)
    found = {}
    bench = Bench()
    bench.do("follower-counts", bench.readings(accounts, between, 1))
    found["bytes_unlabelled"] = bench.mean_bytes()
    bench = Bench()
    bench.do("category-changes", bench.labels(accounts, (*COVERED, *EXEMPT)))
    bench.do("follower-counts", bench.readings(accounts, between, 2))
    found["bytes_at_rest"] = bench.mean_bytes()
    for name, put in (
        ("bytes_invited", Bench.invited),
        ("bytes_delivered", Bench.delivered),
        ("bytes_restricted", Bench.expired),
    ):
        bench = Bench()
        put(bench, accounts)
        found[name] = bench.mean_bytes()
    bench.do("consent-answers", bench.answers(accounts, "granted"))
    found["bytes_granted"] = bench.mean_bytes()
    return found


def least(case: Callable[[], Iterator[Chunk]]) -> float:
    """CPU microseconds an item: the second least of all chunks."""
    clock, costs = time.process_time_ns, []
    for count, work in case():
        began = clock()
        work()
        costs.append((clock() - began) / count / 1000)
    return sorted(costs)[1]


def main(chosen: Sequence[str]) -> None:
    """Measure the named cases, `bytes` beside them; JSON on standard output."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)  # As a worker has it.
    found = sizes() if "bytes" in chosen else {}
    for name in chosen:
        if name != "bytes":
            found[name] = least(TIMED[name])
            gc.collect()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
