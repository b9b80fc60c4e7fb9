"""What a run under faults must have shown, from the input records alone.

For each account the model is run over every order that the contract permits, and what a
`read_committed` consumer saw has to be one of the outcomes. What may differ from a punctual run:

* a timer due at most `lateness` before an input may have acted after it: the worker was down, or
  waited for its inputs. An input sent before a timer is due always comes first, within `race`;
* two inputs of different topics, sent within `lateness`, may have been applied in the order of
  topics (they were read together); within `race`, in either order (they were fetched apart);
* a timer due within `lateness` of the end may not have acted yet. Cool-downs, reviews and ends of
  restrictions count from a decision that may have been late itself, so for them it adds up, and an
  answer that entered after such an end, or a timer that was due after it, may have come before it
  in truth.

A scenario keeps the number of outcomes small, best one, by these rules: the next input of an
account is sent only when the effect of the one before it is visible, or else after a pause longer
than the time the worker may be away; and no input but an answer is sent within that time after a
timer is due. Caps are out of reach here: they are shared out over partitions, so give the policy
caps that are never met, or check them by sums.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from types import NoneType
from typing import Any

from schemas.enums import Refused
from schemas.inputs import INPUT_MODELS
from tests.oracle.guard import is_unclear
from tests.oracle.model import ENDS_BEFORE_ANSWERS, OracleLife, plain_id
from tests.oracle.policy import OraclePolicy
from tests.oracle.records import OracleRecord
from tests.oracle.timers import Due

ORDER = {name: place for place, name in enumerate(["policy", *INPUT_MODELS])}
COUNTED_FROM_DECISIONS = ("cool_down", "throttle", "review", "ended", "look")
Seen = tuple[str, str, str | None]
Outcome = tuple[tuple[Seen, ...], tuple[Seen, ...]]
"""Events as (event, reason, surface), those in `enforce` and those in `shadow`, each in order."""


class TooManyOutcomesError(Exception):
    """The scenario leaves an account more outcomes than are worth telling apart: space it out."""


@dataclass(frozen=True)
class OracleSent:
    """One input of one account, or a switch or policy that it shares with others.

    `refused`: its record was refused, and is an unclear word of the account.
    """

    at: datetime
    name: str
    value: Any
    offset: int
    refused: bool = False

    def told(self, life: OracleLife, late_ends: bool = False) -> OracleLife:
        """Tell it to a copy of a life, which has no time for its timers meanwhile."""
        life = _copy(life)
        life.late_ends = late_ends
        if self.refused:
            life.receive(self.at, "refused", self.name)
        else:
            life.receive(self.at, self.name, self.value)
        life.late_ends = False
        return life


@dataclass(frozen=True)
class Tolerance:
    """How far reality may stray from a punctual worker; see the head of this file."""

    lateness: timedelta = timedelta(seconds=1)
    race: timedelta = timedelta(0)
    limit: int = 20_000


def sent(
    inputs: Iterable[OracleRecord],
    policies: Mapping[str, OraclePolicy],
    *,
    prefix: str = "byline.",
    refused: Mapping[tuple[str, int, int], Refused] | Iterable[tuple[str, int, int]] = (),
) -> dict[str, list[OracleSent]]:
    """Inputs by account key, switches of its platform included, in the order of their timestamps.

    `refused`: (topic, partition, offset) of dead letters, which take no effect; with the reason of
    each, those that are unclear words of their account are among the inputs.
    """
    without = dict(refused) if isinstance(refused, Mapping) else dict.fromkeys(refused)
    accounts: dict[str, list[OracleSent]] = defaultdict(list)
    switches: list[OracleSent] = []
    for record in inputs:
        if record.key is None:
            continue
        name = record.topic.removeprefix(prefix)
        at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
        place = (record.topic, record.partition, record.offset)
        if place in without:
            key = record.key.decode("utf-8", "replace")
            if is_unclear(name, key, without[place]):
                accounts[key].append(OracleSent(at, name, None, record.offset, refused=True))
            continue
        value = None if record.value is None else json.loads(record.value)
        one = OracleSent(at, name, value, record.offset)
        if name == "switches":
            switches.append(one)
        else:
            accounts[record.key.decode()].append(one)
    known = {key: own for key, own in accounts.items() if key.split(":")[0] in policies}
    return {
        key: sorted([*own, *switches], key=lambda one: (one.at, ORDER[one.name], one.offset))
        for key, own in known.items()
    }


def expected(
    inputs: Iterable[OracleRecord],
    policies: Mapping[str, OraclePolicy],
    end: datetime,
    **given: Any,
) -> dict[str, list[tuple[str, str, str | None, str]]]:
    """Per account the (event, reason, surface, mode) of a punctual worker, in order."""
    ids = given.pop("ids", {})
    result = {}
    for key, own in sent(inputs, policies, **given).items():
        life = _begin(key, policies, ids)
        for one in own:
            if one.refused:
                life.apply(one.at, "refused", one.name)
            else:
                life.apply(one.at, one.name, one.value)
        life.advance(end)
        result[key] = [(*_seen(event), event["mode"]) for event in life.events]
    return result


def allowed(
    life: OracleLife, own: list[OracleSent], end: datetime, tolerance: Tolerance
) -> set[Outcome]:
    """Every outcome that the contract permits for one account's inputs."""
    topics: dict[str, list[OracleSent]] = defaultdict(list)
    for one in own:
        topics[one.name].append(one)
    start = dict.fromkeys(topics, 0)
    work, known = [(life, start)], {_signature(life, start)}
    outcomes: set[Outcome] = set()
    while work:
        life, read = work.pop()
        for branch in _branches(life, topics, read, end, tolerance):
            if branch is None:
                outcomes.add(outcome(life.events))
                continue
            signature = _signature(*branch)
            if signature not in known:
                known.add(signature)
                work.append(branch)
        if len(known) > tolerance.limit:
            raise TooManyOutcomesError(
                f"more than {tolerance.limit} ways through {len(own)} inputs"
            )
    return outcomes


def compare(
    outputs: Iterable[OracleRecord],
    inputs: Iterable[OracleRecord],
    policies: Mapping[str, OraclePolicy],
    end: datetime,
    tolerance: Tolerance,
    **given: Any,
) -> list[str]:
    """Accounts whose committed events are none of the permitted outcomes; empty if all is well.

    `end`: until when timers may have acted, the instant at which the outputs were read.
    """
    values = [json.loads(record.value or b"") for record in outputs]
    ids = {
        (f"{one['platform']}:{one['account_id']}", one["mode"], one["cycle"]): one["invitation_id"]
        for one in sorted(values, key=lambda one: one["event"] != "invitation.issued", reverse=True)
    }
    observed: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for value in sorted(values, key=lambda one: one["sequence"]):
        observed[f"{value['platform']}:{value['account_id']}"].append(value)
    histories = sent(inputs, policies, **given)
    breaches = [f"{key}: has events but no inputs" for key in observed if key not in histories]
    for key, own in histories.items():
        found = outcome(observed.get(key, []))
        permitted = allowed(_begin(key, policies, ids), own, end, tolerance)
        if found not in permitted:
            nearest = min(permitted, key=lambda one: _distance(one, found))
            breaches.append(
                f"{key}: saw {_words(found)}; nearest of {len(permitted)} permitted:"
                f" {_words(nearest)}"
            )
    return breaches


def outcome(events: Iterable[dict[str, Any]]) -> Outcome:
    """Events of one account, in the order of their sequence, as an outcome."""
    own = list(events)
    live = tuple(_seen(event) for event in own if event["mode"] == "enforce")
    return live, tuple(_seen(event) for event in own if event["mode"] == "shadow")


def same_events(calm: Iterable[OracleRecord], faulty: Iterable[OracleRecord]) -> list[str]:
    """Differences between two runs of one input: which account saw what only in one of them."""
    runs = []
    for records in (calm, faulty):
        accounts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        values = [json.loads(record.value or b"") for record in records]
        for value in sorted(values, key=lambda one: one["sequence"]):
            accounts[f"{value['platform']}:{value['account_id']}"].append(value)
        runs.append({key: outcome(own) for key, own in accounts.items()})
    before, after = runs
    nothing: Outcome = ((), ())
    return [
        f"{key}: {_words(before.get(key, nothing))} became {_words(after.get(key, nothing))}"
        for key in sorted(set(before) | set(after))
        if before.get(key, nothing) != after.get(key, nothing)
    ]


def _begin(
    key: str, policies: Mapping[str, OraclePolicy], ids: Mapping[tuple[str, str, int], str]
) -> OracleLife:
    def invitation_id(mode: str, cycle: int) -> str:
        return ids.get((key, mode, cycle), plain_id(mode, cycle))

    return OracleLife(policies[key.split(":")[0]], invitation_id=invitation_id)


def _branches(
    life: OracleLife,
    topics: Mapping[str, list[OracleSent]],
    read: dict[str, int],
    end: datetime,
    tolerance: Tolerance,
) -> Iterable[tuple[OracleLife, dict[str, int]] | None]:
    """What may happen next: an input, a timer, or (None) nothing any more."""
    heads = [own[read[name]] for name, own in topics.items() if read[name] < len(own)]
    timers = life.due_timers()
    first = min((one.at for one in heads), default=None)
    horizon = end if first is None else first + tolerance.race
    due = timers[0][0] if timers else None
    if due is not None and due <= horizon:
        for at, _, kind, what in _first_to_act(life, timers, horizon, tolerance):
            after = _copy(life)
            after.fire(at, kind, what)
            yield after, read
        latest = end if first is None else first
        if due <= latest - _slack(life, kind, tolerance):
            return
    if first is None:
        yield None
    for one in heads:
        if all(_may_precede(one, other, tolerance) for other in heads):
            after = {**read, one.name: read[one.name] + 1}
            yield one.told(life), after
            if _may_end_later(life, one, tolerance):
                yield one.told(life, late_ends=True), after


def _first_to_act(
    life: OracleLife, timers: list[Due], horizon: datetime, tolerance: Tolerance
) -> Iterator[Due]:
    """The next timer; if it counts from a decision that may have been late, others before it."""
    first, _, kind, _ = timers[0]
    yield timers[0]
    later = first + _slack(life, kind, tolerance) - tolerance.lateness
    for it in timers[1:]:
        if it[0] < later and it[0] <= horizon and it[2] not in COUNTED_FROM_DECISIONS:
            yield it


def _may_end_later(life: OracleLife, one: OracleSent, tolerance: Tolerance) -> bool:
    """Whether a word entered after an end that in truth came later: it counts from a decision
    that may have been late.
    """
    if one.name not in ("consent-answers", "notice-receipts") or one.refused:
        return False
    ends = [(due, kind) for due, _, kind, _ in life.due_timers() if kind in ENDS_BEFORE_ANSWERS]
    return any(one.at - _slack(life, kind, tolerance) < due < one.at for due, kind in ends)


def _slack(life: OracleLife, kind: str, tolerance: Tolerance) -> timedelta:
    """How late a timer may act: those that count from `decided_at` inherit what went before."""
    if kind not in COUNTED_FROM_DECISIONS or not life.cycle:
        return tolerance.lateness
    number = life.cycle["number"]
    steps = {event["decided_at"] for event in life.events if event["cycle"] == number}
    return tolerance.lateness * (1 + len(steps))


def _may_precede(one: OracleSent, other: OracleSent, tolerance: Tolerance) -> bool:
    ahead = one.at - other.at
    together = ORDER[one.name] < ORDER[other.name] and ahead <= tolerance.lateness
    return one is other or ahead <= tolerance.race or together


def _copy(life: OracleLife) -> OracleLife:
    # What has been said stays as it is.
    kept = (life.policy, life.invitation_id, life.share, *life.events)
    return deepcopy(life, {id(one): one for one in kept})


def _signature(life: OracleLife, read: dict[str, int]) -> str:
    own = {name: value for name, value in vars(life).items() if not callable(value)}
    own.pop("policy")
    own.pop("ignored")
    return repr([_plain(own), read])


_SCALARS = frozenset({NoneType, bool, datetime, float, int, str, timedelta})


def _plain(value: Any) -> Any:
    """Objects of the oracle as their values, so that two alike read alike."""
    if type(value) in _SCALARS:
        return value
    if type(value).__module__.startswith("tests.oracle"):
        return _plain(vars(value))
    if isinstance(value, dict):
        return sorted(((str(key), _plain(one)) for key, one in value.items()), key=itemgetter(0))
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else value


def _seen(event: Mapping[str, Any]) -> Seen:
    return event["event"], event["reason"], event.get("surface")


def _distance(one: Outcome, other: Outcome) -> int:
    return sum(len(set(left) ^ set(right)) for left, right in zip(one, other, strict=True))


def _words(seen: Outcome) -> str:
    shown = ([" ".join(word for word in event if word) for event in part] for part in seen if part)
    return " | ".join(", ".join(part) for part in shown) or "nothing"
