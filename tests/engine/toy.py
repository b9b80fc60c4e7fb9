"""A processor small enough to check by eye: it counts, and sets a timer when told to.

Inputs: topic `<prefix>.adds` (key = account, value = how much) and `<prefix>.marks` (key = account,
value = delay in ms: a timer; empty value: the timer is cancelled; `boom`: refuse; `crash`: raise;
`tell N`: every partition is to multiply by N from now on).
A timer whose key begins with `fav` is favourable, any other adverse: none of those acts once the
cluster has changed, which a step notes. Batches that cannot be read lead to an output each.
Every add that makes a count even, or all with `every=1`, sends `account total` to `<prefix>.out`.
The broadcast topic sets a factor. Outputs carry the input's offset so a double would show.
"""

import heapq
import json
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakSet

from streams.engine.processor import FetchedBatch, ProcessorSpec, Scan, StoreSpec, Transaction
from streams.stop_worker import ExitCode, StopWorker


def _favourable(key: bytes) -> bool:
    return key.startswith(b"fav")


class ToyPart:
    def __init__(self, toy: "Toy", partition: int, scan: Scan) -> None:
        self.toy, self.partition = toy, partition
        toy.parts.add(self)
        self.timers: list[tuple[int, bytes]] = []
        for key, value in scan.items("timers"):
            if key != b"#changed":
                heapq.heappush(self.timers, (int(value), key))
        raw = scan.get("counts", b"#factor")
        self.factor = int(raw) if raw else 1
        self.changed_at: int | None = None
        self.noted = False

    def made_anew(self, before: Mapping[str, int]) -> None: ...

    def rewind(self, transaction: Transaction, reads: Mapping[str, int]) -> tuple[str, ...]:
        """Reads nothing again."""
        return ()

    def step(self, transaction: Transaction, now: int, batches: Sequence[FetchedBatch]) -> bool:
        waiting = False
        if self.changed_at is not None and not self.noted:
            self.noted = True
            transaction.put("timers", b"#changed", b"%d" % self.changed_at)
        for batch in batches:
            for first, last, _ in batch.unreadable:
                value = json.dumps({"topic": batch.topic, "first": first, "last": last}).encode()
                transaction.send(self.toy.out, b"?", value, (("kind", b"unreadable"),))
                waiting = True
            if batch.topic == self.toy.broadcast:
                for record in batch.records:
                    self.factor = int(record.value or b"1")
                    transaction.put("counts", b"#factor", b"%d" % self.factor)
            elif batch.topic == self.toy.marks:
                for record in batch.records:
                    waiting |= self._mark(transaction, now, record)
            else:
                waiting |= self._adds(transaction, batch)
        return waiting

    def _adds(self, transaction: Transaction, batch: FetchedBatch) -> bool:
        every, out = self.toy.every, self.toy.out
        if every == 0:
            # The shape of real traffic: nearly every record is looked at and let go.
            contains = transaction.contains
            keys = [record.key for record in batch.records if record.key is not None]
            sum(contains("counts", key) for key in keys)
            return False
        waiting = False
        for record in batch.records:
            assert record.key is not None
            total = int(transaction.get("counts", record.key) or b"0")
            total += int(record.value or b"0") * self.factor
            transaction.put("counts", record.key, b"%d" % total)
            if record.offset % every == 0:
                value = json.dumps({"total": total, "offset": record.offset, "p": self.partition})
                transaction.send(out, record.key, value.encode(), (("kind", b"add"),))
                waiting = True
        return waiting

    def _mark(self, transaction: Transaction, now: int, record: Any) -> bool:
        if record.value == b"boom":
            raise StopWorker("the toy was told to refuse", ExitCode.PERSON)
        if record.value == b"crash":
            raise RuntimeError("the toy was told to crash")
        if record.value and record.value.startswith(b"tell "):
            transaction.send(self.toy.broadcast, b"f", record.value[5:], partition=0)
            return True
        if not record.value:
            transaction.put("timers", record.key, None)
            return False
        due = record.timestamp + int(record.value)
        transaction.put("timers", record.key, b"%d" % due)
        heapq.heappush(self.timers, (due, record.key))
        return False

    def due(self) -> int | None:
        held = self.changed_at is not None
        return next((due for due, key in sorted(self.timers) if not held or _favourable(key)), None)

    def run_timers(
        self,
        transaction: Transaction,
        now: int,
        as_of: int,
        limit: int,
        favourable_only: bool = False,
    ) -> bool:
        only = favourable_only or self.changed_at is not None
        acting = [(d, key) for d, key in sorted(self.timers) if not only or _favourable(key)]
        ripe = [timer for timer in acting if timer[0] <= as_of]
        for due, key in ripe[:limit]:
            self.timers.remove((due, key))
            if transaction.get("timers", key) != b"%d" % due:
                continue
            transaction.put("timers", key, None)
            total = int(transaction.get("counts", key) or b"0")
            value = {"fired": due, "total": total, "now": now, "as_of": as_of}
            transaction.send(self.toy.out, key, json.dumps(value).encode(), (("kind", b"timer"),))
        heapq.heapify(self.timers)
        return len(ripe) > limit

    def cluster_changed(self, now: int) -> None:
        self.changed_at = now

    def before_commit(self, transaction: Transaction, now: int, reads: Mapping[str, int]) -> None:
        value = json.dumps({"now": now, "reads": dict(reads)}).encode()
        transaction.send(self.toy.seals, b"seal", value)

    def committed(self) -> None: ...


class Toy:
    def __init__(self, prefix: str, every: int = 1, append_time: bool = False) -> None:
        self.adds, self.marks, self.out = f"{prefix}.adds", f"{prefix}.marks", f"{prefix}.out"
        self.seals, self.broadcast, self.every = f"{prefix}.seals", f"{prefix}.factor", every
        self.parts: WeakSet[ToyPart] = WeakSet()
        """Those that are still in memory."""
        self.spec = ProcessorSpec(
            topics=(self.marks, self.adds),
            broadcast=self.broadcast,
            stores=(StoreSpec("counts", in_memory=True), StoreSpec("timers", in_memory=False)),
            output_topics=(self.out, self.seals, self.broadcast),
            sole_outputs=(self.out, self.seals),
            append_time=append_time,
        )

    def open(
        self, partition: int, partition_count: int, scan: Scan, transaction: Transaction, now: int
    ) -> ToyPart:
        return ToyPart(self, partition, scan)
