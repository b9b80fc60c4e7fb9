"""The end of a changelog is reached when all its topics are."""

from streams.engine.high_watermarks import HighWatermarks


def test_high_watermarks_are_reached_when_all_topics_are() -> None:
    ends = HighWatermarks(5, {"t": 3, "u": 0})
    assert ends.reached({"t": 3})
    assert not ends.reached({"t": 2, "u": 9})
