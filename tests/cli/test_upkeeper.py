"""The ways out of a changed cluster, as processes, under the rights of `upkeeper` and no others."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewPartitions

from schemas.topics import INPUTS, TopicNames
from streams.local.probe import free_port
from streams.operate.acl import permissions
from streams.operate.losses import losses
from streams.settings import Settings
from tests.cli.guarded import login
from tests.support import processes
from tests.tls.cluster import GuardedKafka
from tests.worker.harness import utc_now
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
OWN = {"BYLINE_TOPIC_PREFIX": "kept.", "BYLINE_APPLICATION_ID": "kept"}
"""Names that no right of another test covers."""
NAMES = TopicNames("kept.", "kept")
ROLES = ("administrator", "auditor", "worker", "upkeeper")


@dataclass
class KeptCluster:
    """A cluster on which a worker has decided something, and whose rights are those printed."""

    kafka: GuardedKafka
    folder: Path

    def environment(self, role: str, **more: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BYLINE_")}
        return {
            **inherited,
            **self.kafka.environment(role),
            **OWN,
            "PYTHONPATH": str(ROOT),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "BYLINE_DATA_DIR": str(self.folder / "data"),
            "BYLINE_POLICIES": str(self.folder / "policies"),
            "BYLINE_HTTP_PORT": str(free_port()),
            "BYLINE_SESSION_TIMEOUT_SECONDS": "6",
            **more,
        }

    def run(self, role: str, *words: str, code: int = 0, **more: str) -> str:
        """What a command says that ends with this code."""
        done = processes.run(words, self.environment(role, **more), "", 120, self.folder)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stderr} {done.stdout}"
        return done.stdout + done.stderr

    def put(self, name: str, partition: int | None = None, **value: Any) -> None:
        """A record of somebody who may send it."""
        producer = Producer(
            {"bootstrap.servers": self.kafka.plain, "partitioner": "murmur2", "log_level": 0}
        )
        place = {} if partition is None else {"partition": partition}
        known = {"platform": "weibo", "observed_at": utc_now(), **value}
        key = f"weibo:{value['account_id']}".encode()
        producer.produce(NAMES.prefix + name, json.dumps(known).encode(), key, **place)
        assert producer.flush(20) == 0

    def worked(self) -> None:
        """A worker has decided something, and has been stopped."""
        log = (self.folder / "worker.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "worker"],
            env=self.environment("worker"),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )
        try:
            until(lambda: "invitation.issued" in self._events(), 60, process)
        finally:
            process.terminate()
            process.wait(60)

    def _events(self) -> str:
        words = ("events", "--kafka")
        done = processes.run(words, self.environment("auditor"), "", 60, self.folder)
        return str(done.stdout)


def until(true: Callable[[], bool], seconds: float, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "the worker has ended"
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture(scope="module")
def kept(guarded: GuardedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptCluster]:
    folder = tmp_path_factory.mktemp("kept")
    (folder / "policies").mkdir()
    (folder / "policies" / "weibo.yaml").write_text(policy("weibo"))
    both = (
        permissions(Settings(topic_prefix="kept.", application_id=it)) for it in ("kept", "another")
    )
    rights = list({str(it): it for one in both for it in one if it.role in ROLES}.values())
    guarded.allow(rights)
    made = KeptCluster(guarded, folder)
    made.run("administrator", "topics", "create", "--partitions", "2")
    made.put("category-changes", account_id="a1", category="财经")
    made.put("follower-counts", account_id="a1", followers=1_500_000)
    made.worked()
    yield made
    guarded.forbid(rights)


def test_each_way_out_is_gone_under_the_rights_of_its_role_alone(kept: KeptCluster) -> None:
    """One after the other, as each changes the cluster for the next."""
    assert "belong together" in kept.run("upkeeper", "cluster", "check")

    disk = ("--disk", str(kept.folder / "data"))
    assert "--yes writes it" in kept.run("upkeeper", "cluster", "rebuild", *disk)
    assert "written: start" in kept.run("upkeeper", "cluster", "rebuild", *disk, "--yes")
    assert "belong together" in kept.run("upkeeper", "cluster", "check")

    answers = NAMES.input("consent-answers")
    kept.kafka.admin.delete_topics([answers])[answers].result(20)
    time.sleep(1)
    kept.run("administrator", "topics", "create")
    (found,) = json.loads(kept.run("upkeeper", "cluster", "check", "--json", code=1))["differences"]
    accept = found["way_out"].strip("`").split()[1:]
    assert accept[:2] == ["cluster", "accept"]
    assert "--yes writes it" in kept.run("upkeeper", *accept)
    assert "written: start the workers" in kept.run("upkeeper", *accept, "--yes")

    own = {"topic_prefix": "kept.", "application_id": "kept"}
    lost = asyncio.run(
        losses(login(kept.kafka, "upkeeper").model_copy(update=own), frozenset({0, 1}))
    )
    assert lost.open_invitations == 1

    grown = [NewPartitions(NAMES.of(it), 4) for it in INPUTS if not it.single]
    for done in kept.kafka.admin.create_partitions(grown).values():
        done.result(20)
    time.sleep(1)
    kept.put("consent-answers", 3, account_id="a1", answer="granted", occurred_at=utc_now())
    old = {"BYLINE_PARTITIONS": "2"}
    assert "--yes moves it" in kept.run("upkeeper", "cluster", "reroute", code=1, **old)
    moved = kept.run("upkeeper", "cluster", "reroute", "--yes", **old)
    assert "consent-answers: 1 records moved" in moved

    other = {"BYLINE_APPLICATION_ID": "another"}
    retire = ("cluster", "retire", "kept")
    assert "--yes deletes it" in kept.run("upkeeper", *retire, **other)
    refused = kept.run("upkeeper", *retire, "--yes", code=2, **other)
    assert "another-accounts-changelog is missing: `byline topics create` makes it" in refused
    kept.run("administrator", "topics", "create", **other)
    assert " deleted: " in kept.run("upkeeper", *retire, "--yes", **other)
    assert "nothing to retire" in kept.run("upkeeper", *retire, code=2, **other)
