"""The policies that ever were in force, from the topic of policies, and what they forbid."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from schemas.topics import POLICIES
from streams.core.model.policy import Policy
from streams.operate.audit.reading import read_to_end
from streams.operate.clients import consumer
from streams.settings import Settings


class Published(NamedTuple):
    """What is asked of a policy that was in force."""

    platform: str
    version: int
    notice_id: str
    notice_version: str


async def published(settings: Settings) -> list[Published]:
    """Every policy in the topic, in its order; what is no policy is left out.

    Raises KafkaAbsentError, MissingTopicsError.
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
    """Each notice that has the version of another notice of its platform, with what to do.

    A grant names the version alone, so the two could not be told apart.
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
