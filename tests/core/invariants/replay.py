"""Recomputing: recorded inputs and the decision log give the same outputs, byte for byte.

`recompute` is the product's own replay (`streams/replay`) over what Kafka keeps of a partition: its
inputs by topic and offset, its decision log, and the policies by digest.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.inputs import INPUT_MODELS
from streams.core.model.policy import Policy
from streams.core.model.ports import InputRecord
from streams.core.partition import Partition, PartitionEnvironment
from streams.replay.following import TRANSACTION, Replay
from streams.replay.records import RecordsInMemory
from tests.core.invariants.world import Output


class _LoggedStep(NamedTuple):
    """A record of the decision log."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    timestamp_type: int = 0


def recompute(
    inputs: Mapping[str, Sequence[InputRecord]],
    decisions: Iterable[bytes],
    policies: Mapping[str, Policy],
    partition: int = 0,
    partition_count: int = 1,
    partition_of: Callable[[bytes], int] | None = None,
    prefix: str = "byline.",
) -> list[Output]:
    """Every output, decisions included, of playing the log's steps once more.

    `inputs`: topic without prefix to its records, by offset. `policies`: by digest. Raises
    ReplayError where the log would be another one.
    """
    environment = PartitionEnvironment(
        policies={},
        partition_count=partition_count,
        partition_of=partition_of or (lambda _: partition),
        require_approvals=False,
        full_name=lambda name: prefix + name,
    )
    replay = _NeverAgain(
        environment,
        partition,
        {name: RecordsInMemory(inputs.get(name, ())) for name in INPUT_MODELS},
        {digest: policy.canonical for digest, policy in policies.items()},
    )
    made: list[Output] = []
    for transaction in _transactions(decisions):
        made += map(tuple, asyncio.run(replay.transaction(transaction)))
    return made


class _NeverAgain(Replay):
    """The histories' partitions read nothing again when their policy changes."""

    def _rewind(self, core: Partition, at: int) -> None:
        pass


def _transactions(decisions: Iterable[bytes]) -> Iterable[list[_LoggedStep]]:
    found: list[_LoggedStep] = []
    for offset, value in enumerate(decisions):
        key = _key(json.loads(value))
        found.append(_LoggedStep(offset, key, value))
        if key == TRANSACTION:
            yield found
            found = []


def _key(plain: Mapping[str, Any]) -> bytes:
    """The key under which a record of the log stands: its account's, else its kind."""
    if plain["kind"] == "decision":
        return f"{plain['platform']}:{plain['account_id']}".encode()
    return f"#{plain['kind']}".encode()
