"""The refusal guard: refusing stops nothing, and one refused word restricts nobody.

schemas/CONTRACT.md, "The refusal guard".
"""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import Refused
from schemas.inputs import InputName
from streams.core.inputs.batches import joined
from streams.core.inputs.refusal_guard import TRIPS_AT, platform_of
from streams.core.model.instants import rfc3339
from tests.core.given import ACCOUNT, DAY, HOUR, MINUTE, PLATFORM, Day, GivenRecord, policy
from tests.core.invariants.replay import recompute
from tests.core.states import ISSUED, begun, delivered, expired, lifted

KEY = f"{PLATFORM}:{ACCOUNT}"
DOUYIN = replace(policy(), platform="douyin")


def refuse(
    day: Day, count: int, topic: InputName = "notice-receipts", key: str | None = KEY
) -> Day:
    """So many records that are no JSON."""
    for _ in range(count):
        day.put(topic, key, b"{")
    return day


def sent(day: Day) -> list[dict[str, Any]]:
    """What the partition has written to the switches."""
    return [value for topic, _, value, _ in day.tables.outputs if topic == "switches"]


def tripped(day: Day) -> list[str]:
    """The platforms whose guard tripped, in order."""
    return [value["scope"] for value in sent(day)]


def hear(day: Day) -> Day:
    """The partition reads its own last record."""
    value = sent(day)[-1]
    return day.put("switches", f"{value['scope']}:refusals_settled", value)


def settle(day: Day, on: bool = True, scope: str = PLATFORM, at: int | None = None) -> Day:
    """A person's word, or another partition's."""
    return day.switch("refusals_settled", on, scope=scope, at=at)


# ---- the number --------------------------------------------------------------------------------


def test_at_100_refused_records_of_a_topic_the_guard_of_the_platform_trips() -> None:
    day = refuse(begun(), 99)
    assert sent(day) == []
    refuse(day, 1)
    (record,) = sent(day)
    assert record == {
        "scope": PLATFORM,
        "switch": "refusals_settled",
        "on": False,
        "actor": "byline",
        "reason": "incident",
        "issued_at": rfc3339(day.now),
    }
    (decision,) = [one for one in day.decisions if one["kind"] == "refusal_guard"]
    assert (decision["platform"], decision["reason"]) == (PLATFORM, "not_json")
    assert (decision["refused"], decision["cause"]["offset"]) == (100, 99)
    counts = day.partition.counts
    assert counts["refusals_tripped", PLATFORM, "notice-receipts", Refused.NOT_JSON] == 1
    assert day.partition.refusals_tripped(PLATFORM)


def test_refusing_never_stops_a_partition() -> None:
    day = refuse(delivered(), 1000)
    assert len(day.dead_letters) == 1000
    assert day.answer("granted").said()[-1] == "granted answer"


def test_a_good_record_takes_one_from_the_number_which_is_never_below_0() -> None:
    day = Day()
    for _ in range(50):
        day.receipt()
    refuse(day, 99).receipt()
    refuse(day, 1)
    assert sent(day) == []
    refuse(day, 1)
    assert tripped(day) == [PLATFORM]


def test_topics_and_platforms_are_counted_apart() -> None:
    day = Day(policy(), DOUYIN)
    refuse(day, 99)
    refuse(day, 99, "follower-counts")
    refuse(day, 99, key="douyin:a1")
    assert sent(day) == []
    refuse(day, 1, key="douyin:a1")
    assert tripped(day) == ["douyin"]
    assert not day.partition.refusals_tripped(PLATFORM)


def test_a_key_that_names_no_platform_counts_for_every_one_and_one_without_a_policy_for_none() -> (
    None
):
    day = Day(policy(), DOUYIN)
    refuse(day, 500, key="zhihu:a1")
    refuse(day, 99, key=None)
    assert sent(day) == []
    refuse(day, 1, key="no platform")
    assert tripped(day) == ["douyin", PLATFORM]


def test_a_key_names_the_platform_before_its_colon() -> None:
    assert platform_of(b"weibo:a1") == platform_of("weibo:张".encode()) == "weibo"
    for key in (None, b"", b"weibo", b"*:adverse_off", b"Weibo:a1", b":a1", b"\xff:a1"):
        assert platform_of(key) is None


def test_not_approved_counts_as_good() -> None:
    day = Day(require_approvals=True)
    for _ in range(300):
        day.control("unhold", bulk_id="b1")
    assert {letter["reason"] for letter in day.dead_letters} == {"not_approved"}
    assert sent(day) == []


def test_a_refused_switch_counts_in_partition_0_alone() -> None:
    for partition, platforms in ((0, [PLATFORM]), (1, [])):
        day = Day(partition=partition, partition_count=2)
        refuse(day, 100, "switches", "weibo:adverse_off")
        assert tripped(day) == platforms
        assert len(day.dead_letters) == (0 if partition else 100)


def test_of_readings_below_the_floor_only_the_sampled_count() -> None:
    good = {"platform": PLATFORM, "account_id": "b2", "followers": 3}
    day = refuse(Day(), 99, "follower-counts")
    for offset in range(1, 1024):
        day._offsets["follower-counts"] = offset
        day.put("follower-counts", "weibo:b2", {**good, "observed_at": rfc3339(day.now)})
    refuse(day, 1, "follower-counts")
    assert tripped(day) == [PLATFORM], "none of them was good enough to be counted"
    day = refuse(Day(), 99, "follower-counts")
    day._offsets["follower-counts"] = 1025
    day.put("follower-counts", "weibo:b2", {**good, "observed_at": rfc3339(day.now)})
    refuse(day, 1, "follower-counts")
    assert sent(day) == []


def test_a_rescan_refuses_and_counts_nothing_again() -> None:
    day = refuse(Day(), 60, "category-changes")
    day.put("category-changes", "weibo:a1", b"[]")
    wider = replace(
        policy(), version=2, labels={**policy().labels, "医疗": policy().labels["财经"]}
    )
    day.open(wider)
    again = day.partition.rewind(day.tables, dict(day._offsets))  # type: ignore[arg-type]
    assert "category-changes" in again
    end, day._offsets["category-changes"] = day._offsets["category-changes"], 0
    refuse(day, end, "category-changes")
    assert len(day.dead_letters) == 61
    refuse(day, 38, "category-changes")
    assert sent(day) == []
    refuse(day, 1, "category-changes")
    assert tripped(day) == [PLATFORM]


def test_the_number_and_the_guard_outlive_a_restart() -> None:
    day = refuse(Day(), 99)
    day.open(policy())
    refuse(day, 1)
    assert tripped(day) == [PLATFORM]
    day.open(policy())
    assert day.partition.refusals_tripped(PLATFORM)
    settle(day)
    assert day.partition.refusals_tripped(PLATFORM), "its own record has not been read yet"


# ---- what it does ------------------------------------------------------------------------------


def test_while_tripped_adverse_events_wait_and_favourable_ones_flow() -> None:
    day = refuse(begun(), 100).wait(10 * DAY)
    assert day.said() == []
    waits = [one["deferrals"] for one in day.decisions if one.get("deferrals")]
    assert waits[-1] == [{"event": "invitation.issued", "by": ["refusals"]}]
    assert settle(hear(day)).run_timers().said() == [ISSUED]
    day = refuse(expired(), 100)
    assert day.answer("granted").said()[-3:] == ["granted in_time", *lifted("granted")][-3:]


def test_the_clock_of_the_answer_stops_from_the_trip_to_the_end() -> None:
    day = refuse(delivered().wait(DAY), 100)
    day.said()
    hear(day).wait(5 * DAY)
    assert day.said() == []
    settle(day).wait(2 * DAY - 1)
    assert [words.split()[0] for words in day.said()] == ["extended", "reminded"]
    assert day.wait(1).said()[0] == "expired no_answer"


def test_until_its_own_record_has_been_read_nothing_ends_it() -> None:
    day = refuse(begun(), 100).wait(HOUR)
    settle(day).wait(HOUR)
    settle(day, scope="*").wait(HOUR)
    assert day.said() == []
    settle(hear(day)).run_timers()
    assert day.said() == [ISSUED]


def test_other_partitions_wait_from_that_record_on() -> None:
    day = settle(begun(), on=False)
    assert day.wait(10 * DAY).said() == []
    assert sent(day) == []
    assert settle(day).run_timers().said() == [ISSUED]


@pytest.mark.parametrize(("off", "on"), [("*", PLATFORM), (PLATFORM, "*"), ("*", "*")])
def test_the_last_record_for_the_platform_or_for_all_decides(off: str, on: str) -> None:
    day = settle(begun(), on=False, scope=off).wait(HOUR)
    assert day.said() == []
    assert settle(day, scope=on).run_timers().said() == [ISSUED]
    assert not day.partition.refusals_tripped(PLATFORM)
    settle(settle(day, on=False, scope=off), on=False, scope=on)
    assert day.partition.refusals_tripped(PLATFORM)


def test_its_place_in_the_log_alone_counts() -> None:
    day = settle(begun(), on=False, at=begun().now + MINUTE)
    settle(day, at=day.now - 9 * DAY)
    assert not day.partition.refusals_tripped(PLATFORM)
    settle(day, on=False, at=day.now - 99 * DAY)
    assert day.partition.refusals_tripped(PLATFORM)


def test_while_tripped_a_partition_counts_nothing() -> None:
    day = hear(refuse(refuse(Day(), 30, "controls", "zhihu:a1"), 100))
    refuse(day, 99, "category-changes")
    settle(day)
    refuse(day, 99, "category-changes")
    assert len(sent(day)) == 1
    refuse(day, 1, "category-changes")
    assert len(sent(day)) == 2


# ---- one refused word restricts nobody ---------------------------------------------------------

WORDS: tuple[InputName, ...] = ("consent-answers", "account-changes", "controls")
SAID: dict[InputName, dict[str, Any]] = {
    "consent-answers": {"answer": "granted", "occurred_at": "2024-01-01T00:00:00Z"},
    "account-changes": {"change": "closed", "observed_at": "2024-01-01T00:00:00Z"},
    "controls": {
        "control_id": "c",
        "command": "hold",
        "actor": "op",
        "reason": "test",
        "issued_at": "2024-01-01T00:00:00Z",
    },
}


def word(topic: InputName, platform: str = PLATFORM, account: str = ACCOUNT) -> dict[str, Any]:
    """A good word."""
    return {"platform": platform, "account_id": account, **SAID[topic]}


@pytest.mark.parametrize("topic", WORDS)
def test_a_refused_word_whose_account_is_not_certain_trips_at_once(topic: InputName) -> None:
    both = [policy(), DOUYIN]
    cases: dict[str, tuple[str | None, Any, list[str]]] = {
        "no key": (None, word(topic), ["douyin", PLATFORM]),
        "no valid key of a platform": ("weibo:é", b"{", [PLATFORM]),
        "no valid key of none": ("weibo", word(topic), ["douyin", PLATFORM]),
        "another account": (KEY, word(topic, account="b2"), [PLATFORM]),
        "another platform": (KEY, word(topic, "douyin"), [PLATFORM]),
        "another account, and bad": (KEY, {"account_id": "b2"}, [PLATFORM]),
        "another account, and a name": (KEY, {**word(topic, account="b2"), "name": 1}, [PLATFORM]),
        "a platform without policy, another account": (
            "zhihu:a1",
            word(topic, "zhihu", "b2"),
            ["douyin", PLATFORM],
        ),
    }
    for what, (key, value, platforms) in cases.items():
        day = Day(*both).put(topic, key, value)
        assert tripped(day) == platforms, what
        assert not [name for name in day.partition.counts if name[0] == "unclear_refused"], what
    elsewhere = Day(*both, partition_of=lambda _: 1, partition_count=2)
    assert tripped(elsewhere.put(topic, KEY, word(topic))) == [PLATFORM]
    assert elsewhere.dead_letters[0]["reason"] == "wrong_partition"


@pytest.mark.parametrize("topic", WORDS)
def test_a_refused_word_of_a_platform_without_a_policy_is_a_dead_letter_and_no_more(
    topic: InputName,
) -> None:
    day = Day(partition_of=lambda _: 1, partition_count=2)
    day.put(topic, "zhihu:a1", word(topic, "zhihu")).put(topic, "zhihu:a1", b"{")
    assert [letter["reason"] for letter in day.dead_letters] == ["unknown_platform", "not_json"]
    assert sent(day) == []


@pytest.mark.parametrize("topic", WORDS)
def test_a_refused_word_whose_account_is_certain_trips_nothing_at_once(topic: InputName) -> None:
    day = Day()
    for value in (b"{", None, b"[]", {}, {"account_id": ACCOUNT}, {**word(topic), "name": "x"}):
        day.put(topic, KEY, value)
    assert len(day.dead_letters) == 6
    assert sent(day) == []


def test_a_control_that_is_not_approved_is_no_unclear_word() -> None:
    day = Day(require_approvals=True).control("unhold", bulk_id="b1")
    assert sent(day) == []
    assert not day.partition.counts["unclear_refused", "controls"]


def test_other_refused_inputs_trip_by_their_number_alone() -> None:
    day = Day()
    for topic in ("notice-receipts", "category-changes", "follower-counts"):
        refuse(day, 30, topic, None)  # type: ignore[arg-type]
    assert sent(day) == []


def test_an_on_issued_before_the_last_word_that_would_trip_at_once_trips_it_anew() -> None:
    day = hear(refuse(begun(), 100)).wait(HOUR)
    day.put("consent-answers", None, b"{").wait(HOUR)
    assert len(sent(day)) == 1
    settle(day, at=day.now - HOUR - 1)
    assert len(sent(day)) == 2
    assert day.wait(HOUR).said() == []
    kinds = [one for one in day.decisions if one["kind"] == "refusal_guard"]
    assert (kinds[-1]["reason"], kinds[-1]["refused"]) == ("not_json", 1)
    assert kinds[-1]["cause"]["topic"] == "consent-answers"
    settle(hear(day)).run_timers()
    assert day.said() == [ISSUED]
    assert len(sent(day)) == 2


def test_a_word_that_came_in_before_the_on_was_issued_trips_nothing_anew() -> None:
    day = hear(refuse(begun(), 100)).put("consent-answers", None, b"{").wait(1)
    settle(day)
    assert len(sent(day)) == 1
    assert not day.partition.refusals_tripped(PLATFORM)


# ---- unreadable batches ------------------------------------------------------------------------


def unreadable(topic: InputName, first: int, last: int) -> Day:
    """A day on which a batch does not unpack."""
    day = Day()
    day.partition.step(day.tables, day.now, [(topic, joined([], [(first, last, day.now)]))])
    day.partition.before_commit(day.tables, day.now, {})
    return day


def test_an_unreadable_batch_is_one_dead_letter_with_its_first_and_last_offset() -> None:
    day = unreadable("notice-receipts", 7, 55)
    (letter,) = day.dead_letters
    assert (letter["reason"], letter["offset"], letter["last_offset"]) == (
        "unreadable_batch",
        7,
        55,
    )
    (transaction,) = [one for one in day.decisions if one["kind"] == "transaction"]
    assert transaction["steps"][0]["reads"] == {"byline.notice-receipts": [7, 56]}


def test_an_unreadable_batch_counts_as_that_many_refused_records() -> None:
    assert tripped(unreadable("notice-receipts", 0, TRIPS_AT - 2)) == []
    assert tripped(unreadable("notice-receipts", 0, TRIPS_AT - 1)) == [PLATFORM]
    assert tripped(unreadable("follower-counts", 0, TRIPS_AT - 1)) == [PLATFORM]


@pytest.mark.parametrize("topic", WORDS)
def test_an_unreadable_batch_of_words_trips_at_once(topic: InputName) -> None:
    assert tripped(unreadable(topic, 5, 5)) == [PLATFORM]


def test_the_records_beside_an_unreadable_batch_are_applied() -> None:
    day = Day()
    value = {"platform": PLATFORM, "account_id": ACCOUNT, "followers": 1500}
    raw = json.dumps({**value, "observed_at": rfc3339(day.now)}).encode()
    records = [GivenRecord(offset, day.now, KEY.encode(), raw) for offset in (0, 9)]
    batch = joined(records, [(1, 8, day.now)])
    day.partition.step(day.tables, day.now, [("follower-counts", batch)])
    assert day.account().followers == 1500
    assert day.account().last_applied[1] == 9


# ---- the cost ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_refusing_is_linear_and_leaves_a_state_of_bounded_size() -> None:
    def seconds(count: int) -> float:
        day = Day(policy(), DOUYIN)
        key = KEY.encode()
        records = [
            GivenRecord(offset, day.now, key, b'{"platform":"weibo"}') for offset in range(count)
        ]
        begun_at = time.process_time()
        for at in range(0, count, 1000):
            batch = records[at : at + 1000]
            day.partition.step(day.tables, day.now, [("consent-answers", batch)])
        spent = time.process_time() - begun_at
        assert len(day.tables.raw) >= count
        assert sum(map(len, day.tables.state["accounts"].values())) < 5000
        return spent

    seconds(1000)
    small = min(seconds(2000) for _ in range(3))
    assert seconds(20_000) < small * 10 * 3


# ---- replay ------------------------------------------------------------------------------------


def test_replay_refuses_trips_and_settles_as_it_was() -> None:
    day = Day(policy(), DOUYIN)
    inputs: dict[str, list[Any]] = {}

    def step(topic: InputName, *records: tuple[str | None, bytes]) -> None:
        known = inputs.setdefault(topic, [])
        first = len(known)
        for key, raw in records:
            encoded = None if key is None else key.encode()
            known.append(GivenRecord(len(known), day.now, encoded, raw))
        day.partition.step(day.tables, day.now, [(topic, known[first:])])
        day.partition.before_commit(day.tables, day.now, {})
        day.now += MINUTE

    step("notice-receipts", *[(KEY, b"{")] * 60, ("douyin:a1", b"{"))
    step("notice-receipts", *[(None, b"{")] * 41)
    step("controls", (KEY, b"{"), (None, b"{"), ("zhihu:a1", b"{"))
    for value in sent(day):
        step("switches", (f"{value['scope']}:refusals_settled", json.dumps(value).encode()))
    settled = {**sent(day)[0], "scope": "*", "on": True, "actor": "op"}
    for at in (day.now - DAY, day.now):
        value = {**settled, "issued_at": rfc3339(at)}
        step("switches", ("*:refusals_settled", json.dumps(value).encode()))
    log = [value for topic, _, value, _ in day.tables.raw if topic == "decisions" and value]
    policies = {one.digest: one for one in (policy(), DOUYIN)}
    assert tripped(day) == [PLATFORM, "douyin", "douyin", PLATFORM]
    assert recompute(inputs, log, policies) == day.tables.raw
