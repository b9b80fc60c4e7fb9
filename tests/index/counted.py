"""A report's figures, counted over the topics by a script that knows nothing of Byline's code.

    python tests/index/counted.py BOOTSTRAP PREFIX FROM TO

It reads events, decisions, controls and dead letters with a plain consumer, and prints the JSON
that `byline report --as json` prints under the same names. Times are RFC 3339 in UTC.
"""

import json
import sys
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, TopicPartition

INCOME = {"ad-share", "tips", "revenue-share", "paid-content", "commerce"}
VERDICTS = {"appeal_opened": "opened", "appeal_upheld": "upheld", "appeal_rejected": "rejected"}
Event = dict[str, Any]


def read(bootstrap: str, topic: str) -> list[tuple[str, int, Any]]:
    """Key, Kafka's time and value of each committed record that is a JSON object."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "counted",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    parts = set(reader.list_topics(topic, timeout=10).topics[topic].partitions)
    reader.assign([TopicPartition(topic, number, 0) for number in parts])
    found = []
    while parts:
        message = reader.poll(30)
        assert message is not None, topic
        if message.error():
            parts.discard(message.partition())
            continue
        try:
            value = json.loads(message.value() or b"")
        except ValueError:
            continue
        if isinstance(value, dict):
            key = (message.key() or b"").decode(errors="replace")
            found.append((key, message.timestamp()[1], value))
    reader.close()
    return found


def millis(text: str) -> int:
    """Milliseconds of an instant."""
    at = datetime.fromisoformat(text)
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def dsa_of(event: str, surface: str | None, level: str | None) -> str | None:
    """As deploy/statement-of-reasons.md has it."""
    if event != "throttle.applied":
        return None
    if surface not in INCOME:
        return "DECISION_VISIBILITY_CONTENT_DEMOTED"
    return "DECISION_MONETARY_SUSPENSION" if level == "off" else "DECISION_MONETARY_OTHER"


def events_of(events: list[Event], start: int, end: int) -> list[dict[str, Any]]:
    """How many of each kind were decided in the period."""
    fields = {
        (it["platform"], it["account_id"], it["cycle"]): it["field"]
        for it in events
        if it["event"] == "invitation.issued"
    }
    counts: Counter[tuple[Any, ...]] = Counter()
    for it in events:
        if start <= millis(it["decided_at"]) < end:
            field = fields.get((it["platform"], it["account_id"], it["cycle"]))
            kind = (it["event"], it.get("surface"), it.get("level"), it["reason"])
            counts[(it["platform"], field, *kind)] += 1
    names = ("platform", "field", "event", "surface", "level", "reason")
    found = []
    for key, count in counts.items():
        dsa = dsa_of(*key[2:5])
        found.append({**dict(zip(names, key, strict=True)), "dsa": dsa, "count": count})
    return found


def appeals_of(controls: list[tuple[str, int, Any]], start: int, end: int) -> list[Any]:
    """Appeals by what entered in the period."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, at, it in controls:
        if it.get("command") in VERDICTS and start <= at < end:
            counts[it["platform"]][VERDICTS[it["command"]]] += 1
    found = []
    for platform, its in sorted(counts.items()):
        decided = its["upheld"] + its["rejected"]
        ppm = its["upheld"] * 1_000_000 // decided if decided else None
        three = {name: its[name] for name in VERDICTS.values()}
        found.append({"platform": platform, **three, "overturned_ppm": ppm})
    return found


def medians_of(events: list[Event], decisions: list[Any], start: int, end: int) -> list[Any]:
    """Who came inside, and how long what ended in the period took: the lower median, in seconds."""
    times: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for it in sorted(events, key=lambda it: it["decided_at"]):
        cycle = times[it["platform"], it["account_id"], it["cycle"]]
        at, name = millis(it["decided_at"]), it["event"]
        if name in ("invitation.issued", "throttle.applied"):
            cycle.setdefault(name, at)
        else:
            cycle[name] = at
    spans = {
        "until_delivered_seconds": ("invitation.issued", "invitation.delivered"),
        "until_granted_seconds": ("invitation.delivered", "consent.granted"),
        "restricted_for_seconds": ("throttle.applied", "throttle.lifted"),
    }
    eligible: Counter[str] = Counter()
    for it in decisions:
        if it["kind"] == "decision" and start <= millis(it["now"]) < end:
            came = [(one["from_state"], one["to_state"]) for one in it["transitions"]]
            eligible[it["platform"]] += ("DWELLING", "INSIDE") in came
    found = []
    for platform in sorted({it["platform"] for it in events} | set(eligible)):
        line: dict[str, Any] = {"platform": platform, "eligible": eligible[platform]}
        for name, (first, last) in spans.items():
            took = sorted(
                its[last] - its[first]
                for key, its in times.items()
                if key[0] == platform
                and first in its
                and start <= its.get(last, -1) < end
                and its[last] >= its[first]
            )
            line[name] = took[(len(took) - 1) // 2] // 1000 if took else None
        found.append(line)
    return found


def refused_of(letters: list[tuple[str, int, Any]], prefix: str, start: int, end: int) -> list[Any]:
    """Refused records by platform, topic and reason."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for key, _, it in letters:
        if "settled" not in it and start <= millis(it["refused_at"]) < end:
            platform = key.split(":")[0] if ":" in key else None
            counts[platform, it["topic"].removeprefix(prefix), it["reason"]] += 1
    names = ("platform", "topic", "reason")
    return [{**dict(zip(names, key, strict=True)), "count": n} for key, n in counts.items()]


def counted(bootstrap: str, prefix: str, start: int, end: int) -> dict[str, Any]:
    """All of it."""
    events = [
        it
        for name in ("invitations", "consents", "throttles")
        for _, _, it in read(bootstrap, prefix + name)
        if it["mode"] == "enforce"
    ]
    decisions = [it for _, _, it in read(bootstrap, prefix + "decisions")]
    return {
        "events": events_of(events, start, end),
        "appeals": appeals_of(read(bootstrap, prefix + "controls"), start, end),
        "medians": medians_of(events, decisions, start, end),
        "refused": refused_of(read(bootstrap, prefix + "dead-letters"), prefix, start, end),
    }


if __name__ == "__main__":
    told = counted(sys.argv[1], sys.argv[2], millis(sys.argv[3]), millis(sys.argv[4]))
    print(json.dumps(told, ensure_ascii=False, indent=2))
