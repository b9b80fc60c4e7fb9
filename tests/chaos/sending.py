"""Produces inputs as the outside world would: right keys, duplicates, garbage; a book of acks."""

import json
import threading
import time
from datetime import UTC, datetime
from random import Random
from typing import Any

from confluent_kafka import Message, Producer

from schemas.inputs import INPUT_MODELS, input_key
from tests.chaos.grounds import PREFIX
from tests.oracle.records import partition_of

TWICE, TWICE_LATER, GARBAGE = 0.03, 0.015, 0.02
REPEATABLE = ("follower-counts", "category-changes", "controls", "notice-receipts")
"""What may come again seconds later without meaning anything else by then."""


def wire_time(seconds: float) -> str:
    """An instant as on the wire."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


QUIET_PLATFORM = "douyin"
"""The one that no switch is thrown for: its accounts' histories are their own, and are judged
without the log. So no refused word of it may trip its refusal guard.
"""

SETTLED_SECONDS = 4.0
"""How long a tripped refusal guard is left alone."""

WORDS = frozenset({"consent-answers", "account-changes", "controls"})
"""Inputs of which a refused one is an unclear word, or trips the refusal guard."""


class Sender:
    """One idempotent producer. Safe for several threads.

    `producer`: something else to give records to; without Kafka there is no `bootstrap`.
    """

    def __init__(
        self, bootstrap: str, partitions: int, seed: int | str, producer: Any = None
    ) -> None:
        self.partitions = partitions
        self.pinned = False
        """Whether keys stay where they lie, whatever partitions a topic is given meanwhile."""
        self.sent = 0
        self.garbage = 0
        self.duplicates = 0
        self.acked_at: dict[tuple[int, int], float] = {}
        self.failed: list[str] = []
        self._random = Random(f"sender-{seed}")
        self._lock = threading.Lock()
        self._later: list[tuple[float, str, bytes, bytes | None]] = []
        self._producer = producer or _producer(bootstrap)

    def send(self, name: str, value: dict[str, Any] | None, key: str | None = None) -> None:
        """A valid input; now and then twice, now and then followed by garbage."""
        model = INPUT_MODELS[name]  # type: ignore[index]
        where = key or input_key(name, model.model_validate(value))  # type: ignore[arg-type]
        raw = None if value is None else json.dumps(value, ensure_ascii=False).encode()
        self.raw(name, where.encode(), raw)
        with self._lock:
            dice = self._random.random()
        if dice < TWICE:
            self.duplicates += 1
            self.raw(name, where.encode(), raw)
        elif dice < TWICE + TWICE_LATER and name in REPEATABLE and raw is not None:
            with self._lock:
                self._later.append((time.time() + dice * 200, name, where.encode(), raw))
        elif dice < TWICE + TWICE_LATER + GARBAGE and raw is not None:
            self.spoil(name, where, value or {})

    def reading(self, key: str, platform: str, account: str, followers: int, at: float) -> None:
        """A reading of the crowd: without the checks and dice of `send`, for they cost time."""
        raw = (
            f'{{"platform":"{platform}","account_id":"{account}","followers":{followers},'
            f'"observed_at":"{wire_time(at)}"}}'
        )
        self.raw("follower-counts", key.encode(), raw.encode())

    def raw(self, name: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """Anything at all."""
        kept = {"on_delivery": self._acked} if name == "consent-answers" else {}
        if self.pinned and partition < 0 and key is not None and name != "switches":
            partition = partition_of(key, self.partitions)
        while True:
            try:
                self._producer.produce(PREFIX + name, value, key, partition=partition, **kept)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent += 1
        self._producer.poll(0)

    def spoil(self, name: str, key: str, value: dict[str, Any]) -> None:
        """Something that must be refused (or, a reading below the floor, may be dropped)."""
        with self._lock:
            kind = self._random.randrange(9)
        self.garbage += 1
        ahead = wire_time(time.time() + 3600)
        time_field = next(one for one in value if one.endswith("_at"))
        without = {name: one for name, one in value.items() if name != time_field}
        whole = json.dumps(value, ensure_ascii=False).encode()
        spoilt: bytes = [
            b'{"platform": "weibo", ',
            b"\xff\xfe\x00not json",
            json.dumps({**value, time_field: 5}).encode(),
            json.dumps(without).encode(),
            json.dumps({**value, time_field: ahead}).encode(),
            json.dumps({**value, "real_name": "Zhang San"}).encode(),
            json.dumps({**value, "note": "x" * 70_000}).encode(),
            whole,
            whole,
        ][kind]
        encoded = key.encode()
        if kind == 7:
            encoded = b"weibo:somebody-else" if name != "switches" else b"weibo:answers_paused?"
        if kind == 8 and name in WORDS and key.startswith(f"{QUIET_PLATFORM}:"):
            # It would trip this platform's refusal guard, which nobody settles here.
            spoilt = b"[]"
        elif kind == 8 and name != "switches":
            self._elsewhere(name, encoded, whole)
            if name in WORDS:
                self._settle()
            return
        elif kind == 8:
            spoilt = b"null"
        self.raw(name, encoded, spoilt)
        if kind == 7 and name in WORDS:
            self._settle()

    def _settle(self) -> None:
        """Somebody looks at what tripped a refusal guard, a little later, and settles it."""
        at = time.time() + SETTLED_SECONDS
        record = {"scope": "*", "switch": "refusals_settled", "on": True, "actor": "desk-1"}
        record |= {"reason": "incident", "issued_at": wire_time(at)}
        with self._lock:
            raw = json.dumps(record).encode()
            self._later.append((at, "switches", b"*:refusals_settled", raw))

    def _elsewhere(self, name: str, key: bytes, value: bytes) -> None:
        home = partition_of(key, self.partitions)
        self.raw(name, key, value, (home + 1) % self.partitions)

    def tick(self) -> None:
        """Send the late duplicates whose time has come."""
        with self._lock:
            due = [one for one in self._later if one[0] <= time.time()]
            self._later = [one for one in self._later if one[0] > time.time()]
        for _, name, key, value in due:
            self.duplicates += 1
            self.raw(name, key, value)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has all of it."""
        left = self._producer.flush(300)
        if left:
            self.failed.append(f"{left} inputs were never taken by the broker")

    def _acked(self, error: Any, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
            return
        self.acked_at[message.partition(), message.offset()] = time.time()


def _producer(bootstrap: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "message.timeout.ms": 300_000,
            "queue.buffering.max.messages": 1_000_000,
            "message.max.bytes": 1_040_000,
            "log_level": 2,
        }
    )
