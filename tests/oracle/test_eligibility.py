"""Who is inside, and what defers, told to the model."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.oracle.given import ENFORCE, Story, at, delivered, expired, granted, invited
from tests.oracle.policy import OraclePhase

APPLIED = ["applied no_answer hot-search", "applied no_answer tips"]
EXPIRED = ["expired no_answer", *APPLIED]
DWELLING = ENFORCE.but(dwell=timedelta(minutes=20), exit_ratio=Decimal("0.9"))


def test_a_dwell_runs_from_when_all_conditions_hold() -> None:
    story = Story(DWELLING).reads(0, 1000).label(5).until(24.9)
    assert story.then() == []
    assert story.until(25).then() == ["issued over_line"]


def test_a_dip_below_the_line_ends_a_dwell() -> None:
    story = Story(DWELLING).label(0).reads(0, 1000).reads(10, 999).reads(11, 1000)
    assert story.until(30.9).then() == []
    assert story.until(31).then() == ["issued over_line"]


@pytest.mark.parametrize("cause", ["correction", "platform_purge"])
def test_a_correction_opens_nothing_whatever_comes_next(cause: str) -> None:
    assert Story().label(0).reads(0, 2000, cause=cause).until(99).then() == []
    assert Story().reads(0, 2000, cause=cause).label(1).until(99).then() == []
    assert Story().reads(0, 2000, cause=cause).label(1).reads(2, 2000).then() != []
    assert Story().reads(0, 2000).reads(1, 2000, cause=cause).label(2).then() != []


def test_a_correction_below_the_line_ends_a_dwell() -> None:
    story = Story(DWELLING).label(0).reads(0, 1000).reads(5, 950, cause="correction")
    assert story.reads(6, 1000, cause="correction").until(99).then() == []


@pytest.mark.parametrize("cause", ["correction", "platform_purge"])
@pytest.mark.parametrize("counts", [(2000, 1000), (1000, 2000)])
def test_of_two_counts_of_one_instant_the_lower_opens_or_not(
    counts: tuple[int, int], cause: str
) -> None:
    story = Story(DWELLING).label(0)
    for followers in counts:
        story.reads(0, followers, cause=cause if followers == 1000 else "organic")
    assert story.until(99).then() == []
    assert story.reads(99, 1000).until(119).then() == ["issued over_line"]


def test_leaving_defers_and_comes_back_or_ends() -> None:
    story = delivered(ENFORCE.but(exit_ratio=Decimal("0.9"))).reads(55, 899)
    assert story.until(64).then() == []
    assert story.reads(64, 900).until(64).then() == EXPIRED
    story = delivered().reads(55, 10).until(65)
    assert story.then() == ["cancelled left"]


def test_later_readings_below_do_not_prolong_the_leaving() -> None:
    assert delivered().reads(5, 10).reads(9, 9).until(15).then() == ["cancelled left"]


def test_keep_means_that_falling_changes_nothing() -> None:
    story = delivered(ENFORCE.but(keep=True)).reads(5, 10)
    assert story.until(61).then() == EXPIRED
    assert story.label(62, None).then()[0] == "cancelled label"


def test_a_stale_reading_is_not_applied_and_an_equal_one_is() -> None:
    assert delivered().reads(5, 10, observed_at=at(-1)).until(30).then() == []
    assert delivered().reads(5, 10, observed_at=at(0)).until(30).then() == ["cancelled left"]


def test_a_label_ends_with_its_validity() -> None:
    story = Story().label(0, valid_until=at(9)).reads(0, 1000)
    assert story.until(8.9).then() == ["issued over_line"]
    assert story.until(9).then() == ["cancelled label"]
    assert Story().label(0, valid_until=at(0)).reads(0, 1000).then() == []


@pytest.mark.parametrize("label", ["娱乐", "日常", "nobody knows", None])
def test_other_labels_are_not_covered(label: str | None) -> None:
    assert Story().label(0, label).reads(0, 9000).until(99).then() == []


def test_exempt_is_untouched_and_dwells_again_afterwards() -> None:
    story = Story(DWELLING).change(0, "exempted").label(0).reads(0, 1000).until(50)
    assert story.change(50, "exemption_ended").until(69).then() == []
    assert story.until(70).then() == ["issued over_line"]


def test_closed_forgets_and_reopened_needs_fresh_facts() -> None:
    story = invited().change(5, "closed").change(6, "reopened").until(99)
    assert story.then() == ["cancelled closed"]
    assert story.reads(100, 1000).then() == []
    assert story.label(101).then() == ["issued over_line"]
    assert story.last("cycle") == 2


def test_a_count_that_a_closing_deleted_is_not_read_again() -> None:
    story = Story().reads(0, 1000).change(5, "closed").change(6, "reopened").label(7)
    assert story.reads(8, 1000, observed_at=at(0)).until(99).then() == []
    assert story.reads(99, 1000, observed_at=at(1)).then() == ["issued over_line"]


def test_what_came_while_closed_is_not_read_again() -> None:
    story = Story().change(0, "closed").label(1).reads(2, 1000).change(5, "reopened")
    story.label(6, observed_at=at(1)).reads(7, 1000, observed_at=at(2))
    assert story.until(99).then() == []
    assert story.label(99, observed_at=at(3)).reads(99, 1000, observed_at=at(2)).then() == []
    assert story.reads(100, 1000, observed_at=at(3)).then() == ["issued over_line"]
    story = Story().change(0, "closed").label(1).change(5, "reopened").reads(6, 1000)
    assert story.label(7, observed_at=at(1)).until(99).then() == []
    assert story.label(99, observed_at=at(2)).then() == ["issued over_line"]


def test_what_came_while_closed_makes_what_is_older_stale() -> None:
    story = Story().change(0, "closed").label(3).label(4, observed_at=at(1))
    story.reads(4, 1000, observed_at=at(3)).reads(4, 1000, observed_at=at(1))
    story.change(5, "reopened").label(6, observed_at=at(2)).reads(7, 1000, observed_at=at(4))
    assert story.until(99).then() == []
    assert story.reads(99, 1000).label(99, observed_at=at(4)).then() == ["issued over_line"]
    story = Story().change(0, "closed").reads(4, 1000).change(5, "reopened").label(6)
    assert story.reads(7, 1000, observed_at=at(3)).until(99).then() == []


def test_a_reading_below_the_floor_that_comes_while_closed_leaves_nothing() -> None:
    story = Story().change(0, "closed").reads(4, 10).change(5, "reopened").label(6)
    assert story.reads(7, 1000, observed_at=at(3)).then() == ["issued over_line"]


def test_a_tombstone_that_comes_while_closed_makes_no_label_new() -> None:
    story = Story().change(0, "closed").label(1).label(2, None).change(5, "reopened")
    assert story.reads(6, 1000).label(7, observed_at=at(1)).until(99).then() == []


@pytest.mark.parametrize("name", ["category-changes", "follower-counts"])
def test_what_was_kept_when_a_closing_came_is_not_read_again(name: str) -> None:
    story = invited(ENFORCE.but(cool_down=timedelta(0))).label(5, valid_until=at(19)).reads(8, 10)
    value = {"category": "财经", "followers": 1000, "observed_at": at(25)}
    story.life.receive(at(30), name, value, entered=at(25))
    assert story.life.kept_labels or story.life.kept_readings
    story.life.receive(at(30), "account-changes", {"change": "closed", "observed_at": at(26)})
    assert not story.life.kept_labels
    assert not story.life.kept_readings
    story.change(31, "reopened")
    story = story.reads(32, 1000) if name == "category-changes" else story.label(32)
    assert story.then() == ["cancelled closed"]
    story.life.apply(at(33), name, value)
    assert story.until(99).then() == []
    story.life.apply(at(99), name, {**value, "observed_at": at(25.1)})
    assert story.then() == ["issued over_line"]


def test_a_count_forgotten_below_the_floor_is_not_read_again() -> None:
    for first in (0, 5):
        story = Story().reads(first, 1000).reads(6, 10, observed_at=at(5)).label(7)
        assert story.reads(8, 1000, observed_at=at(5)).until(99).then() == []
        assert story.reads(99, 1000, observed_at=at(6)).then() == ["issued over_line"]


@pytest.mark.parametrize("change", ["closed", "exempted"])
def test_nor_is_it_once_its_account_is_remembered(change: str) -> None:
    story = Story().reads(5, 1000).reads(6, 10, observed_at=at(5)).change(7, change)
    story.change(8, "reopened" if change == "closed" else "exemption_ended").label(9)
    assert story.reads(10, 1000, observed_at=at(5)).until(99).then() == []
    assert story.reads(99, 1000).then() == ["issued over_line"]


def test_a_phase_begins_in_time() -> None:
    phases = (*ENFORCE.phases, OraclePhase("half", 500, at(30)))
    story = Story(ENFORCE.but(phases=phases)).label(0).reads(0, 600).until(29)
    assert story.then() == []
    assert story.until(30).then() == ["issued over_line"]
    assert story.last("phase") == "half"


def test_below_the_floor_nothing_is_remembered() -> None:
    story = Story().label(5).reads(5, 900).reads(6, 1000, observed_at=at(4))
    assert story.then() == ["issued over_line"]


def test_facts_grow_old_and_hold_back_until_a_fresh_one() -> None:
    story = delivered(ENFORCE.but(max_age=timedelta(minutes=30)))
    assert story.until(80).then() == []
    assert story.reads(80, 1000).until(80).then() == EXPIRED


@pytest.mark.parametrize(("on", "off"), [("hold", "unhold"), ("appeal_opened", "appeal_rejected")])
def test_a_hold_or_an_appeal_stops_the_clock(on: str, off: str) -> None:
    story = delivered().control(11, on).control(21, off)
    assert (story.then(), story.last("deadline_at")) == (["extended pause"], at(71))
    assert story.until(70.9).then() == []
    assert story.until(71).then() == EXPIRED


def test_a_hold_ends_by_itself_and_an_unhold_ends_no_appeal() -> None:
    story = delivered().control(11, "hold", expires_at=at(21)).until(21)
    assert story.then() == ["extended pause"]
    story = delivered().control(11, "appeal_opened").control(21, "unhold").until(999)
    assert story.then() == []


def test_overlapping_pauses_count_once() -> None:
    story = delivered().control(11, "hold").switch(15, "adverse_off", True).control(21, "unhold")
    assert story.then() == []
    assert story.switch(31, "adverse_off", False).then() == ["extended pause"]
    assert story.last("deadline_at") == at(81)


def test_a_pause_runs_by_its_records_however_late_they_are_read() -> None:
    story = delivered().until(50)
    story.control(50, "hold", issued_at=at(45)).control(50, "unhold", issued_at=at(49))
    assert (story.then(), story.last("deadline_at")) == (["extended pause"], at(66))


@pytest.mark.parametrize("switch", ["adverse_off", "answers_paused"])
def test_an_answer_in_a_pause_is_in_time(switch: str) -> None:
    story = delivered().switch(60, switch, True).until(200).answers(200, "granted")
    assert story.then() == ["granted answer"]


def test_throttles_off_holds_back_but_stops_no_clock() -> None:
    story = delivered().switch(10, "throttles_off", True, scope="*").until(90)
    assert story.then() == []
    assert story.switch(90, "throttles_off", False, scope="*").until(90).then() == EXPIRED
    assert story.last("review_at") == at(190)


def test_another_platforms_switch_is_none_of_ours() -> None:
    story = delivered().switch(10, "adverse_off", True, scope="douyin")
    assert story.until(61).then() == EXPIRED


def test_invitations_off_holds_back_the_issue_alone() -> None:
    story = Story().switch(0, "invitations_off", True).label(1).reads(1, 1000)
    assert story.then() == []
    assert story.switch(5, "invitations_off", False).then() == ["issued over_line"]


@pytest.mark.parametrize("switch", ["adverse_off", "throttles_off"])
def test_a_renewal_waits_and_favourable_events_flow(switch: str) -> None:
    story = expired().switch(70, switch, True).until(200)
    assert story.then() == []
    assert story.answers(200, "granted").then()[0] == "granted late"


def test_a_restriction_ends_even_while_adverse_events_wait() -> None:
    story = expired().switch(70, "adverse_off", True).until(999)
    assert story.then() == ["lifted ended hot-search", "lifted ended tips"]


def test_a_control_counts_once() -> None:
    hold = {"control_id": "same", "issued_at": at(5)}
    story = delivered().control(5, "hold", **hold).control(6, "unhold").control(7, "hold", **hold)
    assert story.then() == ["extended pause"]
    assert not story.life.brakes.stopped


def test_a_known_id_with_another_content_is_applied() -> None:
    story = delivered().control(5, "extend", until=at(80), control_id="same")
    story.control(6, "extend", until=at(90), control_id="same")
    assert story.then() == ["extended operator", "extended operator"]


def test_a_consent_outlives_the_loss_of_every_condition() -> None:
    story = granted().reads(10, 1).label(11, None).change(12, "exempted").until(9999)
    assert story.then() == []
    assert story.answers(9999, "withdrawn").then() == ["withdrawn answer"]


class _OneAnHour:
    """A cap of one event of each kind an hour."""

    def __init__(self) -> None:
        self.taken: dict[str, list] = {"issued": [], "throttled": []}

    def next_free(self, kind, now):
        last = self.taken[kind][-1:]
        return max(now, last[0] + timedelta(minutes=60)) if last else now

    def take(self, kind, now):
        self.taken[kind].append(now)


def test_what_exceeds_a_cap_waits() -> None:
    caps = _OneAnHour()
    caps.take("issued", at(0))
    story = Story(caps=caps).label(1).reads(1, 1000).until(59)
    assert story.then() == []
    assert story.until(60).then() == ["issued over_line"]
    caps.take("throttled", at(110))
    assert story.receipt(61).until(169).then() == ["delivered receipt"]
    assert story.until(170).then() == EXPIRED
