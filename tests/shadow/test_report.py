"""What enforce would do, held to what it then does; what shadow said, held to what went out."""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from schemas.enums import Mode, Surface
from streams.core.model.policy import Consequence, Notice, Phase, Policy, Restriction
from streams.index.database import reading
from streams.index.fresh import Fresh
from streams.operate.audit.records import Record, millis
from streams.shadow.report import ShadowReport, reports
from tests.core.given import DAY, HOUR, PLATFORM, START, policy, stability
from tests.index.filled import changelog, empty, write
from tests.operate.recording import Tape, invited
from tests.rollout.played import Played, PlayedRates, ids

MANY = 100_000
SHADOW = policy(mode=Mode.SHADOW, invitations_per_day=MANY, throttles_per_hour=MANY)
NOBODY = PlayedRates(0, 0, 0)


def indexed(folder: Path, records: list[Record]) -> Engine:
    engine = empty(folder)
    write(engine, records)
    return engine


def asked(engine: Engine, now: int, *on_disk: Policy, **more: object) -> ShadowReport:
    with reading(engine) as connection:
        files = {it.platform: it for it in on_disk}
        (found,) = reports(connection, Fresh(now, 0, now), files, 0, now + 1, **more)  # type: ignore[arg-type]
    return found


def sent(played: Played, since: int, event: str) -> list[dict[str, object]]:
    """Live events of a kind that went out from an instant on."""
    found = [
        json.loads(it.value or b"")
        for it in played.records()
        if it.topic in ("invitations", "throttles") and it.timestamp >= since
    ]
    return [it for it in found if it["event"] == event]


def test_what_enforce_would_do_is_what_it_then_does(tmp_path: Path) -> None:
    played = Played(SHADOW)
    known = ids(30, 0, 99)
    played.rise(known[:20])
    played.rise(known[20:25], followers=999)
    played.wait(2 * DAY)
    at = played.now
    found = asked(indexed(tmp_path, played.records()), at)
    trial = found.trial
    assert trial is not None
    played.take_up(replace(SHADOW, version=2, mode=Mode.ENFORCE))
    played.answer(known[:20], NOBODY, random.Random(1))
    played.wait(10 * DAY)
    assert set(trial.invited) == {it["account_id"] for it in sent(played, at, "invitation.issued")}
    applied = sent(played, at, "throttle.applied")
    assert trial.restricted == {it["account_id"] for it in applied} == set(known[:20])
    surfaces = Counter(it["surface"] for it in applied)
    assert trial.surfaces == surfaces == {"recommend-feed": 20, "tips": 20}
    assert trial.first_at == min(millis(str(it["decided_at"])) for it in applied)
    assert found.sentence() == (
        "Switching weibo to enforce now would invite 20 accounts and, if nobody answers, would"
        " restrict 20 accounts on 2 surfaces; 20 of them were never sent a notice, and are"
        " restricted only after proof that one came; the first restriction would be at"
        " 2024-01-06T04:00:00Z."
    )


def test_the_roll_out_the_caps_and_who_waits_hold_there_too(tmp_path: Path) -> None:
    half = replace(SHADOW, rollout_percent=50, invitations_per_day=3, throttles_per_hour=2)
    played = Played(half)
    inside, outside = ids(9, 0, 49), ids(4, 50, 99)
    played.rise([*inside, *outside])
    trial = asked(indexed(tmp_path, played.records()), played.now).trial
    assert trial is not None
    assert set(trial.invited) == trial.restricted == set(inside)
    days = Counter((at + 8 * HOUR) // DAY for at in trial.invited.values())
    assert max(days.values()) == 3
    hours = Counter((at + 8 * HOUR) // HOUR for at in trial.applied.values())
    assert max(hours.values()) <= 2 * len(trial.surfaces)


def test_who_has_no_proof_of_delivery_is_counted_apart(tmp_path: Path) -> None:
    live = policy(invitations_per_day=MANY)
    played = Played(live)
    known = ids(12, 0, 99)
    played.rise(known)
    bounced, unheard, told = known[:3], known[3:5], known[5:]
    played.answer(bounced, PlayedRates(1, 0, 0), random.Random(1))
    played.answer(unheard, PlayedRates(0, 0, 0, silent=1), random.Random(1))
    played.answer(told, NOBODY, random.Random(1))
    played.take_up(replace(live, version=2, mode=Mode.SHADOW))
    played.wait(30 * DAY)
    played.rise(ids(4, 0, 99, "new"))
    found = asked(indexed(tmp_path, played.records()), played.now)
    assert found.trial is not None
    assert len(found.trial.restricted) == 16
    assert (found.told, found.unproven) == (12, 5)
    assert "5 of them have no proof of delivery and will not be restricted" in found.sentence()
    assert "4 of them were never sent a notice" in found.sentence()


def test_a_surface_in_shadow_adds_only_what_it_adds(tmp_path: Path) -> None:
    surfaces = {
        Surface.RECOMMEND_FEED: Restriction("limited", None),
        Surface.TIPS: Restriction("off", Mode.SHADOW),
    }
    consequence = replace(policy().consequence, surfaces=surfaces)
    tape = Tape(policy(consequence=consequence))
    for account in ("a1", "a2"):
        invited(tape, account).receipt(account=account)
    tape.wait(DAY).sealed()
    invited(tape, "a3")
    tape.label("财经", "a4").reads(2_000, "a4")
    engine = indexed(tmp_path, [*tape.records(), *changelog(tape)])
    found = asked(engine, tape.now)
    assert found.trial is not None
    assert found.trial.invited == {}, "a4 would be invited all the same"
    assert set(found.trial.applied) == {("a4", "tips")}, "stricter terms need a new invitation"
    tape.wait(5 * DAY).sealed()
    later = asked(indexed(tmp_path / "later", [*tape.records(), *changelog(tape)]), tape.now)
    assert later.said.surfaces == {
        "recommend-feed": {"enforce": (2, 2)},
        "tips": {"shadow": (2, 2)},
    }
    assert later.said.restricted == {"shadow": (2, 2), "enforce": (2, 2)}


def test_what_shadow_said_is_what_went_out(tmp_path: Path) -> None:
    played = Played(SHADOW)
    known = ids(6, 0, 99)
    played.rise(known)
    played.wait(4 * DAY)
    engine = indexed(tmp_path, played.records())
    found = asked(engine, played.now)
    assert found.said.live is None
    assert found.said.shadow is not None
    assert found.said.shadow.counts["invited"] == 6
    assert found.said.shadow.counts["restricted"] == 6
    assert found.said.surfaces["tips"] == {"shadow": (6, 6)}
    with reading(engine) as connection:
        early = reports(connection, Fresh(played.now, 0, 0), {}, START, START + HOUR)[0]
        assert early.said.surfaces == {}


def test_a_policy_that_lacks_facts_says_which_and_whom_it_would_invite(tmp_path: Path) -> None:
    notice = Notice("weibo-notice", "1", False, None, ())
    bare = policy(
        mode=Mode.SHADOW,
        notice=notice,
        impact_assessment=None,
        consequence=Consequence(None, frozenset({"no_answer"}), 5 * DAY, 20 * DAY),
    )
    played = Played(bare)
    played.rise(ids(3, 0, 99))
    engine = indexed(tmp_path, played.records())
    assert asked(engine, played.now).sentence() == (
        "weibo cannot be switched to enforce yet, its policy lacks notice.answer_window,"
        " consequence.surfaces, impact_assessment; it would invite 3 accounts."
    )
    unassessed = replace(SHADOW, version=2, impact_assessment=None)
    said = asked(engine, played.now, unassessed).sentence()
    assert said.startswith("weibo cannot be switched to enforce yet, its policy lacks impact_ass")
    assert "would restrict 3 accounts on 2 surfaces" in said


def test_old_facts_are_left_out_and_brakes_are_named(tmp_path: Path) -> None:
    aging = replace(SHADOW, stability=stability(max_age=5 * DAY))
    tape = Tape(aging)
    invited(tape, "old")
    tape.wait(6 * DAY)
    invited(tape, "young")
    aged = asked(indexed(tmp_path / "aged", [*tape.records(), *changelog(tape)]), tape.now)
    assert aged.trial is not None
    assert (set(aged.trial.invited), aged.trial.stale, aged.notes) == ({"young"}, 1, [])
    tape.switch("adverse_off", True, scope="weibo")
    found = asked(indexed(tmp_path, [*tape.records(), *changelog(tape)]), tape.now)
    assert found.trial is not None
    assert found.trial.stale == 1
    assert found.trial.invited == {}
    assert found.notes == [
        "adverse_off is in force for weibo: what it holds back is not counted here"
    ]


def test_the_file_counts_where_there_is_one_and_a_refusal_is_said(tmp_path: Path) -> None:
    played = Played(SHADOW)
    played.rise(ids(5, 0, 99), followers=1_500)
    engine = indexed(tmp_path, played.records())
    phases = (Phase("first", 2_000, START - 30 * DAY, None, None),)
    higher = asked(engine, played.now, replace(SHADOW, version=2, phases=phases))
    assert higher.on_disk
    assert higher.sentence() == (
        "Switching weibo to enforce now would invite nobody and restrict nobody, even if nobody"
        " answers."
    )
    other = replace(SHADOW, version=2, notice=Notice("another", "1", False, 3 * DAY, ()))
    refused = asked(engine, played.now, other).sentence()
    assert refused.startswith("weibo cannot be switched to enforce: the notice another of weibo")
    enforcing = asked(engine, played.now, policy(version=2), platform=PLATFORM)
    assert enforcing.sentence() == "Nothing of weibo is in shadow: there is nothing to switch."


def test_what_a_worker_would_say_of_the_file_is_said_too(tmp_path: Path) -> None:
    played = Played(replace(SHADOW, version=2))
    played.rise(ids(2, 0, 99))
    engine = indexed(tmp_path, played.records())
    older = asked(engine, played.now, SHADOW)
    assert (older.on_disk, older.policy.version) == (False, 2)
    assert older.notes[0].startswith("the file has version 1 and is left alone: version 2 runs")
    shared = asked(engine, played.now, replace(SHADOW, version=2, rollout_percent=50))
    assert shared.on_disk
    assert shared.notes[0].startswith("the file is another text than what runs, and both say ver")
    alone = replace(SHADOW, version=3, approvals=(("op.1", 1),))
    assert asked(engine, played.now, alone).notes == []
    assert asked(engine, played.now, alone, two_approvals=True).notes == [
        "enforce needs two approvals here (BYLINE_REQUIRE_APPROVALS), the file has 1"
    ]


def test_a_file_that_reaches_further_says_that_more_may_follow(tmp_path: Path) -> None:
    played = Played(SHADOW)
    played.rise(ids(5, 0, 99))
    phases = (Phase("first", 500, START - 30 * DAY, None, None),)
    lower = replace(SHADOW, version=2, phases=phases)
    found = asked(indexed(tmp_path, played.records()), played.now, lower).trial
    assert found is not None
    assert len(found.invited) == 5
    assert found.unknown == "the floor falls from 900 to 450"


def test_other_platforms_stay_as_they_are(tmp_path: Path) -> None:
    tape = Tape(SHADOW, policy(platform="douyin"))
    invited(tape, "a1")
    for name in ("b1", "b2"):
        tape.label("财经", name, platform="douyin").reads(2_000, name, platform="douyin")
    tape.wait(2 * HOUR)
    engine = indexed(tmp_path, [*tape.records(), *changelog(tape)])
    found = asked(engine, tape.now)
    assert found.platform == "weibo", "nothing of douyin is in shadow"
    assert found.trial is not None
    assert set(found.trial.invited) == {"a1"}
    assert found.said.live is None


@pytest.mark.parametrize("count", [2, 3])
def test_each_partition_has_its_share_of_the_caps(count: int, tmp_path: Path) -> None:
    capped = replace(SHADOW, invitations_per_day=count)
    records: list[Record] = []
    for number in range(count):
        played = Played(capped)
        played.rise(ids(4, 0, 99, f"p{number}-"))
        mine = [it._replace(partition=number) for it in played.records()]
        records += [it for it in mine if number == 0 or it.topic != "policies"]
        now = played.now
    records = [it._replace(partition=0) if it.topic == "policies" else it for it in records]
    trial = asked(indexed(tmp_path, records), now).trial
    assert trial is not None
    assert len(trial.invited) == 4 * count
    days = Counter((at + 8 * HOUR) // DAY for at in trial.invited.values())
    assert max(days.values()) == count


@pytest.mark.parametrize(("cap", "accounts"), [(2, 12), (1, 12), (4, 24)])
def test_the_trial_goes_on_until_each_partition_s_share_has_let_in_all(
    cap: int, accounts: int, tmp_path: Path
) -> None:
    """A partition with all accounts has still only its share, here half of the cap."""
    capped = replace(SHADOW, invitations_per_day=cap)
    played = Played(capped)
    played.rise(ids(accounts, 0, 99))
    empty_one = Played(capped)
    empty_one.wait(played.now - empty_one.now)
    beside = [it._replace(partition=1) for it in empty_one.records() if it.topic != "policies"]
    found = asked(indexed(tmp_path, [*played.records(), *beside]), played.now)
    assert found.trial is not None
    assert len(found.trial.invited) == len(found.trial.restricted) == accounts
    assert found.notes == []


def test_a_trial_that_the_caps_make_too_long_says_that_it_ended_before(tmp_path: Path) -> None:
    capped = replace(SHADOW, invitations_per_day=1)
    played = Played(capped)
    played.rise(ids(12, 0, 99))
    engine = indexed(tmp_path, played.records())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.shadow.trial.LONGEST", 8 * DAY)
        found = asked(engine, played.now)
    assert found.trial is not None
    assert len(found.trial.invited) < 12
    assert found.notes == [
        "the caps may let in the last accounts only after 8 days, where the trial ended: the"
        " numbers are of those days"
    ]


def test_an_index_that_never_had_all_says_that_more_may_follow(tmp_path: Path) -> None:
    """Of an empty one `enforce` would invite nobody, and that must not be all that is said."""
    engine = empty(tmp_path)
    with reading(engine) as connection:
        (found,) = reports(connection, Fresh(None, 40, START), {PLATFORM: SHADOW}, 0, START)
    assert "would invite nobody" in found.sentence()
    assert found.notes == ["the index has not read all topics yet: more may follow, of everything"]
