"""Asks the cluster for its topics, with their ids and partition counts.

aiokafka's own request has version 5, without topic ids, so it cannot notice that a topic was
deleted and created again. Version 10 has them; brokers without it get version 5. No request here
creates a topic, even if the broker allows automatic creation.
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Schema, TaggedFields

NO_ID = bytes(16)
UNKNOWN_TOPIC = 3
NO_RIGHT_TO_SEE = 29
"""Kafka's error codes for a topic that does not exist, and for one that may not be described."""
NOT_ASKED = -(2**31)
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
"""By the names of `byline topics acl`, Kafka's numbers of operations."""


def allowed(bits: int, operation: str) -> bool:
    """Whether an operation is in a broker's bit field of allowed operations.

    It counts as allowed if the broker is too old to report them, or was not asked.
    """
    return bits == NOT_ASKED or bool(bits >> OPERATIONS[operation] & 1)


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic as a broker reports it.

    `id` is empty if the broker has no topic ids. `error` is Kafka's error code, 0 for none.
    `operations`: the allowed operations as a bit field, for `allowed`.
    """

    id: str
    partitions: int
    error: int = 0
    operations: int = NOT_ASKED


@dataclass(frozen=True, slots=True)
class View:
    """One broker's answer about topics, by name."""

    cluster_id: str
    topics: Mapping[str, TopicView]


class Uuid(Boolean):  # type: ignore[misc]
    """A topic id on the wire: 16 bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Returns the bytes of the id unchanged."""
        return value


class Content:
    """Reads a response of Kafka's flexible format, without an object for each partition."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def skip(self, count: int) -> None:
        """Skips this number of bytes."""
        self._at += count

    def number(self, layout: str) -> int:
        """Reads a number of fixed size; `layout` is its format for `struct`."""
        (found,) = struct.unpack_from(layout, self._content, self._at)
        self._at += struct.calcsize(layout)
        return int(found)

    def length(self) -> int:
        """Reads an unsigned varint."""
        value = shift = 0
        while True:
            byte = self._content[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def take(self, count: int) -> bytes:
        """Reads this number of bytes."""
        found = self._content[self._at : self._at + count]
        self._at += count
        return found

    def text(self) -> str:
        """Reads a compact string; empty for null."""
        return self.take(max(0, self.length() - 1)).decode()

    def skip_tags(self) -> None:
        """Skips tagged fields, which newer brokers may add."""
        for _ in range(self.length()):
            self.length()
            self.skip(self.length())

    def skip_numbers(self) -> None:
        """Skips a compact array of 32-bit numbers."""
        self.skip(4 * max(0, self.length() - 1))


class MetadataResponse10(Response):  # type: ignore[misc]
    """A response of version 10, of which only `view` is decoded."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema()
    view: View

    @classmethod
    def decode(cls, data: BytesIO | bytes) -> "MetadataResponse10":
        """Decodes the body of the response."""
        content = Content(data if isinstance(data, bytes) else data.read())
        content.skip(4)
        for _ in range(content.length() - 1):
            content.skip(4)
            content.text()
            content.skip(4)
            content.text()
            content.skip_tags()
        cluster_id = content.text()
        content.skip(4)
        answer = cls()
        answer.view = View(cluster_id, dict(_topic10(content) for _ in range(content.length() - 1)))
        return answer


def _topic10(content: Content) -> tuple[str, TopicView]:
    error, name = content.number(">h"), content.text()
    raw = content.take(16)
    content.skip(1)
    count = content.length() - 1
    for _ in range(count):
        content.skip(2 + 4 + 4 + 4)
        content.skip_numbers()
        content.skip_numbers()
        content.skip_numbers()
        content.skip_tags()
    operations = content.number(">i")
    content.skip_tags()
    topic_id = "" if raw == NO_ID else base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return name, TopicView(topic_id, max(0, count), error, operations)


class MetadataRequest10(RequestStruct):  # type: ignore[misc]
    """Asks for topics by name."""

    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = MetadataResponse10
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[MetadataRequest_v5 | MetadataRequest10]):  # type: ignore[misc]
    """Asks for these topics, with their ids if the broker has them."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str], with_operations: bool = False) -> None:
        self._topics = list(topics)
        self._with_operations = with_operations

    def build(self, request_struct_class: Any) -> Any:
        """Returns the request in the version that the broker supports."""
        if request_struct_class is MetadataRequest10:
            no_tags: dict[int, bytes] = {}
            named = [(NO_ID, topic, no_tags) for topic in self._topics]
            return MetadataRequest10(named, False, False, self._with_operations, {})
        return MetadataRequest_v5(self._topics, False)


async def view_topics(client: Any, topics: Sequence[str], *, with_operations: bool = False) -> View:
    """Asks a random broker for topics. `client` is an AIOKafkaClient.

    `with_operations`: also ask which operations are allowed. Raises KafkaError, OSError,
    TimeoutError.
    """
    answer = await client.send(client.get_random_node(), TopicsRequest(topics, with_operations))
    if isinstance(answer, MetadataResponse10):
        return answer.view
    found = {
        name: TopicView("", len(partitions), error)
        for error, name, _internal, partitions in answer.topics
    }
    return View(answer.cluster_id or "", found)
