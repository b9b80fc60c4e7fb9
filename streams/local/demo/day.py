"""Plans the day: named storylines, a crowd of ordinary accounts, readings below the line, garbage.

All of it is derived from the script, the seed and the policies; nothing reads a clock. Times are
seconds of the day.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.enums import Failure, Mode, Refused
from schemas.inputs import InputName
from streams.local.demo.chance import Chance
from streams.local.demo.policies import ShortPolicy
from streams.local.demo.script import Storyline, script

NOISE_COUNT = 20_000
NOISE_ACCOUNTS = 900
NOISE_SECONDS = 24.0
NEAR = 0.97
"""The share of accounts with noise readings that stay below every floor."""
PLANTED = ("王小明植", "Wang-Xiaoming-Planted", "11010519491231002X")
"""Two names and an identity number (its check digit holds; it belongs to nobody)."""
_BRACES = re.compile(r"\{(\w+)\}")


class Noise(NamedTuple):
    """One of thousands of readings below the line, without any effect."""

    at: float
    platform: str
    account_id: str
    followers: int


class Garbage(NamedTuple):
    """A record to send at `at` seconds of the day.

    `reason`: why it must be refused; None: it is accepted, but has no effect. `elsewhere`: send it
    to a partition that its key does not belong to.
    """

    at: float
    topic: InputName
    key: bytes
    value: bytes
    reason: Refused | None
    elsewhere: bool


class PlannedDay(NamedTuple):
    """All inputs of a day, except the garbage. `stories`: by Kafka key."""

    policies: Mapping[str, ShortPolicy]
    chance: Chance
    stories: Mapping[str, Storyline]
    noise: tuple[Noise, ...]


def plan(policies: Mapping[str, ShortPolicy], chance: Chance) -> PlannedDay:
    """Plans the day for these policies and this seed."""
    planned = [
        script().story(platform, name, account_id=chance.account_id(platform, name), **raw)
        for platform, stories in script().stories.items()
        for name, raw in stories.items()
    ]
    for platform, policy in policies.items():
        planned += _crowd(platform, policy, chance)
    by_key = {story.key: story for story in planned}
    assert len(by_key) == len(planned), "two accounts share an id: take another seed"
    return PlannedDay(policies, chance, by_key, tuple(_noise(chance)))


def _crowd(platform: str, policy: ShortPolicy, chance: Chance) -> Iterator[Storyline]:
    crowd, here = script().crowd, script().platforms[platform]
    behaviours = [name for name, one in crowd.items() for _ in range(one.count)]
    for number, name in enumerate(behaviours):
        name = here.instead.get(name, name)
        over = policy.line * (1.0 + 4.0 * chance.draw(platform, "over", number) ** 2)
        followers = int(over) if name != "below" else min(int(0.7 * policy.line), 450_000)
        at = chance.between(*here.crowd, platform, "at", number)
        drawn = {
            "arrives": at,
            "counted": at + 0.05,
            "counted_again": at + 2.4,
            "followers": followers,
            "followers_again": followers + int(followers * 0.001),
            "think": chance.between(0.3, 1.4, platform, "think", number),
            "failure": chance.choose(tuple(Failure), platform, "failure", number).value,
        }
        then = crowd[name].then
        yield script().story(
            platform,
            f"crowd-{name}-{number}",
            does=filled([*script().arrives, *crowd[name].does], drawn),
            then=["projected"] if then and policy.mode == Mode.SHADOW else filled(then, drawn),
            account_id=chance.account_id(platform, "crowd", number),
            named=False,
        )


def _noise(chance: Chance) -> Iterator[Noise]:
    """Yields readings below every line: most far below the floor, a few between floor and line."""
    accounts = [
        (platform, chance.account_id(platform, "noise", number), _size(chance, platform, number))
        for platform in script().platforms
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


def garbage(chance: Chance, now: str, ahead: str) -> tuple[Garbage, ...]:
    """Returns the records to refuse. `now`: the present time; `ahead`: one far in the future."""
    account = chance.account_id("weibo", "garbage")
    name, latin, number = PLANTED
    known = {"account": account, "backwards": account[::-1], "now": now, "ahead": ahead}
    known |= {"name": name, "latin": latin, "number": number, "long": name * 20_000}
    made = []
    for place, one in enumerate(script().garbage):
        base = {"platform": "weibo", "account_id": account, **script().base[one.base], **one.values}
        topic = base.pop("topic")
        base.pop(one.without, None)
        value = filled(base if one.text is None else one.text, known)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        key = filled(one.key, known).encode()
        made.append(Garbage(2 + place / 2, topic, key, text.encode(), one.reason, one.elsewhere))
    return tuple(made)


def filled(template: Any, known: Mapping[str, object]) -> Any:
    """Replaces `{name}` in texts by its value. A text that is only `{name}` becomes the value."""
    if isinstance(template, Mapping):
        return {name: filled(it, known) for name, it in template.items()}
    if isinstance(template, list):
        return [filled(it, known) for it in template]
    if not isinstance(template, str):
        return template
    alone = _BRACES.fullmatch(template)
    return known[alone[1]] if alone else _BRACES.sub(lambda it: str(known[it[1]]), template)
