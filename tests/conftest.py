"""Fixtures that every test may ask for.

`kafka`         a real Kafka of one broker, started once a session when first asked for
`guarded`       another one, with TLS, SCRAM and ACLs: each role of `byline topics acl` may log in
`fresh_prefix`  a topic prefix no other test has: put it before every topic name
`fresh_app`     an application id (group, transactional ids, changelogs) no other test has

Files run side by side (`sh tests/run.sh`), each in one process from its first test to its last,
for its tests share what is slow to make. Those of tests/bench and tests/chaos that measure time run
one after another, and begin first. Then files that wait for a Kafka take turns with those that use
a processor all the time, so that it is never idle; what is quick comes last.
"""

import functools
import itertools
import re
import secrets
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jgo
import pytest

from streams.local import node
from streams.local.kafka import KafkaCluster
from streams.operate.acl import permissions
from streams.settings import Settings
from tests.support import parts
from tests.tls.cluster import GuardedKafka

pytest.register_assert_rewrite("tests.engine.harness", "tests.worker.harness")

# As if it were not installed: jsonschema would have it build 38 parsers, a fifth of what it costs a
# process to collect all tests, for the format `iri`, which no schema here has (test_export.py).
sys.modules.setdefault("rfc3987_syntax", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--tls`: workers of the exactly-once, rebalance and liveness tests come in by TLS + SCRAM.
    `--kafka-version 3.3.2`: all Kafkas of this session are of another version.
    `--all-parts`: a part that is absent (tests/support/parts.py) is a failure.
    `--parts-line FILE`: the line about absent parts is written there too.
    """
    parser.addoption("--tls", action="store_true", help="workers log in over TLS + SCRAM")
    words = "run on this Kafka instead of the pinned one; its jars are downloaded once"
    parser.addoption("--kafka-version", help=words)
    parser.addoption("--all-parts", action="store_true", help="a part that is absent fails a test")
    parser.addoption("--parts-line", help="write the line about absent parts to this file too")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail what wants a part that is absent."""
    parts.demand(item, item.config.getoption("--all-parts"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say in one line which parts are absent, and how many tests were not run for them."""
    skipped = terminalreporter.stats.get("skipped", [])
    line = parts.absent_line(it.longrepr[2] for it in skipped if isinstance(it.longrepr, tuple))
    terminalreporter.write_line(line)
    if config.getoption("--parts-line"):
        Path(config.getoption("--parts-line")).write_text(f"{line}\n")


def pytest_configure(config: pytest.Config) -> None:
    """Take the jars of the version that was asked for."""
    version = config.getoption("--kafka-version")
    if version:
        endpoint = f"org.apache.kafka:kafka_2.13:{version}+org.slf4j:slf4j-simple:1.7.36"

        @functools.cache
        def class_path() -> tuple[Path, ...]:
            return tuple(Path(jar.resolve()) for jar in jgo.resolve(endpoint))

        node.class_path = class_path


ONE_AFTER_ANOTHER = ("bench", "chaos")
"""Folders whose files never run side by side."""
SIDE_BY_SIDE = (
    "chaos/test_wire.py",
    "chaos/test_poison_day.py",
    "chaos/test_backlog.py",
    "chaos/test_simulated.py",
    "chaos/test_targeted.py",
)
"""Files of theirs that measure no time, or allow for a machine that others use too."""


ON_GUARDED = tuple(
    f"cli/test_{it}.py" for it in ("acl", "each_right", "faults", "rights", "upkeeper")
)
"""Files that are handed out as one, so that one broker with TLS and ACLs is started for all."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a Kafka, and put the files into the order of `ordered`."""
    for item in items:
        if {"kafka", "guarded"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
    marked = {
        name: {_group(item.nodeid) for item in items if item.get_closest_marker(name)}
        for name in ("kafka", "slow")
    }
    groups = dict.fromkeys(_group(item.nodeid) for item in items)
    places = {group: at for at, group in enumerate(ordered(groups, **marked))}
    items.sort(key=lambda it: places[_group(it.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole files, and the folders that want the machine as one."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Files(config, log)


def ordered(groups: Collection[str], kafka: Collection[str], slow: Collection[str]) -> list[str]:
    """Files, and folders that are handed out as one, in the order in which they begin."""
    first = [it for it in groups if it in ONE_AFTER_ANOTHER]
    rest = [it for it in groups if it not in ONE_AFTER_ANOTHER]
    waiting = sorted((it for it in rest if it in kafka), key=lambda it: it not in slow)
    busy = [it for it in rest if it in slow and it not in kafka]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(waiting, busy))
    quick = [it for it in rest if it not in kafka and it not in slow]
    return [*first, *(it for it in in_turn if it is not None), *quick]


def _group(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    if file.endswith(ON_GUARDED):
        return "cli on a guarded Kafka"
    folder = (*file.split("/"), "")[1]
    return folder if folder in ONE_AFTER_ANOTHER and not file.endswith(SIDE_BY_SIDE) else file


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
    with KafkaCluster(tmp_path_factory.mktemp("kafka"), brief=True) as cluster:
        yield RunningKafka(cluster.bootstrap, cluster)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """The session's broker as it stands in production: each role has the rights that are printed.

    They are for the prefix `byline.` and the application id `byline`; whoever takes one away gives
    it back. The user `admin` may do everything.
    """
    granted = permissions(Settings())
    users = tuple(sorted({it.role for it in granted}))
    with GuardedKafka(tmp_path_factory.mktemp("guarded"), users, brief=True) as made:
        made.allow(granted)
        yield made


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
