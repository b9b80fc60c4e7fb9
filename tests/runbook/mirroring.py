"""A second cluster beside the first, and MirrorMaker's configuration to copy to it."""

from schemas.topics import TOPICS, TopicNames
from streams.local.errors import BrokerFailedError
from streams.local.kafka import KafkaCluster
from tests.runbook.ground import Ground

OTHER = "kafka-9:9092"


def another_cluster(ground: Ground) -> None:
    """An empty Kafka at kafka-9:9092, and /etc/byline/mirror.properties."""
    ground.also = other = KafkaCluster(ground.folder / "other", brief=True)
    try:
        other.start()
    except BrokerFailedError:
        # On a machine that is too busy; its data are there by now.
        other.start()
    ground.hidden[other.bootstrap] = OTHER
    names = TopicNames(f"{ground.name}.", ground.name)
    copied = [
        names.of(topic)
        for topic in TOPICS
        if topic.name == "switches" or topic.role not in ("input", "acks")
    ]
    lines = [
        "clusters = old, new",
        f"old.bootstrap.servers = {ground.address}",
        f"new.bootstrap.servers = {other.bootstrap}",
        "old->new.enabled = true",
        f"old->new.topics = {', '.join(copied)}",
        "old->new.groups = ",
        "replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        "old->new.consumer.isolation.level = read_committed",
        "old.consumer.isolation.level = read_committed",
        "replication.factor = 1",
        "checkpoints.topic.replication.factor = 1",
        "heartbeats.topic.replication.factor = 1",
        "offset-syncs.topic.replication.factor = 1",
        "offset.storage.replication.factor = 1",
        "status.storage.replication.factor = 1",
        "config.storage.replication.factor = 1",
        "tasks.max = 1",
    ]
    (ground.etc / "mirror.properties").write_text("\n".join(lines) + "\n")
