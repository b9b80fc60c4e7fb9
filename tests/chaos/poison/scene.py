"""One worker, two platforms, accounts at every stage: what goes on while something poisons it."""

import re
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.enums import ADVERSE_EVENTS
from streams.processor import partitioner
from tests.worker.commands import byline
from tests.worker.harness import Estate, utc_now

PARTITIONS = 2
PLATFORMS = ("douyin", "weibo")
ADVERSE = frozenset(map(str, ADVERSE_EVENTS))
POLL_SECONDS = 0.05
COMMAND_SECONDS = 600.0

Event = dict[str, Any]


@dataclass
class Ran:
    """A `byline` command: its words, its exit code, and what it said."""

    words: str
    code: int
    said: str


@dataclass
class Scene:
    """An estate with one worker. `window`: seconds that an owner has to answer."""

    estate: Estate
    window: float
    commands: list[Ran] = field(default_factory=list)
    _serial: int = 0
    _events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, event: Event) -> None:
        """An event as it comes out."""
        self._events[f"{event['platform']}:{event['account_id']}"].append(event)

    def names(self, platform: str, partition: int, count: int) -> list[str]:
        """New accounts that lie in a partition, as keys."""
        found: list[str] = []
        while len(found) < count:
            key = f"{platform}:a{self._serial}"
            self._serial += 1
            if partitioner(PARTITIONS)(key.encode()) == partition:
                found.append(key)
        return found

    # ---- in ------------------------------------------------------------------------------------

    def say(self, key: str, topic: str, **fields: Any) -> None:
        """An input about an account."""
        platform, account = key.split(":")
        self.estate.put(topic, {"platform": platform, "account_id": account, **fields})

    def crosses(self, key: str) -> None:
        """A label, and a count above the line."""
        self.say(key, "category-changes", category="财经", observed_at=utc_now())
        self.say(key, "follower-counts", followers=2_000_000, observed_at=utc_now())

    def delivered(self, keys: Iterable[str]) -> None:
        """They cross, are invited, and their notices reach them: their time runs from now."""
        wanted = list(keys)
        for key in wanted:
            self.crosses(key)
        self.wait(lambda: self.having("invitation.issued", wanted), 60, "invitations")
        for key in wanted:
            issued = self.of(key, "invitation.issued")[-1]
            receipt = {"invitation_id": issued["invitation_id"], "outcome": "delivered"}
            self.say(key, "notice-receipts", **receipt, occurred_at=utc_now())
        self.wait(lambda: self.having("invitation.delivered", wanted), 60, "deliveries")

    def extended(self, keys: Iterable[str], seconds: float) -> None:
        """An operator gives them time until so many seconds from now."""
        wanted = list(keys)
        until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        for key in wanted:
            word = {"control_id": f"time-{key}", "command": "extend", "actor": "op.2"}
            more = {"reason": "test", "until": until, "issued_at": utc_now()}
            self.say(key, "controls", **word, **more)
        self.wait(lambda: self.having("invitation.extended", wanted), 60, "more time")

    def restricted(self, keys: Iterable[str]) -> None:
        """The same, and nobody answers."""
        wanted = list(keys)
        self.delivered(wanted)
        self.wait(lambda: self.having("throttle.applied", wanted), self.window + 60, "restrictions")

    def grants(self, key: str) -> float:
        """A restricted owner agrees; seconds until all restrictions are lifted."""
        began = time.monotonic()
        self.say(key, "consent-answers", answer="granted", occurred_at=utc_now())
        return self.lifted(key, began)

    def lifted(self, key: str, began: float) -> float:
        """Seconds since `began` until as many restrictions are lifted as were applied."""
        self.wait(
            lambda: len(self.of(key, "throttle.lifted")) >= len(self.of(key, "throttle.applied")),
            60,
            f"{key} is lifted",
        )
        return round(time.monotonic() - began, 2)

    # ---- out -----------------------------------------------------------------------------------

    def of(self, key: str, name: str = "") -> list[Event]:
        """The events of an account, of one name if one is given."""
        return [one for one in list(self._events[key]) if name in ("", one["event"])]

    def having(self, name: str, keys: Iterable[str]) -> bool:
        """Whether each account has such an event."""
        return all(self.of(key, name) for key in keys)

    def adverse(self, keys: Iterable[str]) -> int:
        """How many adverse events accounts have."""
        return sum(one["event"] in ADVERSE for key in keys for one in self.of(key))

    def wait(self, true: Callable[[], bool], seconds: float, what: str) -> float:
        """Until it is true; how many seconds that took. Fails after so many."""
        self.estate.flush()
        began = time.monotonic()
        while not true():
            worker = self.estate.workers[0]
            assert worker.process is not None
            code = worker.process.poll()
            assert code is None, f"the worker ended with {code}:\n{self.tail()}"
            assert time.monotonic() - began < seconds, f"not in {seconds} s: {what}\n{self.tail()}"
            time.sleep(POLL_SECONDS)
        return round(time.monotonic() - began, 2)

    def tail(self) -> str:
        """The end of the worker's log."""
        return self.estate.workers[0].log.read_text(errors="replace")[-2_000:]

    # ---- the worker and the commands -----------------------------------------------------------

    def peak_mib(self) -> float:
        """The most resident memory that this process of the worker had."""
        process = self.estate.workers[0].process
        assert process is not None
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return round(int(found[1]) / 1024, 1)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The worker stands still, for less than a session, and fetches nothing."""
        process = self.estate.workers[0].process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def restart(self) -> float:
        """kill -9 and back; seconds until all partitions are served."""
        worker, began = self.estate.workers[0], time.monotonic()
        worker.kill()
        worker.start()
        self.estate.wait_ready(120)
        return round(time.monotonic() - began, 1)

    def run(self, *words: str, code: int = 0) -> str:
        """A command as an operator types it; what it says. Fails on another exit code."""
        done = byline(self.estate, *words, limit=COMMAND_SECONDS)
        said = f"byline {' '.join(words)}"
        self.commands.append(Ran(said, done.returncode, done.stdout))
        assert done.returncode == code, f"{said}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def operator(self, *words: str) -> str:
        """The same for a word that wants an actor and a reason."""
        return self.run(*words, "--actor", "op.1", "--reason", "incident")
