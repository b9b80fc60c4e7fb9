"""`byline topics strimzi`: the declared topics and rights as resources of the Strimzi operator.

From what `topics create` and `topics acl` are made of, so that none of the three can differ. A
`KafkaTopic` is what its operator keeps to; a `KafkaUser` logs in by SCRAM and has the rights of one
role. The operator keeps its password in a Secret of the same name.
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
"""Of Strimzi 0.49 and later; `v1beta2` of earlier ones has the same fields."""

_KINDS = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}

Resource = dict[str, Any]


def kafka_topics(
    settings: Settings, cluster: str, partitions: int, replicas: int, api_version: str = API_VERSION
) -> list[Resource]:
    """A `KafkaTopic` for each declared topic. `cluster` is the name of the `Kafka` resource."""
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
    """A `KafkaUser` for each role of `byline topics acl`, named by the prefix and the role."""
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
    """Documents of one stream, in their order."""
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
