"""Replay takes a dead letter of a worker that wrote no cure, and no other difference."""

import msgspec
import pytest

from schemas.cures import CURES
from schemas.enums import Refused
from streams.core.inputs.letters import HEADERS, dead_letter, without_cure
from streams.core.inputs.plain import Refusal
from streams.replay.records import DifferentError, RecordsInMemory, ReplayedRecord
from streams.replay.written import ReplayWritten
from tests.core.given import START, GivenRecord

REFUSED = GivenRecord(7, START, b"weibo:a1", b"{}")
LETTER = dead_letter("byline.controls", 0, REFUSED, Refusal(Refused.WRONG_PARTITION), START)


class OldLetter(msgspec.Struct):
    """A record as it is read from the topic of dead letters."""

    value: bytes
    key: bytes = b"weibo:a1"
    offset: int = 0
    headers: tuple[tuple[str, bytes], ...] = HEADERS


async def compared(written: bytes) -> None:
    """Holds what the topic has to the letter that replay sends."""
    source = RecordsInMemory([OldLetter(written)])
    topics = ReplayWritten(0, {"dead-letters": source}, lambda name: f"byline.{name}")
    await topics.compare([ReplayedRecord("dead-letters", b"weibo:a1", LETTER, HEADERS)])


async def test_a_letter_without_a_cure_is_the_one_that_an_older_worker_wrote() -> None:
    old = without_cure(LETTER)
    assert CURES[Refused.WRONG_PARTITION].encode() in LETTER
    assert b"cure" not in old
    await compared(LETTER)
    await compared(old)


@pytest.mark.parametrize("part", [b'"offset":7', b"partitioner=murmur2_random"])
async def test_any_other_difference_stays_one(part: bytes) -> None:
    with pytest.raises(DifferentError, match="another record"):
        await compared(LETTER.replace(part, part[:-1] + b"9"))
