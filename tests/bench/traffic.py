"""A steady stream of readings in which some cross the line: what is timed are those."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from tests.bench.data import Row, label_row, reading_row
from tests.bench.loading import producer, put
from tests.bench.site import DataSet, Site

PROBE_FOLLOWERS, OTHER_FOLLOWERS = 1_500_000, 1234
SLICE_SECONDS = 0.002


def now_text() -> str:
    """This instant as an input has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def crossing(account: str, at: str) -> Row:
    """A reading that puts an account over the line."""
    return reading_row(account, PROBE_FOLLOWERS, at)


def covered(account: str, at: str) -> Row:
    """A label that covers an account."""
    return label_row(account, "法律", at)


class BenchTraffic:
    """Sends `rate` readings a second until `seconds` are over or `stop`.

    Each account of `probes` has its turn once, `probes_per_second` of them evenly spread over the
    stream: by default it crosses the line. All else is readings of accounts far below it. `sent`
    has the instant at which each probe was handed to the producer, by key.
    """

    def __init__(
        self,
        site: Site,
        data: DataSet,
        probes: Sequence[str],
        *,
        rate: float,
        probes_per_second: float,
        seconds: float,
        probe_topic: str = "follower-counts",
        probe_row: Callable[[str, str], Row] = crossing,
    ) -> None:
        self.sent: dict[str, float] = {}
        self.lag_seconds = 0.0
        self._topic = data.topic("follower-counts")
        self._sender = producer(site.bootstrap, linger_ms=1)
        self._probes = iter(probes)
        self._every = max(1, round(rate / probes_per_second))
        self._rate, self._seconds = rate, seconds
        self._probe_topic, self._probe_row = data.topic(probe_topic), probe_row
        self._fillers = itertools.cycle([f"filler{number}" for number in range(10_000)])
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def start(self) -> "BenchTraffic":
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it now."""
        self._ending.set()
        self.wait()

    def wait(self) -> None:
        """Until all has been sent and Kafka has it."""
        self._thread.join()
        self._sender.flush(30)

    def _run(self) -> None:
        began, number = time.time(), 0
        total = int(self._rate * self._seconds)
        while number < total and not self._ending.is_set():
            due = min(total, int((time.time() - began) * self._rate))
            at = now_text()
            while number < due:
                self._send(number, at)
                number += 1
            self._sender.poll(0)
            time.sleep(SLICE_SECONDS)
        self.lag_seconds = max(0.0, time.time() - began - self._seconds)

    def _send(self, number: int, at: str) -> None:
        account = next(self._probes, None) if number % self._every == 0 else None
        if account is None:
            row = reading_row(next(self._fillers), OTHER_FOLLOWERS, at)
            put(self._sender, self._topic, *row)
            return
        key, value = self._probe_row(account, at)
        self.sent[key.decode()] = time.time()
        put(self._sender, self._probe_topic, key, value)


def covered_labels(accounts: Sequence[str]) -> Iterator[Row]:
    """A covered label for each, from before everything."""
    return (covered(account, "2025-01-01T00:00:00Z") for account in accounts)


def waits(
    sent: dict[str, float], seen: dict[str, float], since: float = 0.0, until: float = 1e12
) -> list[float]:
    """From handed to the producer to visible, in seconds, for those sent in a span of time."""
    return [
        seen[key] - at for key, at in list(sent.items()) if key in seen and since <= at <= until
    ]
