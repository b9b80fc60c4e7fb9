"""Fixtures that every test may ask for.

`kafka`         a real Kafka of one broker, started once a session when first asked for
`fresh_prefix`  a topic prefix no other test has: put it before every topic name
`fresh_app`     an application id (group, transactional ids, changelogs) no other test has
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.local.kafka import KafkaCluster


@dataclass(frozen=True)
class RunningKafka:
    """`bootstrap`: `host:port` for clients. `cluster`: kill, freeze, restart it (put it back)."""

    bootstrap: str
    cluster: KafkaCluster


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """The session's broker: auto-creation of topics is off, data in a temporary folder.

    Shared by all tests of the session: use `fresh_prefix` and `fresh_app`. A test that kills the
    broker restarts it, or better makes a KafkaCluster of its own.
    """
    with KafkaCluster(tmp_path_factory.mktemp("kafka")) as cluster:
        yield RunningKafka(cluster.bootstrap, cluster)


@pytest.fixture
def fresh_prefix(request: pytest.FixtureRequest) -> str:
    """A topic prefix of this test alone, with its dot: `t-sends-each-line-5f3a9c.`."""
    return f"{_unique(request)}."


@pytest.fixture
def fresh_app(request: pytest.FixtureRequest) -> str:
    """An application id of this test alone: `app-sends-each-line-5f3a9c`."""
    return f"app-{_unique(request)}"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty DATA_DIR of this test alone."""
    path = tmp_path / "data"
    path.mkdir()
    return path


def _unique(request: pytest.FixtureRequest) -> str:
    word = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))
    return f"t-{word[:24].strip('-')}-{secrets.token_hex(3)}"
