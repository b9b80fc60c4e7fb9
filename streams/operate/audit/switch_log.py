"""The switches of one partition: which ones are on, and when they stopped the answer clock.

The answer clock is the time that an owner has to answer. A pause is an interval in which it stands.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from schemas.enums import Switch

NEVER = 1 << 62
REMEMBERED_PAUSES = 1_000
"""How many pauses are kept. Without the older ones the required deadline is only earlier."""

STOPPED_BY: dict[str, frozenset[str]] = {
    "adverse_off": frozenset(
        {
            "invitation.issued",
            "invitation.reminded",
            "invitation.expired",
            "throttle.applied",
            "throttle.renewed",
        }
    ),
    "invitations_off": frozenset({"invitation.issued"}),
    "throttles_off": frozenset({"invitation.expired", "throttle.applied", "throttle.renewed"}),
    "answers_paused": frozenset({"invitation.reminded", "invitation.expired", "throttle.applied"}),
}
CLOCK_STOPS = ("adverse_off", "answers_paused")


@dataclass(frozen=True, slots=True)
class SwitchTurn:
    """A switch that was turned on or off.

    `first` and `last` (ms) are the earlier and the later of its stated time and its entry into
    Kafka. A pause runs from the `first` of its start to the `last` of its end.
    """

    scope: str
    switch: str
    on: bool
    first: int
    last: int
    place: str


@dataclass(slots=True)
class SwitchLog:
    """The switches of a partition.

    `on`: since when (ms) and by which record, by scope and switch. `pauses`: ended pauses (start,
    end) by scope. `settled`: the newest `refusals_settled` by scope, the newest last;
    `unsettled_since`: when a tripped guard stopped the clock; `guard.py` judges these.
    """

    on: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    pauses: dict[str, deque[list[int]]] = field(default_factory=dict)
    settled: dict[str, SwitchTurn] = field(default_factory=dict)
    unsettled_since: dict[str, int] = field(default_factory=dict)
    order: int = 0

    def turn(self, it: SwitchTurn) -> None:
        """Applies a switch that was turned on or off."""
        if it.switch == Switch.REFUSALS_SETTLED:
            self._settle(it)
            return
        running = self.on.pop((it.scope, it.switch), None)
        if it.on:
            self.on[it.scope, it.switch] = running or (it.first, it.place)
        elif running and it.switch in CLOCK_STOPS:
            self._pause(it.scope, running[0], it.last)

    def _settle(self, it: SwitchTurn) -> None:
        self.settled.pop(it.scope, None)
        self.settled[it.scope] = it
        if not it.on:
            self.unsettled_since.setdefault(it.scope, it.first)
            return
        over = [it.scope] if it.scope != "*" else list(self.unsettled_since)
        for scope in over:
            start = self.unsettled_since.pop(scope, None)
            if start is not None:
                self._pause(scope, start, it.last)

    def tripped(self, platform: str) -> str | None:
        """Returns the place of the platform's newest `refusals_settled` if it is off, else None.

        It is off while the refusal guard is tripped.
        """
        said = [it for it in self.settled.values() if it.scope in ("*", platform)]
        return said[-1].place if said and not said[-1].on else None

    def stopping(self, platform: str, event: str) -> str | None:
        """Returns the place of a switch that forbids this adverse event now, or None."""
        for (scope, switch), (_, place) in self.on.items():
            if scope in ("*", platform) and event in STOPPED_BY[switch]:
                return place
        return None

    def of(self, platform: str) -> Iterable[list[int]]:
        """Returns the ended pauses (start, end in ms) of the answer clock on a platform."""
        return [*self.pauses.get("*", ()), *self.pauses.get(platform, ())]

    def _pause(self, scope: str, start: int, end: int) -> None:
        kept = self.pauses.setdefault(scope, deque(maxlen=REMEMBERED_PAUSES))
        kept.append([start, end])


def with_pauses(base: int, delivered_at: int, pauses: Iterable[list[int]]) -> int:
    """Returns the deadline `base` (ms) moved later by the pauses after the delivery.

    A pause that begins after the deadline, as moved by earlier ones, does not move it, nor does a
    pause that has not ended.
    """
    deadline, reached = base, delivered_at
    for start, end in sorted(_over(pauses)):
        begin = max(start, reached)
        if begin < deadline and end > begin:
            deadline += end - begin
            reached = end
    return deadline


def _over(pauses: Iterable[list[int]]) -> Iterator[list[int]]:
    return (it for it in pauses if it[1] != NEVER)
