"""An audit that begins in the middle of a sound history knows less, and finds nothing wrong."""

import functools
import re
from collections import defaultdict

import pytest

from streams.operate.audit.auditor import ASIDE, Auditor, audit
from streams.operate.audit.reading import LAG_MS
from streams.operate.audit.records import EARLIER_MS, HOUR, Breach, Record, millis
from streams.operate.audit.replay_order import ORDER
from streams.operate.audit.run_audit import moved
from tests.core.given import DAY
from tests.operate.recording import RECORDINGS, Tape, invited

NAMES = ("clean", "stricter", "approved")
INSTANTS = 12


@functools.cache
def recording(name: str) -> tuple[Record, ...]:
    return tuple(RECORDINGS[name]().records())


def begun_at(records: tuple[Record, ...], since: int) -> list[Breach]:
    """What an audit finds that reads from where `--from` an instant (ms) begins to read."""
    topics: dict[str, list[Record]] = defaultdict(list)
    for it in records:
        topics[it.topic].append(it)
    auditor = Auditor(whole=False, since=since)
    for topic in sorted(topics, key=lambda it: it not in ASIDE):
        lies = [it.offset for it in topics[topic] if it.timestamp >= since]
        auditor.begins = {**auditor.begins, f"{topic}[0]": min(lies, default=1 << 62)}
        start = since - EARLIER_MS - LAG_MS * (topic in ORDER)
        for it in topics[topic]:
            if topic in ASIDE or it.timestamp >= start:
                auditor.feed(it)
    return auditor.finish()


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_history_has_no_breach_from_any_instant_on(name: str) -> None:
    records = recording(name)
    instants = sorted({it.timestamp for it in records if it.topic == "decisions"})
    for since in instants[:: max(1, len(instants) // INSTANTS)]:
        found = begun_at(records, since)
        assert [(it.name, it.detail, it.places) for it in found] == []


def test_a_hold_from_before_it_began_counts_for_what_comes_after() -> None:
    """The inputs of the day before are read, so that what they say is known."""
    records = recording("clean")
    hold = next(it for it in records if it.topic == "controls" and b'"hold"' in (it.value or b""))
    auditor = Auditor(whole=False, since=hold.timestamp + EARLIER_MS + 1)
    for it in records:
        if (
            it.topic in (*ASIDE, *ORDER)
            or hold.timestamp < it.timestamp < hold.timestamp + 23 * HOUR
        ):
            auditor.feed(it)
    auditor.finish()
    account = auditor.partitions[0].accounts[(hold.key or b"").decode()]
    assert account.hold_place == hold.place


def test_after_a_move_it_says_so_and_the_command_that_it_prints_finds_nothing() -> None:
    """MirrorMaker copies log and outputs; the inputs begin again at offset 0."""
    tape = Tape()
    for account in ("m1", "m2", "m3"):
        invited(tape, account).receipt(account=account)
    tape.answer("declined", "m1").wait(HOUR).sealed()
    left, tape._offsets = len(tape.inputs), defaultdict(int)
    tape.wait(HOUR).answer("granted", "m2").answer("granted", "m1").wait(HOUR).reads(7, "m3")
    tape.wait(6 * DAY).sealed().answer("withdrawn", "m2").wait(DAY).sealed()
    del tape.inputs[:left]
    records = tuple(tape.records())
    found = audit(records)
    assert {"reads_moved_back", "crossed_accounts"} <= {it.name for it in found}
    (since,) = re.findall(r"`byline audit --from (\S+)` judges", moved(found) or "")
    later = begun_at(records, millis(since))
    assert [(it.name, it.detail, it.places) for it in later] == []
    assert moved(later) is None
