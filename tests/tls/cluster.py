"""One broker with a listener for each way to come in, right and wrong, and its ACLs in force."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.local.errors import BrokerFailedError
from streams.local.kafka import KafkaCluster
from streams.local.probe import HOST, free_port
from streams.operate.acl import Permission
from tests.tls.certificates import Authority, Pair

ADMIN = "admin"
"""A user who may do everything; the others may do what `allow` says."""
PASSWORD = "right-{user}"
KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
}
PROTOCOLS = {
    "PLAINTEXT": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "LOGIN": "SASL_SSL",
    "BARELOGIN": "SASL_PLAINTEXT",
    "MUTUAL": "SSL",
    "EXPIRED": "SASL_SSL",
    "ELSEWHERE": "SASL_SSL",
}
"""Listeners. `EXPIRED` and `ELSEWHERE` show a certificate that is over, or another host's."""


def scram_listener(name: str) -> dict[str, str]:
    """A broker's settings for a listener at which one logs in by SCRAM."""
    module = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"listener.name.{name.lower()}.scram-sha-512.sasl.jaas.config": module,
    }


def scram_login(user: str) -> dict[str, str]:
    """The settings of a worker or command that logs in so, over TLS."""
    return {
        "BYLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "BYLINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "BYLINE_KAFKA_SASL_USERNAME": user,
        "BYLINE_KAFKA_SASL_PASSWORD": PASSWORD.format(user=user),
    }


def listener(name: str, shown: Pair | None, authority: Authority) -> dict[str, str]:
    """A broker's settings for one listener: its certificate, whom it trusts, how one logs in."""
    prefix = f"listener.name.{name.lower()}"
    found = scram_listener(name)
    if shown is not None:
        keystore = shown.both(shown.certfile.with_suffix(".pem"))
        found |= {
            f"{prefix}.ssl.keystore.type": "PEM",
            f"{prefix}.ssl.keystore.location": str(keystore),
            f"{prefix}.ssl.truststore.type": "PEM",
            f"{prefix}.ssl.truststore.location": str(authority.cafile),
        }
    return found


def add_users(admin: AdminClient, users: Iterable[str]) -> None:
    """Let these log in by SCRAM, each with its `PASSWORD`."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    wanted = [
        UserScramCredentialUpsertion(user, info, PASSWORD.format(user=user).encode())
        for user in dict.fromkeys(users)
    ]
    for done in admin.alter_user_scram_credentials(wanted).values():
        done.result(20)


def environment(address: str, user: str, authority: Authority) -> dict[str, str]:
    """The settings of a worker or command that comes in there as this user."""
    return {
        "BYLINE_KAFKA_BOOTSTRAP_SERVERS": address,
        "BYLINE_KAFKA_SSL_CAFILE": str(authority.cafile),
        **scram_login(user),
    }


@dataclass
class GuardedKafka:
    """A context manager: `plain` is for the test itself, a super user without a login."""

    folder: Path
    users: tuple[str, ...] = (ADMIN,)
    brief: bool = False

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "certificates")
        self.ports = {name: free_port() for name in PROTOCOLS}
        self.client = self.authority.issue("client")
        self.cluster = KafkaCluster(
            self.folder / "kafka",
            port=self.ports["PLAINTEXT"],
            brief=self.brief,
            config=self._config(),
        )

    @property
    def plain(self) -> str:
        """The address without TLS and login."""
        return self.address("PLAINTEXT")

    def address(self, listener: str = "LOGIN") -> str:
        """The address of a listener."""
        return f"{HOST}:{self.ports[listener]}"

    def __enter__(self) -> Self:
        try:
            self.cluster.start()
        except BrokerFailedError:
            # On a machine that is too busy; its data are there by now.
            self.cluster.start()
        self.admin = AdminClient({"bootstrap.servers": self.plain, "log_level": 0})
        add_users(self.admin, [ADMIN, *self.users])
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()

    def environment(self, user: str, listener: str = "LOGIN") -> dict[str, str]:
        """The settings of a worker or command that comes in there as this user."""
        return environment(self.address(listener), user, self.authority)

    def allow(self, permissions: Iterable[Permission]) -> None:
        """Grant these, each to the user named as its role."""
        wanted = [it for p in permissions for it in bindings(p)]
        self._each(self.admin.create_acls(wanted) if wanted else {})

    def forbid(self, permissions: Iterable[Permission]) -> None:
        """Take these away again; return when the broker has."""
        wanted = [_filter(it) for p in permissions for it in bindings(p)]
        self._each(self.admin.delete_acls(wanted) if wanted else {})

    @staticmethod
    def _each(futures: Any) -> None:
        for done in futures.values():
            done.result(20)
        # The authorizer hears of it a moment after the controller has written it.
        time.sleep(0.05)

    def _config(self) -> dict[str, str]:
        client_side = {name: at for name, at in self.ports.items() if name != "CONTROLLER"}
        advertised = ",".join(f"{name}://{HOST}:{at}" for name, at in client_side.items())
        controller = self.ports["CONTROLLER"]
        over = {"begins": timedelta(days=-9), "ends": timedelta(days=-1)}
        shown = {
            "LOGIN": self.authority.issue("broker"),
            "MUTUAL": self.authority.issue("broker-mutual"),
            "EXPIRED": self.authority.issue("broker-expired", **over),
            "ELSEWHERE": self.authority.issue("broker-elsewhere", ["kafka.example"]),
        }
        return {
            "listeners": f"{advertised},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": advertised,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in PROTOCOLS.items()
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            **{
                setting: value
                for name in PROTOCOLS
                for setting, value in listener(name, shown.get(name), self.authority).items()
            },
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{ADMIN};User:CN=client",
        }


def bindings(it: Permission) -> list[AclBinding]:
    """A permission as Kafka's own objects: one for each operation."""
    pattern = ResourcePatternType.PREFIXED if it.prefixed else ResourcePatternType.LITERAL
    kind, who, allow = KINDS[it.kind], f"User:{it.role}", AclPermissionType.ALLOW
    return [
        AclBinding(kind, it.name, pattern, who, "*", OPERATIONS[operation], allow)
        for operation in it.operations
    ]


def _filter(it: AclBinding) -> Any:
    from confluent_kafka.admin import AclBindingFilter

    return AclBindingFilter(
        it.restype,
        it.name,
        it.resource_pattern_type,
        it.principal,
        it.host,
        it.operation,
        it.permission_type,
    )
