"""Requests about consumer groups with instance ids, which aiokafka lacks."""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

_text = String("utf-8")


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
