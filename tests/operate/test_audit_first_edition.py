"""Logs written under the contract's first edition: their own order of topics, their own rules."""

import functools
import gzip
import json
from pathlib import Path

import pytest

from streams.operate.audit.auditor import Auditor, audit
from streams.operate.audit.records import Record
from streams.operate.audit.replay_order import ORDER, ORDERS
from tests.operate.breaches_of_notice import OF_NOTICE
from tests.operate.planted import Planted, value

RECORDED = Path(__file__).parent / "data" / "first_edition.jsonl.gz"
"""What version 0.1.0 wrote of the histories in `recording`, topic by topic."""
FOUND = [it for it in OF_NOTICE if it.recording == "clean" and it.breach != "stopped_clock_ran"]


@functools.cache
def recorded() -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for line in gzip.decompress(RECORDED.read_bytes()).decode().splitlines():
        name, topic, partition, offset, timestamp, key, text, headers = json.loads(line)
        record = Record(
            topic,
            partition,
            offset,
            timestamp,
            None if key is None else key.encode(),
            None if text is None else text.encode(),
            tuple((header, said.encode()) for header, said in headers),
        )
        found.setdefault(name, []).append(record)
    return found


@pytest.mark.parametrize("name", recorded())
def test_a_sound_history_of_the_first_edition_has_no_breach(name: str) -> None:
    auditor = Auditor()
    for record in recorded()[name]:
        auditor.feed(record)
    assert auditor.finish() == []
    assert auditor.events_seen == len([it for it in recorded()[name] if "event_id" in value(it)])


@pytest.mark.parametrize("it", FOUND, ids=lambda it: it.what)
@pytest.mark.slow
def test_a_breach_planted_in_it_is_found(it: Planted) -> None:
    found = audit(it.plant(list(recorded()[it.recording])))
    assert it.breach in {breach.name for breach in found}


def test_inputs_that_are_read_together_come_in_the_order_of_the_edition() -> None:
    for edition, order in ((1, ORDERS[1]), (2, ORDER)):
        auditor = Auditor()
        for record in together(edition):
            auditor.feed(record)
        partition = auditor.partitions[0]
        seen = [it.record.topic for it in partition.replay_order.happened() if it.kind == "input"]
        assert tuple(seen) == order
    assert ORDERS[1].index("controls") < ORDERS[1].index("notice-receipts")
    assert ORDER.index("controls") > ORDER.index("consent-answers")


def together(edition: int) -> list[Record]:
    """One transaction that read a record of every topic in one step."""
    reads = dict.fromkeys(ORDER, 1)
    plain = {
        "kind": "transaction",
        "number": 1,
        "partition": 0,
        "previous": "0" * 64,
        "hash": "0" * 64,
        "now": "2024-01-01T00:00:00.000Z",
        "reads": reads,
        "steps": [{"now": "2024-01-01T00:00:00.000Z", "reads": {it: [0, 1] for it in ORDER}}],
    } | ({} if edition == 1 else {"edition": edition})
    inputs = [Record(topic, 0, 0, 0, b"weibo:a", b"{}") for topic in sorted(ORDER)]
    return [*inputs, Record("decisions", 0, 0, 0, None, json.dumps(plain).encode())]
