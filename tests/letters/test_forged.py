"""Letters that no worker wrote stop no command: what names no place is none, the rest settled."""

import json
import os

import pytest

from schemas.topics import DEAD_LETTERS
from streams.core.inputs.letters import UNKNOWN, dead_letter
from streams.core.inputs.plain import Refusal
from streams.letters.reading import Filter, Letters, Origin
from streams.operate.audit.auditor import audit
from streams.operate.audit.records import Record
from streams.settings import Settings
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.core.given import START, GivenRecord
from tests.index.odd import odd_records
from tests.index.poured import pour, topics
from tests.letters.refused import of_test

__all__ = ["byline", "clean_environment", "on_kafka"]
SAID = ("--actor", "op.1", "--reason", "error_correction", "--yes")
PERIOD = ("--from", "2024-01-01T00:00:00Z", "--to", "2024-02-01T00:00:00Z")
RAW = dead_letter(
    "byline.controls", 0, GivenRecord(7, START, b"weibo:a1", b"x"), Refusal("not_json"), START
)
"""The letter of a record that no longer is in Kafka, as a worker wrote it."""
LETTER = Record(DEAD_LETTERS.name, 0, 0, START, b"weibo:a1", RAW)


def forged(**fields: object) -> Record:
    """The letter with other fields."""
    return LETTER._replace(value=json.dumps({**json.loads(RAW), **fields}).encode())


def read(*records: Record) -> Letters:
    found = Letters("byline.")
    for it in records:
        found.feed(it)
    return found


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01T00:00:00Z", "\0"])
def test_a_letter_without_a_time_counts_as_written_when_it_was(text: str) -> None:
    found = read(forged(refused_at=text))
    assert len(found.matching(Filter(start=START, end=START + 1))) == 1
    assert found.matching(Filter(end=START)) == []


@pytest.mark.parametrize("number", [-1, 2**63, 2**64, 10**30])
def test_a_place_that_cannot_be_is_the_place_of_no_letter(number: int) -> None:
    assert read(forged(offset=number), forged(partition=number)).matching(Filter()) == []


def test_what_is_in_no_list_is_not_repeated_and_can_be_settled() -> None:
    odd = forged(topic="byline.a/b", reason="=1+1")
    (letter,) = read(odd).matching(Filter())
    assert (letter.origin, letter.reason) == (Origin(UNKNOWN, 0, 7), UNKNOWN)
    mark = {"settled": "dismissed", "topic": f"byline.{UNKNOWN}", "partition": 0, "offset": 7}
    settled = read(odd, LETTER._replace(value=json.dumps(mark).encode()))
    assert settled.matching(Filter())[0].settled == "dismissed"


def test_no_forged_letter_stops_who_reads_them_nor_the_auditor() -> None:
    odd = list(odd_records([LETTER]))
    assert len(odd) > 300
    found = read(LETTER, *odd).matching(Filter(start=0, end=2**62, platform="weibo"))
    assert len(found) > 1
    assert audit([LETTER, *odd]) != []


@pytest.mark.kafka
def test_forged_letters_stop_no_command(on_kafka: Settings, byline: Byline) -> None:
    topics(on_kafka)
    odd = [it for it in odd_records([LETTER]) if len(it.value or b"") < 100_000]
    plain = [it._replace(timestamp=START) for it in (LETTER, *odd)]
    pour(on_kafka, of_test(on_kafka, plain))
    os.environ["BYLINE_DATABASE"] = f"sqlite:///{on_kafka.data_dir}/odd.sqlite"
    indexed = byline("index")
    assert indexed.code == 0, indexed.err
    assert "records cannot be read and are skipped, of dead-letters" in indexed.out + indexed.err
    listed = json.loads(byline("dead-letters", "list", "--json").out)
    in_kafka = json.loads(byline("dead-letters", "list", "--kafka", "--json").out)
    assert {it["topic"] for it in listed} == {it["topic"] for it in in_kafka}
    assert {UNKNOWN, "controls"} == {it["topic"] for it in listed}
    place = next(it["record"] for it in in_kafka if it["topic"] == UNKNOWN)
    assert "names no input" in byline("dead-letters", "show", place).out
    again = byline("dead-letters", "redrive", "--all", *SAID)
    assert (again.code, "can only be dismissed" in again.err) == (1, True), again.err
    done = byline("dead-letters", "dismiss", "--all", *SAID)
    assert (done.code, f"{len(in_kafka)} dismissed" in done.out) == (0, True), done.err
    assert byline("index").code == 0
    assert json.loads(byline("dead-letters", "list", "--json").out) == []
    for command in (("report", *PERIOD), ("funnel",), ("explain", "weibo:a1"), ("audit",)):
        said = byline(*command)
        assert said.code in (0, 1), (command, said.err)
        assert "Traceback" not in said.err, command
