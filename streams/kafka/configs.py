"""Sets single settings of topics by IncrementalAlterConfigs (Kafka 2.3), which aiokafka lacks.

aiokafka's AlterConfigs replaces all settings of a topic, and resets those that are not named.
"""

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

TOPIC_RESOURCE = 2
SET = 0


class _IncrementalAlterConfigsResponse(Response):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _IncrementalAlterConfigs(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _IncrementalAlterConfigsResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("config_operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_IncrementalAlterConfigs]):  # type: ignore[misc]
    API_KEY = 44

    def __init__(self, changes: Mapping[str, Mapping[str, str]], validate_only: bool) -> None:
        self._resources = [
            (TOPIC_RESOURCE, topic, [(name, SET, value) for name, value in settings.items()])
            for topic, settings in changes.items()
        ]
        self._validate_only = validate_only

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._resources, self._validate_only)


async def set_topic_configs(
    client: AIOKafkaAdminClient,
    changes: Mapping[str, Mapping[str, str]],
    *,
    validate_only: bool = False,
) -> dict[str, str]:
    """Sets settings (`changes`: values by setting, by topic), and leaves all others.

    Returns, by topic, the broker's message for what it refuses. With `validate_only` the broker
    checks the changes but does not make them.
    """
    if not changes:
        return {}
    response = await client._send_to_controller(_Alter(changes, validate_only))
    return {
        name: message or for_code(code).__name__
        for code, message, _kind, name in response.responses
        if code != 0
    }
