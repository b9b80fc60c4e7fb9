"""What is remembered of an account, and what the first edition remembered.

schemas/CONTRACT.md, "What is remembered".
"""

from typing import Any

import msgspec
import pytest

from streams.core.model.account import MOST_CONTROLS, Account, Heard, decode_account, encode
from streams.core.model.ids import control_mark, pseudonym
from streams.core.model.instants import rfc3339
from streams.core.model.marks import count
from streams.core.model.ports import ACCOUNTS, CATEGORIES
from streams.stop_worker import ExitCode, StopWorker
from tests.core.given import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    PLATFORM,
    START,
    Day,
    policy,
    stability,
)
from tests.core.sleeping import Happened, late
from tests.core.states import delivered, expired, granted, unreadable

KEY = f"{PLATFORM}:{ACCOUNT}".encode()


# ---- after `closed` ------------------------------------------------------------------------------


def closed_and_back() -> Day:
    """Much was said of an account, which closed and came back."""
    day = granted().wait(HOUR).answer("withdrawn").change("exempted").wait(HOUR)
    day.change("exemption_ended").control("appeal_upheld").control("hold", control_id="h")
    day.control("appeal_opened", appeal_id="a")
    for topic in ("consent-answers", "account-changes", "controls"):
        unreadable(day, topic)
    return day.change("closed").wait(11 * DAY).change("reopened").label("财经").reads(1500)


def test_what_people_said_outlives_closing() -> None:
    day = closed_and_back()
    account = day.account()
    heard = account.heard
    assert heard is not None
    words = {"granted", "withdrawn", "exempted", "exemption_ended", "closed", "reopened"}
    assert set(heard.words) == words
    assert count(heard.controls, 24) == 3
    assert (list(heard.appeals), list(heard.unclear)) == (["a"], ["controls"])
    assert account.hold is not None
    assert heard.upheld_at is not None
    waits = {one for _, by in day.wait(DAY).account().waiting for one in by}
    assert waits == {"hold", "appeal", "appeal_upheld", "unclear_answer"}


def test_while_it_is_closed_all_of_it_stands_under_the_digest_of_the_key() -> None:
    day = granted().control("hold").control("appeal_upheld").answer("withdrawn").change("closed")
    unreadable(day, "controls")
    assert KEY not in day.tables.state[ACCOUNTS]
    kept = decode_account(day.tables.state[ACCOUNTS][pseudonym(KEY)])
    assert kept.heard is not None
    assert set(kept.heard.words) == {"granted", "withdrawn", "closed"}
    assert list(kept.heard.unclear) == ["controls"]
    assert (count(kept.heard.controls, 24), kept.heard.upheld_at is not None) == (2, True)
    assert kept.live.cool_down_until == day.now + 10 * DAY
    assert kept.observed_at is not None


def test_an_old_word_sent_again_after_closing_says_nothing_new() -> None:
    day = closed_and_back().control("hold", control_id="h", at=START + 3 * HOUR + 2 * MINUTE)
    day.change("exempted", at=START + 2 * HOUR + 2 * MINUTE)
    day.answer("granted", at=START + HOUR + 2 * MINUTE)
    told = day.partition.counts
    for topic in ("controls", "account-changes", "consent-answers"):
        assert told["ignored", topic, "duplicate"] == 1


def test_a_reading_delivered_again_after_a_closing_adds_nothing() -> None:
    """The closing deleted its count, not its time (history 312,945 of seed 1, invariant 7)."""
    day = Day(policy(stability=stability(dwell=0))).label("财经").reads(1500)
    assert day.said() == ["issued over_line"]
    read_at = day.now
    day.wait(HOUR).change("closed").wait(11 * DAY).change("reopened").label("财经")
    assert day.said() == ["cancelled closed"]
    assert day.reads(1500, at=read_at).wait(DAY).said() == []
    assert day.partition.counts["stale", "follower-counts", PLATFORM] == 1
    assert day.reads(1500, at=read_at + 1).said() == ["issued over_line"]


def test_a_label_delivered_again_after_a_closing_adds_nothing() -> None:
    day = Day(policy(stability=stability(dwell=0))).label("财经").reads(1500)
    labelled_at = day.now
    day.wait(HOUR).change("closed").wait(11 * DAY).change("reopened").reads(1600)
    assert day.said() == ["issued over_line", "cancelled closed"]
    assert day.label("财经", at=labelled_at).wait(DAY).said() == []
    assert day.label("财经", at=labelled_at + 1).said() == ["issued over_line"]


@pytest.mark.parametrize("first", ["reading", "label"])
def test_what_came_while_it_was_closed_adds_nothing_when_delivered_again(first: str) -> None:
    day = Day(policy(stability=stability(dwell=0))).label("财经").reads(1500)
    day.wait(HOUR).change("closed").wait(11 * DAY)
    came_at = day.now
    day.reads(1500).label("财经").wait(HOUR).change("reopened")
    assert day.said() == ["issued over_line", "cancelled closed"]
    if first == "reading":
        day.label("财经").reads(1500, at=came_at)
    else:
        day.reads(1500).label("财经", at=came_at)
    assert day.wait(DAY).said() == []
    if first == "reading":
        day.reads(1500, at=came_at + 1)
    else:
        day.label("财经", at=came_at + 1)
    assert day.said() == ["issued over_line"]


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind a higher one"])
def test_a_reading_below_the_floor_that_comes_while_it_is_closed_leaves_nothing(
    behind: bool,
) -> None:
    """Whether or not its batch holds a higher one before it, for which it is looked at."""
    day = Day(policy(stability=stability(dwell=0))).label("财经").change("closed").wait(HOUR)
    told = [*([(1500, day.now - HOUR // 2)] if behind else []), (10, day.now)]
    batch: Happened = [
        (day.now, "follower-counts", {"followers": many, "observed_at": rfc3339(at)})
        for many, at in told
    ]
    assert late(day, batch, day.now) == []
    day.change("reopened").label("财经").reads(1500, at=day.now - HOUR // 4)
    assert day.said() == ["issued over_line"]


def test_what_waited_for_a_leaving_to_end_adds_nothing_after_a_closing() -> None:
    """A reading that was kept aside is the newest of which the time is known."""
    day = Day(policy(stability=stability(dwell=0, leave_after=HOUR))).label("财经").reads(1500)
    day.reads(10)
    day.now += 2 * HOUR
    kept_at = day.now
    day.reads(1500).change("closed").wait(11 * DAY).change("reopened").label("财经")
    day.said()
    assert day.reads(1500, at=kept_at).wait(DAY).said() == []


def test_the_higher_count_of_an_instant_whose_lower_was_forgotten_adds_nothing() -> None:
    day = Day(policy(stability=stability(dwell=HOUR))).label("财经").reads(1500)
    read_at = day.now
    day.reads(10, at=read_at)
    assert day.account().followers is None
    assert day.reads(1500, at=read_at).wait(DAY).said() == []
    assert day.partition.counts["stale", "follower-counts", PLATFORM] == 1
    assert day.reads(1500, at=read_at + 1).wait(DAY).said() == ["issued over_line"]


def test_below_the_floor_what_was_said_is_remembered_and_no_count() -> None:
    day = unreadable(Day(), "controls").reads(10)
    assert day.account().followers == 10
    day = Day().reads(1500).answer("withdrawn").reads(10)
    assert day.account().followers is None, "an answer alone binds nobody"


# ---- a record of the first edition ---------------------------------------------------------------

TERMS = ["first", 1000, "finance", "platform", "weibo-notice", "1", 3 * DAY, None]
TERMS += [{"recommend-feed": ["limited", "enforce"]}, ["declined", "no_answer"], [DAY], 20 * DAY, 1]
TERMS += ["0" * 64]


def cycle(**changes: Any) -> list[Any]:
    """A delivered cycle as 0.1.0 wrote it down, field by field."""
    issued, told = START + HOUR, START + HOUR + MINUTE
    fields: dict[str, Any] = {
        "terms": TERMS,
        "issued_at": issued,
        "delivered_at": told,
        "deadline_at": told + 3 * DAY,
        "clock_base": told + 3 * DAY,
        "clock_from": told,
        "stops": [],
        "reminded_count": 0,
        "answered_at": None,
        "receipts": [[told, "delivered"]],
        "failed_at": None,
        "reissue_wanted": False,
        "restriction_waived": False,
        "ordinals": {"invitation.issued": 1, "invitation.delivered": 1},
        "throttles": {},
        "first_issued_at": issued,
    }
    return list((fields | changes).values())


def record(state: int = 3, **changes: Any) -> bytes:
    """An account as 0.1.0 wrote it down."""
    fields: dict[str, Any] = {
        "followers": 1500,
        "observed_at": START,
        "above_line_since": {1000: START},
        "label": ["财经", START, "platform", None, START, False],
        "eligibility": 2,
        "line": 1000,
        "dwell_from": START,
        "leaving_since": None,
        "last_applied": [1, 0],
        "live": [1, 2, state, None, cycle() if state else None],
        "shadow": [0, 0, 0, None, None],
        "closed": False,
        "opened_at": None,
        "exempt": False,
        "exempt_at": None,
        "owner_at": None,
        "hold": None,
        "appeal": None,
        "controls": [],
        "answered": None,
        "deferred": None,
        "may_start_dwell": True,
        "evaluated_until": START + HOUR + MINUTE,
    }
    return msgspec.msgpack.encode(list((fields | changes).values()))


def taken_up(raw: bytes) -> Day:
    """A worker of this edition opens on that state."""
    day = Day().label("财经").wait(HOUR + 2 * MINUTE)
    day.tables.state[ACCOUNTS][KEY] = raw
    day.open(next(iter(day.partition._policies.values())))
    return day


def heard_in(raw: bytes) -> Heard:
    """What a record says that was heard of its account."""
    heard = decode_account(raw).heard
    assert heard is not None
    return heard


def test_an_account_of_the_first_edition_lives_on() -> None:
    day = taken_up(record()).wait(2 * DAY)
    assert day.said() == ["reminded reminder"]
    assert day.receipt(at=START + HOUR + MINUTE).decisions[-2]["ignored"] == "duplicate"
    assert day.wait(DAY).said()[0] == "expired no_answer"


def test_its_appeal_its_hold_and_its_mark_of_words_are_carried_over() -> None:
    words = {"exempt_at": START + 1, "opened_at": START + 2, "owner_at": START + 3}
    stops = {"appeal": [START + HOUR, None], "hold": [START + 2 * HOUR, None]}
    raw = record(answered=[START + 4, "declined+granted"], **words, **stops)
    heard = heard_in(raw)
    assert {name: said.applied_at for name, said in heard.words.items()} == {
        "exemption_ended": START + 1,
        "reopened": START + 2,
        "owner_changed": START + 3,
        "declined": START + 4,
        "granted": START + 4,
    }
    assert heard.appeals[""].since == START + HOUR
    assert heard.held_at == START + 2 * HOUR
    again = decode_account(encode(decode_account(raw)))
    assert (again.heard, again.appeal, again.controls, again.answered) == (heard, None, (), None)


def test_its_open_appeal_defers_until_the_verdict_without_an_id() -> None:
    day = taken_up(record(appeal=[START + HOUR + MINUTE, None])).wait(5 * DAY)
    assert day.said() == []
    day.control("appeal_rejected", appeal_id="a").run_timers()
    assert day.said() == []
    assert day.control("appeal_rejected").run_timers().said() == ["extended pause"]


def test_of_its_controls_the_last_256_count_as_known_but_for_what_protects() -> None:
    marks = [control_mark(f"old{number}") for number in range(1000)]
    assert count(heard_in(record(controls=marks)).controls, 24) == MOST_CONTROLS
    day = taken_up(record(controls=marks, hold=[START, None]))
    day.control("unhold", control_id="old999")
    assert day.account().hold is not None
    day.control("lift", control_id="old999")
    assert day.said() == ["cancelled operator"]
    day.control("unhold", control_id="old1")
    assert day.account().hold is None


def test_a_cycle_of_the_first_edition_with_too_many_stops_keeps_64_from_the_next_on() -> None:
    told = START + HOUR + MINUTE
    stops = [[told + number * 10, told + number * 10 + 1] for number in range(100)]
    life = [1, 2, 3, None, cycle(stops=stops)]
    day = taken_up(record(live=life)).control("hold").wait(MINUTE).control("unhold")
    kept = day.account().live.cycle
    assert kept is not None
    assert len(kept.stops) == 64


@pytest.mark.parametrize("word", ["declined", "withdrawn"])
def test_a_withdrawal_of_the_first_edition_still_outweighs_an_older_grant(word: str) -> None:
    day = taken_up(record(answered=[START + 2 * HOUR, word])).wait(2 * HOUR)
    day.answer("granted", at=START + 2 * HOUR - 1)
    assert day.said() == ["withdrawn answer"]


def test_switches_of_the_first_edition_stay_as_they_were() -> None:
    raw = msgspec.msgpack.encode(
        [
            {
                "*:adverse_off": [START + 5, START + 5, [[START + 1, START + 2]]],
                "weibo:answers_paused": [None, START + 9, [[START + 7, START + 9]]],
            }
        ]
    )
    day = Day()
    day.tables.state[ACCOUNTS][b"#brakes"] = raw
    day.open(next(iter(day.partition._policies.values())))
    stops = [(START + 1, START + 2), (START + 5, None)]
    assert day.partition._switches.stops(PLATFORM) == stops
    day.wait(HOUR).switch("adverse_off", False, at=START + 4)
    assert day.partition.counts["ignored", "switches", "stale"] == 1
    day.switch("adverse_off", False)
    assert day.partition._switches.stops(PLATFORM)[-1] == (START + 5, START + HOUR)


def test_a_fresh_account_is_as_small_as_before() -> None:
    assert len(encode(Account())) < 60


def test_a_restriction_of_the_first_edition_is_freed_by_a_bounce() -> None:
    day = expired()
    assert "undeliverable other" in day.wait(MINUTE).receipt("failed").said()
    assert delivered().wait(MINUTE).receipt("failed").said() == ["undeliverable other"]


# ---- what no worker wrote ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "key", "what"),
    [(ACCOUNTS, pseudonym(KEY), "an account"), (CATEGORIES, KEY, "a label")],
)
def test_what_no_worker_wrote_ends_a_worker_with_the_sentence_for_a_person(
    store: str, key: bytes, what: str
) -> None:
    """A restart would read the same again (an account that is open is met at the opening)."""
    day = Day()
    day.tables.state[store][key] = b"\xc1"
    if store == ACCOUNTS:
        day.open(policy())
    with pytest.raises(StopWorker, match=f"partition 0 has a record of {what} that no") as stopped:
        day.reads(1_500)
    assert stopped.value.exit_code is ExitCode.PERSON
