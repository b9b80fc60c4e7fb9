"""The independent model, led along the steps of the decision log: what must have come out when.

The model (tests/oracle) knows the contract only. From the log it is told what was read together
and at which instants timers were looked at; every event, its order, its instants are its own, and
so are the trips of the refusal guard: which refused word trips it is the model's judgement, and the
log has to say the same. Only a trip by count is taken from the log, for what is counted of readings
depends on which accounts are tracked.
"""

import heapq
import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from schemas.enums import Refused as Because
from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS
from tests.chaos.book import Book, bare
from tests.oracle.guard import WORDS, OracleRefusalGuard, certain
from tests.oracle.model import OracleLife, plain_id
from tests.oracle.policy import OraclePolicy, instant
from tests.oracle.records import OracleRecord, partition_of
from tests.oracle.words import OracleSaid

Ids = Mapping[tuple[str, str, int], str]
Refused = Mapping[tuple[str, int, int], str]
"""Where the refused inputs stand, by bare topic name, and the reason of each."""
OVERDUE = timedelta(seconds=2)


class Following:
    """One partition number."""

    def __init__(
        self,
        book: Book,
        partition: int,
        policies: Mapping[str, OraclePolicy],
        ids: Ids,
        refused: Refused,
        worth: set[str],
    ) -> None:
        self.lives: dict[str, OracleLife] = {}
        self.breaches: list[str] = []
        self._partition, self._partitions = partition, book.partitions
        self._ids, self._worth, self._refused = ids, worth, refused
        self._unborn = {name: _newborn(policy) for name, policy in policies.items()}
        """One of each platform, told what all are told: those born later have heard it."""
        self._due: list[tuple[datetime, str]] = []
        self._set: dict[str, datetime] = {}
        self._told: set[str] = set()
        """Accounts that are due because all are told something, and for nothing else."""
        self._unsure: set[str] = set()
        """Of these, those whom a round that had more to do may have looked at: where nothing comes
        of a look the log does not name it."""
        self._guard = OracleRefusalGuard(policies, partition)
        self._tripped: list[str] = []
        self._changed = False
        self._decisions = book.of("decisions", partition)
        self._counted = _trips_by_count(self._decisions)
        self._reissued = _reissues(self._decisions)
        self._inputs: dict[str, list[OracleRecord]] = {}
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else partition
            self._inputs[name] = [one for one in book.of(name, home) if self._heard(name, one)]
        self._read = dict.fromkeys(INPUT_MODELS, 0)

    def _heard(self, name: str, record: OracleRecord) -> bool:
        """Whether it can matter: a switch, a word of somebody who is followed, a refused word."""
        reason = self._refused.get((name, record.partition, record.offset))
        if reason is not None and name in WORDS:
            return reason != Because.NOT_APPROVED
        if reason is not None:
            return (name, record.offset) in self._counted
        return name == "switches" or (record.key is not None and record.key.decode() in self._worth)

    def run(self, until: datetime) -> list[str]:
        """Follow all transactions; timers that were due by `until` and did not act are breaches."""
        acted: set[str] = set()
        told: list[str] = []
        for record in self._decisions:
            if record.key == b"#transaction":
                closing = json.loads(record.value or b"")
                self._transaction(closing, acted)
                if sorted(told) != sorted(self._tripped):
                    self._say(
                        f"transaction {closing['number']}: guards of {told} tripped,"
                        f" the model says {self._tripped}"
                    )
                acted, told, self._tripped = set(), [], []
            elif record.key == b"#refusal_guard":
                told.append(json.loads(record.value or b"")["platform"])
            elif record.key is not None and record.key[:1] != b"#" and _of_timer(record):
                acted.add(record.key.decode())
        for key, life in self.lives.items():
            # The end of a hold, or a look, needs no round where nothing comes of it.
            due = [one for one in life.due_timers() if one[2] not in ("hold", "look")]
            if due and due[0][0] < until - OVERDUE:
                self.breaches.append(f"{key}: {due[0][2]} was due at {due[0][0]} and did not act")
        return self.breaches

    def _say(self, what: str) -> None:
        self.breaches.append(f"partition {self._partition}: {what}")

    def _transaction(self, closing: dict[str, Any], acted: set[str]) -> None:
        """All steps of one transaction, with what it notes of the cluster."""
        if closing.get("opened_at") is not None:
            self._open(instant(closing["opened_at"]))
        noted = closing.get("cluster_changed")
        changed_at = None if noted is None else instant(noted)
        order = INPUT_MODELS if closing.get("edition", 1) > 1 else FIRST_EDITION_ORDER
        for step in closing["steps"]:
            now = instant(step["now"])
            if changed_at is not None and now >= changed_at:
                self._cluster(changed_at, changed=True)
            if "as_of" in step:
                favourable_only = step.get("favourable_only", False)
                self._run_timers(now, instant(step["as_of"]), acted, step["more"], favourable_only)
            else:
                self._step(now, step["reads"], tuple(order))
        if changed_at is not None:
            self._cluster(changed_at, changed=True)

    def _cluster(self, at: datetime, *, changed: bool) -> None:
        if changed != self._changed:
            self._changed = changed
            self._tell(at, "cluster", changed, at, None)

    def _open(self, at: datetime) -> None:
        """A partition is opened anew: who waits to be looked at, or for a first invitation since no
        known instant, is due from now on.
        """
        self._cluster(at, changed=False)
        for key, life in self.lives.items():
            if key in self._told and self._settle(key, life):
                continue
            waits = ("invitation.issued", "issued") in life.overdue()
            first = waits and (life.state != "NONE" or not life.cool_downs)
            if key in self._told or (first and not life.defers("issued", at)):
                self._look_at(key, at)
            elif first:
                self._schedule(key, life)

    # ---- inputs --------------------------------------------------------------------------------

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

    def _take(self, now: datetime, name: str, record: OracleRecord) -> None:
        entered = record.entered(now)
        reason = self._refused.get((name, record.partition, record.offset))
        if reason is not None:
            self._refuse(now, name, record, Because(reason), entered)
            return
        value = None if record.value is None else json.loads(record.value)
        if name == "switches":
            self._switch(now, value, entered)
            return
        assert record.key is not None
        key = record.key.decode()
        if key in self._unsure and (name, record.offset) in self._reissued:
            # It went with its word, so the look had been before.
            self.lives[key].look_at = None
            self._schedule(key, self.lives[key])
        self._receive(now, key, name, value, entered)

    def _refuse(
        self, now: datetime, name: str, record: OracleRecord, reason: Because, entered: datetime
    ) -> None:
        """A refused record: an unclear word of its account, or one that trips the guard."""
        key = None if record.key is None else record.key.decode("utf-8", "replace")
        tripped = list(self._counted.get((name, record.offset), ()))
        for platform in tripped:
            self._guard.trip(now, name, platform)
        at_home = partition_of(record.key or b"", self._partitions) == record.partition
        if name in WORDS and not certain(key, reason, at_home):
            tripped += self._guard.refused(now, name, key, reason, entered, at_home)
        elif name in WORDS and key in self._worth:
            assert key is not None
            self._receive(now, key, "refused", name, entered)
        self._trips(now, tripped)

    def _trips(self, now: datetime, platforms: list[str]) -> None:
        self._tripped += platforms
        for platform in platforms:
            self._tell(now, "refusals", True, now, platform)

    def _switch(self, now: datetime, value: dict[str, Any], entered: datetime) -> None:
        """A switch; of `refusals_settled` the guard says what it does in this partition."""
        scope = None if value["scope"] == "*" else value["scope"]
        if value["switch"] != "refusals_settled":
            self._tell(now, "switches", value, entered, scope)
            return
        said, before = OracleSaid.of(value["issued_at"], entered), set(self._guard.tripped)
        anew = self._guard.switch(now, value, entered)
        for platform in sorted((before - self._guard.tripped.keys()) | set(anew)):
            self._tell(now, "refusals", False, said.last, platform)
        for platform in sorted(self._guard.tripped.keys() - set(anew)):
            if not value["on"] and scope in (None, platform):
                self._tell(now, "refusals", True, said.at, platform)
        self._trips(now, anew)

    def _receive(self, now: datetime, key: str, name: str, value: Any, entered: datetime) -> None:
        if key not in self.lives:
            self.lives[key] = self._be_born(key)
        life = self.lives[key]
        life.receive(now, name, value, entered)
        told, before = key in self._told, self._set.get(key)
        if told and self._settle(key, life):
            return
        self._schedule(key, life)
        look = life.look_at
        # A look that was due when all were told of a switch stays due, and so does theirs.
        if look is not None and self._set.get(key) == look and (told or (before or look) < look):
            self._told.add(key)

    def _tell(
        self, now: datetime, name: str, value: Any, entered: datetime, platform: str | None
    ) -> None:
        """What all accounts are told, or those of one platform."""
        for one, life in self._unborn.items():
            if platform in (None, one):
                life.receive(now, name, value, entered)
        for key, life in self.lives.items():
            if platform not in (None, key.split(":")[0]):
                continue
            life.receive(now, name, value, entered)
            unsure = key in self._unsure
            self._unsure.discard(key)
            if life.state == "NONE" and life.facts.state == "OUTSIDE":
                life.look_at = None  # Nothing is at stake.
            elif unsure:
                # Looked at since the brake before, it is due from now on; if not, the log names it.
                life.look_at = now
                self._look_at(key, now)
            # Looked at anew from now on, not by what is due since before the brake.
            elif self._hasten(key, now):
                self._told.add(key)

    def _settle(self, key: str, life: OracleLife) -> bool:
        """Whether one who was to be looked at has nothing that a look could bring."""
        settled = life.state in ("INVITED", "UNDELIVERED") and not life.overdue()
        if settled:
            life.look_at = None
            self._schedule(key, life)
        return settled

    def _be_born(self, key: str) -> OracleLife:
        ids, pattern = self._ids, self._unborn[key.split(":")[0]]
        kept = (pattern.policy, pattern.share, pattern.caps, pattern.invitation_id)
        life = deepcopy(pattern, {id(one): one for one in kept})
        life.invitation_id = lambda mode, cycle: ids.get((key, mode, cycle), plain_id(mode, cycle))
        life.look_at = None
        return life

    # ---- time ----------------------------------------------------------------------------------

    def _schedule(self, key: str, life: OracleLife) -> None:
        self._told.discard(key)
        self._unsure.discard(key)
        due = life.due_timers()
        if due and self._set.get(key) != due[0][0]:
            self._look_at(key, due[0][0])
        elif not due:
            self._set.pop(key, None)

    def _hasten(self, key: str, at: datetime) -> bool:
        """Look at an account at an instant, unless that happens before."""
        sooner = self._set.get(key, at + OVERDUE) > at
        if sooner:
            self._look_at(key, at)
        return sooner

    def _look_at(self, key: str, at: datetime) -> None:
        self._set[key] = at
        heapq.heappush(self._due, (at, key))

    def _run_timers(
        self, now: datetime, as_of: datetime, acted: set[str], more: bool, favourable_only: bool
    ) -> None:
        """A round of timers. `more`: more were due, and only those who acted had their turn.

        Whom all are told of is due when that is read, which may be later than `as_of`: a worker
        looks there all the same if something waited from before. It is looked at where it acted.
        """
        put_off: list[tuple[datetime, str]] = []
        looked: list[str] = []
        for key in self._told & acted:
            if self._set[key] > as_of:
                self._look_at(key, as_of)
        while self._due and self._due[0][0] <= as_of:
            at, key = heapq.heappop(self._due)
            if self._set.get(key) != at:
                continue
            if more and key not in acted:
                put_off.append((at, key))
                if key in self._told:
                    self._unsure.add(key)
                continue
            del self._set[key]
            self.lives[key].round(now, as_of, favourable_only)
            looked.append(key)
        for entry in put_off:
            heapq.heappush(self._due, entry)
        for key in looked:
            told, life = key in self._told, self.lives[key]
            self._schedule(key, life)
            # A round of favourable timers leaves the look to the next whole one: it stays due.
            if favourable_only and told and self._set.get(key) == life.look_at is not None:
                self._told.add(key)


def _newborn(policy: OraclePolicy) -> OracleLife:
    life = OracleLife(policy)
    life.patient = True
    return life


def _of_timer(decision: OracleRecord) -> bool:
    return "timer" in json.loads(decision.value or b"")["cause"]


def _reissues(decisions: list[OracleRecord]) -> set[tuple[str, int]]:
    """Topic and offset of each input with which a notice was sent again."""
    found = set()
    for record in decisions:
        if record.key is None or record.key[:1] == b"#":
            continue
        value = json.loads(record.value or b"")
        cause = value["cause"]
        if "timer" not in cause and any(it["reason"] == "reissued" for it in value["events"]):
            found.add((bare(cause["topic"]), cause["offset"]))
    return found


def _trips_by_count(decisions: list[OracleRecord]) -> dict[tuple[str, int], list[str]]:
    """By topic and offset of the refused record, the platforms whose guard it tripped by count."""
    found: dict[tuple[str, int], list[str]] = {}
    for record in decisions:
        if record.key == b"#refusal_guard":
            value = json.loads(record.value or b"")
            if value["refused"] > 1:
                place = (bare(value["cause"]["topic"]), value["cause"]["offset"])
                found.setdefault(place, []).append(value["platform"])
    return found
