"""`byline topics create`, `check` and `apply`: compare the cluster with schemas/topics.py.

Keyed topics all have the same number of partitions; single ones have one.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAuthorizationFailedError

from schemas.topics import KEEP_FOR_EVER, TOPICS, Topic, TopicNames
from streams.kafka.configs import set_topic_configs
from streams.kafka.requests.metadata import NO_RIGHT_TO_SEE, view_topics
from streams.operate.clients import admin_client
from streams.operate.errors import NoRightError, OperateError, UsageError
from streams.settings import Settings

DEFAULT_PARTITIONS = 8
DEFAULT_REPLICAS = 3
TOPIC_ALREADY_EXISTS = 36
APPEAR_SECONDS = 10.0
LARGEST_BATCH = "max.message.bytes"
AT_LEAST = frozenset({LARGEST_BATCH, "min.compaction.lag.ms"})
"""Settings that may be larger than needed; of an input the largest batch may not.

A worker fetches a batch whole, whatever its size: it is the one thing that a producer can make
large and a worker cannot cut.
"""

PARTITIONS = "the number of partitions"
KEEPING = frozenset({"retention.ms", "retention.bytes"})
"""Settings that say how long, and how much, Kafka keeps."""


HIDDEN = "no right to see it"
HIDDEN_SETTINGS = "no right to see its settings"


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic of the cluster; `config` None: this principal may not see its settings."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Created:
    """The topics that create() made, their partitions and replicas, and those that existed."""

    made: tuple[str, ...]
    left: tuple[str, ...]
    partitions: int
    replicas: int


@dataclass(frozen=True, slots=True)
class TopicDifference:
    """One difference of a topic. `what`: the setting, or what else differs.

    `needed` and `found`: the values as Kafka writes them.
    """

    topic: str
    what: str
    needed: str
    found: str

    @property
    def is_setting(self) -> bool:
        """Whether the difference is in a setting of the topic, which apply() can change."""
        return self.what not in ("missing", PARTITIONS, HIDDEN, HIDDEN_SETTINGS)

    @property
    def is_hidden(self) -> bool:
        """Whether this principal may not see the topic or its settings, so nothing is known."""
        return self.what in (HIDDEN, HIDDEN_SETTINGS)

    @property
    def lacks(self) -> str:
        """The operation that has to be allowed before anything is known; only if `is_hidden`."""
        return "Describe" if self.what == HIDDEN else "DescribeConfigs"

    @property
    def value(self) -> str:
        """The value to which the setting must be changed."""
        return self.needed.removeprefix("at least ")

    def __str__(self) -> str:
        if self.what == "missing" or self.is_hidden:
            return f"{self.topic}: {self.what}"
        return f"{self.topic}: {self.what} is {self.found}, {self.needed} is needed"


def names_of(settings: Settings) -> TopicNames:
    """Returns the full topic names under these settings."""
    return TopicNames(settings.topic_prefix, settings.application_id)


async def create(
    settings: Settings,
    partitions: int | None = None,
    replicas: int | None = None,
    only: Collection[Topic] = TOPICS,
) -> Created:
    """Makes the missing topics with the right settings and leaves the others alone.

    `partitions`: of the keyed topics; None: as the existing ones have, else 8. `replicas` None: 3,
    or as many as there are brokers. `only`: looks at these topics, and makes no others.

    Raises:
        UsageError: the existing topics have another number of partitions, so an account's records
            would not lie under one partition number; or there are fewer brokers than `replicas`.
        NoRightError: this principal may not see whether a topic exists, or not make one.
        OperateError: Kafka refuses to make a topic.
        KafkaAbsentError: no broker answers.
    """
    names = names_of(settings)
    async with admin_client(settings) as client:
        existing = await _existing(client, (names.of(topic) for topic in only))
        if hidden := await _hidden(client, names, existing, only):
            raise NoRightError(f"no right to Describe {', '.join(sorted(hidden))}")
        keyed = _common_count(names, existing)
        if partitions is not None and keyed is not None and keyed != partitions:
            raise UsageError(
                f"the existing topics have {keyed} partitions: leave --partitions out, or give"
                f" --partitions {keyed}; another number needs another BYLINE_TOPIC_PREFIX"
            )
        count = partitions or keyed or DEFAULT_PARTITIONS
        brokers = len((await client.describe_cluster())["brokers"])
        if replicas is not None and replicas > brokers:
            raise UsageError(f"--replication-factor {replicas}: there are {brokers} brokers")
        copies = replicas or min(DEFAULT_REPLICAS, brokers)
        wanted = [
            NewTopic(
                names.of(t), 1 if t.single else count, copies, topic_configs=config_of(t, copies)
            )
            for t in only
            if names.of(t) not in existing
        ]
        made = await _make(client, wanted)
    left = sorted({names.of(topic) for topic in only}.difference(made))
    return Created(tuple(made), tuple(left), count, copies)


async def refuse_no_creation(client: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    """Raises NoRightError if one of these topics may not be made. It makes none."""
    wanted = [NewTopic(name, 1, 1) for name in names]
    response = await client.create_topics(wanted, validate_only=True)
    denied = [
        name
        for name, code, *_ in response.topic_errors
        if code == TopicAuthorizationFailedError.errno
    ]
    if denied:
        raise NoRightError(f"no right to Create {', '.join(sorted(denied))}")


async def check(settings: Settings) -> list[TopicDifference]:
    """Returns every difference between what exists and what is needed. Raises KafkaAbsentError."""
    names = names_of(settings)
    async with admin_client(settings) as client:
        existing = await _existing(client, (names.of(topic) for topic in TOPICS))
        hidden = await _hidden(client, names, existing)
    return list(differences(names, existing, settings.partitions, hidden))


async def kept_too_short(settings: Settings) -> list[TopicDifference]:
    """Returns the settings by which a topic with a minimum retention would lose records too early.

    They are a short time, a limit of size, and compaction. Raises KafkaAbsentError.
    """
    names = names_of(settings)
    held = [topic for topic in TOPICS if topic.minimum_retention]
    async with admin_client(settings) as client:
        existing = await _existing(client, map(names.of, held))
    return [
        it
        for topic in held
        if names.of(topic) in existing
        for it in _wrong_settings(topic, names.of(topic), existing[names.of(topic)])
        if it.what in KEEPING or (it.what == "cleanup.policy" and "compact" in it.found)
    ]


@dataclass(frozen=True, slots=True)
class Applied:
    """The differences that apply() mended (or, in a dry run, would), and those that it cannot."""

    changed: tuple[TopicDifference, ...]
    left: tuple[TopicDifference, ...]


async def apply(settings: Settings, *, dry_run: bool = False) -> Applied:
    """Changes the settings that check() names, and no other setting.

    Missing topics and numbers of partitions are left as they are. In a dry run the broker only
    checks the changes. Raises OperateError if the broker refuses one, KafkaAbsentError.
    """
    names = names_of(settings)
    async with admin_client(settings) as client:
        existing = await _existing(client, (names.of(topic) for topic in TOPICS))
        hidden = await _hidden(client, names, existing)
        found = list(differences(names, existing, settings.partitions, hidden))
        mended = [it for it in found if it.is_setting]
        changes: dict[str, dict[str, str]] = {}
        for it in mended:
            changes.setdefault(it.topic, {})[it.what] = it.value
        refused = await set_topic_configs(client, changes, validate_only=dry_run)
        if refused:
            words = "; ".join(f"{topic}: {why}" for topic, why in refused.items())
            raise OperateError(f"Kafka refuses to change settings ({words})")
        if mended and not dry_run:
            await _await_settings(client, names, {it.topic for it in mended})
    return Applied(tuple(mended), tuple(it for it in found if it not in mended))


async def _await_settings(
    client: AIOKafkaAdminClient, names: TopicNames, changed: set[str]
) -> None:
    """Waits until the brokers show the new settings. Raises TimeoutError."""
    async with asyncio.timeout(APPEAR_SECONDS):
        while True:
            existing = await _existing(client, changed)
            wrong = (
                _wrong_settings(topic, name, existing[name])
                for topic in TOPICS
                if (name := names.of(topic)) in existing
            )
            if not any(any(settings) for settings in wrong):
                return
            await asyncio.sleep(0.1)


def differences(
    names: TopicNames,
    existing: Mapping[str, Existing],
    in_use: int | None = None,
    hidden: Collection[str] = (),
) -> Iterator[TopicDifference]:
    """Yields missing topics, wrong partition counts and wrong settings.

    `in_use`: how many partitions of keyed topics the workers read; None: all. `hidden`: topics that
    this principal may not see.
    """
    keyed = _common_count(names, existing)
    for topic in TOPICS:
        name = names.of(topic)
        found = existing.get(name)
        if found is None:
            what = HIDDEN if name in hidden else "missing"
            yield TopicDifference(name, what, "there", what)
            continue
        count = 1 if topic.single else in_use or keyed
        if found.partitions != count and (in_use is None or found.partitions < (count or 1)):
            yield TopicDifference(name, PARTITIONS, str(count), str(found.partitions))
        yield from _wrong_settings(topic, name, found)


def _wrong_settings(topic: Topic, name: str, found: Existing) -> Iterator[TopicDifference]:
    if found.config is None:
        yield TopicDifference(name, HIDDEN_SETTINGS, "DescribeConfigs", HIDDEN_SETTINGS)
        return
    for setting, needed in topic.config.items():
        value = found.config.get(setting, "")
        if not _suffices(topic, setting, needed, value):
            more = _may_exceed(topic, setting) or (
                setting == "retention.ms" and topic.minimum_retention
            )
            words = f"at least {needed}" if more else needed
            yield TopicDifference(name, setting, words, value)


def _suffices(topic: Topic, setting: str, needed: str, found: str) -> bool:
    if found == needed:
        return True
    if _may_exceed(topic, setting):
        return found.lstrip("-").isdigit() and int(found) >= int(needed)
    if setting == "retention.ms" and needed != str(KEEP_FOR_EVER):
        # A long retention is a minimum: shortening it would delete records.
        return found == str(KEEP_FOR_EVER) or (found.isdigit() and int(found) >= int(needed))
    return False


def _may_exceed(topic: Topic, setting: str) -> bool:
    return setting in AT_LEAST and not (setting == LARGEST_BATCH and topic.role == "input")


def config_of(topic: Topic, copies: int) -> dict[str, str]:
    """Returns the settings of a new topic. With three replicas two must acknowledge a write."""
    return {**topic.config, **({"min.insync.replicas": "2"} if copies >= 3 else {})}


def _common_count(names: TopicNames, existing: Mapping[str, Existing]) -> int | None:
    """Returns the partition count of most keyed topics, of two equally frequent ones the larger."""
    counts = Counter(
        existing[names.of(topic)].partitions
        for topic in TOPICS
        if not topic.single and names.of(topic) in existing
    )
    return max(counts, key=lambda count: (counts[count], count)) if counts else None


async def _existing(client: AIOKafkaAdminClient, wanted: Iterable[str]) -> dict[str, Existing]:
    """Returns those of the wanted topics that exist, by name.

    It lists all topics: asking for a missing one by name creates it on a cluster with
    `auto.create.topics.enable`.
    """
    needed = set(wanted)
    described = {
        topic["topic"]: topic["partitions"]
        for topic in await client.describe_topics()
        if topic["topic"] in needed and topic["error_code"] == 0
    }
    if not described:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in described]
    configs: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources):
        for code, _message, _kind, name, entries in response.resources:
            if code == 0:
                configs[name] = {entry[0]: entry[1] for entry in entries}
    return {
        name: Existing(
            len(partitions),
            min((len(partition["replicas"]) for partition in partitions), default=0),
            configs.get(name),
        )
        for name, partitions in described.items()
    }


async def _hidden(
    client: AIOKafkaAdminClient,
    names: TopicNames,
    existing: Mapping[str, Existing],
    wanted: Iterable[Topic] = TOPICS,
) -> set[str]:
    """Returns the topics that are not in `existing` because this principal may not see them."""
    absent = [names.of(topic) for topic in wanted if names.of(topic) not in existing]
    view = await view_topics(client._client, absent) if absent else None
    known = {} if view is None else view.topics
    return {name for name, topic in known.items() if topic.error == NO_RIGHT_TO_SEE}


async def _make(client: AIOKafkaAdminClient, wanted: list[NewTopic]) -> list[str]:
    """Creates the topics, and returns their names once a broker lists them.

    Raises NoRightError or OperateError if Kafka refuses one, TimeoutError if one does not appear.
    """
    if not wanted:
        return []
    made, denied = [], []
    response = await client.create_topics(wanted)
    for name, code, *message in response.topic_errors:
        if code == 0:
            made.append(name)
        elif code == TopicAuthorizationFailedError.errno:
            denied.append(name)
        elif code != TOPIC_ALREADY_EXISTS:
            raise OperateError(f"Kafka refuses to make {name}: {message[0] if message else code}")
    if denied:
        raise NoRightError(f"no right to Create {', '.join(sorted(denied))}")
    async with asyncio.timeout(APPEAR_SECONDS):
        while len(await _existing(client, made)) < len(made):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return made
