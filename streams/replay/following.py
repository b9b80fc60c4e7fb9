"""Runs the core along the recorded steps of one partition: its decision log and its inputs.

The log says in which steps the inputs were applied, at which instants, and under which policies.
What the core writes into the log now must equal the recorded log byte for byte, hashes included;
then its state is the one that the worker had. Inputs that no step names must have no effect.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS, InputName
from schemas.topics import DECISIONS
from streams.core.inputs.batches import offset_after
from streams.core.model.instants import milliseconds
from streams.core.model.policy import Policy
from streams.core.model.ports import InputRecord
from streams.core.partition import ORDER, Partition, PartitionEnvironment
from streams.policies.texts import policy_of
from streams.replay.records import (
    Difference,
    DifferentError,
    RecordsGoneError,
    RecordSource,
    ReplayedRecord,
    in_words,
)
from streams.replay.tables import Batches, Beside, ReplayTables
from streams.stop_worker import StopWorker

TRANSACTION, POLICIES = b"#transaction", b"#policies"
PIECE = 100_000
"""The most records of one input topic that are in memory at a time. A step that had an effect never
has more, because a worker queues 30,000. The log joins steps without effect, to any length."""


class Replay:
    """Replays one partition, transaction by transaction; then `state`, `reads` and `now` are set.

    `sources`: one for each input. `texts`: the canonical policies by digest. `beside`: is run along
    the same steps. `reads`: the next offset of each input, by full topic name. `now`: ms, of the
    last transaction. `openings`: how often a worker opened the partition. `inputs`: records
    applied.
    """

    def __init__(
        self,
        environment: PartitionEnvironment,
        partition: int,
        sources: Mapping[InputName, RecordSource],
        texts: Mapping[str, bytes],
        beside: Beside | None = None,
    ) -> None:
        self.reads: dict[str, int] = {}
        self.now = 0
        self.transactions = self.openings = self.inputs = 0
        self._environment = environment
        self._partition = partition
        self._sources = sources
        self._texts = texts
        self._beside = beside
        self._policies: dict[str, Policy] = {}
        self._tables = ReplayTables()
        self._core: Partition | None = None
        self._held_back = False
        self._told = 0

    @property
    def state(self) -> dict[str, dict[bytes, bytes]]:
        """Every key and value, by name of the store."""
        return self._tables.state

    @property
    def lost(self) -> str | None:
        """A text: the first offsets that compaction may have removed. None: there are none."""
        return next((it.lost for it in self._sources.values() if it.lost is not None), None)

    async def transaction(self, log: Sequence[InputRecord]) -> list[ReplayedRecord]:
        """Replays one transaction: its records in the log, the last one closes it.

        Returns all that the core sent.

        Raises:
            DifferentError: the core decides otherwise than the log says.
            RecordsGoneError: an input or policy that is needed is gone.
        """
        if log[-1].key != TRANSACTION:
            raise self._parted(log, "a record stands behind its last transaction")
        if self._core is None and msgspec.json.decode(log[0].value or b"{}").get("number") != 1:
            raise self._headless()
        closing = msgspec.json.decode(log[-1].value or b"null")
        now = _instant(closing["now"])
        await self._pass_over(log, closing)
        self._tables.sent, self._told = [], 0
        self._tables.asked.clear()
        try:
            if closing["opened_at"] is not None:
                self._open(log, _instant(closing["opened_at"]))
            await self._steps(log, closing)
            self._known.before_commit(self._tables, now, closing["reads"])
        except StopWorker as stop:
            raise self._parted(log, f"the core stops: {stop.message}") from stop
        made = [it for it in self._tables.sent if it.topic == DECISIONS.name]
        _compare(made, log, self._full_log, self._partition)
        if self._beside is not None:
            self._beside.closed(now)
        self.transactions += 1
        self.now = now
        self.reads.update(closing["reads"])
        return self._tables.sent

    async def rest(self, now: int) -> None:
        """Applies the inputs after the log's end, at `now` (ms).

        Raises DifferentError if they have an effect.
        """
        while self._core is not None:
            batches = await self._taken(dict.fromkeys(self._sources, 1 << 62))
            if not batches:
                return
            self._idle(batches, now, "the inputs behind the log's end have an effect")

    @property
    def _full_log(self) -> str:
        return self._environment.full_name(DECISIONS.name)

    def _parted(self, log: Sequence[InputRecord], why: str) -> DifferentError:
        return DifferentError(Difference(self._full_log, self._partition, log[-1].offset, why))

    @property
    def _known(self) -> Partition:
        if self._core is None:
            raise self._headless()
        return self._core

    def _headless(self) -> RecordsGoneError:
        return RecordsGoneError(
            f"{self._full_log}[{self._partition}] does not begin with its beginning"
        )

    def _open(self, log: Sequence[InputRecord], at: int) -> None:
        named = [msgspec.json.decode(it.value) for it in log if it.key == POLICIES and it.value]
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
                platform: self._policy(platform, digest) for platform, digest in digests.items()
            }
        # After a change of policy a worker may read inputs again. Replay allows it for every
        # platform: whether the worker really did so shows in the offsets that the log names.
        rescan = frozenset(self._policies)
        environment = self._environment._replace(policies=self._policies, rescan=rescan)
        self._core = Partition(environment, self._partition, self._tables, at)
        self._core.take_up(self._tables, at)
        self._held_back = False
        self.openings += 1
        self._rewind(self._core, at)

    def _policy(self, platform: str, digest: str) -> Policy:
        try:
            return policy_of(self._texts[digest])
        except ValueError as error:
            raise RecordsGoneError(
                f"the policy of {platform} under the digest {digest} is none that this version"
                f" accepts: {error}"
            ) from error

    def _rewind(self, core: Partition, at: int) -> None:
        """Moves back the inputs that a new policy needs from their beginning."""
        names = {self._environment.full_name(name): name for name in self._sources}
        reads = {names[topic]: after for topic, after in self.reads.items() if topic in names}
        if self._beside is not None:
            self._beside.opened(self._policies, at, reads)
        for name in core.rewind(self._tables, reads):
            self._sources[name].restart()

    async def _steps(self, log: Sequence[InputRecord], closing: Mapping[str, Any]) -> None:
        core = self._known
        order = ORDER if closing.get("edition", 1) > 1 else FIRST_EDITION_ORDER
        noted = closing.get("cluster_changed")
        since = None if noted is None else _instant(noted)
        for step in closing["steps"]:
            at = _instant(step["now"])
            if since is not None and since <= at:
                self._hold_back(since)
            if "as_of" in step:
                self._run_timers(log, at, step)
                continue
            async for batches in self._pieces(step["reads"]):
                core.step(self._tables, at, batches, order)
                if self._beside is not None:
                    self._beside.stepped(at, batches, order, self._news())
        if since is not None:
            self._hold_back(since)

    def _run_timers(self, log: Sequence[InputRecord], at: int, step: Mapping[str, Any]) -> None:
        """Runs a round of timers over as many accounts as the log says.

        The core must find again whether more timers were due.
        """
        favourable = step.get("favourable_only", False)
        as_of = _instant(step["as_of"])
        self._tables.asked.clear()
        more = self._known.run_timers(self._tables, at, as_of, step["looked"], favourable)
        if more != step["more"]:
            raise self._parted(log, f"after the timers of {step['now']} more were due: {more}")
        if self._beside is not None:
            self._beside.timers_ran(at, as_of, self._tables.asked, favourable, self._news())

    def _hold_back(self, since: int) -> None:
        if not self._held_back:
            self._held_back = True
            self._known.cluster_changed(since)
            if self._beside is not None:
                self._beside.cluster_changed(since)

    def _news(self) -> list[ReplayedRecord]:
        """Returns the records sent since the last call."""
        begin, self._told = self._told, len(self._tables.sent)
        return self._tables.sent[begin:]

    async def _pieces(self, reads: Mapping[str, Sequence[int]]) -> AsyncIterator[Batches]:
        """The inputs of a step; a long one, in which nothing had an effect, in pieces.

        Raises RecordsGoneError where they are not all there.
        """
        spans = {
            name: reads[self._environment.full_name(name)]
            for name in self._sources
            if self._environment.full_name(name) in reads
        }
        reached: dict[InputName, int] = {}
        while batches := await self._taken({name: span[1] for name, span in spans.items()}):
            for name, records in batches:
                if name not in reached and records[0].offset != spans[name][0]:
                    raise self._gone(name, spans[name])
                reached[name] = offset_after(records[-1])
                self.inputs += len(records)
            yield batches
        for name, span in spans.items():
            if reached.get(name) != span[1]:
                raise self._gone(name, span)

    def _gone(self, name: InputName, span: Sequence[int]) -> RecordsGoneError:
        home = 0 if name == "switches" else self._partition
        return RecordsGoneError(
            f"{self._environment.full_name(name)}[{home}]: offsets {span[0]} to {span[1] - 1} are"
            " not there any more, or not all of them"
        )

    async def _taken(self, goals: Mapping[InputName, int]) -> Batches:
        """The next records below these offsets, of each input at most `PIECE`."""
        found = [
            (name, await self._sources[name].upto(goal, PIECE)) for name, goal in goals.items()
        ]
        return [(name, records) for name, records in found if records]

    async def _pass_over(self, log: Sequence[InputRecord], closing: Mapping[str, Any]) -> None:
        """Applies inputs that no step names; they must have no effect.

        Such inputs were read by a worker that then ended. A worker that goes on names all inputs
        that it reads, so they may only lie before a partition is opened. Raises DifferentError.
        """
        named = dict(closing["reads"])
        for step in reversed(closing["steps"]):
            named.update({topic: first for topic, (first, _) in step.get("reads", {}).items()})
        full = {self._environment.full_name(name): name for name in self._sources}
        goals = {full[topic]: goal for topic, goal in named.items() if topic in full}
        while batches := await self._taken(goals):
            if closing["opened_at"] is None or self._core is None:
                raise self._parted(log, f"inputs were passed over: {_spans(batches)}")
            self._idle(batches, _instant(closing["now"]), "inputs passed over have an effect")

    def _idle(self, batches: Batches, now: int, why: str) -> None:
        self._tables.touched = False
        self._known.step(self._tables, now, batches)
        if self._tables.touched:
            raise DifferentError(
                Difference(self._full_log, self._partition, None, f"{why}: {_spans(batches)}")
            )


def _compare(
    made: Sequence[ReplayedRecord], log: Sequence[InputRecord], topic: str, partition: int
) -> None:
    """Compares the log's records with those that the core sent. Raises DifferentError."""
    for place in range(max(len(made), len(log))):
        kept = (log[place].key, log[place].value) if place < len(log) else (None, None)
        sent = (made[place].key, made[place].value) if place < len(made) else (None, None)
        if kept != sent:
            why = "it would have been decided otherwise"
            if kept[1] == sent[1]:
                why = f"its key is {in_words(kept[0])}, and not {in_words(sent[0])}"
            offset = log[place].offset if place < len(log) else None
            written, value = in_words(kept[1]), in_words(sent[1])
            raise DifferentError(Difference(topic, partition, offset, why, written, value))


def _spans(batches: Batches) -> str:
    return ", ".join(
        f"{name} {records[0].offset} to {offset_after(records[-1]) - 1}"
        for name, records in batches
    )


def _instant(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


assert set(ORDER) == set(INPUT_MODELS)
