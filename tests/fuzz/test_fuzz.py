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
from streams.operate.audit.terms import read_terms
from streams.operate.errors import UsageError
from streams.replay import written
from streams.shadow import against
from tests.core.given import START, policy
from tests.core.given import GivenRecord as InputRecord
from tests.fuzz import inputs
from tests.fuzz.bugs import BUGS, FuzzBug, planted
from tests.fuzz.drawn import FuzzCase
from tests.fuzz.targets import TARGETS, run

SHORT = 20
"""The part of a round that every test run does: one in so many."""
MOST = 20_000
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
def test_a_planted_mistake_is_found(bug: FuzzBug) -> None:
    assert run(bug.target, 8, 10).fault is None
    with planted(bug):
        done = run(bug.target, 8, MOST)
    assert done.fault is not None, f"not within {done.cases} cases"
    print(f"{bug.what}: found by case {done.cases}")


def test_each_kind_of_target_has_a_mistake_of_its_own() -> None:
    kinds = {name for name in TARGETS if not name.islower() or " " in name or name == "audit"}
    assert kinds - {bug.target for bug in BUGS} == set()


# What the long run found. msgspec lets Python's own error through for text that is not UTF-8.


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


def test_the_auditor_takes_a_policy_with_a_wrong_type_for_none() -> None:
    sound = policy().canonical
    assert read_terms(sound) is not None
    for wrong in (("impact_assessment", 5), ("mode", "x"), ("invitations_per_day", "many")):
        plain = {**msgspec.json.decode(sound), wrong[0]: wrong[1]}
        assert read_terms(msgspec.json.encode(plain)) is None, wrong


@pytest.mark.parametrize("first", ['"closed"', "5", '"x"'])
def test_the_auditor_does_not_ask_that_a_worker_takes_a_field_that_stands_twice(first: str) -> None:
    good = '"platform":"weibo","account_id":"a1","change":"closed"'
    raw = f'{{"change":{first},{good},"observed_at":"2024-01-01T00:00:00Z"}}'.encode()
    inputs.one_verdict(FuzzCase("account-changes", InputRecord(0, START, b"weibo:a1", raw)))
