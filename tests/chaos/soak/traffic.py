"""All seven inputs at a steady rate: people who come round for ever, and a crowd of readings.

The accounts are the same ones from the first second to the last: what grows is not their number.
Of an account the digests of up to 256 controls and up to 64 stops are kept (24 and some 20 bytes
each), and a run is too short to get there: so operators deal with one account of 25.
"""

import heapq
import itertools
import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Producer

PEOPLE, CROWD = 1_000, 20_000
KNOWN_EACH = 10
"""One reading of the crowd in so many is above the line, of an account without a covered label."""

OPERATED_EACH = 25
BAD_EACH = 500
BRAKE_SECONDS, BRAKED_SECONDS = 57.0, 3.0
"""Together a whole part of the minutes between two restarts, so that each has as many."""
OVER, BELOW = 1_500_000, 500_000
SLICE_SECONDS = 0.005


def wire_time() -> str:
    """This instant as on the wire."""
    text = datetime.now(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def operated(account: str) -> bool:
    """Whether operators ever have a word on an account."""
    return int(account[1:]) % OPERATED_EACH == 0


class SoakTraffic:
    """Sends `rate` inputs a second until `stop`; `hear` it every event, it answers them."""

    def __init__(self, bootstrap: str, prefix: str, rate: float) -> None:
        self.sent: Counter[str] = Counter()
        self.seconds = 0.0
        """For how long it has been sending."""
        self._prefix, self._rate = prefix, rate
        self._later: list[tuple[float, int, str, str, dict[str, Any]]] = []
        self._serial = itertools.count()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._turns: Counter[str] = Counter()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 2,
            }
        )
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> "SoakTraffic":
        """Everybody gets a label and crosses the line within the first seconds."""
        for number in range(PEOPLE):
            at = number * 10.0 / PEOPLE
            self._say(at, f"p{number}", "category-changes", category="财经")
            self._say(at + 1.0, f"p{number}", "follower-counts", followers=OVER)
        self._brake(BRAKE_SECONDS)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Send no more; what was sent is in Kafka."""
        self._ending.set()
        self._thread.join()
        left = self._producer.flush(60)
        if left:
            raise TimeoutError(f"{left} inputs did not reach Kafka")

    def hear(self, event: dict[str, Any]) -> None:
        """What the owner, the notifier and the operators do about an event."""
        account, name = event["account_id"], event["event"]
        number = int(account[1:])
        if name == "invitation.issued":
            self._receipt(account, event["invitation_id"], failed=number % 20 == 7)
        elif name == "invitation.delivered" and event["reason"] == "receipt":
            self._turns[account] += 1
            self._answer(account, (number + self._turns[account]) % 5)
        elif name == "consent.granted":
            self._say(5.0, account, "consent-answers", answer="withdrawn")
        elif name == "throttle.applied" and event["surface"] == "tips":
            self._restricted(account, (number + self._turns[account]) % 3)

    def _receipt(self, account: str, invitation_id: str, failed: bool) -> None:
        named = {"invitation_id": invitation_id}
        if failed:
            bounced = {**named, "outcome": "failed", "failure": "blocked"}
            self._say(0.5, account, "notice-receipts", **bounced)
        self._say(3.0 if failed else 1.0, account, "notice-receipts", **named, outcome="delivered")

    def _answer(self, account: str, turn: int) -> None:
        if turn < 2:
            self._say(3.0, account, "consent-answers", answer="granted")
        elif turn == 2:
            self._say(3.0, account, "consent-answers", answer="declined")
        elif turn == 3 and operated(account):
            self._say(2.0, account, "controls", command="hold", reason="test")
            self._say(6.0, account, "controls", command="unhold", reason="test")

    def _restricted(self, account: str, turn: int) -> None:
        if turn == 0:
            self._say(4.0, account, "consent-answers", answer="granted")
        elif turn == 1 and operated(account):
            self._say(4.0, account, "controls", command="lift", reason="error_correction")
        self._say(12.0, account, "follower-counts", followers=BELOW)
        self._say(30.0, account, "follower-counts", followers=OVER)

    def _brake(self, seconds: float) -> None:
        self._say(seconds, "*", "switches", on=True)
        self._say(seconds + BRAKED_SECONDS, "*", "switches", on=False)

    def _say(self, seconds: float, account: str, topic: str, **fields: Any) -> None:
        """An input of an account, so many seconds from now; its time is that of the sending."""
        entry = (time.monotonic() + seconds, next(self._serial), account, topic, fields)
        with self._lock:
            heapq.heappush(self._later, entry)

    # ---- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        began, count = time.monotonic(), 0
        while not self._ending.is_set():
            at = wire_time()
            count += self._send_due(at)
            while count < (time.monotonic() - began) * self._rate:
                self._crowd(count, at)
                count += 1
            self._producer.poll(0)
            self.seconds = time.monotonic() - began
            time.sleep(SLICE_SECONDS)

    def _send_due(self, at: str) -> int:
        with self._lock:
            due = []
            while self._later and self._later[0][0] <= time.monotonic():
                due.append(heapq.heappop(self._later))
        for _, serial, account, topic, fields in due:
            if topic == "switches":
                self._switch(at, fields["on"])
                continue
            value = {"platform": "weibo", "account_id": account, **fields}
            if topic == "controls":
                value |= {"control_id": f"c{serial}", "actor": "op.soak", "issued_at": at}
            else:
                observed = topic in ("follower-counts", "category-changes")
                value["observed_at" if observed else "occurred_at"] = at
            self._put(topic, f"weibo:{account}", json.dumps(value, ensure_ascii=False))
        return len(due)

    def _switch(self, at: str, on: bool) -> None:
        word = {"scope": "weibo", "switch": "adverse_off", "on": on, "actor": "op.soak"}
        value = json.dumps(word | {"reason": "test", "issued_at": at})
        self._put("switches", "weibo:adverse_off", value)
        if not on:
            self._brake(BRAKE_SECONDS)

    def _crowd(self, number: int, at: str) -> None:
        account = f"c{number % CROWD}"
        followers = (OVER if number % CROWD % KNOWN_EACH == 0 else 1_000) + number % 997
        text = (
            f'{{"platform":"weibo","account_id":"{account}","followers":{followers},'
            f'"observed_at":"{at}"}}'
        )
        self._put("follower-counts", f"weibo:{account}", text if number % BAD_EACH else text[:-2])

    def _put(self, topic: str, key: str, text: str) -> None:
        self.sent[topic] += 1
        while True:
            try:
                self._producer.produce(self._prefix + topic, text.encode(), key.encode())
                return
            except BufferError:
                self._producer.poll(0.1)
