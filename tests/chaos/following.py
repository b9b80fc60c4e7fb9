"""The independent model, led along the steps of the decision log: what must have come out when.

The model (tests/oracle) knows the contract only. From the log it is told what was read together
and at which instants timers were looked at; every event, its order, its instants are its own.
"""

import heapq
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS
from schemas.words import Refused as Because
from tests.chaos.apart import each_partition
from tests.chaos.book import Book, bare
from tests.oracle.guard import WORDS, certain
from tests.oracle.model import Life, plain_id
from tests.oracle.policy import Policy, instant
from tests.oracle.records import Record

Ids = Mapping[tuple[str, str, int], str]
Refused = Mapping[tuple[str, int, int], str]
"""Where the refused inputs stand, by bare topic name, and the reason of each."""
OVERDUE = timedelta(seconds=2)
PASSING = ("invitation.reminded", "throttle.renewed")
LATE = timedelta(seconds=60)


def invitation_ids(outputs: list[Record]) -> dict[tuple[str, str, int], str]:
    """The id that each cycle's invitation has: (key, mode, cycle) to it."""
    ids = {}
    for record in outputs:
        value = json.loads(record.value or b"")
        if value["event"] == "invitation.issued":
            key = f"{value['platform']}:{value['account_id']}"
            ids[key, value["mode"], value["cycle"]] = value["invitation_id"]
    return ids


def refused_places(book: Book) -> Refused:
    """Where the refused inputs stand, by bare topic name, and the reason of each."""
    places = {}
    for record in book.all(["dead-letters"]):
        value = json.loads(record.value or b"")
        places[bare(value["topic"]), value["partition"], value["offset"]] = value["reason"]
    return places


class Following:
    """One partition number."""

    def __init__(
        self,
        book: Book,
        partition: int,
        policies: Mapping[str, Policy],
        ids: Ids,
        refused: Refused,
        worth: set[str],
    ) -> None:
        self.lives: dict[str, Life] = {}
        self._policies, self._ids, self._worth = policies, ids, worth
        self._due: list[tuple[datetime, str]] = []
        self._set: dict[str, datetime] = {}
        self._shared: list[tuple[datetime, str, Any, datetime, str | None]] = []
        """What all accounts, or those of one platform, were told: for those that are born later."""
        self._refused = refused
        self._decisions = book.of("decisions", partition)
        self._inputs: dict[str, list[Record]] = {}
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else partition
            own = (one for one in book.of(name, home) if self._heard(name, home, one))
            self._inputs[name] = [one for one in own if self._counts(name, one)]
        self._read = dict.fromkeys(INPUT_MODELS, 0)

    def _heard(self, name: str, home: int, record: Record) -> bool:
        """Whether it was not refused, or is an unclear word of its account by being refused."""
        reason = self._refused.get((name, home, record.offset))
        if reason is None:
            return True
        key = (record.key or b"").decode("utf-8", "replace")
        return name in WORDS and reason != "not_approved" and certain(key, Because(reason))

    def _counts(self, name: str, record: Record) -> bool:
        return name == "switches" or (record.key is not None and record.key.decode() in self._worth)

    def run(self, until: datetime) -> list[str]:
        """Follow all transactions; timers that were due by `until` and did not act are breaches."""
        acted: set[str] = set()
        tripped: list[dict[str, Any]] = []
        for record in self._decisions:
            if record.key != b"#transaction":
                if record.key is not None and record.key[:1] != b"#":
                    acted.add(record.key.decode())
                value = json.loads(record.value or b"")
                tripped += [value] if value["kind"] == "refusal_guard" else []
                continue
            self._transaction(json.loads(record.value or b""), acted, tripped)
            acted, tripped = set(), []
        breaches = []
        for key, life in self.lives.items():
            # The end of a hold, or a look, needs no round where nothing comes of it.
            due = [one for one in life.due_timers() if one[2] not in ("hold", "look")]
            if due and due[0][0] < until - OVERDUE:
                breaches.append(f"{key}: {due[0][2]} was due at {due[0][0]} and has not acted")
        return breaches

    def _transaction(
        self, closing: dict[str, Any], acted: set[str], tripped: list[dict[str, Any]]
    ) -> None:
        """All steps of one transaction, with what it notes of the cluster and of its guards."""
        opened, changed = closing.get("opened_at"), closing.get("cluster_changed")
        if opened or changed:
            self._tell(instant(changed or closing["now"]), "cluster", bool(changed), None, None)
        order = INPUT_MODELS if closing.get("edition", 1) > 1 else FIRST_EDITION_ORDER
        for step in closing["steps"]:
            now = instant(step["now"])
            if "as_of" in step:
                only = acted if step["more"] else None
                favourable_only = step.get("favourable_only", False)
                self._fire(now, instant(step["as_of"]), only, favourable_only)
                continue
            self._step(now, step["reads"], tuple(order))
            for one in tripped:
                topic, offset = one["cause"]["topic"], one["cause"]["offset"]
                first, after = step["reads"].get(topic, (0, 0))
                if first <= offset < after:
                    self._tell(now, "refusals", True, None, one["platform"])

    def _step(self, now: datetime, reads: Mapping[str, list[int]], order: tuple[str, ...]) -> None:
        spans = {bare(topic): after for topic, (_, after) in reads.items()}
        for name in order:
            after = spans.get(name, 0)
            records = self._inputs[name]
            while self._read[name] < len(records):
                record = records[self._read[name]]
                if record.offset >= after:
                    break
                self._read[name] += 1
                self._take(now, name, record)

    def _take(self, now: datetime, name: str, record: Record) -> None:
        refused = (name, record.partition, record.offset) in self._refused
        value = None if refused or record.value is None else json.loads(record.value)
        if name == "switches":
            self._tell(now, name, value, record.entered(now), None)
            return
        assert record.key is not None
        key = record.key.decode()
        if key not in self.lives:
            self._be_born(key)
        heard = ("refused", name) if refused else (name, value)
        self.lives[key].receive(now, *heard, record.entered(now))
        self._schedule(key, self.lives[key])

    def _tell(
        self, now: datetime, name: str, value: Any, entered: datetime | None, platform: str | None
    ) -> None:
        """What all accounts are told, or those of one platform."""
        self._shared.append((now, name, value, entered or now, platform))
        for key, life in self.lives.items():
            if platform not in (None, key.split(":")[0]):
                continue
            life.receive(now, name, value, entered)
            # Looked at anew from now on, not by what is due since before the brake.
            if self._set.get(key, now + OVERDUE) > now:
                self._set[key] = now
                heapq.heappush(self._due, (now, key))

    def _be_born(self, key: str) -> None:
        ids = self._ids

        def name(mode: str, cycle: int) -> str:
            return ids.get((key, mode, cycle), plain_id(mode, cycle))

        life = Life(self._policies[key.split(":")[0]], invitation_id=name)
        life.patient = True
        for at, told, value, entered, platform in self._shared:
            if platform in (None, key.split(":")[0]):
                life.receive(at, told, value, entered)
        self.lives[key] = life

    def _schedule(self, key: str, life: Life) -> None:
        due = life.due_timers()
        if due and self._set.get(key) != due[0][0]:
            self._set[key] = due[0][0]
            heapq.heappush(self._due, (due[0][0], key))
        elif not due:
            self._set.pop(key, None)

    def _fire(
        self, now: datetime, as_of: datetime, only: set[str] | None, favourable_only: bool
    ) -> None:
        """A round of timers. `only`: more were due, and these had their turn."""
        put_off: list[tuple[datetime, str]] = []
        looked: list[str] = []
        while self._due and self._due[0][0] <= as_of:
            at, key = heapq.heappop(self._due)
            if self._set.get(key) != at:
                continue
            if only is not None and key not in only:
                put_off.append((at, key))
                continue
            del self._set[key]
            life = self.lives[key]
            life.round(now, as_of, favourable_only)
            looked.append(key)
        for entry in put_off:
            heapq.heappush(self._due, entry)
        for key in looked:
            self._schedule(key, self.lives[key])


def interesting(book: Book, refused: Refused, policies: Mapping[str, Policy]) -> set[str]:
    """Accounts that can have events at all: of a platform we know, with more than readings."""
    found = set()
    for name in INPUT_MODELS:
        if name in ("switches", "follower-counts"):
            continue
        for record in book.all([name]):
            place = (name, record.partition, record.offset)
            if place not in refused and record.key is not None:
                key = record.key.decode()
                if key.split(":")[0] in policies:
                    found.add(key)
    return found


def follow(book: Book, policies: Mapping[str, Policy], until: datetime) -> tuple[list[str], int]:
    """Differences between what came out and what the model says, and how many events it made."""
    outputs = book.outputs
    ids, refused = invitation_ids(outputs), refused_places(book)
    worth = interesting(book, refused, policies)
    breaches: list[str] = []
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def one(book: Book, partition: int) -> tuple[list[str], dict[str, list[dict[str, Any]]]]:
        following = Following(book, partition, policies, ids, refused, worth)
        found = following.run(until)
        return found, {key: life.events for key, life in following.lives.items()}

    for found, own in each_partition(book, one):
        breaches += found
        for key, made in own.items():
            events[key] += made
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in outputs:
        value = json.loads(record.value or b"")
        found[f"{value['platform']}:{value['account_id']}"].append(value)
    for key in sorted(found.keys() | events.keys()):
        breaches += _differences(key, _ordered(found[key]), _ordered(events[key]), until)
    return breaches, sum(map(len, events.values()))


def _ordered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda one: (one["mode"], one["sequence"]))


def _differences(
    key: str, seen: list[dict[str, Any]], said: list[dict[str, Any]], until: datetime
) -> list[str]:
    """One account: the same events in the same order, at nearly the same instants.

    Reminders and renewals are left out: of those a late worker sends fewer, and the model knows no
    late worker. Instants may differ where a label is told again within a dwell: the model begins
    anew then, the core does not (READINGS 6, CHOICES.md), and a late worker comes a round later.
    Wire rules and replay judge both without leave.
    """
    seen, said = ([one for one in own if one["event"] not in PASSING] for own in (seen, said))
    names = ("event", "reason", "mode", "cycle", "surface")
    words = [[tuple(one.get(name) for name in names) for one in own] for own in (seen, said)]
    more = said[len(seen) :]
    if more and words[0] == words[1][: len(seen)] and until - more[0]["decided_at"] < LATE:
        # The model was ahead by what the worker was late, and went on a little longer.
        said, words[1] = said[: len(seen)], words[0]
    if words[0] != words[1]:
        at = next(
            (i for i, (a, b) in enumerate(zip(*words, strict=False)) if a != b),
            min(map(len, words)),
        )
        return [f"{key}: saw {words[0][at : at + 3]}, the model says {words[1][at : at + 3]}"]
    wrong = []
    for one, other in zip(seen, said, strict=True):
        for name in ("decided_at", "deadline_at"):
            if one.get(name) is None or other.get(name) is None:
                continue
            apart = abs(_to_ms(instant(one[name])) - _to_ms(instant(other[name])))
            if apart > LATE:
                wrong.append(f"{key}: {one['event']} has {name} {one[name]}, not {other[name]}")
    return wrong


def _to_ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
