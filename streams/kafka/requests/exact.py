"""A Kafka request in one fixed version."""

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request


class Exact(Request[Any]):  # type: ignore[misc]
    """A request in one fixed version.

    Raises:
        IncompatibleBrokerVersion: when it is sent to a broker without this version.
    """

    API_KEY = -1

    def __init__(self, struct: Any) -> None:
        self.struct = struct

    def build(self, request_struct_class: Any) -> Any:
        """Returns the request, which is built already."""
        return self.struct

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:
        """Returns the request if the broker has its version (`versions`: range by API key)."""
        lowest, highest = versions.get(self.struct.API_KEY, (0, -1))
        if not lowest <= self.struct.API_VERSION <= highest:
            raise IncompatibleBrokerVersion(
                f"the broker has versions {lowest} to {highest} of API {self.struct.API_KEY},"
                f" not {self.struct.API_VERSION}"
            )
        return self.struct
