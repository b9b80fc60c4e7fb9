"""Logs what concerns an operator: changes of policies, switches, guards, refusals and lag.

Partitions report counts of what they committed. Once a second the state of all partitions is
compared with what was logged before. So a hundred thousand refused records, or a switch that is
turned often, make only a few lines.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from streams.log_events import event

REFUSED_SECONDS = 60.0
"""The shortest time between two lines about refused inputs."""

LAG_SECONDS, CAUGHT_UP_SECONDS = 10.0, 2.0
"""A lag is logged from the first value on, again when it doubles, and its end at the second."""

NAME_FIELD = "name_field"
_log = logging.getLogger("streams.news")

Turned = tuple[str, str]
"""A scope and a switch."""


@dataclass(frozen=True, slots=True)
class WorkerNews:
    """The present state of this worker's partitions.

    `on`: switches that are on in all of them; `somewhere`: in at least one. `tripped`: platforms
    whose refusal guard is tripped. `closed`: by platform, seconds until no guard of its policy is
    tripped. `lags`: by topic, the lag in records and in seconds.
    """

    on: frozenset[Turned] = frozenset()
    somewhere: frozenset[Turned] = frozenset()
    tripped: frozenset[str] = frozenset()
    closed: Mapping[str, float] = field(default_factory=dict)
    lags: Mapping[str, tuple[int, float]] = field(default_factory=dict)


class News:
    """Logs changes, and remembers what was logged. It is not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._policies: dict[str, str] = {}
        self._on: set[Turned] = set()
        self._tripped: set[str] = set()
        self._closed: set[str] = set()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._refused_at = -REFUSED_SECONDS
        self._named: Counter[str] = Counter()
        self._named_at = -REFUSED_SECONDS
        self._behind: dict[str, tuple[float, float]] = {}

    # ---- what partitions report ----------------------------------------------------------------

    def adopted(self, platform: str, version: int, digest: str, mode: str) -> None:
        """Logs a policy that is new to a partition, once for all partitions."""
        if self._policies.get(platform) != digest:
            self._policies[platform] = digest
            words = "policy of %s taken up: version %d, mode %s, digest %s"
            _log.info(words, platform, version, mode, digest[:12], extra=event("policy_taken_up"))

    def committed(self, counts: Mapping[tuple[str, ...], int]) -> None:
        """Takes the counts of a committed transaction (see streams/core/model/step_effects.py).

        Guards that tripped are logged at once, refused records at the next `look`.
        """
        for (kind, *labels), amount in counts.items():
            if kind == "dead_letters":
                topic, reason = labels
                self._refused[topic, reason] += amount
                if reason == NAME_FIELD:
                    self._named[topic] += amount
            elif kind == "refusals_tripped":
                self._trip(*labels)
            elif kind == "guard_trips":
                self._close(*labels)

    def _trip(self, platform: str, topic: str, reason: str) -> None:
        if platform in self._tripped:
            return
        self._tripped.add(platform)
        _log.error(
            "refusal guard of %s tripped: %s refused in %s. Its adverse events wait until the dead "
            "letters are redriven or dismissed and `byline switch refusals-settled on` says so",
            platform,
            reason,
            topic,
            extra=event("refusal_guard_tripped"),
        )

    def _close(self, platform: str, guard: str) -> None:
        if platform not in self._closed:
            self._closed.add(platform)
            words = "guard %s of %s tripped: its adverse events wait for a quiet window"
            _log.warning(words, guard, platform, extra=event("guard_tripped"))

    # ---- once a second -------------------------------------------------------------------------

    def look(self, now: WorkerNews) -> None:
        """Logs the differences between `now` and what was logged before."""
        self._tell_switches(now)
        self._tell_guards(now)
        self._tell_refused()
        self._tell_lag(now.lags)

    def _tell_switches(self, now: WorkerNews) -> None:
        for scope, switch in sorted(now.on - self._on):
            self._on.add((scope, switch))
            _log.info(
                "switch %s is on for %s, and obeyed by all partitions here",
                switch,
                scope,
                extra=event("switch_on"),
            )
        for scope, switch in sorted(self._on - now.somewhere):
            self._on.remove((scope, switch))
            _log.info(
                "switch %s is off again for %s in all partitions here",
                switch,
                scope,
                extra=event("switch_off"),
            )

    def _tell_guards(self, now: WorkerNews) -> None:
        for platform in sorted(now.tripped - self._tripped):
            self._tripped.add(platform)
            _log.warning(
                "refusal guard of %s is tripped: its adverse events wait",
                platform,
                extra=event("refusal_guard_tripped"),
            )
        for platform in sorted(self._tripped - now.tripped):
            self._tripped.remove(platform)
            _log.info(
                "refusal guard of %s is reset: what was refused is settled",
                platform,
                extra=event("refusal_guard_reset"),
            )
        closed = {platform for platform, seconds in now.closed.items() if seconds > 0}
        for platform in sorted(closed - self._closed):
            self._closed.add(platform)
            seconds = now.closed[platform]
            words = "a guard of %s is tripped: its adverse events wait for %.0f s more"
            _log.warning(words, platform, seconds, extra=event("guard_tripped"))
        for platform in sorted(self._closed - closed):
            self._closed.remove(platform)
            _log.info(
                "guard of %s is reset: its window has passed quietly",
                platform,
                extra=event("guard_reset"),
            )

    def _tell_refused(self) -> None:
        now = self._clock()
        if self._named and now - self._named_at >= REFUSED_SECONDS:
            told = _listed((f"{n} in {topic}", n) for topic, n in self._named.items())
            _log.warning(
                "refused, they carry a field that names a person: %s",
                told,
                extra=event("name_fields_refused"),
            )
            self._named.clear()
            self._named_at = now
        if self._refused and now - self._refused_at >= REFUSED_SECONDS:
            told = _listed(
                (f"{n} {reason} in {topic}", n) for (topic, reason), n in self._refused.items()
            )
            _log.info(
                "refused (dead-letters says where each lies): %s",
                told,
                extra=event("inputs_refused"),
            )
            self._refused.clear()
            self._refused_at = now

    def _tell_lag(self, lags: Mapping[str, tuple[int, float]]) -> None:
        for topic, (records, seconds) in lags.items():
            told = self._behind.get(topic)
            if told is None:
                if seconds >= LAG_SECONDS:
                    self._behind[topic] = (self._clock() - seconds, seconds)
                    _log.warning(
                        "%s: %d records, %.0f s behind", topic, records, seconds, extra=event("lag")
                    )
            elif seconds <= CAUGHT_UP_SECONDS:
                del self._behind[topic]
                since, _ = told
                _log.info(
                    "%s: caught up, after %.0f s",
                    topic,
                    self._clock() - since,
                    extra=event("lag_over"),
                )
            elif seconds >= 2 * told[1]:
                self._behind[topic] = (told[0], seconds)
                _log.warning(
                    "%s: %d records, %.0f s behind", topic, records, seconds, extra=event("lag")
                )


def _listed(counted: Iterable[tuple[str, int]]) -> str:
    """Joins descriptions with their counts, the largest count first."""
    return ", ".join(words for words, _ in sorted(counted, key=lambda one: (-one[1], one[0])))
