"""Rebuilds the state of a partition from its decision log and its inputs.

The log says in which steps the inputs were applied, at which instants, and under which policies.
Replay runs the core along these steps. What the core writes into the log must equal the recorded
log byte for byte, hashes included; then the state is the one that was lost. Nothing is sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS, InputName
from schemas.topics import DECISIONS
from streams.core.inputs.batches import offset_after
from streams.core.model.instants import milliseconds
from streams.core.model.memory import StateInMemory
from streams.core.model.policy import Policy
from streams.core.model.ports import Headers, InputRecord
from streams.core.partition import ORDER, Partition, PartitionEnvironment
from streams.stop_worker import StopWorker

TRANSACTION, POLICIES = b"#transaction", b"#policies"


class ReplayError(Exception):
    """The core decides otherwise than the log says; the message names the record where."""


class RecordsGoneError(ReplayError):
    """Records that replay needs are gone from Kafka. The log itself may be right."""


class ReplayCursor(Protocol):
    """Reads one topic partition in order."""

    async def upto(self, after: int) -> list[InputRecord]:
        """Returns the records below offset `after` that no earlier call returned."""
        ...

    def restart(self) -> None:
        """Moves back to the beginning of the topic partition."""
        ...


class Tables(StateInMemory):
    """Stores in memory that keep the decisions that the core sends, and drop its other records."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions: list[bytes | None] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Sends nothing; keeps the value if it is of the decision log."""
        if topic == DECISIONS.name:
            self.decisions.append(value)


class Replay:
    """Replays one partition, transaction by transaction; then `state`, `reads` and `now` are set.

    `cursors`: one for each input. `texts`: the canonical policies by digest. `reads`: the next
    offset of each input, by full topic name. `now`: ms, of the last transaction.
    """

    def __init__(
        self,
        environment: PartitionEnvironment,
        partition: int,
        cursors: Mapping[InputName, ReplayCursor],
        texts: Mapping[str, bytes],
    ) -> None:
        self.reads: dict[str, int] = {}
        self.now = 0
        self.transactions = 0
        self._environment = environment
        self._partition = partition
        self._cursors = cursors
        self._texts = texts
        self._policies: dict[str, Policy] = {}
        self._tables = Tables()
        self._core: Partition | None = None
        self._held_back = False

    @property
    def state(self) -> dict[str, dict[bytes, bytes]]:
        """Every key and value, by name of the store."""
        return self._tables.state

    async def transaction(self, log: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Replays one transaction: keys and values of its records in the log, the last closes it.

        Raises:
            ReplayError: the core decides otherwise than the log says.
            RecordsGoneError: an input or policy that is needed is gone.
        """
        closing = msgspec.json.decode(log[-1][1] or b"null")
        now = _instant(closing["now"])
        await self._pass_over(closing)
        self._tables.decisions.clear()
        try:
            if closing["opened_at"] is not None:
                self._open(log, _instant(closing["opened_at"]))
            await self._steps(closing)
            self._known.before_commit(self._tables, now, closing["reads"])
        except StopWorker as stop:
            raise self._parted(closing, stop.message) from stop
        if self._tables.decisions != [value for _, value in log]:
            raise self._parted(closing, "it would have been decided otherwise")
        self.transactions += 1
        self.now = now
        self.reads.update(closing["reads"])

    def _parted(self, closing: Mapping[str, Any], why: str) -> ReplayError:
        return ReplayError(self._place(closing, why))

    def _place(self, closing: Mapping[str, Any], why: str) -> str:
        place = f"partition {self._partition}, record {closing['number']} of the decision log"
        return f"{place} ({closing['now']}): {why}"

    @property
    def _known(self) -> Partition:
        if self._core is None:
            raise RecordsGoneError(
                f"partition {self._partition}: the decision log does not begin with its beginning"
            )
        return self._core

    def _open(self, log: Sequence[tuple[bytes | None, bytes | None]], at: int) -> None:
        named = [msgspec.json.decode(value) for key, value in log if key == POLICIES and value]
        for record in named:
            digests = {p: word.partition(":")[2] for p, word in record["policies"].items()}
            missing = [
                platform for platform, digest in digests.items() if digest not in self._texts
            ]
            if missing:
                raise RecordsGoneError(
                    f"the policy of {', '.join(missing)} is not in its topic any more"
                )
            self._policies = {
                platform: msgspec.json.decode(self._texts[digest], type=Policy)
                for platform, digest in digests.items()
            }
        # After a change of policy a worker may read inputs again. Replay allows it for every
        # platform: whether the worker really did so shows in the offsets that the log names.
        rescan = frozenset(self._policies)
        environment = self._environment._replace(policies=self._policies, rescan=rescan)
        self._core = Partition(environment, self._partition, self._tables, at)
        self._core.take_up(self._tables, at)
        self._held_back = False
        names = {self._environment.full_name(name): name for name in self._cursors}
        reads = {names[topic]: after for topic, after in self.reads.items()}
        for name in self._core.rewind(self._tables, reads):
            self._cursors[name].restart()

    async def _steps(self, closing: Mapping[str, Any]) -> None:
        core = self._known
        order = ORDER if closing.get("edition", 1) > 1 else FIRST_EDITION_ORDER
        since = closing.get("cluster_changed")
        for step in closing["steps"]:
            at = _instant(step["now"])
            if since is not None and not self._held_back and _instant(since) <= at:
                self._held_back = True
                core.cluster_changed(_instant(since))
            if "as_of" not in step:
                core.step(self._tables, at, await self._batches(closing, step["reads"]), order)
                continue
            favourable_only = step.get("favourable_only", False)
            as_of = _instant(step["as_of"])
            more = core.run_timers(self._tables, at, as_of, step["looked"], favourable_only)
            if more != step["more"]:
                raise self._parted(closing, "other timers would have been due")
        if since is not None and not self._held_back:
            self._held_back = True
            core.cluster_changed(_instant(since))

    async def _batches(
        self, closing: Mapping[str, Any], reads: Mapping[str, Sequence[int]]
    ) -> list[tuple[InputName, list[InputRecord]]]:
        batches = []
        for name, cursor in self._cursors.items():
            topic = self._environment.full_name(name)
            if topic not in reads:
                continue
            first, after = reads[topic]
            records = await cursor.upto(after)
            if not records or records[0].offset != first or offset_after(records[-1]) != after:
                words = f"{topic} {first} to {after - 1} is not there any more, or not all of it"
                raise RecordsGoneError(self._place(closing, words))
            batches.append((name, records))
        return batches

    async def _pass_over(self, closing: Mapping[str, Any]) -> None:
        """Skips the inputs that no step names: a worker read them before, without any effect."""
        goals = dict(closing["reads"])
        for step in reversed(closing["steps"]):
            goals.update({topic: first for topic, (first, _) in step.get("reads", {}).items()})
        for name, cursor in self._cursors.items():
            goal = goals.get(self._environment.full_name(name))
            if goal is not None:
                await cursor.upto(goal)


def _instant(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


assert set(ORDER) == set(INPUT_MODELS)
