"""Deletes topics, and says of each what became of it."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import RequestTimedOutError, TopicAuthorizationFailedError, for_code

from streams.kafka.requests.metadata import NOT_ASKED, UNKNOWN_TOPIC, view_topics
from streams.operate.errors import NoRightError, OperateError

DELETE = 6
"""Kafka's number of the operation Delete."""


class NotDeletedError(OperateError):
    """Kafka did not delete all topics. `deleted`: those that it did."""

    def __init__(self, deleted: Sequence[str], refused: Sequence[str]) -> None:
        before = f"{', '.join(deleted)} is deleted, " if deleted else ""
        after = "Run this again: it goes on" if deleted else "Nothing was changed"
        super().__init__(f"{before}{', '.join(refused)} is not. {after}")
        self.deleted = tuple(deleted)


async def refuse_no_deletion(client: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Raises NoRightError if one of these topics may not be deleted, before one of them is."""
    view = await view_topics(client._client, topics, with_operations=True)
    denied = [
        name
        for name, topic in view.topics.items()
        if topic.error != UNKNOWN_TOPIC
        and topic.operations != NOT_ASKED
        and not topic.operations >> DELETE & 1
    ]
    if denied:
        raise NoRightError(f"no right to Delete {', '.join(sorted(denied))}")


async def delete(client: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
    """Deletes topics; one that is gone already counts as deleted.

    Raises:
        NoRightError: none was deleted, for want of the right.
        NotDeletedError: Kafka did not delete all of them; it says which, and why.
    """
    deleted, refused, denied = [], [], []
    response = await client.delete_topics(list(topics))
    for topic, code in response.topic_error_codes:
        if code in (0, UNKNOWN_TOPIC):
            deleted.append(topic)
        elif code == TopicAuthorizationFailedError.errno:
            denied.append(topic)
        elif code == RequestTimedOutError.errno:
            refused.append(f"{topic} (it may be deleted yet: Kafka took too long)")
        else:
            refused.append(f"{topic} ({for_code(code).__name__})")
    if denied and not deleted:
        raise NoRightError(f"no right to Delete {', '.join(sorted(denied))}")
    if refused or denied:
        raise NotDeletedError(
            deleted, [*refused, *(f"{topic} (no right to Delete it)" for topic in denied)]
        )
