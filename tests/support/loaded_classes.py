"""`python -m tests.support.loaded_classes`: writes Java's cache of Kafka's classes, once.

`sh tests/run.sh` runs it, because a whole run starts some eighty JVMs. A broker that does a little
of everything is stopped, and its Java writes down which classes it has loaded
(streams/local/loaded_classes.py says where).
"""

import contextlib
import fcntl
import os
import signal
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.local import node
from streams.local.jars import class_path
from streams.local.kafka import KafkaCluster
from streams.local.loaded_classes import cache_file

WRITE_SECONDS = 300.0
"""How long Java may take to write the cache after the broker's end."""


def write() -> Path | None:
    """Returns the cache, which is written if it does not exist; None where it cannot be.

    Only one process writes it at a time, and it is there whole or not at all.
    """
    file = cache_file(class_path())
    if file.exists() or not os.access(file.parent, os.W_OK):
        return file if file.exists() else None
    with (Path(tempfile.gettempdir()) / f"byline-classes-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            _write(file)
    return file if file.exists() else None


def _write(file: Path) -> None:
    made = file.with_suffix(".new")
    with tempfile.TemporaryDirectory() as folder:
        cluster = KafkaCluster(Path(folder) / "kafka", brief=True)
        cluster._lay_out()
        (broker,) = cluster._nodes
        broker._format()
        with patch.object(node, "brief", lambda: [*node.BRIEF, f"-XX:AOTCacheOutput={made}"]):
            cluster.start()
        try:
            _exercise(cluster.bootstrap)
        finally:
            broker.signal(signal.SIGTERM)
            broker.end(WRITE_SECONDS)
    with contextlib.suppress(FileNotFoundError):
        made.rename(file)


def _exercise(bootstrap: str) -> None:
    """A topic, a transaction, a group: what every test does first."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic("t", 2, 1)]).values():
        future.result(60)
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "t"})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce("t", b"value")
    producer.commit_transaction(60)
    settings = {"bootstrap.servers": bootstrap, "group.id": "t", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe(["t"])
    record = consumer.poll(60)
    if record is not None and not record.error():
        consumer.commit(record, asynchronous=False)
    consumer.close()


if __name__ == "__main__":
    written = write()
    print(written or "the cache of Kafka's classes cannot be written; tests run without it")
    sys.exit(0)
