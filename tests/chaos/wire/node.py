"""A broker whose clients come through the proxy: a second listener advertises the proxy's port."""

from dataclasses import dataclass
from pathlib import Path

from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port


@dataclass(frozen=True, slots=True)
class Proxied:
    """`cluster.bootstrap` is the straight way, `bootstrap` the one through the proxy."""

    cluster: KafkaCluster
    proxy_port: int
    listener_port: int

    @property
    def bootstrap(self) -> str:
        """`host:port` of the proxy, for the clients that are to be disturbed."""
        return f"{HOST}:{self.proxy_port}"


def proxied(data_dir: Path) -> Proxied:
    """A Kafka of one broker, not started yet."""
    port, listener, proxy = free_port(), free_port(), free_port()
    while True:
        controller = free_port()
        if len({port, listener, proxy, controller}) == 4:
            break
    config = {
        "listeners": f"PLAINTEXT://{HOST}:{port},WIRE://{HOST}:{listener}"
        f",CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port},WIRE://{HOST}:{proxy}",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,WIRE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
    }
    return Proxied(KafkaCluster(data_dir, port=port, brief=True, config=config), proxy, listener)
