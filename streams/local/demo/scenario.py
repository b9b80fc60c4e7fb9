"""Plans the day as data: named storylines, a crowd of ordinary accounts, readings below the line.

All of it is derived from the seed and the policies; nothing reads a clock. Times are seconds of the
day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from schemas.enums import Answer, Failure
from streams.local.demo.chance import Chance
from streams.local.demo.policies import Compressed
from streams.local.demo.script import At, Step, Story, failed, label, reading, says
from streams.local.demo.stories import NAMED, PLATFORMS
from streams.local.demo.stories.common import (
    AGREED,
    APPLIED,
    DELIVERED,
    ENDED,
    ISSUED,
    LATE,
    PROJECTED,
    RECEIPT,
    REFUSED,
    SILENT,
    grants,
    pausable,
    then,
)

NOISE_COUNT = 20_000
NOISE_ACCOUNTS = 900
NOISE_SECONDS = 24.0
NEAR = 0.97
"""The share of accounts with noise readings that stay below every floor."""
CROWD = ("grants",) * 5 + ("silent",) * 2 + ("refuses",) * 2 + ("late", "bounces", "below")
STAYS_RESTRICTED = ("silent", "refuses")
CROWD_FROM: Mapping[str, tuple[float, float]] = {"baidu": (11.5, 12.5)}
"""When a platform's crowd arrives; default 1 to 9. Baidu's comes after the pause of answers."""


@dataclass(frozen=True, slots=True)
class Noise:
    """One of thousands of readings below the line, without any effect."""

    at: float
    platform: str
    account_id: str
    followers: int


@dataclass(frozen=True, slots=True)
class Day:
    """All inputs of a day, except the invalid records."""

    stories: Mapping[str, Story]
    """By Kafka key."""
    noise: tuple[Noise, ...]

    @property
    def untouched(self) -> frozenset[str]:
        """The keys of the storylines without any expected event."""
        return frozenset(
            key for key, story in self.stories.items() if not story.live and not story.shadow
        )


def plan(policies: Mapping[str, Compressed], chance: Chance) -> Day:
    """Plans the day for these policies and this seed."""
    named = [
        replace(story, account_id=chance.account_id(story.platform, story.name)) for story in NAMED
    ]
    crowd = [story for policy in policies.values() for story in _crowd(policy, chance)]
    stories = {story.key: story for story in (*named, *crowd)}
    assert len(stories) == len(named) + len(crowd), "two accounts share an id: take another seed"
    return Day(stories, tuple(_noise(chance)))


def _crowd(policy: Compressed, chance: Chance) -> Iterator[Story]:
    platform = policy.platform
    first, last = CROWD_FROM.get(platform, (1.0, 9.0))
    for number, behaviour in enumerate(CROWD):
        if platform == "douyin" and behaviour in STAYS_RESTRICTED:
            behaviour = "late"  # its cool-down is so short that they would be invited again
        at = chance.between(first, last, platform, "at", number)
        over = 1.0 + 4.0 * chance.draw(platform, "over", number) ** 2
        followers = int((0.7 if behaviour == "below" else over) * policy.line)
        if behaviour == "below":
            followers = min(followers, 450_000)
        story = Story(
            f"crowd-{behaviour}-{number}",
            platform,
            "is one of many",
            (
                Step(At(at), label()),
                Step(At(at + 0.05), reading(followers)),
                Step(At(at + 2.4), reading(followers + int(followers * 0.001))),
                *_reactions(behaviour, chance, platform, number),
            ),
            account_id=chance.account_id(platform, "crowd", number),
            named=False,
        )
        yield _expecting(story, behaviour, policy)


def _reactions(behaviour: str, chance: Chance, platform: str, number: int) -> tuple[Step, ...]:
    if behaviour == "grants":
        return (RECEIPT, grants(chance.between(0.3, 1.4, platform, "think", number)))
    if behaviour == "refuses":
        return (RECEIPT, then(DELIVERED, 0.5, says(Answer.DECLINED)))
    if behaviour == "late":
        return (RECEIPT, then(APPLIED, 1.0, says(Answer.GRANTED, bare=True)))
    if behaviour == "bounces":
        failure = chance.choose(tuple(Failure), platform, "failure", number)
        return (then(ISSUED, 0.4, failed(failure)),)
    return (RECEIPT,) if behaviour == "silent" else ()


def _expecting(story: Story, behaviour: str, policy: Compressed) -> Story:
    if behaviour == "below":
        return story
    if policy.mode == "shadow":
        return replace(story, shadow=PROJECTED)
    bounced = next((str((step.send.fields or {}).get("failure")) for step in story.steps[3:]), "")
    live = {
        "grants": AGREED,
        "silent": (*SILENT, *ENDED),
        "refuses": (*REFUSED, *ENDED),
        "late": (*SILENT, *LATE),
        "bounces": ("issued:over_line", f"undeliverable:{bounced}"),
    }[behaviour]
    if policy.platform == "baidu":
        live = pausable(live)
    throttles = ("applied", "renewed", "lifted")
    shadow = tuple(token for token in live if token.split(":")[0] in throttles)
    return replace(story, live=live, shadow=shadow if policy.shadow_surface else ())


def _noise(chance: Chance) -> Iterator[Noise]:
    """Yields readings below every line: most far below the floor, a few between floor and line."""
    accounts = [
        (platform, chance.account_id(platform, "noise", number), _size(chance, platform, number))
        for platform in PLATFORMS
        for number in range(NOISE_ACCOUNTS)
    ]
    for number in range(NOISE_COUNT):
        which, move = chance.several(2, "noise", number)
        platform, account_id, size = accounts[int(which * len(accounts))]
        at = NOISE_SECONDS * number / NOISE_COUNT
        yield Noise(at, platform, account_id, followers=int(size * (1.0 + 0.04 * move)))


def _size(chance: Chance, platform: str, number: int) -> float:
    size = chance.draw("noise-size", platform, number)
    return 478_000 if size > NEAR else 1_000 * 350 ** (size / NEAR)
