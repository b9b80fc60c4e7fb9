"""Whether the cluster is still the one that the worker started on: looked at while it lives.

By requests of its own: aiokafka's consumer stops watching its topics when a static member comes
back. A topic that is gone, was made anew or may lose state ends the worker with exit code 2 and its
name. Partitions that were added do not: what they hold is unread, so nothing adverse is decided any
more, but lifts and grants go on until somebody restarts the worker and is told what to do.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.engine.clock import Clock
from streams.engine.config import EngineConfig
from streams.engine.continuity import REBUILD, accept
from streams.engine.preflight import KnownCluster, changelogs, committed_of, refuse_deletion
from streams.engine.processor import ProcessorSpec
from streams.kafka.login import knock
from streams.kafka.requests.metadata import UNKNOWN_TOPIC, View, view_topics
from streams.stop_worker import ExitCode, StopWorker

EVERY_SECONDS = 2.0
PATIENCE_SECONDS = 1.0
"""How long a timer waits for a look; without one, what is favourable acts alone."""
LOOK_SECONDS = 5.0
# A broker that comes up does not know its topics for a moment.
MISSING_LOOKS = 3
# Settings are asked for at each third look.
SETTINGS_LOOKS = 3

# After these seconds without an answer Kafka counts as gone. With the interval of the checks
# and their time limit, `/readyz` turns false within ten seconds.
AWAY_SECONDS = 2.0

logger = logging.getLogger(__name__)
_aiokafka = logging.getLogger("aiokafka")
Away = (KafkaError, OSError, TimeoutError)


class ClusterWatch:
    """Compares the topics with what they were at the start."""

    def __init__(
        self,
        config: EngineConfig,
        spec: ProcessorSpec,
        clock: Clock,
        cluster: KnownCluster,
        on_change: Callable[[], None],
    ) -> None:
        self.looked_at = -math.inf
        """When the last look began that found every topic: milliseconds UTC."""
        self.changed: str | None = None
        """What has changed, as long as the worker lives."""
        self._config = config
        self._spec = spec
        self._clock = clock
        self._on_change = on_change
        self._cluster = cluster
        self._client: AIOKafkaAdminClient | None = None
        self._missing: Counter[str] = Counter()
        self._look: asyncio.Task[None] | None = None
        self._looks = 0
        self._away_since: float | None = None
        self._away_told = False
        self._library_level: int | None = None
        self.ends: Callable[[list[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
        """Asks where partitions end; set by the engine."""
        if config.favourable_only:
            self.changed = "started with --favourable-only"

    async def run(self) -> None:
        """Check every two seconds. Raises `StopWorker` if the worker cannot go on."""
        try:
            while True:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._shared_look()
                        self._looks += 1
                        if self._looks % SETTINGS_LOOKS == 0:
                            await self._check_settings()
                except Away as error:
                    await self._no_answer(error)
                else:
                    self._answered()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            if self._client is not None:
                await self._client.close()

    @property
    def away_seconds(self) -> float:
        """How long Kafka has not answered; 0 while it does."""
        return 0.0 if self._away_since is None else time.monotonic() - self._away_since

    @property
    def away(self) -> bool:
        """Whether Kafka has not answered for so long that it counts as gone."""
        return self.away_seconds >= AWAY_SECONDS

    async def _no_answer(self, error: BaseException) -> None:
        """Note that Kafka is away; once, with the cause: a password may have been changed."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._quiet(True)
        if self.away and not self._away_told:
            self._away_told = True
            answer = await knock(self._config.client_arguments())
            why = answer.fault or answer.silence or type(error).__name__
            logger.error("Kafka does not answer (%s); waiting for it", why)

    def _answered(self) -> None:
        if self._away_since is None:
            return
        if self._away_told:
            logger.warning("Kafka answers again, after %.0f s", self.away_seconds)
        self._away_since, self._away_told = None, False

    async def looked_since(self, instant: int) -> bool:
        """Whether the topics were checked at `instant` or later. Waits a second for a check."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.looked_at < instant:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(left):
                    await self._shared_look()
            except Away:
                await asyncio.sleep(0.1)
        return True

    async def _shared_look(self) -> None:
        """Join the check that is running, or start one."""
        if self._look is None or self._look.done():
            self._look = asyncio.get_running_loop().create_task(self._take_look())
        await asyncio.shield(self._look)

    async def _take_look(self) -> None:
        began = self._clock.now()
        client = await self._connected()
        view = await view_topics(client._client, list(self._cluster.topics))
        if self.judge(view):
            await self._look_beyond(client)
            self.looked_at = began

    async def _look_beyond(self, client: AIOKafkaAdminClient) -> None:
        """Whether something unread lies in partitions that are not in use."""
        beyond = self._cluster.beyond
        if not beyond or self.changed is not None:
            return
        moved = await committed_of(client, self._config.application_id, beyond)
        ends = await self.ends(list(beyond))
        left = {tp: ends[tp] - moved.get(tp, 0) for tp in beyond if ends[tp] > moved.get(tp, 0)}
        if left:
            listed = ", ".join(f"{tp.topic}[{tp.partition}] {n}" for tp, n in left.items())
            self._hold_back(
                f"records lie in partitions that are not in use: {listed}. Move them with `byline "
                "cluster reroute`, have producers write to the old partitions alone, and start the "
                "workers again"
            )

    def _hold_back(self, why: str) -> None:
        self.changed = why
        logger.error(
            "%s. Until this worker is started again adverse events wait, favourable ones go on", why
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
        await refuse_deletion(client, changelogs(self._config, self._spec))

    def judge(self, view: View) -> bool:
        """Whether every topic is there. Raises `StopWorker` when one is not the one it was."""
        for name, known in self._cluster.topics.items():
            topic = view.topics.get(name)
            if topic is None or topic.error == UNKNOWN_TOPIC:
                self._quiet(True)
                self._missing[name] += 1
                if self._missing[name] >= MISSING_LOOKS:
                    raise StopWorker(
                        f"{name} was deleted while the worker ran; what was in it and unread is "
                        f"lost. `{self._config.topics_command}` makes it anew, and the next start "
                        "says how to go on",
                        ExitCode.PERSON,
                    )
                continue
            if topic.error:
                continue
            self._missing.pop(name, None)
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
        """Turn aiokafka's log down while Kafka is away: it logs a hundred lines a second."""
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
        """Keyed topics that have more partitions than at the start."""
        once = [self._spec.broadcast] if self._spec.broadcast is not None else []
        found = {}
        for name in (*self._spec.topics, *changelogs(self._config, self._spec), *once):
            known, topic = self._cluster.topics[name], view.topics.get(name)
            if topic is not None and topic.error == 0 and topic.partitions != known.partitions:
                found[name] = (known.partitions, topic.partitions)
        return found
