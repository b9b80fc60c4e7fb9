"""`byline replay` on what a real worker wrote to a real Kafka, while it works on.

Called by tests/operate/test_evidence.py, whose thirty lives take their time.
"""

import asyncio
import json
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.lives import committed, produce


def _replayed(byline: Byline, *more: str) -> tuple[int, dict[str, Any]]:
    answer = byline("replay", "--json", *more)
    assert answer.out, answer.err
    return answer.code, json.loads(answer.out)


def _delete(settings: Settings, topic: str, partition: int, before: int) -> None:
    client = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    place = TopicPartition(settings.topic_prefix + topic, partition, before)
    for done in client.delete_records([place]).values():
        done.result(30)


def alike(lives: Settings, byline: Byline) -> None:
    """A live run is replayed alike, whole, of one account, and on other partitions."""
    code, found = _replayed(byline)
    assert (code, found["identical"], found["partition_count"]) == (0, True, 2), found
    events = sum(it["events"] for it in found["partitions"])
    assert events > 200
    assert sum(it["inputs"] for it in found["partitions"]) > 100

    said = byline("replay", "--partitions", "3", "--account", "weibo:a5")
    assert said.code == 0, said.out + said.err
    assert "1 of 1 partitions identical, byte for byte" in said.out
    assert "on 3 partitions instead of 2" in said.out
    (mine,) = [line for line in said.out.splitlines() if line.startswith("weibo:a5: ")]
    told = byline("events", "--kafka", "--account", "weibo:a5", "--json").out.splitlines()
    assert f"weibo:a5: {len(told)} events, SHA-256 " in mine
    assert mine in byline("replay", "--account", "weibo:a5").out, "the digest stays the same"
    divides = byline("replay", "--partitions", "2")
    assert (divides.code, "does not divide 2" in divides.err) == (2, True)
    beyond = byline("replay", "--partition", "7")
    assert (beyond.code, "there are 2, 0 to 1" in beyond.err) == (2, True)


def altered_policy(lives: Settings, byline: Byline) -> None:
    """Another text under the digest in force is told, and ends no command that reads policies.

    It spoils the topics.
    """
    mine = next(iter(asyncio.run(committed(lives, "policies"))))
    for text in (b"{}", mine.value.replace(b'"version":', b'"version":9')):
        asyncio.run(produce(lives, mine, text, 0))
    code, found = _replayed(byline)
    assert (code, found["identical"]) == (1, False)
    assert len(found["altered_policies"]) == 2
    said = byline("replay", "--partition", "0")
    place = found["altered_policies"][0]
    assert f"{place}: its text is not the one of its digest" in said.err
    history = json.loads(byline("policy", "history", "--kafka", "--json").out)
    assert [it["mode"] for it in history] == ["enforce"]
    running = byline("policy", "check", "--running", "--kafka", "--json")
    assert running.code in (0, 1), running.err
    assert json.loads(running.out)


def changed_or_gone(lives: Settings, byline: Byline) -> None:
    """What is changed is told with both values, what is gone as missing. It spoils the topics."""
    forged = next(it for it in asyncio.run(committed(lives, "consents")) if it.partition == 1)
    asyncio.run(produce(lives, forged, forged.value, 1))
    code, found = _replayed(byline)
    assert (code, found["identical"]) == (1, False)
    assert [it["difference"] is None for it in found["partitions"]] == [True, False]
    difference = found["partitions"][1]["difference"]
    assert difference["topic"] == f"{lives.topic_prefix}consents"
    assert difference["written"] == forged.value.decode()
    assert difference["replayed"] is None or difference["replayed"] != difference["written"]

    answers = [it for it in asyncio.run(committed(lives, "consent-answers")) if it.partition == 0]
    _delete(lives, "consent-answers", 0, answers[0].offset + 1)
    lacks = byline("replay", "--partition", "0")
    assert lacks.code == 2, lacks.out
    assert f"{lives.topic_prefix}consent-answers[0]: offsets" in lacks.err
    assert "are not there any more" in lacks.err
    _delete(lives, "decisions", 0, 5)
    gone = byline("replay", "--partition", "0")
    assert (gone.code, "does not begin with its beginning" in gone.err) == (2, True), gone.err
