"""Requests of the second version of transactions (KIP-890), which aiokafka lacks.

Each transaction has its own producer epoch: the response to EndTxn 5 contains the next one. A write
(Produce 12, TxnOffsetCommit 5) adds its partition or group to the transaction, so the two requests
that did that before are not needed. ApiVersions 3 reports among the finalized features whether the
cluster uses this version. Fields as in https://kafka.apache.org/protocol.
"""

from io import BytesIO
from typing import Any

from aiokafka.protocol.api import RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactBytes,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from streams.kafka.requests.exact import Exact

FEATURE = "transaction.version"
LEVEL = 2
FINALIZED_FEATURES_TAG = 2
_TEXT = CompactString("utf-8")


class ApiVersionsResponse3(Response):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "api_versions",
            CompactArray(
                ("api_key", Int16), ("lowest", Int16), ("highest", Int16), ("tags", TaggedFields)
            ),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )

    def level(self, feature: str) -> int:
        """Returns the finalized level of a feature in the cluster; 0 if there is none."""
        raw = self.tags.get(FINALIZED_FEATURES_TAG)
        if raw is None:
            return 0
        fields = ("name", _TEXT), ("highest", Int16), ("lowest", Int16), ("tags", TaggedFields)
        found = CompactArray(*fields).decode(BytesIO(raw))
        return max((level for name, level, _, _ in found or () if name == feature), default=0)


class ApiVersionsRequest3(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 18
    API_VERSION = 3
    RESPONSE_TYPE = ApiVersionsResponse3
    SCHEMA = Schema(("software", _TEXT), ("version", _TEXT), ("tags", TaggedFields))

    def parse_response_header(self, read_buffer: Any) -> Any:
        """Parses the header in its first version, which all brokers use for this response."""
        return ResponseHeader_v0.decode(read_buffer)


class ProduceResponse12(Response):  # type: ignore[misc]
    API_KEY = 0
    API_VERSION = 12
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("offset", Int64),
                        ("timestamp", Int64),
                        ("log_start_offset", Int64),
                        (
                            "record_errors",
                            CompactArray(
                                ("index", Int32), ("message", _TEXT), ("tags", TaggedFields)
                            ),
                        ),
                        ("error_message", _TEXT),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("throttle_time_ms", Int32),
        ("tags", TaggedFields),
    )


class ProduceRequest12(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 0
    API_VERSION = 12
    RESPONSE_TYPE = ProduceResponse12
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("required_acks", Int16),
        ("timeout", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32), ("messages", CompactBytes), ("tags", TaggedFields)
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommitResponse5(Response):  # type: ignore[misc]
    API_KEY = 28
    API_VERSION = 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32), ("error_code", Int16), ("tags", TaggedFields)
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )

    @property
    def errors(self) -> list[tuple[str, list[tuple[int, int]]]]:
        """Error codes by topic and partition, in the format of the first version."""
        return [(topic, [each[:2] for each in found]) for topic, found, _ in self.topics]


class TxnOffsetCommitRequest5(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 28
    API_VERSION = 5
    RESPONSE_TYPE = TxnOffsetCommitResponse5
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("group_id", _TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", _TEXT),
        ("group_instance_id", _TEXT),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class EndTxnResponse5(Response):  # type: ignore[misc]
    API_KEY = 26
    API_VERSION = 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class EndTxnRequest5(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 26
    API_VERSION = 5
    RESPONSE_TYPE = EndTxnResponse5
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("transaction_result", Boolean),
        ("tags", TaggedFields),
    )


class Produce(ProduceRequest):  # type: ignore[misc]
    """Produce 12. It subclasses aiokafka's request, because aiokafka checks for that class."""

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:
        """Returns the request; raises IncompatibleBrokerVersion if the broker lacks version 12."""
        topics: list[Any] = [
            (topic, [(partition, messages, {}) for partition, messages in partitions], {})
            for topic, partitions in self._topics
        ]
        return Exact(
            ProduceRequest12(self._transactional_id, self._required_acks, self._timeout, topics, {})
        ).prepare(versions)


def ask_versions() -> Exact:
    """Makes an ApiVersions 3 request. Some brokers refuse an empty client name or version."""
    return Exact(ApiVersionsRequest3("byline", "1", {}))
