"""Replay: the pure core over the recorded inputs along the decision log, byte for byte.

What comes out must be what was committed: events and dead letters of every topic partition, the
decision log with its chain, and the fold of both changelogs. The way the inputs were cut into
steps is taken from the log; that each was applied, once and in order, is checked on the way.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from aiokafka.partitioner import murmur2

from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS
from schemas.topics import DEAD_LETTERS, DECISIONS, OUTPUTS, STORES
from streams.core.model.instants import milliseconds
from streams.core.model.ports import Headers
from streams.core.partition import ORDER, Partition, PartitionEnvironment
from streams.policies import load_policies
from streams.stop_worker import StopWorker
from tests.chaos.book import Book, bare
from tests.chaos.grounds import POLICIES, PREFIX
from tests.core.given import Record as InputRecord

_decode = msgspec.json.decode
Sent = tuple[bytes | None, bytes | None, Headers]


class Ledger:
    """State in dictionaries, outputs in a list. `touched`: written or sent to since `keep`."""

    def __init__(self) -> None:
        self.state: dict[str, dict[bytes, bytes]] = {store: {} for store in STORES}
        self.sent: list[tuple[str, Sent]] = []
        self.touched = False

    def get(self, store: str, key: bytes) -> bytes | None:
        return self.state[store].get(key)

    def contains(self, store: str, key: bytes) -> bool:
        return key in self.state[store]

    def present(self, store: str, keys: Sequence[bytes | None]) -> set[bytes | None]:
        return {key for key in keys if key in self.state[store]}

    def put(self, store: str, key: bytes, value: bytes | None) -> None:
        self.touched = True
        if value is None:
            self.state[store].pop(key, None)
        else:
            self.state[store][key] = value

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        self.touched = True
        self.sent.append((topic, (key, value, headers)))

    def items(self, store: str) -> Iterator[tuple[bytes, bytes]]:
        yield from list(self.state[store].items())

    def keep(self) -> list[tuple[str, Sent]]:
        """Make the changes final; what was sent."""
        sent, self.sent, self.touched = self.sent, [], False
        return sent


class Replay:
    """One partition number."""

    def __init__(self, book: Book, partition: int) -> None:
        self.book, self.partition = book, partition
        self.breaches: list[str] = []
        self.transactions = 0
        self.openings = 0
        self.trips: list[bytes] = []
        """What the refusal guard has written to the topic of switches."""
        self.ledger = Ledger()
        self._world = PartitionEnvironment(
            policies=load_policies(POLICIES, require_approvals=False),
            partition_count=book.partitions,
            partition_of=lambda key: (murmur2(key) & 0x7FFFFFFF) % book.partitions,
            require_approvals=False,
            full_name=lambda name: PREFIX + name,
        )
        self._core: Partition | None = None
        self._sent: dict[str, list[Sent]] = {
            topic.name: [] for topic in (*OUTPUTS, DECISIONS, DEAD_LETTERS)
        }
        self._inputs = {
            name: [
                InputRecord(one.offset, one.timestamp_ms, one.key, one.value)
                for one in book.of(name, 0 if name == "switches" else partition)
            ]
            for name in INPUT_MODELS
        }
        self._next = dict.fromkeys(self._inputs, 0)
        self._offset = dict.fromkeys(self._inputs, 0)

    def run(self) -> list[str]:
        """Everything that was not as replay has it; empty if all is well."""
        decisions = self.book.of(DECISIONS.name, self.partition)
        begin = 0
        for place, record in enumerate(decisions):
            if record.key == b"#transaction":
                self._log = decisions[begin : place + 1]
                self._transaction([one.value for one in self._log])
                begin = place + 1
            if len(self.breaches) > 5:
                return self.breaches
        if begin != len(decisions):
            self._say("the decision log does not end with a transaction")
        self._rest()
        self._compare()
        return self.breaches

    def _say(self, what: str) -> None:
        self.breaches.append(f"partition {self.partition}: {what}")

    def _transaction(self, log: list[Any]) -> None:
        self.transactions += 1
        closing = _decode(log[-1])
        reads = {bare(topic): after for topic, after in closing["reads"].items()}
        now = _instant(closing["now"])
        self._gap(closing, reads, now)
        if closing["opened_at"] is not None:
            opened_at = _instant(closing["opened_at"])
            self._core = Partition(self._world, self.partition, self.ledger, opened_at)
            self._core.take_up(self.ledger, opened_at)
            self.openings += 1
        made = self._attempt(closing["steps"], closing, now)
        if made != log:
            wrong = next((i for i, (a, b) in enumerate(zip(made, log, strict=False)) if a != b), -1)
            self._say(
                f"transaction {closing['number']}: replay gives {len(made)} decisions for"
                f" {len(log)}; the first that differs: {made[wrong : wrong + 1]!r:.900} for"
                f" {log[wrong]!r:.900}"
            )
        for topic, sent in self.ledger.keep():
            # All partitions write to the one of the switches: what is there is not in our order.
            if topic == "switches":
                self.trips.append(sent[1] or b"")
            else:
                self._sent[topic].append(sent)
        for name, after in reads.items():
            self._next[name] = max(self._next[name], after)

    def _attempt(self, steps: list[Any], closing: dict[str, Any], now: int) -> list[bytes | None]:
        core = self._core
        assert core is not None
        order = ORDER if closing.get("edition", 1) > 1 else FIRST_EDITION_ORDER
        noted = closing.get("cluster_changed")
        changed_at = None if noted is None else _instant(noted)
        try:
            for step in steps:
                at = _instant(step["now"])
                if changed_at is not None and at >= changed_at:
                    core.cluster_changed(changed_at)
                if "as_of" in step:
                    self._run_timers(core, at, step)
                else:
                    core.step(self.ledger, at, self._batches(step["reads"]), order)
            if changed_at is not None:
                core.cluster_changed(changed_at)
            core.before_commit(self.ledger, now, closing["reads"])
        except StopWorker as stop:
            self._say(f"transaction {closing['number']}: the core stops: {stop.message}")
        return [sent[1] for topic, sent in self.ledger.sent if topic == DECISIONS.name]

    def _run_timers(self, core: Partition, now: int, step: dict[str, Any]) -> None:
        """A round as long as the log says; whether more were due is for the core to find again."""
        favourable_only = step.get("favourable_only", False)
        as_of, looked = _instant(step["as_of"]), step["looked"]
        more = core.run_timers(self.ledger, now, as_of, looked, favourable_only)
        if more != step["more"]:
            self._say(f"after the round of {step['now']} more were due: {more}, not {step['more']}")

    def _batches(self, reads: dict[str, list[int]]) -> list[tuple[Any, list[InputRecord]]]:
        batches = []
        named = {bare(topic): span for topic, span in reads.items()}
        for name in self._inputs:
            if name not in named:
                continue
            first, after = named[name]
            records = self._take(name, after)
            if not records or records[0].offset != first or records[-1].offset != after - 1:
                found = [record.offset for record in records]
                self._say(f"{name}: read from {first} to {after}, replay has {found[:3]}…")
            batches.append((name, records))
        return batches

    def _take(self, name: str, after: int) -> list[InputRecord]:
        """Records up to an offset that have not been taken yet."""
        begin = end = self._offset[name]
        records = self._inputs[name]
        while end < len(records) and records[end].offset < after:
            end += 1
        self._offset[name] = end
        return records[begin:end]

    def _gap(self, closing: Any, reads: dict[str, int], now: int) -> None:
        """Inputs that no step names: a worker that is gone read them, and they had no effect.

        A worker that goes on names all that it reads: in its hands nothing may be passed over.
        """
        goals = dict(reads)
        for step in reversed(closing["steps"]):
            for topic, (first, _) in step.get("reads", {}).items():
                goals[bare(topic)] = first
        batches = [(name, self._take(name, goals[name])) for name in self._inputs if name in goals]
        self._idle(batches, now, goes_on=closing["opened_at"] is None)

    def _rest(self) -> None:
        """What follows the last transaction must be without effect too."""
        batches = [(name, self._take(name, 1 << 62)) for name in self._inputs]
        if self._core is not None:
            self._idle(batches, 1 << 42, goes_on=False)

    def _idle(
        self, batches: list[tuple[Any, list[InputRecord]]], now: int, *, goes_on: bool
    ) -> None:
        full = [batch for batch in batches if batch[1]]
        if not full:
            return
        where = ", ".join(f"{name} {r[0].offset}–{r[-1].offset}" for name, r in full)
        if goes_on or self._core is None:
            self._say(f"inputs were passed over: {where}")
            return
        self._core.step(self.ledger, now, full)
        if self.ledger.touched:
            self._say(f"inputs were passed over that had something to say: {where}")

    def _compare(self) -> None:
        for name, sent in self._sent.items():
            found = [
                (one.key, one.value, one.headers) for one in self.book.of(name, self.partition)
            ]
            wanted = [(key, value, dict(headers)) for key, value, headers in sent]
            if found != wanted:
                at = next(
                    (i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b),
                    min(len(found), len(wanted)),
                )
                self._say(
                    f"{name}: {len(found)} records, replay has {len(wanted)}; they part at {at}"
                )
        for store in STORES:
            table = self.book.fold(store, self.partition)
            table.pop(b"#next", None)
            keys = table.keys() | self.ledger.state[store].keys()
            wrong = [k for k in keys if not _same(k, table.get(k), self.ledger.state[store].get(k))]
            if wrong:
                self._say(
                    f"{store}: {len(wrong)} keys differ from replay, as {wrong[0]!r}:"
                    f" {table.get(wrong[0])!r:.300} for"
                    f" {self.ledger.state[store].get(wrong[0])!r:.300}"
                )


def _same(key: bytes, one: bytes | None, other: bytes | None) -> bool:
    """Accounts byte for byte; of the partition's own records a map's order does not matter."""
    if one == other or one is None or other is None or key[:1] != b"#":
        return one == other
    return bool(msgspec.msgpack.decode(one) == msgspec.msgpack.decode(other))


def _instant(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))
