"""Finds missing rights before they are needed, by asking the brokers which operations they allow.

Without this a missing right to write would show only at the first record, perhaps weeks later.
Brokers report allowed operations of topics and groups (KIP-430: Metadata 8, DescribeGroups 3), but
not of transactional ids; these are tried when a partition is opened.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request

from streams.kafka.requests.metadata import NO_RIGHT_TO_SEE, NOT_ASKED, View, allowed

RIGHTS_ERRORS = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""The errors for missing rights."""
_ON = ("the cluster", "the group", "the topic", "Write the transactional id")
"""What a right of each error is on. One operation alone is ever needed on transactional ids."""
_KINDS = dict(zip(RIGHTS_ERRORS, _ON, strict=True))
_SENTENCE = "Unable to get coordinator id for "
"""What aiokafka's administrative client puts before the name of a group."""
_SEVERAL = 3


class _DescribeGroup(DescribeGroupsRequest_v3):  # type: ignore[misc]
    # aiokafka decodes the response of this version with the schema of an older one.
    RESPONSE_TYPE = DescribeGroupsResponse_v3


class _Describe(Request[_DescribeGroup]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([self._group], True)


async def group_operations(client: Any, group: str) -> int:
    """Returns the allowed operations of a group as a bit field, for `allowed`.

    `client` is an AIOKafkaAdminClient.

    Raises:
        KafkaError: among others GroupAuthorizationFailedError.
    """
    node = await client.find_coordinator(group)
    try:
        answer = await client._send_request_to_node(node, _Describe(group))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return NOT_ASKED
    ((error, *_rest, operations),) = answer.groups
    if error:
        raise for_code(error)(group)
    return int(operations)


def missing_rights(view: View, wanted: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """Returns, by operation, the topics for which it is wanted but not allowed.

    `wanted`: operations by topic. `view` must have been asked for with operations. If a topic may
    not even be described, all its operations are missing.
    """
    missing: dict[str, list[str]] = defaultdict(list)
    for topic, operations in wanted.items():
        found = view.topics.get(topic)
        if found is None:
            continue
        for operation in operations:
            if found.error == NO_RIGHT_TO_SEE or not allowed(found.operations, operation):
                missing[operation].append(topic)
    return dict(missing)


def in_words(missing: Mapping[str, Collection[str]]) -> str:
    """Describes missing rights: `no right to Read byline.controls; no right to Write …`."""
    return "; ".join(
        f"no right to {operation} {', '.join(sorted(names))}"
        for operation, names in missing.items()
    )


def refused_in_words(error: BaseException) -> str:
    """Describes one of `RIGHTS_ERRORS`: `no right to the topic byline.throttles`."""
    kind = next(word for known, word in _KINDS.items() if isinstance(error, known))
    about: set[str] = set()
    for argument in error.args:
        about |= (
            {*map(str, argument)} if isinstance(argument, set | list | tuple) else {str(argument)}
        )
    shown = [it.removeprefix(_SENTENCE) for it in sorted(about)[:_SEVERAL]]
    more = f" and {len(about) - _SEVERAL} more" if len(about) > _SEVERAL else ""
    return f"no right to {kind} {', '.join(shown)}{more}".rstrip()
