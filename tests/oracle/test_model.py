"""The tables of invitation and throttle, row by row, told to the model.

schemas/CONTRACT.md, "Invitation" and "Throttle".
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.oracle.given import ENFORCE, Story, at, delivered, expired, granted, invited

LIFTED_LEFT = ["cancelled left", "lifted left hot-search", "lifted left tips"]
MINUTES = {count: timedelta(minutes=count) for count in (20, 30, 60, 90)}


def undelivered() -> Story:
    """Invited at 0, failed at 1."""
    story = invited().receipt(1, "failed", failure="blocked")
    story.then()
    return story


def declined() -> Story:
    """Delivered at 1, refused at 2."""
    story = delivered().answers(2, "declined")
    story.then()
    return story


STATES = {
    "INVITED": invited,
    "UNDELIVERED": undelivered,
    "DELIVERED": delivered,
    "DECLINED": declined,
    "EXPIRED": expired,
    "GRANTED": granted,
}
SOON = {state: 62 if state == "EXPIRED" else 3 for state in STATES}
"""A minute in each state at which no timer has acted since."""


def test_inside_is_invited_and_exactly_the_line_counts() -> None:
    assert Story().label(0).reads(0, 999).then() == []
    assert Story().label(0).reads(0, 1000).then() == ["issued over_line"]


def test_label_and_reading_count_whichever_came_first() -> None:
    assert Story().reads(0, 1000).label(5).then() == ["issued over_line"]


@pytest.mark.parametrize("given", [{"share": lambda policy: False}])
def test_outside_the_rollout_share_nobody_is_invited(given: dict) -> None:
    assert Story(**given).label(0).reads(0, 5000).then() == []


def test_none_ignores_receipts_and_answers() -> None:
    story = Story().receipt(0).answers(0, "granted").answers(0, "declined")
    assert story.answers(0, "withdrawn").then() == []
    assert story.life.state == "NONE"


def test_delivery_starts_the_window_and_is_never_before_the_issue() -> None:
    story = invited().receipt(5, occurred_at=at(-20))
    assert story.then() == ["delivered receipt"]
    assert story.last("delivered_at") == at(0)
    assert story.last("deadline_at") == at(60)


def test_answer_by_moves_a_deadline_only_later() -> None:
    phase = replace(ENFORCE.phases[0], answer_by=at(90))
    assert invited(ENFORCE.but(phases=(phase,))).receipt(1).last("deadline_at") == at(90)
    phase = replace(phase, answer_by=at(20))
    assert invited(ENFORCE.but(phases=(phase,))).receipt(1).last("deadline_at") == at(61)


def test_a_failed_receipt_is_a_work_list_and_never_a_restriction() -> None:
    story = invited().receipt(1, "failed", failure="blocked")
    assert story.then() == ["undeliverable blocked"]
    assert story.until(9999).then() == []


def test_undelivered_can_be_delivered_later() -> None:
    assert undelivered().receipt(9).then() == ["delivered receipt"]


def test_reissue_is_the_same_cycle_and_works_before_the_delivery_alone() -> None:
    for begin in (invited, undelivered):
        story = begin().control(9, "reissue")
        assert story.then() == ["issued reissued"]
        assert (story.last("cycle"), story.life.state) == (1, "INVITED")
    for state in set(STATES) - {"INVITED", "UNDELIVERED"}:
        assert STATES[state]().control(SOON[state], "reissue").then() == [], state


@pytest.mark.parametrize("begin", [invited, undelivered])
@pytest.mark.parametrize("answer", ["granted", "declined"])
def test_an_answer_stands_for_the_receipt(begin, answer: str) -> None:
    story = begin().answers(9, answer)
    assert story.then() == ["delivered answer", f"{answer} answer"]
    assert story.life.cycle["delivered_at"] == at(9)


def test_a_failure_after_the_delivery_is_believed_an_earlier_one_is_not() -> None:
    assert delivered().receipt(5, "failed", occurred_at=at(-4.1)).then() == []
    assert delivered().receipt(5, "failed", occurred_at=at(-4)).then() == ["undeliverable other"]


@pytest.mark.parametrize("state", ["DELIVERED", "DECLINED", "EXPIRED", "GRANTED"])
def test_other_receipts_are_ignored(state: str) -> None:
    story = STATES[state]().receipt(61, "delivered")
    assert story.receipt(61, "failed", invitation_id="other").then() == []
    assert story.life.state == state


@pytest.mark.parametrize("state", ["DECLINED", "GRANTED"])
def test_a_failure_changes_nothing_once_answered(state: str) -> None:
    assert STATES[state]().receipt(SOON[state], "failed").then() == []


def test_reminders_come_once_before_the_deadline_and_only_while_unanswered() -> None:
    policy = ENFORCE.but(reminders=(MINUTES[20], MINUTES[60], MINUTES[90]))
    assert delivered(policy).until(40).then() == []
    assert delivered(policy).until(60).then() == ["reminded reminder"]
    assert delivered(policy).answers(2, "declined").until(60).then() == ["declined answer"]


def test_a_refusal_does_not_shorten_the_window() -> None:
    story = delivered().answers(2, "declined").until(60.9)
    assert story.then() == ["declined answer"]
    applied = ["applied declined hot-search", "applied declined tips"]
    assert story.until(61).then() == ["expired declined", *applied]


def test_silence_expires_and_restricts_each_surface() -> None:
    applied = ["applied no_answer hot-search", "applied no_answer tips"]
    assert delivered().until(61).then() == ["expired no_answer", *applied]


def test_on_must_name_the_reason() -> None:
    policy = ENFORCE.but(on=frozenset({"declined"}))
    assert delivered(policy).until(310).then() == ["expired no_answer"]


def test_an_answer_at_the_deadline_beats_it() -> None:
    assert delivered().answers(61, "granted").then() == ["granted answer"]


@pytest.mark.parametrize(("occurred", "reason"), [(61, "in_time"), (62, "late")])
def test_a_grant_after_expiry_lifts(occurred: int, reason: str) -> None:
    story = expired().answers(70, "granted", occurred_at=at(occurred))
    lifted = ["lifted granted hot-search", "lifted granted tips"]
    assert story.then() == [f"granted {reason}", *lifted]


def test_declined_can_still_be_granted() -> None:
    assert declined().answers(3, "granted").then() == ["granted answer"]


@pytest.mark.parametrize("state", ["DECLINED", "EXPIRED"])
def test_a_second_refusal_is_recorded_only(state: str) -> None:
    story = STATES[state]().answers(61, "declined")
    assert (story.then(), story.life.state) == ([], state)


@pytest.mark.parametrize("answer", ["withdrawn", "declined"])
def test_withdrawal_restricts_nothing_and_cools_down(answer: str) -> None:
    story = granted().answers(3, "granted").answers(4, answer)
    assert story.then() == ["withdrawn answer"]
    assert story.until(33.9).then() == []
    assert story.until(34).then() == ["issued over_line"]
    assert story.last("cycle") == 2


@pytest.mark.parametrize("state", ["INVITED", "UNDELIVERED", "DELIVERED", "DECLINED", "EXPIRED"])
def test_withdrawn_elsewhere_is_recorded_only(state: str) -> None:
    story = STATES[state]().answers(SOON[state], "withdrawn")
    assert (story.then(), story.life.state) == ([], state)


def test_an_answer_for_another_cycle_counts_only_as_withdrawal() -> None:
    assert delivered().answers(2, "granted", invitation_id="other").then() == []
    assert granted().answers(3, "declined", invitation_id="other").then() == []
    assert granted().answers(3, "withdrawn", invitation_id="other").then() == ["withdrawn answer"]


def test_an_older_answer_is_stale() -> None:
    story = granted().answers(3, "withdrawn")
    story.then()
    assert story.answers(4, "granted", occurred_at=at(2)).then() == []
    assert granted().answers(9, "withdrawn", occurred_at=at(-3.1)).then() == []


@pytest.mark.parametrize(("command", "reason"), [("lift", "operator"), ("appeal_upheld", "appeal")])
def test_lift_and_upheld_appeal_end_it(command: str, reason: str) -> None:
    for state in ("INVITED", "UNDELIVERED", "DELIVERED", "DECLINED"):
        story = STATES[state]().control(5, command)
        assert story.then() == [f"cancelled {reason}"], state
        again = ["issued over_line"] if command == "lift" else []
        assert story.until(35).then() == again, state
    story = expired().control(70, command)
    assert story.then() == [f"lifted {reason} hot-search", f"lifted {reason} tips"]
    assert (story.until(999).then(), story.life.state) == ([], "EXPIRED")
    assert granted().control(70, command).then() == []


@pytest.mark.parametrize("state", ["DELIVERED", "DECLINED"])
def test_extend_moves_the_deadline_later_and_never_earlier(state: str) -> None:
    story = STATES[state]().control(5, "extend", until=at(60)).control(5, "extend")
    assert story.then() == []
    assert story.control(6, "extend", until=at(80)).then() == ["extended operator"]
    assert story.until(79).then() == []
    assert len(story.until(80).then()) == 3


@pytest.mark.parametrize("change", ["closed", "owner_changed", "exempted"])
@pytest.mark.parametrize("state", list(STATES))
def test_account_changes_end_what_is_open(state: str, change: str) -> None:
    story = STATES[state]().change(SOON[state], change)
    if state == "GRANTED":
        assert story.then() == ([] if change == "exempted" else [f"voided {change}"])
        return
    lifted = [f"lifted {change} {surface}" for surface in ("hot-search", "tips")]
    assert story.then() == [f"cancelled {change}", *(lifted if state == "EXPIRED" else [])]


@pytest.mark.parametrize("state", list(STATES))
def test_a_lost_label_ends_what_is_open_but_no_consent(state: str) -> None:
    story = STATES[state]().label(SOON[state], "娱乐")
    assert (story.then() == []) == (state == "GRANTED")


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_leaving_enforce_cancels_and_a_consent_stays(mode: str) -> None:
    lifted = ["lifted policy hot-search", "lifted policy tips"]
    story = expired().policy(70, ENFORCE.but(mode=mode))
    begun = ["shadow issued over_line", "shadow delivered projected"] if mode == "shadow" else []
    assert story.then() == ["cancelled policy", *lifted, *begun]
    assert granted().policy(70, ENFORCE.but(mode=mode)).until(999).then() == []


def test_a_new_notice_voids_a_consent_if_it_says_so() -> None:
    assert granted().policy(70, ENFORCE.but(notice_version="2")).then() == []
    renewed = ENFORCE.but(notice_version="2", renew=True)
    assert granted().policy(70, renewed).then() == ["voided notice", "issued over_line"]


def test_review_renews_and_expiry_ends_and_invites_again_after_the_cool_down() -> None:
    story = expired().until(161)
    assert story.then() == ["renewed review hot-search", "renewed review tips"]
    assert story.until(261).then() == ["renewed review hot-search", "renewed review tips"]
    assert story.until(311).then() == ["lifted ended hot-search", "lifted ended tips"]
    assert story.until(340).then() == []
    assert story.until(341).then() == ["issued over_line"]


def test_terms_are_pinned_and_a_milder_policy_applies_at_once() -> None:
    wider = ENFORCE.but(surfaces={**ENFORCE.surfaces, "search": ("off", None)})
    assert len(delivered().policy(2, wider).until(61).then()) == 3
    fewer = ENFORCE.but(surfaces={"tips": ("off", None)})
    assert expired().policy(70, fewer).then() == ["lifted policy hot-search"]
    assert delivered().policy(2, ENFORCE.but(window=MINUTES[30])).then() == []
    longer = delivered().policy(2, ENFORCE.but(window=MINUTES[90]))
    assert (longer.then(), longer.last("deadline_at")) == (["extended policy"], at(91))


def test_a_shadow_life_runs_to_its_end_in_shadow() -> None:
    story = Story(ENFORCE.but(mode="shadow")).label(0).reads(0, 1000)
    assert story.then() == ["shadow issued over_line", "shadow delivered projected"]
    applied = ["shadow applied no_answer hot-search", "shadow applied no_answer tips"]
    story.answers(5, "granted").receipt(6, "failed").until(60)
    assert story.then() == ["shadow expired no_answer", *applied]


def test_a_shadow_life_with_a_null_window_stays_delivered() -> None:
    story = Story(ENFORCE.but(mode="shadow", window=None)).label(0).reads(0, 1000).until(9999)
    assert (story.last("deadline_at"), story.life.state) == (None, "DELIVERED")


def test_a_shadow_surface_of_a_live_cycle_has_its_own_sequence() -> None:
    policy = ENFORCE.but(surfaces={"tips": ("off", "shadow"), "hot-search": ("limited", None)})
    story = delivered(policy).until(61)
    shown = ["expired no_answer", "applied no_answer hot-search", "shadow applied no_answer tips"]
    assert story.then() == shown
    assert [event["sequence"] for event in story.life.events] == [1, 2, 3, 4, 1]


def test_a_change_of_mode_starts_from_none() -> None:
    shadow = ENFORCE.but(mode="shadow")
    story = Story(shadow).label(0).reads(0, 1000).until(60)
    story.then()
    lifted = [f"shadow lifted policy {surface}" for surface in ("hot-search", "tips")]
    begun = ["shadow cancelled policy", *lifted, "issued over_line"]
    assert story.policy(70, ENFORCE).then() == begun
    assert story.policy(80, shadow).then() == ["cancelled policy"]
    assert story.until(99.9).then() == []
    assert story.until(110).then() == ["shadow issued over_line", "shadow delivered projected"]
    assert (story.last("cycle"), story.last("sequence")) == (2, 10)
