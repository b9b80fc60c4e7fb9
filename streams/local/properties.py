"""The settings of a local broker: small, quick to start, without automatic topic creation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.local.probe import HOST

COORDINATOR_PARTITIONS = 8


def server_properties(
    broker: int, ports: Sequence[tuple[int, int]], data: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """Returns `server.properties` of one node.

    `ports`: of every node, the port for clients and that of the controller. `data`: the folder for
    logs. `extra`: further settings, which win.
    """
    port, controller_port = ports[broker]
    voters = ",".join(f"{number + 1}@{HOST}:{own}" for number, (_, own) in enumerate(ports))
    replicas = str(min(3, len(ports)))
    in_sync = "2" if len(ports) >= 3 else "1"
    return {
        "process.roles": "broker,controller",
        "node.id": str(broker + 1),
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        # With the default of 50 partitions each, the first group and transaction are slow.
        "offsets.topic.num.partitions": str(COORDINATOR_PARTITIONS),
        "transaction.state.log.num.partitions": str(COORDINATOR_PARTITIONS),
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # Timed-out transactions are aborted within a second, not within ten.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # A killed broker can register again only when its old session is over.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # An empty record to the metadata every 0.5 s is a third of what an idle broker costs.
        "metadata.max.idle.interval.ms": "5000",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "log.cleaner.backoff.ms": "2000",
        "num.network.threads": "2",
        "num.io.threads": "4",
        **extra,
    }
