"""What must hold whatever was done to the cluster; knows the events and the inputs alone.

Nobody restricted: no cycle expires whose owner's yes was in Kafka before the deadline. Nobody
invited twice: no event id and no number of an account's sequence comes twice, none is left out.
Nobody forgotten: who was told and did not answer, and who answered, hears of it in the end.
"""

import json
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from tests.chaos.cluster.ground import ClusterSaid

PATIENCE_SECONDS = 12.0
"""How long after its instant something may still come."""

Events = list[tuple[float, dict[str, Any]]]
ENDS = ("invitation.expired", "invitation.cancelled", "invitation.undeliverable", "consent.granted")


def judge(events: Events, said: list[ClusterSaid], until: float) -> dict[str, list[str]]:
    """What was found wrong, by name. `until`: when the workers were told to stop."""
    by_account: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, event in events:
        # To a shadow nobody answers.
        if event["mode"] == "enforce":
            by_account[f"{event['platform']}:{event['account_id']}"].append(event)
    words: dict[str, list[tuple[str, ClusterSaid, dict[str, Any]]]] = defaultdict(list)
    for one in said:
        if one.value:
            words[one.key.decode()].append((one.topic, one, json.loads(one.value)))
    found: dict[str, list[str]] = {"restricted": [], "twice": [], "forgotten": []}
    for key, own in by_account.items():
        found["twice"] += _twice(key, own)
        own.sort(key=lambda event: (event["mode"], event["sequence"]))
        found["restricted"] += _restricted(key, own, words[key])
        found["forgotten"] += _forgotten(key, own, words[key], until)
    return found


def _twice(key: str, own: list[dict[str, Any]]) -> list[str]:
    ids = Counter(event["event_id"] for event in own)
    breaches = [f"{key}: {name} came {n} times" for name, n in ids.items() if n > 1]
    for mode in {event["mode"] for event in own}:
        numbers = sorted(event["sequence"] for event in own if event["mode"] == mode)
        if numbers != list(range(1, len(numbers) + 1)):
            breaches.append(f"{key}: the numbers of its events are {numbers}")
    return breaches


def _restricted(
    key: str, own: list[dict[str, Any]], words: list[tuple[str, ClusterSaid, dict[str, Any]]]
) -> list[str]:
    breaches = []
    issued = {e["invitation_id"]: _at(e["decided_at"]) for e in own if _is(e, "issued")}
    for event in own:
        if event["event"] != "invitation.expired":
            continue
        name, deadline = event["invitation_id"], _at(event["deadline_at"])
        for topic, one, value in words:
            yes = topic == "consent-answers" and value["answer"] == "granted"
            mine = value.get("invitation_id") in (None, name)
            if yes and mine and issued.get(name, deadline) < one.at < deadline:
                breaches.append(f"{key}: said yes {deadline - one.at:.1f} s before it expired")
    return breaches


def _is(event: dict[str, Any], what: str) -> bool:
    return bool(event["event"] == f"invitation.{what}")


def _forgotten(
    key: str,
    own: list[dict[str, Any]],
    words: list[tuple[str, ClusterSaid, dict[str, Any]]],
    until: float,
) -> list[str]:
    if any(topic in ("controls", "account-changes") for topic, _, _ in words):
        return []
    cycles: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in own:
        cycles[event["invitation_id"]].append(event)
    breaches = []
    for name, cycle in cycles.items():
        if any(event["event"] in ENDS for event in cycle):
            continue
        deadlines = [_at(e["deadline_at"]) for e in cycle if e.get("deadline_at")]
        if deadlines and max(deadlines) + PATIENCE_SECONDS < until:
            breaches.append(f"{key}: its deadline was {until - max(deadlines):.0f} s ago")
        for topic, one, value in words:
            yes = topic == "consent-answers" and value["answer"] == "granted"
            if yes and value.get("invitation_id") == name and one.at + PATIENCE_SECONDS < until:
                breaches.append(f"{key}: said yes {until - one.at:.0f} s ago")
    return breaches


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
