"""Runs a backtest from beginning to end: reads files, selects rows, runs the core on them.

Several policies share one scan of the data. Each has a simulated partition of its own, which gets
the rows of its platform; such a partition with its result is called a lane.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.enums import Mode
from schemas.inputs import InputName
from streams.backtest import columns
from streams.backtest.answers import AnswerModel, ModelWord
from streams.backtest.carried import Carried
from streams.backtest.columns import Columns, connect
from streams.backtest.inputs import ScannedInput
from streams.backtest.lines import around_lines
from streams.backtest.progress import Progress, silent
from streams.backtest.resting import AHEAD, RestingPartition, RestingReading
from streams.backtest.scan import Floors, Scan
from streams.backtest.tally import Tally
from streams.backtest.unreadable import first_line
from streams.backtest.words import load_words
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from streams.core.partition import ORDER
from streams.lives.partition import SimulatedRecord
from streams.operate.errors import UsageError

if TYPE_CHECKING:
    import duckdb

Watch = Callable[[str, str, bytes | None, bytes | None], None]
"""Called with every record that the core sends: the policy's name, topic, key, value."""


@dataclass(frozen=True)
class Asked:
    """What to run. Instants are in ms since 1970; `start` and `end` (excluded) limit the rows.

    `policies`: each with the name of its file. `readings`, `labels`, `words`: paths or patterns of
    files. `model`: the model of answers; None: they come from `words`. `now`: the clock runs on to
    it; None: to the last row. `everybody`: run all accounts, also those that cannot matter.
    `shard`: (number, count) of the shard whose accounts are run, without caps and guards; None: all
    accounts. `refused_before`, `labels_refused_before`: records that were not written to the files,
    by reason. `notes`: sentences on what else the files do not have.
    """

    policies: Sequence[tuple[str, Policy]]
    readings: str
    labels: str | None = None
    words: str | None = None
    model: AnswerModel | None = None
    start: int | None = None
    end: int | None = None
    now: int | None = None
    everybody: bool = False
    shard: tuple[int, int] | None = None
    refused_before: Mapping[str, int] = field(default_factory=dict)
    labels_refused_before: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass
class Backtest:
    """The result of a backtest. `now`: the instant (ms) at which the clock stopped.

    `near`, `crossings`: as AroundLines has them, by policy.
    """

    asked: Asked
    carried: Carried
    tallies: list[Tally]
    now: int
    near: dict[str, list[tuple[int, int]]]
    crossings: dict[str, list[int]]
    seconds: dict[str, float]
    """How many seconds the scan and the core took."""
    left_out: tuple[str, ...] = ()
    """Sentences that say what this one does not cover. LEFT_OUT has what no backtest covers."""


class Lane:
    """One policy with its simulated partition, its result, and the model's answers to come."""

    def __init__(
        self,
        name: str,
        policy: Policy,
        start: int,
        model: AnswerModel | None,
        watch: Watch | None,
        *,
        alone: bool = True,
        resting: bool = True,
    ) -> None:
        """`alone`: this partition has all accounts, so that caps and guards can be applied.

        `start`: ms. `model`: None: there are no model answers. `resting`: readings that change
        nothing need not be applied. `watch` sees every record sent.
        """
        self.tally = Tally(name, policy)
        self._watch, self._model = watch, model
        self._said: list[tuple[int, int, ModelWord]] = []
        self._offsets = dict.fromkeys(ORDER, 0)
        self._number = 0
        self._at = start
        self._others: dict[InputName, list[SimulatedRecord]] = {}
        self._readings: list[RestingReading] = []
        """What entered at `_at` and is not applied yet: all of one instant is applied together."""
        under = policy if alone else unlimited(policy)
        self.led = RestingPartition(under, self._sent, start, resting=resting)
        self.led.any_order()

    def _sent(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if self._watch is not None:
            self._watch(self.tally.name, topic, key, value)
        if value is None or topic == "decisions":
            return
        self.tally.take(topic, value, self.led.now)
        if self._model is not None and topic == "invitations":
            self._ask(value)

    def _ask(self, value: bytes) -> None:
        event = msgspec.json.decode(value)
        if event["event"] != "invitation.issued" or event["mode"] != Mode.ENFORCE:
            return
        assert self._model is not None
        for word in self._model.answers(event, self.led.now):
            self._number += 1
            heapq.heappush(self._said, (word.at, self._number, word))

    def read(self, inputs: Iterable[ScannedInput]) -> None:
        """Takes inputs of the policy's platform, in order of time, then topic."""
        led, said = self.led, self._said
        for at, _, one in inputs:
            if at != self._at:
                if self._readings or self._others:
                    self._apply()
                self._at = at
            if isinstance(one, RestingReading):
                # One that changes nothing need not wait for what else enters at its instant.
                waits = self._readings or self._others or (said and said[0][0] < at)
                if waits or not led.rests(at, one):
                    self._readings.append(one)
            else:
                topic, record = one
                self._others.setdefault(topic, []).append(record)

    def _apply(self) -> None:
        """Applies the inputs of the last instant, after the model's answers from before it."""
        at, batches, readings = self._at, list(self._others.items()), self._readings
        self._others, self._readings = {}, []
        due = self.led.due()
        if self._said or (due is not None and due < at):
            self._say_until(at - 1)
        self.led.take(at, batches, readings)

    def end(self, now: int) -> None:
        """Runs the clock to `now` (ms) with all timers and answers, and closes the tally."""
        if self._readings or self._others:
            self._apply()
        self._say_until(now)
        self.led.until(now)
        self.led.close()
        self.tally.counted(self.led.partition.counts)

    def _say_until(self, until: int) -> None:
        while True:
            # A timer may issue an invitation, whose answer may come before those that wait. So
            # timers that are due before the next answer act first.
            due = self.led.due()
            first = self._said[0][0] if self._said else None
            if first is None or first > until:
                if due is None or due > until:
                    return
                self.led.until(due)
            elif due is not None and due < first:
                self.led.until(due)
            else:
                at, _, word = heapq.heappop(self._said)
                # Offsets of the model's answers must differ from those of the data.
                offset = (1 << 40) + self._offsets[word.topic]
                self._offsets[word.topic] += 1
                self.led.give(at, [(word.topic, [SimulatedRecord(offset, at, word.key, word.raw)])])


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Makes a folder for one run inside `folder`, for its owner only; deletes it at the end.

    A run locks its folder for as long as it lives. Those of processes that were killed are not
    locked, and are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with locked(folder):
        for other in folder.glob("run-*"):
            with suppress(OSError), locked(other, wait=False):
                shutil.rmtree(other, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
        held = ExitStack()
        held.enter_context(locked(place))
    with held:
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a folder; a process that ends gives it back.

    Raises BlockingIOError if somebody else holds it and `wait` is false.
    """
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(place)


def run(
    asked: Asked, folder: Path, progress: Progress | None = None, watch: Watch | None = None
) -> Backtest:
    """Runs a backtest. `folder`: for temporary files, which are deleted at the end.

    Raises UsageError: a file cannot be read, no reading is usable, or packages are missing; or
    memory or disk do not suffice.
    """
    tell = progress or silent
    with workplace(folder) as place, closing(connect(place)) as connection:
        import duckdb

        try:
            return _run(asked, connection, place, tell, watch)
        except (duckdb.OperationalError, duckdb.DataError, OSError) as error:
            raise UsageError(
                f"the backtest of {asked.readings} cannot go on: {first_line(error)}; look whether"
                f" the file is whole and stayed as it was, and at the space left in {folder}"
            ) from error


def _run(
    asked: Asked,
    connection: duckdb.DuckDBPyConnection,
    place: Path,
    tell: Progress,
    watch: Watch | None,
) -> Backtest:
    began = time.monotonic()
    if asked.start is not None and asked.end is not None and asked.end <= asked.start:
        raise UsageError(empty_span(asked.start, asked.end))
    tell("reads the files", 0, 0)
    scan = _scan(asked, connection, place, tell)
    carried = scan.carried(everybody=asked.everybody)
    carried.add_refused(asked.refused_before, asked.labels_refused_before)
    if not carried.sound or carried.first is None or carried.last is None:
        raise UsageError(_nothing(asked, carried))
    last = scan.keep(carried, everybody=asked.everybody, shard=asked.shard)
    end = max(asked.now or 0, last or 0, carried.last)
    if asked.now is not None and asked.now < end:
        raise UsageError(
            f"--now is before the last row, of {rfc3339(end)}: --to leaves out what is later"
        )
    around = around_lines(connection, asked.policies)
    scanned = time.monotonic()
    first = carried.first if asked.start is None else min(asked.start, carried.first)
    alone = asked.shard is None
    lanes = [
        Lane(name, it, first, asked.model, watch, alone=alone, resting=carried.may_rest)
        for name, it in asked.policies
    ]
    with scan.counting(carried):
        _lead(lanes, scan, carried, tell)
    for lane in lanes:
        lane.end(end)
    seconds = {"scan": scanned - began, "core": time.monotonic() - scanned}
    tallies = [lane.tally for lane in lanes]
    return Backtest(asked, carried, tallies, end, *around, seconds, tuple(asked.notes))


def _nothing(asked: Asked, carried: Carried) -> str:
    why = ", ".join(f"{count} {name}" for name, count in carried.refused.most_common()) or "none"
    names = ", ".join(sorted({policy.platform for _, policy in asked.policies}))
    places = [_LOOK_AT[it] for it in carried.refused if it in _LOOK_AT]
    if asked.start is not None or asked.end is not None:
        places.append("--from and --to")
    look = " and at ".join(places) or "what the file holds"
    return (
        f"--readings {asked.readings}: no reading of {names} that can be used in this span (of"
        f" {carried.rows} rows were left out: {why}); look at {look}"
    )


_LOOK_AT = {
    "unknown_platform": "the column platform",
    "out_of_range": "the column followers",
    "wrong_type": "the column cause",
    "bad_time": "the column observed_at",
    "time_ahead": "the column observed_at (and entered_at)",
    "bad_id": "the column account_id",
}
"""What is wrong with rows, and where a person looks for it."""


def empty_span(start: int, end: int) -> str:
    """Says that no instant lies between `start` and `end` (ms)."""
    return (
        f"--from {rfc3339(start)} is not before --to {rfc3339(end)}, so no row can be between them;"
        " --from is the first instant, --to the end"
    )


def _scan(
    asked: Asked, connection: duckdb.DuckDBPyConnection, place: Path, tell: Progress = silent
) -> Scan:
    files = Columns(connection, place, tell)
    wanted = columns.READING_COLUMNS | columns.READING_MORE
    here = files.view("readings", "--readings", asked.readings, wanted)
    if asked.labels is not None:
        files.view("labels", "--labels", asked.labels, columns.LABEL_COLUMNS | columns.LABEL_MORE)
    if asked.words is not None:
        load_words(connection, "--answers", asked.words)
    floor: dict[str, int] = {}
    line: dict[str, int] = {}
    for _, policy in asked.policies:
        name = policy.platform
        floor[name] = min(policy.floor, floor.get(name, policy.floor))
        line[name] = min(policy.lines[0], line.get(name, policy.lines[0]))
    return Scan(
        connection,
        Floors(floor, line),
        has_category="category" in here,
        has_cause="cause" in here,
        has_labels=asked.labels is not None,
        has_words=asked.words is not None,
        latest=max(time.time_ns() // 1_000_000, asked.now or 0) + AHEAD,
        without_offset=files.without_offset,
        span=(asked.start, asked.end),
        tell=tell,
    )


def unlimited(policy: Policy) -> Policy:
    """Returns the policy for a shard: without caps and guards, which need all accounts."""
    most = 1 << 60
    return replace(policy, invitations_per_day=most, throttles_per_hour=most, guards=None)


def _lead(lanes: list[Lane], scan: Scan, carried: Carried, tell: Progress) -> None:
    """Gives every lane the rows of its platform in order, and tells the progress."""
    of_platform: dict[str, list[Lane]] = {}
    for lane in lanes:
        of_platform.setdefault(lane.tally.policy.platform, []).append(lane)
    total, done = carried.kept_rows, 0
    for inputs in scan.inputs():
        for platform, mine in _by_platform(inputs):
            for lane in of_platform.get(platform, ()):
                lane.read(mine)
        # Labels and words are few, and are counted with the readings.
        done = min(done + len(inputs), total)
        tell("leads the core through the rows", done, total)
    tell("leads the core through the rows", total, total)


def _by_platform(inputs: Iterable[ScannedInput]) -> Iterable[tuple[str, list[ScannedInput]]]:
    found: dict[str, list[ScannedInput]] = {}
    for one in inputs:
        own = found.get(one[1])
        if own is None:
            own = found[one[1]] = []
        own.append(one)
    return found.items()
