"""A request that is made in one version only."""

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request


class Exact(Request[Any]):  # type: ignore[misc]
    """A request in one version only. Raises IncompatibleBrokerVersion if a broker lacks it."""

    API_KEY = -1

    def __init__(self, struct: Any) -> None:
        self.struct = struct

    def build(self, request_struct_class: Any) -> Any:
        """Return the request: it is built already."""
        return self.struct

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:
        """The request in its wire form."""
        lowest, highest = versions.get(self.struct.API_KEY, (0, -1))
        if not lowest <= self.struct.API_VERSION <= highest:
            raise IncompatibleBrokerVersion(
                f"the broker has versions {lowest} to {highest} of API {self.struct.API_KEY},"
                f" not {self.struct.API_VERSION}"
            )
        return self.struct
