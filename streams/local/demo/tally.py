"""The running totals of the demo: counts by platform and event, the last events, the workers."""

import re
from bisect import insort
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from schemas.enums import Mode
from streams.local.demo.script import Storyline
from streams.operate.audit.happened import plain_of
from streams.operate.audit.records import Record

LAST_COUNT = 200


class SeenEvent(NamedTuple):
    """An event as read from Kafka: its account's key, its value, and its notation in storylines."""

    key: str
    value: Mapping[str, Any]
    event: str
    mode: str
    token: str

    @classmethod
    def of(cls, record: Record) -> "SeenEvent":
        """Reads a record of an output topic; all is empty or `None` if it is no JSON object."""
        value = plain_of(record)
        event, mode = str(value.get("event")), str(value.get("mode"))
        token = f"{event.split('.')[-1]}:{value.get('reason')}"
        return cls((record.key or b"").decode(errors="replace"), value, event, mode, token)


class DemoTally:
    """The running totals: of what was sent, and of what was read from Kafka.

    `sent`: inputs by topic. `accounts`: those about which anything was sent, by platform.
    `reached`: those with an event, by platform and event. `lives`: by key and mode, sequence and
    token of each event, in order though they come from three topics. `delays`: of the latest
    events, the seconds from the decision until the event was read here.
    """

    def __init__(self) -> None:
        self.sent = Counter[str]()
        self.duplicates = self.events = self.dead_letters = 0
        self.accounts = defaultdict[str, set[str]](set)
        self.reached = defaultdict[tuple[str, str], set[str]](set)
        self.last = deque[tuple[float, SeenEvent, Storyline | None]](maxlen=LAST_COUNT)
        self.lives = defaultdict[tuple[str, str], list[tuple[int, str]]](list)
        self.delays = deque[float](maxlen=LAST_COUNT)

    def input(self, topic: str, platform: str, account_id: str) -> None:
        """Counts a sent input."""
        self.sent[topic] += 1
        self.accounts[platform].add(account_id)

    def saw(self, at: float, seen: SeenEvent, story: Storyline | None) -> None:
        """Counts an event that was read at `at` seconds of the day."""
        self.events += 1
        self.reached[str(seen.value.get("platform")), seen.event].add(seen.key)
        insort(self.lives[seen.key, seen.mode], (int(seen.value.get("sequence", 0)), seen.token))
        self.last.appendleft((at, seen, story))

    def tokens(self, key: str, mode: Mode) -> list[str]:
        """Returns the tokens of an account's events so far, in the order of `sequence`."""
        return [token for _, token in self.lives.get((key, mode.value), ())]

    def departures(self, story: Storyline) -> Iterator[str]:
        """Yields a sentence for each mode in which an account's events are not those expected."""
        for mode, expected in ((Mode.ENFORCE, story.live), (Mode.SHADOW, story.shadow)):
            tokens = self.tokens(story.key, mode)
            if not as_told(expected, tokens):
                found = " ".join(collapse(tokens)) or "nothing"
                yield f"{story.platform} {story.name} {mode}: {found}; told: {' '.join(expected)}"


def collapse(tokens: Iterable[str]) -> tuple[str, ...]:
    """Removes repeats of adjacent tokens: events of several surfaces become one."""
    return tuple(token for token, _ in groupby(tokens))


def as_told(expected: Sequence[str], tokens: Iterable[str]) -> bool:
    """Whether `tokens` are the expected ones, in order; an expected one with `?` may be missing."""
    pattern = "".join(
        f"(?:{re.escape(token.removesuffix('?'))} )" + ("?" if token.endswith("?") else "")
        for token in expected
    )
    return re.fullmatch(pattern, "".join(f"{token} " for token in collapse(tokens))) is not None
