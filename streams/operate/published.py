"""Reads the policies that were ever in force, and finds notice versions that were used before."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from schemas.topics import POLICIES
from streams.core.model.policy import Policy
from streams.operate.audit.reading import read_to_end
from streams.operate.clients import consumer
from streams.settings import Settings


class Published(NamedTuple):
    """The parts of a policy that was in force that commands need."""

    platform: str
    version: int
    notice_id: str
    notice_version: str


async def published(settings: Settings) -> list[Published]:
    """Returns every policy in the topic of policies, in its order; skips unreadable records.

    Raises KafkaAbsentError, MissingTopicsError, NoRightError, EndHiddenError.
    """
    async with consumer(settings) as client:
        read = read_to_end(client, settings.topic_prefix, [POLICIES.name])
        values = [record.value or b"" async for record in read]
    return [found for value in values if (found := _summary(value)) is not None]


def _summary(value: bytes) -> Published | None:
    try:
        plain = msgspec.json.decode(value)
        notice = plain["notice"]
        return Published(plain["platform"], plain["version"], notice["id"], notice["version"])
    except (ValueError, KeyError, TypeError):
        return None


def shared_versions(before: Iterable[Published], policies: Mapping[str, Policy]) -> list[str]:
    """Returns a message for each notice whose version another notice of its platform had before.

    A grant names the version alone, so the two notices could not be told apart.
    """
    found = {}
    for one in before:
        policy = policies.get(one.platform)
        if policy is None or one.notice_id == policy.notice.id:
            continue
        if one.notice_version == policy.notice.version:
            found[one.platform, one.notice_id] = (
                f"the notice {policy.notice.id} of {one.platform} has version"
                f" {policy.notice.version!r}, as {one.notice_id} had in version {one.version} of"
                " the policy; give it a version that no other notice of the platform had"
            )
    return list(found.values())
