"""Waits for alerts of a real Prometheus, and keeps how long each took."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.prometheus.running import Prometheus


@dataclass
class AlertSeen:
    """Seconds from a fault to its alert, and from the fault's end to the alert's."""

    fires_after: float
    ends_after: float | None = None


def _only_look() -> None:
    """Nothing happens meanwhile."""


class PrometheusWatch:
    """When each alert was first seen firing (`first`, of `time.monotonic`), and how long it took.

    `patience`: by how much longer than its callers say it waits, where durations are divided less.
    """

    def __init__(self, prometheus: Prometheus, patience: float = 1.0) -> None:
        self._prometheus = prometheus
        self._patience = patience
        self._since: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.seen: dict[str, AlertSeen] = {}

    def fires(
        self,
        alert: str,
        within: float,
        meanwhile: Callable[[], None] = _only_look,
        since: float | None = None,
    ) -> None:
        """Wait until the alert fires; `meanwhile` is done at each look.

        `since`: when the fault began, of `time.monotonic()`; without it, now. Raises AssertionError
        when it takes longer than `within` seconds.
        """
        began = time.monotonic() if since is None else since
        self._until(alert, True, within, meanwhile)
        self.seen[alert] = AlertSeen(max(0.0, self._since[alert] - began))

    def ends(self, alert: str, within: float, meanwhile: Callable[[], None] = _only_look) -> None:
        """The same until it fires no more."""
        began = time.monotonic()
        self._until(alert, False, within, meanwhile)
        if alert in self.seen:
            self.seen[alert].ends_after = time.monotonic() - began

    def told(self) -> str:
        """A line for each alert."""
        return "\n".join(
            f"{alert} fires after {it.fires_after:.1f} s"
            + ("" if it.ends_after is None else f", ends after {it.ends_after:.1f} s")
            for alert, it in self.seen.items()
        )

    def _until(self, alert: str, fires: bool, within: float, meanwhile: Callable[[], None]) -> None:
        deadline = time.monotonic() + within * self._patience
        word = "fires" if fires else "ends"
        while True:
            meanwhile()
            now = self._look()
            if (alert in now) is fires:
                return
            told = f"{alert}: not so after {within * self._patience} s: {word}; now {sorted(now)}"
            assert time.monotonic() < deadline, told
            time.sleep(0.1)

    def _look(self) -> set[str]:
        now, at = self._prometheus.firing(), time.monotonic()
        for alert in now - self._since.keys():
            self._since[alert] = at
            self.first.setdefault(alert, at)
        for alert in self._since.keys() - now:
            del self._since[alert]
        return now
