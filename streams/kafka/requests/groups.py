"""Requests about consumer groups that aiokafka lacks: with instance ids, and of stable offsets."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from streams.kafka.requests.exact import Exact

UNSTABLE = 88
"""Kafka's error code of an offset that an open transaction is about to change."""
_text = String("utf-8")
_compact = CompactString("utf-8")


class LeaveGroupResponse3(Response):  # type: ignore[misc]
    """The members that left, each with an error code."""

    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("members", Array(("member_id", _text), ("instance_id", _text), ("error_code", Int16))),
    )


class LeaveGroupRequest3(RequestStruct):  # type: ignore[misc]
    """Removes members from a group, by member id and instance id."""

    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = LeaveGroupResponse3
    SCHEMA = Schema(
        ("group", _text), ("members", Array(("member_id", _text), ("instance_id", _text)))
    )


class LeaveRequest(Request[LeaveGroupRequest3]):  # type: ignore[misc]
    """Asks to leave a group as a static member."""

    API_KEY = 13

    def __init__(self, group: str, member_id: str, instance_id: str) -> None:
        self._content = (group, [(member_id, instance_id)])

    def build(self, request_struct_class: Any) -> Any:
        """The request."""
        return request_struct_class(*self._content)


class DescribeGroupsResponse4(Response):  # type: ignore[misc]
    """The members of groups."""

    API_KEY = 15
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", _text),
                ("state", _text),
                ("protocol_type", _text),
                ("protocol", _text),
                (
                    "members",
                    Array(
                        ("member_id", _text),
                        ("instance_id", _text),
                        ("client_id", _text),
                        ("client_host", _text),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class DescribeGroupsRequest4(RequestStruct):  # type: ignore[misc]
    """Asks for the members of groups, with their instance ids."""

    API_KEY = 15
    API_VERSION = 4
    RESPONSE_TYPE = DescribeGroupsResponse4
    SCHEMA = Schema(("groups", Array(_text)), ("include_authorized_operations", Boolean))


class MembersRequest(Request[DescribeGroupsRequest4]):  # type: ignore[misc]
    """Asks for the members of one group."""

    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: Any) -> Any:
        """The request."""
        return request_struct_class([self._group], False)


class OffsetFetchResponse7(Response):  # type: ignore[misc]
    """A group's committed offsets, each with an error code, and one error code for all."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _compact),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _compact),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )

    @property
    def errors(self) -> set[int]:
        """All error codes that are not 0."""
        codes = {row[4] for _, rows, _ in self.topics for row in rows}
        return {self.error_code, *codes} - {0}

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """The committed offset by topic and partition; partitions without one are left out."""
        return {
            (topic, partition): offset
            for topic, rows, _ in self.topics
            for partition, offset, *_ in rows
            if offset >= 0
        }


class OffsetFetchRequest7(RequestStruct):  # type: ignore[misc]
    """Asks for a group's committed offsets; with `require_stable` not while one is changed."""

    FLEXIBLE_VERSION = True
    API_KEY = 9
    API_VERSION = 7
    RESPONSE_TYPE = OffsetFetchResponse7
    SCHEMA = Schema(
        ("group", _compact),
        (
            "topics",
            CompactArray(
                ("topic", _compact), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
            ),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


def ask_offsets(group: str, places: Iterable[tuple[str, int]]) -> Exact:
    """Makes a request for the stable committed offsets of these partitions (Kafka 2.5 and later).

    aiokafka's own has version 3. It answers with the offset of before if a transaction of the group
    has committed a moment ago, and aiokafka takes an error about the whole group for no offsets.
    """
    by_topic: dict[str, list[int]] = defaultdict(list)
    for topic, partition in places:
        by_topic[topic].append(partition)
    topics: list[Any] = [(topic, numbers, {}) for topic, numbers in by_topic.items()]
    return Exact(OffsetFetchRequest7(group, topics, True, {}))
