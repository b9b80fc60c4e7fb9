"""Faults of an estate under a real Prometheus: each ends once its alert has fired."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from streams.local.kafka import KafkaCluster
from streams.settings_checks import variable
from tests.prometheus.firing import PrometheusWatch
from tests.prometheus.panels import Panels
from tests.worker.commands import started
from tests.worker.crowd import Crowd
from tests.worker.harness import Estate, Worker, utc_now


@dataclass
class WatchedEstate:
    """`auditor`, `index` and `console`: the ports on which they show their numbers, once they run.

    `cluster`: where the brokers are faulted, too. `second`: a worker that is not started yet.
    """

    estate: Estate
    watch: PrometheusWatch
    panels: Panels
    auditor: int
    index: int
    console: int
    second: Worker
    cluster: KafkaCluster | None = None
    beside: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def index_file(self) -> Path:
        """The index's database."""
        return self.estate.folder / "index.sqlite"

    def run(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command beside the worker; `settings` are laid over the estate's."""
        self.beside.append(started(self.estate, *words, **settings))
        return self.beside[-1]

    def close(self) -> None:
        """End what runs beside."""
        for process in self.beside:
            process.terminate()
        for process in self.beside:
            process.communicate(timeout=20)

    def cluster_again(self) -> None:
        """Undo what a fault that was broken off has left: brokers and worker run."""
        if self.cluster is not None:
            self.cluster.thaw()
            if not self.cluster.running():
                self.cluster.start_broker()
        for worker in self.estate.workers:
            if worker.code is not None:
                worker.start()

    def switch(self, scope: str, switch: str, on: bool) -> None:
        """Turn a switch."""
        word = {"scope": scope, "switch": switch, "on": on, "actor": "op", "reason": "test"}
        self.estate.put("switches", {**word, "issued_at": utc_now()})
        self.estate.flush()


def eventually(holds: Callable[[], Any], what: str, within: float = 30.0) -> None:
    """Wait for it. Raises AssertionError when it does not hold within these seconds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def events_of(estate: Estate, key: str, event: str) -> list[dict[str, Any]]:
    """The events of one kind about one account."""
    return [it for it in estate.events().get(key, []) if it["event"] == event]


def lead_lives(estate: Estate) -> None:
    """Owners who are silent (and restricted), who agree, of whom shadow alone decides.

    A system obeys, and a word is stale.
    """
    weibo, bilibili = Crowd(estate), Crowd(estate, "bilibili")
    with estate.follow("invitations") as next_record:
        for crowd in (weibo, bilibili, Crowd(estate, "douyin")):
            crowd.crosses()
        while not (weibo.issued and bilibili.issued):
            record = next_record(30.0)
            weibo.hears(record)
            bilibili.hears(record)
    bilibili.answers("a0", "granted")
    eventually(
        lambda: events_of(estate, "weibo:a0", "throttle.applied"), "nobody was restricted", 60
    )
    eventually(lambda: events_of(estate, "bilibili:a0", "consent.granted"), "nobody agreed")
    event_id = events_of(estate, "weibo:a0", "throttle.applied")[0]["event_id"]
    ack = {"event_id": event_id, "outcome": "applied", "system": "feed"}
    weibo.say("throttle-acks", "a0", occurred_at=utc_now(), **ack)
    weibo.say("category-changes", "a0", category="财经", observed_at="2020-01-01T00:00:00Z")
    estate.drain()


def invite(stage: WatchedEstate) -> None:
    """One more owner is invited, so that rates of the programme can be reckoned."""
    eventually(lambda: stage.panels.shows("Answers"), "the worker is not scraped")
    crowd = Crowd(stage.estate)
    crowd.count = 1
    crowd.crosses()
    stage.estate.drain()
    title = "Not reached, of those invited in six hours"
    eventually(lambda: stage.panels.shows(title), title, 12)


def somebody_audits_and_indexes(stage: WatchedEstate) -> None:
    """The auditor and the index are started."""
    stage.run("audit", "--follow", "--port", str(stage.auditor))
    database = {variable("database"): f"sqlite:///{stage.index_file}"}
    stage.run("index", "--follow", "--serve", "--port", str(stage.index), **database)
    stage.watch.ends("BylineAuditorSilent", 90)
    stage.watch.ends("BylineIndexSilent", 90)


def readings_end(stage: WatchedEstate) -> None:
    """No reading comes in for six hours of this clock; then one does."""
    stage.watch.fires("BylineReadingsSilent", 40)
    Crowd(stage.estate).say("follower-counts", "a9", followers=2, observed_at=utc_now())
    stage.watch.ends("BylineReadingsSilent", 20, stage.estate.flush)


def a_name_comes_in(stage: WatchedEstate) -> None:
    """A label with a field for a name."""
    named = {"category": "财经", "real_name": "-", "observed_at": utc_now()}
    Crowd(stage.estate).say("category-changes", "a8", **named)
    stage.watch.fires("BylineNameField", 20, stage.estate.flush)
    stage.watch.ends("BylineNameField", 20)


def a_producer_sends_rubbish(stage: WatchedEstate) -> None:
    """Receipts that nobody can read, until a person has seen to them."""

    def refused() -> None:
        for number in range(20):
            stage.estate.put_raw("notice-receipts", f"weibo:b{number}", b"{]")
        stage.estate.flush()
        stage.panels.look()

    began = time.monotonic()
    stage.watch.fires("BylineDeadLetters", 30, refused, began)
    stage.watch.fires("BylineRefusalGuardTripped", 30, refused, began)
    stage.watch.ends("BylineDeadLetters", 20)
    stage.switch("weibo", "refusals_settled", True)
    stage.watch.ends("BylineRefusalGuardTripped", 20)


def a_cap_is_reached(stage: WatchedEstate) -> None:
    """Three owners cross the line of a platform that invites one a day."""
    crowd = Crowd(stage.estate, "kuaishou")
    for _ in range(3):
        crowd.crosses()
    stage.watch.fires("BylineCapReached", 20, stage.estate.flush)
    stage.watch.ends("BylineCapReached", 20)


def a_withdrawal_is_garbled(stage: WatchedEstate) -> None:
    """An owner who agreed says something that cannot be read."""
    Crowd(stage.estate, "bilibili").say("consent-answers", "a0", answer="withdrew")
    stage.watch.fires("BylineUnclearWords", 20, stage.estate.flush)
    stage.watch.ends("BylineUnclearWords", 20)


def a_transaction_is_left_open(stage: WatchedEstate) -> None:
    """A producer of controls begins a transaction and goes for lunch."""
    names = stage.estate.names
    producer = Producer(
        {
            "bootstrap.servers": stage.estate.bootstrap,
            "transactional.id": f"{names.application_id}-lunch",
            "log_level": 0,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(f"{names.prefix}controls", key="weibo:a0", value=b"{}", partition=0)
    producer.flush(20)
    began = time.monotonic()
    stage.watch.fires("BylineNoProgress", 40, since=began)
    stage.watch.fires("BylineTopicBlocked", 40, since=began)
    producer.abort_transaction(20)
    stage.watch.ends("BylineTopicBlocked", 40)
    stage.watch.ends("BylineNoProgress", 20)


def the_log_is_written_to(stage: WatchedEstate) -> None:
    """Somebody writes a decision a second time; once explained, the audit begins behind it."""
    twice = stage.estate.read(["decisions"])[0]
    assert twice.key is not None
    stage.estate.put_raw("decisions", twice.key.decode(), twice.value)
    stage.watch.fires("BylineAuditBreach", 30, stage.estate.flush)
    stage.panels.look()
    auditor = stage.beside.pop(0)
    auditor.terminate()
    auditor.communicate(timeout=20)
    time.sleep(1)
    stage.run("audit", "--follow", "--port", str(stage.auditor), "--from", utc_now())
    stage.watch.ends("BylineAuditBreach", 60)


def a_worker_dies(stage: WatchedEstate) -> None:
    """kill -9, and a new start."""
    (worker,) = stage.estate.workers
    worker.kill()
    stage.watch.fires("BylineWorkersMissing", 20)
    worker.start()
    stage.watch.ends("BylineWorkersMissing", 90)
