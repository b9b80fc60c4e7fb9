"""Recomputing: recorded inputs and the decision log give the same outputs, byte for byte.

`recompute` knows of a partition only what Kafka keeps: its inputs by topic and offset, its decision
log, and the policies by digest. It follows the steps that each transaction names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.inputs import FIRST_EDITION_ORDER
from streams.core.model.policy import Policy
from streams.core.model.ports import InputRecord
from streams.core.partition import ORDER, Partition, PartitionEnvironment
from tests.core.invariants.follower import instant
from tests.core.invariants.world import Memory, Output


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

    `inputs`: topic without prefix to its records, by offset. `policies`: by digest.
    """
    memory = Memory()
    core: Partition | None = None
    present: dict[str, Policy] = {}
    for raw in decisions:
        record = msgspec.json.decode(raw)
        if record["kind"] == "policies":
            present = {
                platform: policies[named.split(":")[1]]
                for platform, named in record["policies"].items()
            }
        elif record["kind"] == "transaction":
            if record["opened_at"] is not None:
                world = PartitionEnvironment(
                    policies=present,
                    partition_count=partition_count,
                    partition_of=partition_of or (lambda _: partition),
                    require_approvals=False,
                    full_name=lambda name: prefix + name,
                    rescan=frozenset(present),
                )
                opened_at = instant(record["opened_at"])
                core = Partition(world, partition, memory, opened_at)
                core.take_up(memory, opened_at)
            assert core is not None, "a transaction before any opening"
            _transaction(core, memory, inputs, record, prefix)
    return memory.raw


def _transaction(
    core: Partition,
    memory: Memory,
    inputs: Mapping[str, Sequence[InputRecord]],
    record: dict[str, Any],
    prefix: str,
) -> None:
    order = ORDER if record.get("edition", 1) > 1 else FIRST_EDITION_ORDER
    noted = record.get("cluster_changed")
    changed_at = None if noted is None else instant(noted)
    for step in record["steps"]:
        now = instant(step["now"])
        if changed_at is not None and now >= changed_at:
            core.cluster_changed(changed_at)
        if "as_of" in step:
            favourable_only = step.get("favourable_only", False)
            core.run_timers(memory, now, instant(step["as_of"]), step["looked"], favourable_only)
            continue
        batches = []
        for topic, (first, after) in step["reads"].items():
            name = topic.removeprefix(prefix)
            records = [known for known in inputs[name] if first <= known.offset < after]
            batches.append((name, records))
        core.step(memory, now, batches, order)  # type: ignore[arg-type]
    if changed_at is not None:
        core.cluster_changed(changed_at)
    core.before_commit(memory, instant(record["now"]), record["reads"])
