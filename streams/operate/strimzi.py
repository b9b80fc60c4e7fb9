"""`byline topics strimzi`: prints the declared topics and rights as resources for Strimzi.

Strimzi is a Kubernetes operator for Kafka. The resources are made from the same declarations as
`topics create` and `topics acl` use, so the three cannot differ. Strimzi makes a topic of each
`KafkaTopic`, and of each `KafkaUser` a user with a SCRAM login, the rights of one role, and its
password in a Secret of the same name.
"""

import io
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML

from schemas.topics import TOPICS
from streams.operate.acl import Permission, permissions
from streams.operate.topics import config_of, names_of
from streams.settings import Settings

API_VERSION = "kafka.strimzi.io/v1"
"""The version of the resources since Strimzi 0.49; `v1beta2` before it has the same fields."""

_KINDS = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}

Resource = dict[str, Any]


def kafka_topics(
    settings: Settings, cluster: str, partitions: int, replicas: int, api_version: str = API_VERSION
) -> list[Resource]:
    """Returns a `KafkaTopic` for each declared topic.

    `cluster`: the name of the `Kafka` resource. `partitions`: of keyed topics.
    """
    names = names_of(settings)
    return [
        {
            **_head(api_version, "KafkaTopic", names.of(topic), cluster),
            "spec": {
                "topicName": names.of(topic),
                "partitions": 1 if topic.single else partitions,
                "replicas": replicas,
                "config": config_of(topic, replicas),
            },
        }
        for topic in TOPICS
    ]


def kafka_users(
    settings: Settings,
    cluster: str,
    user_prefix: str = "byline-",
    api_version: str = API_VERSION,
) -> list[Resource]:
    """Returns a `KafkaUser` for each role of `byline topics acl`, named by prefix and role.

    `cluster`: the name of the `Kafka` resource.
    """
    granted = permissions(settings)
    roles = dict.fromkeys(it.role for it in granted)
    return [
        {
            **_head(api_version, "KafkaUser", user_prefix + role, cluster),
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {
                    "type": "simple",
                    "acls": [_acl(it) for it in granted if it.role == role],
                },
            },
        }
        for role in roles
    ]


def as_yaml(resources: Iterable[Resource]) -> str:
    """Returns the resources as one YAML stream, a document for each."""
    text = io.StringIO()
    yaml = YAML(pure=True)
    yaml.default_flow_style = False
    yaml.explicit_start = True
    yaml.width = 100
    for resource in resources:
        yaml.dump(resource, text)
    return text.getvalue()


def _head(api_version: str, kind: str, name: str, cluster: str) -> Resource:
    labels = {"strimzi.io/cluster": cluster, "app.kubernetes.io/part-of": "byline"}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
    }


def _acl(it: Permission) -> Resource:
    pattern = "prefix" if it.prefixed else "literal"
    return {
        "resource": {"type": _KINDS[it.kind], "name": it.name, "patternType": pattern},
        "operations": list(it.operations),
    }
