"""Days on which account a1 stands in a given state of its live cycle; what was said is forgotten.

`STATES` names every state of the invitation machine. All begin at START with a label and a reading
over the line; the dwell is over at 1 h, when the invitation goes out.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from streams.core.model.policy import Policy
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, Day, policy

WINDOW = 3 * DAY
DEADLINE = HOUR + MINUTE + WINDOW
"""After START: the notice is delivered one minute after its issue."""

ISSUED = "issued over_line"
LIFTED = ["lifted recommend-feed", "lifted tips"]


def lifted(reason: str) -> list[str]:
    """What is said when both surfaces are freed."""
    return [f"{words} {reason}" for words in LIFTED]


def begun(*policies: Policy, **given: Any) -> Day:
    """Label and reading are in: DWELLING."""
    return Day(*policies, **given).label("财经").reads(1500)


def unreadable(day: Day, topic: str, account: str = ACCOUNT) -> Day:
    """A record of an account that is refused for its form."""
    return day.put(topic, f"{PLATFORM}:{account}", b"{}")


def none() -> Day:
    """A known account that was never invited: its label means nothing."""
    return _silent(Day().label("旅游").reads(1500).wait(HOUR))


def invited(*policies: Policy, **given: Any) -> Day:
    """Invited at 1 h."""
    return _silent(begun(*policies, **given).wait(HOUR))


def undelivered(*policies: Policy) -> Day:
    """The notice bounced a minute later."""
    return _silent(invited(*policies).wait(MINUTE).receipt("failed", failure="blocked"))


def delivered(*policies: Policy, **given: Any) -> Day:
    """The notice was delivered a minute after its issue."""
    return _silent(invited(*policies, **given).wait(MINUTE).receipt())


def declined(*policies: Policy) -> Day:
    """The owner refused a minute after the delivery."""
    return _silent(delivered(*policies).wait(MINUTE).answer("declined"))


def expired(*policies: Policy) -> Day:
    """Nobody answered: both surfaces are restricted since the deadline."""
    return _silent(delivered(*policies).wait(WINDOW))


def granted(*policies: Policy) -> Day:
    """The owner agreed a minute after the delivery."""
    return _silent(delivered(*policies).wait(MINUTE).answer("granted"))


def _silent(day: Day) -> Day:
    day.said()
    return day


STATES: dict[str, Callable[[], Day]] = {
    "NONE": none,
    "INVITED": invited,
    "UNDELIVERED": undelivered,
    "DELIVERED": delivered,
    "DECLINED": declined,
    "EXPIRED": expired,
    "GRANTED": granted,
}


def brief(**changes: Any) -> Policy:
    """The policy with a dwell of PT0S: an input over the line invites by itself."""
    base = policy()
    return replace(base, stability=replace(base.stability, dwell=0), **changes)
