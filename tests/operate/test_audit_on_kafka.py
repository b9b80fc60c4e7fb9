"""The auditor on what a real worker wrote to a real Kafka, and on what others wrote there."""

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.local.probe import free_port
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.conftest import until
from tests.operate.lives import START, committed, lives, now, produce

__all__ = ["lives"]
pytestmark = [pytest.mark.kafka]


def test_a_real_workers_topics_hold_and_a_planted_record_does_not(
    lives: Settings, byline: Byline
) -> None:
    sound = byline("audit", "--json")
    said = json.loads(sound.out)
    assert said["breaches"] == []
    assert sound.code == 0
    assert said["events"] > 150
    assert said["decisions"] > 100
    chain = byline("audit", "--chain")
    assert chain.code == 0, chain.out
    part = byline("audit", "--from", now())
    assert part.code == 0, part.out
    last = max(json.loads(it.value)["number"] for it in asyncio.run(committed(lives, "decisions")))
    assert byline("audit", "--chain", "--from-record", str(last)).code == 0
    beyond = byline("audit", "--chain", "--from-record", str(last + 1000))
    assert beyond.code == 2
    assert re.search(r"the log ends at number \d+: take \d+ or less", beyond.err)
    alone = json.loads(byline("audit", "--require-approvals", "--json").out)
    assert {it["breach"] for it in alone["breaches"]} == {"unapproved_policy"}
    early = byline("audit", "--to", START, "--json")
    assert early.code == 0, early.out
    assert json.loads(early.out)["events"] == 0
    until_now = byline("audit", "--to", now(), "--json")
    assert json.loads(until_now.out)["events"] >= said["events"]

    record = next(
        it
        for it in asyncio.run(committed(lives, "throttles"))
        if json.loads(it.value)["event"] == "throttle.applied"
    )
    forged = {**json.loads(record.value), "event_id": "forged", "sequence": 90, "surface": "search"}
    value = json.dumps(forged).encode()
    asyncio.run(produce(lives, record, value, record.partition))
    again = byline("audit", "--json")
    names = {it["breach"] for it in json.loads(again.out)["breaches"]}
    assert again.code == 1
    assert {"event_without_decision", "surface_not_at_stake", "sequence_broken"} <= names
    table = byline("audit")
    assert table.code == 1
    assert "event_without_decision" in table.out

    log = asyncio.run(committed(lives, "decisions"))
    value = log[0].value.replace(b'"number":1,', b'"number":1 ,')
    asyncio.run(produce(lives, log[0], value, log[0].partition))
    broken = byline("audit", "--chain", "--json")
    assert broken.code == 1
    assert {"changed", "twice"} <= {it["fault"] for it in json.loads(broken.out)["breaks"]}


def test_a_followed_audit_shows_a_planted_record_and_stops_when_told(
    lives: Settings, tmp_path: Path
) -> None:
    errors = tmp_path / "audit.err"
    with followed(errors) as (process, port):
        until(lambda: scraped(port).get("byline_audit_events", 0) > 150, 60, "150 events judged")
        sound = scraped(port)
        assert sum(it for name, it in sound.items() if "breaches_total" in name) == 0
        assert sound["byline_audit_accounts"] == 30
        as_of = "byline_audit_as_of_timestamp_seconds"
        until(lambda: scraped(port).get(as_of, 0) > time.time() - 30, 60, "all is read")
        first = scraped(port)[as_of]
        until(lambda: scraped(port)[as_of] > first, 30, "a quiet log is looked at again")
        assert errors.read_text() == ""

        records = asyncio.run(committed(lives, "throttles"))
        record = next(it for it in records if b"throttle.applied" in it.value)
        forged = {**json.loads(record.value), "event_id": "forged", "sequence": 90}
        asyncio.run(produce(lives, record, json.dumps(forged).encode(), record.partition))
        log = asyncio.run(committed(lives, "decisions"))[0]
        asyncio.run(produce(lives, log, log.value, log.partition))
        for invariant, breach in (("14", "chain_broken"), ("14", "event_without_decision")):
            name = f'byline_audit_breaches_total{{breach="{breach}",invariant="{invariant}"}}'
            until(lambda name=name: scraped(port).get(name, 0) >= 1, 60, name)
            assert breach in errors.read_text()
        process.terminate()
        assert process.wait(20) == 0


@contextmanager
def followed(errors: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A followed audit and the port of its metrics. `errors`: where it writes its errors."""
    port = free_port()
    with errors.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "audit", "--follow", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=out,
            cwd=Path(__file__).parents[2],
        )
    try:
        yield process, port
    finally:
        process.kill()
        process.wait(20)


def scraped(port: int) -> dict[str, float]:
    """The metrics of a followed audit; none while it does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(number) for name, number in pairs}


def test_wrong_use_is_refused(byline: Byline, on_kafka: Settings) -> None:
    assert byline("audit", "--from", "yesterday").code == 2
    assert byline("audit", "--to", "tomorrow").code == 2
    assert byline("audit", "--follow", "--to", now()).code == 2
    assert byline("audit", "--chain", "--follow").code == 2
    assert byline("audit", "--from-record", "7").code == 2
    missing = byline("audit")
    assert missing.code == 2
    assert "byline topics create" in missing.err
