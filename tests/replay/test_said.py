"""What the terminal says of a replay without an end, and of an account without events."""

from collections import Counter

import pytest

from schemas.topics import TopicNames
from streams.cli import replay
from streams.replay.partition import PartitionReplay
from streams.replay.whole import OtherCount, Replayed, _compared


def test_other_partitions_are_not_identical_where_the_replay_did_not_come_to_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, half = PartitionReplay(0), PartitionReplay(1, missing="offsets 3 to 4 are gone")
    elsewhere = [OtherCount(number, 7, None, None) for number in range(2)]
    replay._say_sum(Replayed(2, [whole, half], elsewhere), 3, 1.0)
    said = capsys.readouterr().out
    assert "1 of 2 partitions identical, byte for byte" in said
    assert "14 events compared, 1 of 2 partitions identical" in said


def test_an_account_without_events_is_told_with_its_zero(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Replayed(2, [PartitionReplay(1, of_account=(0, "e3b0"))])
    replay._say(found, "weibo:a1", None, 1.0)
    assert "weibo:a1: 0 events, SHA-256 e3b0" in capsys.readouterr().out


def test_trips_of_the_refusal_guard_are_held_to_the_topic_of_switches() -> None:
    names = TopicNames("byline.", "byline")
    tripped, other = b'{"actor":"byline","scope":"weibo"}', b'{"actor":"byline","scope":"*"}'
    found = Replayed(1, [PartitionReplay(0, trips=Counter([tripped]))])
    both = Counter([tripped])
    assert _compared(found, both, both, names) is None
    # One that was written while the log was read may be of a later transaction.
    assert _compared(found, both, Counter([tripped, other]), names) is None
    lacking = _compared(found, Counter(), Counter(), names)
    missing = "byline.switches: a guard tripped, and its record is missing: "
    assert lacking == missing + tripped.decode()
    forged = _compared(found, Counter([tripped, tripped]), both, names)
    assert forged == f"byline.switches: replay trips no such guard: {tripped.decode()}"
    assert not found.different
    found.switches = forged
    assert found.different
