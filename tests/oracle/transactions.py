"""The exact course of a run, from the inputs and the transactions that `byline.decisions` records.

Each transaction says its `now` and how far each input had been read. Between two of them the
inputs were applied together: in the order of topics of the edition that it names, within a topic
by offset, all at `now`; then whatever was due by `now` acted. So the model can follow event by
event, instants included.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from schemas.enums import Refused
from schemas.inputs import FIRST_EDITION_ORDER, INPUT_MODELS
from tests.oracle.guard import is_unclear
from tests.oracle.model import OracleLife, plain_id
from tests.oracle.policy import OraclePolicy, instant
from tests.oracle.records import OracleRecord

REFUSED = b"\0refused"
"""Stands for the value of a record that was refused and is an unclear word of its account."""
COMPARED = ("event", "reason", "mode", "cycle", "sequence", "surface", "decided_at", "deadline_at")


def follow(
    inputs: Iterable[OracleRecord],
    decisions: Iterable[OracleRecord],
    policies: Mapping[str, OraclePolicy],
    *,
    prefix: str = "byline.",
    ids: Mapping[tuple[str, str, int], str] | None = None,
    refused: Mapping[tuple[str, int, int], Refused] | Iterable[tuple[str, int, int]] = (),
    versions: Mapping[str, OraclePolicy] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Events of each account as the model has them, along the transactions of its partition.

    `refused`: places of dead letters, with the reason of each where unclear words are to count.
    `versions`: policies by digest, to be taken up where the log says so.
    """
    without = dict(refused) if isinstance(refused, Mapping) else dict.fromkeys(refused)
    lives: dict[str, tuple[int, OracleLife]] = {}
    topics: dict[tuple[str, int], list[OracleRecord]] = {}
    for record in inputs:
        name = record.topic.removeprefix(prefix)
        place = (record.topic, record.partition, record.offset)
        reason = without.get(place)
        key = (record.key or b"").decode("utf-8", "replace")
        if place in without:
            if not is_unclear(name, key, reason):
                continue
            record = replace(record, value=REFUSED)
        elif record.key is None:
            continue
        topics.setdefault((name, record.partition), []).append(record)
        if name != "switches" and key not in lives and key.split(":")[0] in policies:
            policy = policies[key.split(":")[0]]
            lives[key] = (
                record.partition,
                OracleLife(policy, invitation_id=_namer(key, ids or {})),
            )
    for own in topics.values():
        own.sort(key=lambda record: record.offset)
    for partition in {home for home, _ in lives.values()}:
        here = {key: life for key, (home, life) in lives.items() if home == partition}
        steps = _transactions(decisions, partition, prefix)
        _follow_partition(partition, here, topics, steps, versions or {})
    return {key: life.events for key, (_, life) in lives.items()}


def differences(
    outputs: Iterable[OracleRecord], followed: Mapping[str, list[dict[str, Any]]]
) -> list[str]:
    """Where the outputs are not what the model says, field by field; empty if they agree."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in outputs:
        value = json.loads(record.value or b"")
        found.setdefault(f"{value['platform']}:{value['account_id']}", []).append(value)
    breaches = []
    for key in sorted(set(found) | set(followed)):
        seen = sorted(map(_comparable, found.get(key, [])), key=repr)
        said = sorted(map(_comparable, followed.get(key, [])), key=repr)
        breaches += [
            f"{key}: saw {one}, which the model does not say" for one in seen if one not in said
        ]
        breaches += [f"{key}: did not see {one}" for one in said if one not in seen]
    return breaches


def _comparable(event: Mapping[str, Any]) -> dict[str, Any]:
    picked = {name: event[name] for name in COMPARED if event.get(name) is not None}
    return {
        name: instant(value).isoformat(timespec="milliseconds") if name.endswith("_at") else value
        for name, value in picked.items()
    }


def _namer(key: str, ids: Mapping[tuple[str, str, int], str]) -> Callable[[str, int], str]:
    return lambda mode, cycle: ids.get((key, mode, cycle), plain_id(mode, cycle))


@dataclass
class _Transaction:
    """What one closing record says, and what the log says of all accounts just before it."""

    now: datetime
    reads: dict[str, int]
    order: tuple[str, ...]
    cluster: bool | None
    """Whether the cluster is noted to have changed; None: neither that nor a new start."""
    tripped: list[str] = field(default_factory=list)
    policies: dict[str, str] = field(default_factory=dict)


def _transactions(
    decisions: Iterable[OracleRecord], partition: int, prefix: str
) -> list[_Transaction]:
    """The transactions of a partition, in order."""
    found = []
    tripped: list[str] = []
    policies: dict[str, str] = {}
    mine = [record for record in decisions if record.partition == partition]
    for record in sorted(mine, key=lambda record: record.offset):
        value = json.loads(record.value or b"")
        if value["kind"] == "refusal_guard":
            tripped.append(value["platform"])
        elif value["kind"] == "policies":
            policies |= value["policies"]
        elif value["kind"] == "transaction":
            reads = {_topic(name, prefix): offset for name, offset in value["reads"].items()}
            second = value.get("edition", 1) > 1
            order = tuple(INPUT_MODELS) if second else FIRST_EDITION_ORDER
            noted = True if value.get("cluster_changed") else None
            cluster = False if noted is None and value.get("opened_at") else noted
            now = instant(value["now"])
            found.append(_Transaction(now, reads, order, cluster, tripped, policies))
            tripped, policies = [], {}
    return found


def _topic(name: str, prefix: str) -> str:
    """A topic's bare name, whether it is written with its partition or without."""
    return re.sub(r"[-:/@]\d+$", "", name.removeprefix(prefix))


def _follow_partition(
    partition: int,
    lives: Mapping[str, OracleLife],
    topics: Mapping[tuple[str, int], list[OracleRecord]],
    transactions: list[_Transaction],
    versions: Mapping[str, OraclePolicy],
) -> None:
    done = dict.fromkeys(INPUT_MODELS, 0)
    for one in transactions:
        _notes(lives, one, versions)
        for name in one.order:
            home = 0 if name == "switches" else partition
            until = one.reads.get(name, done[name])
            for record in topics.get((name, home), []):
                if done[name] <= record.offset < until:
                    _receive(lives, one.now, name, record)
            done[name] = max(done[name], until)
        for key, life in lives.items():
            if key.split(":")[0] in one.tripped:
                life.receive(one.now, "refusals", True)
            life.clock = max(life.clock, one.now)
            life.run_timers(one.now, inclusive=True)


def _notes(
    lives: Mapping[str, OracleLife], one: _Transaction, versions: Mapping[str, OraclePolicy]
) -> None:
    for key, life in lives.items():
        policy = versions.get(one.policies.get(key.split(":")[0], ""))
        if policy is not None and policy != life.policy:
            life.receive(one.now, "policy", policy)
        if one.cluster is not None:
            life.receive(one.now, "cluster", one.cluster)


def _receive(
    lives: Mapping[str, OracleLife], now: datetime, name: str, record: OracleRecord
) -> None:
    key = (record.key or b"").decode("utf-8", "replace")
    entered = record.entered(now)
    if record.value == REFUSED:
        if key in lives:
            lives[key].receive(now, "refused", name, entered)
        return
    value = None if record.value is None else json.loads(record.value)
    if name == "switches":
        for life in lives.values():
            life.receive(now, name, value, entered)
    elif key in lives:
        lives[key].receive(now, name, value, entered)
