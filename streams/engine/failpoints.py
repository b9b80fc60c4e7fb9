"""Fail-points: named points at which a test can kill, freeze or delay the worker.

The setting is `name:action[:hit[:seconds]]`, several separated by commas. At the `hit`-th pass
(default the first) through the point `name` the action is `kill` (SIGKILL to the process), `stop`
(SIGSTOP), `sleep` (block the event loop for `seconds`) or `raise`. The names follow
streams/engine/DESIGN.md, "The path from fetch to commit", "Recovery" and "Timers".
"""

import os
import signal
import time
from dataclasses import dataclass

POINTS = (
    "after-fetch",
    "after-step",
    "after-init",
    "after-recovery",
    "after-position",
    "before-begin",
    "after-begin",
    "after-sends",
    "after-futures-before-offsets",
    "after-offsets-before-commit",
    "after-commit-before-store",
    "after-store",
    "before-fire",
    "after-fire",
    "on-revoke",
)
ACTIONS = ("kill", "stop", "sleep", "raise")


@dataclass(slots=True)
class _Point:
    action: str
    remaining: int
    seconds: float


class FailpointError(Exception):
    """Raised by the action `raise`."""


class Failpoints:
    """The fail-points with an action. A pass through any other costs one dictionary look-up.

    Raises:
        ValueError: the text names an unknown point or action.
    """

    def __init__(self, text: str) -> None:
        self._armed: dict[str, _Point] = {}
        for part in filter(None, text.split(",")):
            name, _, rest = part.strip().partition(":")
            action, hit, seconds = ([*rest.split(":"), "", ""])[:3]
            if name not in POINTS or action not in ACTIONS:
                raise ValueError(f"unknown fail-point {part!r}; points {POINTS}, actions {ACTIONS}")
            self._armed[name] = _Point(action, int(hit or 1), float(seconds or 1.0))

    def hit(self, name: str) -> None:
        """Passes the point `name`, and takes its action if it is due."""
        point = self._armed.get(name)
        if point is None:
            return
        point.remaining -= 1
        if point.remaining != 0:
            return
        if point.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif point.action == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif point.action == "sleep":
            time.sleep(point.seconds)
        else:
            raise FailpointError(name)
