"""Checks every two seconds that the cluster is still as it was when the worker started.

It sends requests of its own, because aiokafka's consumer stops watching its topics when a static
member comes back. If a topic is gone, was created again or may lose state, the worker ends with
exit code 2. If partitions were added, it goes on: their records are not read, so no adverse event
is decided any more, but favourable ones are, until a person restarts the worker. If the brokers do
not let it see a topic, adverse events wait for as long, and the log says why. A *look* is one such
check.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.engine.continuity import REBUILD, accept
from streams.engine.preflight import KnownCluster, changelogs, refuse_deletion
from streams.engine.processor import ProcessorSpec
from streams.engine.rights import RIGHTS_CURE
from streams.kafka.login import knock
from streams.kafka.requests.coordinators import stable_offsets
from streams.kafka.requests.metadata import NO_RIGHT_TO_SEE, UNKNOWN_TOPIC, View, view_topics
from streams.kafka.requests.offsets import OffsetAnswer
from streams.log_events import event
from streams.stop_worker import ExitCode, StopWorker

EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 1.0
"""How long timers wait for a look; without one, only favourable timers act."""
LOOK_SECONDS = 5.0
MISSING_SECONDS = 3.5
"""How long looks must find a topic missing before it counts as deleted: a broker that starts does
not know all topics at once."""
UNSEEN_SECONDS = 5.0
"""How long looks must find a topic that the brokers do not describe before the log says so: while
leaders are elected that is ordinary."""
VERDICT_SECONDS = 20.0
"""How long an error waits, at most, for the verdict on a topic that is missing."""
# Every third look also checks the settings of the changelogs.
SETTINGS_LOOKS = 3
# Of so many checks in a row that could not read the settings, the last one is logged.
SETTINGS_UNREAD = 2

# Kafka counts as away after this time without an answer. With the interval and the time limit of
# the looks, `/readyz` becomes false within ten seconds.
AWAY_SECONDS = 2.0

logger = logging.getLogger(__name__)
_aiokafka = logging.getLogger("aiokafka")
Away = (KafkaError, OSError, TimeoutError)


class KafkaSilence:
    """The time for which Kafka does not answer; logged once, and when it is over."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._told = False

    @property
    def seconds(self) -> float:
        """The time since Kafka stopped answering; 0 while it answers."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    @property
    def away(self) -> bool:
        """Whether Kafka has not answered for so long that it counts as gone."""
        return self.seconds >= AWAY_SECONDS

    async def begin_or_go_on(self, error: BaseException, config: EngineConfig) -> None:
        """Notes that Kafka does not answer, and logs it once, with the cause.

        The cause may be one that a person must fix, for instance a changed password.
        """
        if self._since is None:
            self._since = time.monotonic()
        if self.away and not self._told:
            self._told = True
            answer = await knock(config.client_arguments())
            why = answer.fault or answer.silence or type(error).__name__
            logger.error(
                "Kafka does not answer (%s); waiting for it", why, extra=event("kafka_away")
            )

    def end(self) -> None:
        """Notes that Kafka answers."""
        if self._told:
            logger.warning(
                "Kafka answers again, after %.0f s", self.seconds, extra=event("kafka_back")
            )
        self._since, self._told = None, False


class UnseenTopics:
    """What the brokers do not tell of the topics; logged once, and when it is over."""

    def __init__(self) -> None:
        self.why: str | None = None
        """The topics with the causes, if looks have met them for some seconds; else None."""
        self._since: float | None = None

    def tell(self, faults: Mapping[str, str]) -> None:
        """Takes what a look has met; `faults`: the cause, by topic."""
        if not faults:
            if self.why is not None:
                logger.warning(
                    "every topic can be seen again: adverse events go on",
                    extra=event("topics_seen"),
                )
            self.why, self._since = None, None
            return
        now, told = time.monotonic(), self.why is not None
        if self._since is None:
            self._since = now
        if now - self._since < UNSEEN_SECONDS:
            return
        listed = "; ".join(f"{name}: {why}" for name, why in sorted(faults.items()))
        self.why = f"topics cannot be compared with those of the start ({listed})"
        if not told:
            logger.error(
                "%s. Until they can be, adverse events wait, favourable ones go on",
                self.why,
                extra=event("topics_unseen"),
            )


class ClusterWatch:
    """Compares the topics with those of the start. `on_change` is called when they differ."""

    def __init__(
        self,
        config: EngineConfig,
        spec: ProcessorSpec,
        clock: Clock,
        cluster: KnownCluster,
        on_change: Callable[[], None],
    ) -> None:
        self.looked_at = -math.inf
        """When the last look began that found every topic, in milliseconds UTC."""
        self.changed: str | None = None
        """What has changed since the start; None if nothing has. It is never reset."""
        self.unseen = UnseenTopics()
        """The topics that the brokers do not describe. While there are any, adverse events wait."""
        self._settings_unread = 0
        """How many checks in a row could not read the settings of a changelog."""
        self._config = config
        self._spec = spec
        self._clock = clock
        self._on_change = on_change
        self._cluster = cluster
        self._client: AIOKafkaAdminClient | None = None
        self._missing_since: dict[str, float] = {}
        """When a look first did not find a topic (`time.monotonic()`)."""
        self._none_missing = asyncio.Event()
        self._none_missing.set()
        self._look: asyncio.Task[None] | None = None
        self._looks = 0
        self._silence = KafkaSilence()
        self._library_level: int | None = None
        self.ends: Callable[[list[TopicPartition]], Awaitable[OffsetAnswer]]
        """Returns the end offsets of partitions; set by the engine."""
        if config.favourable_only:
            self.changed = "started with --favourable-only"

    async def run(self) -> None:
        """Looks every two seconds.

        Raises:
            StopWorker: the worker cannot go on.
        """
        try:
            while True:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._shared_look()
                        self._looks += 1
                        if self._looks % SETTINGS_LOOKS == 0:
                            await self._check_settings()
                except Away as error:
                    self._quiet(True)
                    await self._silence.begin_or_go_on(error, self._config)
                else:
                    self._silence.end()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            if self._client is not None:
                await self._client.close()

    @property
    def holding(self) -> str | None:
        """Why adverse events wait for the cluster; None if they do not."""
        return self.changed or self.unseen.why

    @property
    def away_seconds(self) -> float:
        """The time since Kafka stopped answering, in seconds; 0 while it answers."""
        return self._silence.seconds

    @property
    def away(self) -> bool:
        """Whether Kafka has not answered for so long that it counts as gone."""
        return self._silence.away

    async def looked_since(self, instant: int) -> bool:
        """Whether a look began at `instant` or later and found every topic; waits up to 1 s."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.looked_at < instant:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with suppress(*Away):
                async with asyncio.timeout(left):
                    await self._shared_look()
            if self.looked_at < instant:
                await asyncio.sleep(0.1)
        return True

    async def verdict(self) -> None:
        """Waits while a topic is missing, but not for so long yet that it counts as deleted.

        A transaction on a deleted topic does not end. If the topic stays missing, `run` ends the
        process with that cause; otherwise the caller's own error counts.
        """
        with suppress(*Away):
            async with asyncio.timeout(VERDICT_SECONDS):
                await self._shared_look()
                await self._none_missing.wait()

    async def _shared_look(self) -> None:
        """Waits for the look that is running, or starts one."""
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().create_task(self._take_look())
        await asyncio.shield(self._look)

    async def _take_look(self) -> None:
        began = self._clock.now()
        # With a limit, because many wait for this one look, and the broker asked may be frozen.
        async with asyncio.timeout(LOOK_SECONDS):
            client = await self._connected()
            view = await view_topics(client._client, list(self._cluster.topics))
            if there := self.judge(view):
                faults = await self._look_beyond(client)
            else:
                faults = _faults(view)
        if there or faults:
            self.unseen.tell(faults)
        if there and not faults:
            self.looked_at = began

    async def _look_beyond(self, client: AIOKafkaAdminClient) -> dict[str, str]:
        """Defers adverse events if partitions that are not in use have unread records.

        Returns, by topic, why it is not known whether they have.
        """
        beyond = self._cluster.beyond
        if not beyond or self.changed is not None:
            return {}
        moved = await stable_offsets(client, self._config.application_id, beyond)
        ends, unknown = await self.ends(list(beyond))
        left = {tp: n for tp, end in ends.items() if (n := end - moved.get(tp, 0)) > 0}
        if left:
            listed = ", ".join(f"{tp.topic}[{tp.partition}] {n}" for tp, n in left.items())
            self._hold_back(
                f"records lie in partitions that are not in use: {listed}. Move them with `byline "
                "cluster reroute`, have producers write to the old partitions alone, and start the "
                "workers again"
            )
        return {f"{tp.topic}[{tp.partition}]": why for tp, why in unknown.items()}

    def _hold_back(self, why: str) -> None:
        self.changed = why
        logger.error(
            "%s. Until this worker is started again adverse events wait, favourable ones go on",
            why,
            extra=event("cluster_changed"),
        )
        self._on_change()

    async def _connected(self) -> AIOKafkaAdminClient:
        if self._client is None:
            client = AIOKafkaAdminClient(**self._config.client_arguments())
            try:
                await client.start()
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client

    async def _check_settings(self) -> None:
        client = await self._connected()
        unread = await refuse_deletion(client, changelogs(self._config, self._spec))
        if not self._missing_since:
            self._settings_unread = self._settings_unread + 1 if unread else 0
        if self._settings_unread == SETTINGS_UNREAD:
            logger.error(
                "the brokers do not tell the settings of %s: while they do not, nobody notices if "
                "it is set to delete records. %s",
                ", ".join(unread),
                RIGHTS_CURE,
                extra=event("settings_unread"),
            )

    def judge(self, view: View) -> bool:
        """Compares a view of the topics with the start. Returns whether every topic is there.

        Raises:
            StopWorker: a topic was deleted, or deleted and created again.
        """
        for name, known in self._cluster.topics.items():
            topic = view.topics.get(name)
            if topic is None or topic.error == UNKNOWN_TOPIC:
                self._quiet(True)
                self._none_missing.clear()
                since = self._missing_since.setdefault(name, time.monotonic())
                if time.monotonic() - since >= MISSING_SECONDS:
                    raise StopWorker(
                        f"{name} was deleted while the worker ran; what was in it and unread is "
                        f"lost. `{self._config.topics_command}` makes it anew, and the next start "
                        "says how to go on",
                        ExitCode.PERSON,
                    )
                continue
            if topic.error:
                continue
            self._missing_since.pop(name, None)
            if not self._missing_since:
                self._none_missing.set()
            if known.id and topic.id and topic.id != known.id:
                raise StopWorker(
                    f"{name} was deleted and made anew while the worker ran: its topic id was "
                    f"{known.id}, now it is {topic.id}. What was in it and unread is lost. "
                    f"{self._way_out(name, topic.id)}",
                    ExitCode.PERSON,
                )
        self._look_for_more(view)
        there = all(
            name in view.topics and view.topics[name].error == 0 for name in self._cluster.topics
        )
        self._quiet(not there)
        return there

    def _quiet(self, quiet: bool) -> None:
        """Silences aiokafka's log while Kafka is away, because it logs a hundred lines a second."""
        if quiet and self._library_level is None:
            self._library_level = _aiokafka.level
            _aiokafka.setLevel(logging.CRITICAL)
        elif not quiet and self._library_level is not None:
            _aiokafka.setLevel(self._library_level)
            self._library_level = None

    def _look_for_more(self, view: View) -> None:
        if self.changed is not None:
            return
        more = self._more(view)
        if not more:
            return
        listed = ", ".join(f"{name} {old} to {new}" for name, (old, new) in more.items())
        self._hold_back(
            f"partitions were added: {listed}; nothing reads them, and keys lie elsewhere. Stop "
            "whoever writes there; the next start says how to go on"
        )

    def _way_out(self, name: str, topic_id: str) -> str:
        return REBUILD if name in changelogs(self._config, self._spec) else accept(name, topic_id)

    def _more(self, view: View) -> Mapping[str, tuple[int, int]]:
        """Returns the topics whose partition count changed, with the counts before and now."""
        once = [self._spec.broadcast] if self._spec.broadcast is not None else []
        found = {}
        for name in (*self._spec.topics, *changelogs(self._config, self._spec), *once):
            known, topic = self._cluster.topics[name], view.topics.get(name)
            if topic is not None and topic.error == 0 and topic.partitions != known.partitions:
                found[name] = (known.partitions, topic.partitions)
        return found


def _faults(view: View) -> dict[str, str]:
    """Returns, by topic, why the brokers do not describe it; missing topics are not among them."""
    faults = {}
    for name, topic in view.topics.items():
        if topic.error == NO_RIGHT_TO_SEE:
            faults[name] = f"no right to see it; {RIGHTS_CURE}"
        elif topic.error not in (0, UNKNOWN_TOPIC):
            faults[name] = for_code(topic.error).__name__
    return faults
