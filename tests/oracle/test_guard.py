"""The refusal guard, sentence by sentence.

schemas/CONTRACT.md, "The refusal guard".
"""

from datetime import datetime

import pytest

from schemas.enums import Refused
from tests.oracle.given import Story, at, delivered, expired
from tests.oracle.guard import OracleRefusalGuard

PLATFORMS = ["weibo", "douyin"]
RECEIPTS = "notice-receipts"


def guard(**given) -> OracleRefusalGuard:
    """The guard of partition 0."""
    return OracleRefusalGuard(PLATFORMS, **given)


def refuse(one: OracleRefusalGuard, count: int, key: str | None = "weibo:a", **more) -> list[str]:
    """So many bad records; the platforms that tripped."""
    told = {"topic": RECEIPTS, "reason": Refused.WRONG_TYPE, "entered": at(0), **more}
    return [name for _ in range(count) for name in one.refused(at(0), key=key, **told)]


def settled(on: bool, issued: datetime, scope: str = "weibo", actor: str = "op") -> dict:
    """A record `refusals_settled`."""
    return {"scope": scope, "on": on, "issued_at": issued, "actor": actor}


def test_at_a_hundred_it_trips_and_writes_one_record() -> None:
    one = guard()
    assert refuse(one, 99) == []
    assert refuse(one, 1) == ["weibo"]
    assert one.written == [("weibo", at(0))]
    assert one.numbers[RECEIPTS, "weibo"] == 0
    assert refuse(one, 200) == []


def test_a_good_record_takes_one_back_and_never_below_none() -> None:
    one = guard()
    for _ in range(10):
        one.good(RECEIPTS, "weibo:a")
    refuse(one, 99)
    one.good(RECEIPTS, "weibo:b")
    assert (refuse(one, 1), refuse(one, 1)) == ([], ["weibo"])


def test_topics_and_platforms_are_counted_apart() -> None:
    one = guard()
    assert refuse(one, 99) == refuse(one, 99, "douyin:a") == []
    assert refuse(one, 99, topic="category-changes") == []


def test_a_key_that_names_no_platform_counts_for_all_and_one_without_policy_for_none() -> None:
    one = guard()
    assert refuse(one, 300, "zhihu:a") == []
    assert refuse(one, 100, "no key") == PLATFORMS
    assert refuse(guard(), 100, None) == PLATFORMS


def test_not_approved_counts_as_good() -> None:
    one = guard()
    refuse(one, 99, topic="controls")
    refuse(one, 1, topic="controls", reason=Refused.NOT_APPROVED)
    assert one.numbers["controls", "weibo"] == 98


def test_a_refused_switch_counts_in_partition_0_alone() -> None:
    assert refuse(guard(partition=1), 100, "*:adverse_off", topic="switches") == []
    assert refuse(guard(), 100, "*:adverse_off", topic="switches") == PLATFORMS


@pytest.mark.parametrize("topic", ["consent-answers", "account-changes", "controls"])
@pytest.mark.parametrize(
    ("key", "reason", "tripped"),
    [
        ("weibo:a", Refused.WRONG_TYPE, []),
        ("weibo:a", Refused.KEY_MISMATCH, ["weibo"]),
        ("weibo:a", Refused.WRONG_PARTITION, ["weibo"]),
        ("weibo:a b", Refused.BAD_ID, ["weibo"]),
        (None, Refused.NOT_JSON, PLATFORMS),
        (None, Refused.UNREADABLE_BATCH, PLATFORMS),
        ("zhihu:a", Refused.KEY_MISMATCH, PLATFORMS),
        ("zhihu:a", Refused.UNKNOWN_PLATFORM, []),
        ("zhihu:a", Refused.WRONG_PARTITION, []),
    ],
)
def test_an_unclear_word_of_no_certain_account_trips_at_once(
    topic: str, key: str | None, reason: Refused, tripped: list[str]
) -> None:
    assert refuse(guard(), 1, key, topic=topic, reason=reason) == tripped


@pytest.mark.parametrize(("at_home", "tripped"), [(True, []), (False, ["weibo"])])
def test_a_word_that_is_too_large_trips_at_once_only_in_a_wrong_partition(
    at_home: bool, tripped: list[str]
) -> None:
    too_large = ("consent-answers", "weibo:a", Refused.TOO_LARGE)
    assert guard().refused(at(1), *too_large, at(1), at_home) == tripped


def test_no_other_topic_trips_at_once() -> None:
    assert refuse(guard(), 1, None, reason=Refused.NOT_JSON) == []


def test_nothing_ends_it_before_its_own_record_is_read() -> None:
    one = guard()
    refuse(one, 100)
    one.switch(at(1), settled(True, at(1)), at(1))
    assert "weibo" in one.tripped
    one.switch(at(2), settled(False, at(0), actor="byline"), at(1))
    one.switch(at(3), settled(True, at(3)), at(3))
    assert one.tripped == {}


def test_the_last_record_for_the_platform_or_all_counts() -> None:
    one = guard()
    one.switch(at(1), settled(False, at(1), "*"), at(1))
    assert list(one.tripped) == PLATFORMS
    one.switch(at(2), settled(True, at(2)), at(2))
    assert list(one.tripped) == ["douyin"]
    one.switch(at(3), settled(False, at(3)), at(3))
    one.switch(at(4), settled(True, at(4), "*"), at(4))
    assert one.tripped == {}


def test_a_settlement_issued_before_the_newest_unclear_word_trips_it_anew() -> None:
    one = guard()
    one.switch(at(1), settled(False, at(1)), at(1))
    refuse(one, 1, "weibo:a b", topic="controls", reason=Refused.BAD_ID, entered=at(9))
    assert one.written == []
    assert one.switch(at(10), settled(True, at(8)), at(10)) == ["weibo"]
    assert one.written == [("weibo", at(10))]
    one.switch(at(11), settled(False, at(10), actor="byline"), at(11))
    assert one.switch(at(12), settled(True, at(12)), at(12)) == []
    assert one.tripped == {}


def test_while_tripped_a_partition_counts_nothing() -> None:
    one = guard()
    one.switch(at(1), settled(False, at(1)), at(1))
    refuse(one, 500)
    one.switch(at(2), settled(True, at(2)), at(2))
    assert one.numbers[RECEIPTS, "weibo"] == 0


def tripped(story: Story, minute: float, on: bool = False, scope: str = "weibo") -> Story:
    """The guard trips, or a person has settled it."""
    return story.switch(minute, "refusals_settled", on, scope)


def test_while_it_is_tripped_adverse_events_wait_and_the_clock_stands_still() -> None:
    story = tripped(delivered(), 11).until(90)
    assert story.waits() == {"expired": ["refusals"], "applied": ["refusals"]}
    assert tripped(story, 91, True, "*").then() == ["extended pause"]
    assert story.last("deadline_at") == at(61 + 80)


def test_favourable_events_flow_meanwhile() -> None:
    story = tripped(expired(), 70).answers(71, "granted")
    assert story.then()[0] == "granted late"


def test_only_the_place_in_the_log_counts() -> None:
    story = tripped(delivered(), 11)
    story.switch(20, "refusals_settled", True, issued_at=at(1))
    assert story.then() == ["extended pause"]


def test_a_changed_cluster_defers_and_stops_the_clock_until_the_next_start() -> None:
    story = delivered().cluster(11).until(90)
    assert story.waits() == {"expired": ["cluster_changed"], "applied": ["cluster_changed"]}
    assert story.cluster(91, False).then() == ["extended pause"]
    assert story.last("deadline_at") == at(61 + 80)
