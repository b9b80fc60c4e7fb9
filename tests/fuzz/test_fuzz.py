"""A short form of the long run (`python -m tests.fuzz`), and the mistakes that it must find."""

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.topics import DEAD_LETTERS
from streams.index.history import taken_up
from streams.letters.reading import Letters
from streams.operate.audit.records import Record
from streams.operate.errors import UsageError
from streams.replay import written
from streams.shadow import against
from tests.fuzz.bugs import BUGS, Bug, planted
from tests.fuzz.targets import TARGETS, run

SHORT = 20
"""The part of a round that every test run does: one in so many."""
MOST = 3_000
NOT_UTF8 = b'{"\xff": "\x80"}'


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The reader logs each batch that it cannot read."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", TARGETS)
def test_no_case_of_a_short_round_fails(name: str) -> None:
    done = run(name, 0, max(10, TARGETS[name].share // SHORT))
    assert done.fault is None, done.fault
    assert done.cases >= 10


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_a_planted_mistake_is_found(bug: Bug) -> None:
    assert run(bug.target, 8, 10).fault is None
    with planted(bug):
        done = run(bug.target, 8, MOST)
    assert done.fault is not None, f"not within {done.cases} cases"
    print(f"{bug.what}: found by case {done.cases}")


def test_each_kind_of_target_has_a_mistake_of_its_own() -> None:
    kinds = {name for name in TARGETS if not name.islower() or " " in name or name == "audit"}
    assert kinds - {bug.target for bug in BUGS} == set()


# What the long run found: msgspec lets Python's own error through for text that is not UTF-8.


def test_a_foreign_dead_letter_that_is_not_utf8_is_ignored() -> None:
    raw = b'{"topic": "\x80", "partition": 0, "offset": 0}'
    known = Letters("byline.")
    known.feed(Record(DEAD_LETTERS.name, 0, 0, 0, b"\xff", raw))
    assert known._letters == {}
    assert written._is_mark(raw) is False


def test_a_record_of_the_log_that_is_not_utf8_is_no_policies_record() -> None:
    with pytest.raises(msgspec.MsgspecError):
        taken_up(0, NOT_UTF8)


def test_a_report_that_is_not_utf8_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_bytes(NOT_UTF8)
    with pytest.raises(UsageError, match="is no report"):
        against.read(file)
