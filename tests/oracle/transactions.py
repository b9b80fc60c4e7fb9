"""The exact course of a run, from the inputs and the transactions that `byline.decisions` records.

Each transaction says its `now` and how far each input had been read. Between two of them the
inputs were applied together: in the order of topics, within a topic by offset, all at `now`; then
whatever was due by `now` acted. So the model can follow event by event, instants included.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from schemas.inputs import INPUT_MODELS
from tests.oracle.model import Life, plain_id
from tests.oracle.policy import Policy, instant
from tests.oracle.records import Record

COMPARED = ("event", "reason", "mode", "cycle", "sequence", "surface", "decided_at", "deadline_at")


def follow(
    inputs: Iterable[Record],
    decisions: Iterable[Record],
    policies: Mapping[str, Policy],
    *,
    prefix: str = "byline.",
    ids: Mapping[tuple[str, str, int], str] | None = None,
    refused: Iterable[tuple[str, int, int]] = (),
) -> dict[str, list[dict[str, Any]]]:
    """Events of each account as the model has them, along the transactions of its partition."""
    without = set(refused)
    lives: dict[str, tuple[int, Life]] = {}
    topics: dict[tuple[str, int], list[Record]] = {}
    for record in inputs:
        if (record.topic, record.partition, record.offset) in without or record.key is None:
            continue
        name = record.topic.removeprefix(prefix)
        topics.setdefault((name, record.partition), []).append(record)
        key = record.key.decode()
        if name != "switches" and key not in lives and key.split(":")[0] in policies:
            policy = policies[key.split(":")[0]]
            lives[key] = (record.partition, Life(policy, invitation_id=_namer(key, ids or {})))
    for own in topics.values():
        own.sort(key=lambda record: record.offset)
    for partition in {home for home, _ in lives.values()}:
        here = {key: life for key, (home, life) in lives.items() if home == partition}
        _follow_partition(partition, here, topics, _transactions(decisions, partition, prefix))
    return {key: life.events for key, (_, life) in lives.items()}


def differences(
    outputs: Iterable[Record], followed: Mapping[str, list[dict[str, Any]]]
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


def _transactions(
    decisions: Iterable[Record], partition: int, prefix: str
) -> list[tuple[datetime, dict[str, int]]]:
    """(now, topic to next offset) of each transaction of a partition, in order."""
    found = []
    mine = [record for record in decisions if record.partition == partition]
    for record in sorted(mine, key=lambda record: record.offset):
        value = json.loads(record.value or b"")
        if value["kind"] == "transaction":
            reads = {_topic(name, prefix): offset for name, offset in value["reads"].items()}
            found.append((instant(value["now"]), reads))
    return found


def _topic(name: str, prefix: str) -> str:
    """A topic's bare name, whether it is written with its partition or without."""
    return re.sub(r"[-:/@]\d+$", "", name.removeprefix(prefix))


def _follow_partition(
    partition: int,
    lives: Mapping[str, Life],
    topics: Mapping[tuple[str, int], list[Record]],
    transactions: list[tuple[datetime, dict[str, int]]],
) -> None:
    done = dict.fromkeys(INPUT_MODELS, 0)
    for now, reads in transactions:
        for name in INPUT_MODELS:
            home = 0 if name == "switches" else partition
            until = reads.get(name, done[name])
            for record in topics.get((name, home), []):
                if done[name] <= record.offset < until:
                    _receive(lives, now, name, record)
            done[name] = max(done[name], until)
        for life in lives.values():
            life.clock = max(life.clock, now)
            life.run_timers(now, inclusive=True)


def _receive(lives: Mapping[str, Life], now: datetime, name: str, record: Record) -> None:
    value = None if record.value is None else json.loads(record.value)
    if name == "switches":
        for life in lives.values():
            life.receive(now, name, value)
    elif record.key is not None and record.key.decode() in lives:
        lives[record.key.decode()].receive(now, name, value)
