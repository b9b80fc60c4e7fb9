"""A roll-out that was lived through the core and indexed: go on, hold, not enough yet."""

import functools
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len
from sqlalchemy import Engine

from schemas.enums import Mode
from streams.core.model.ids import bucket
from streams.core.model.policy import Phase
from streams.index.database import FILE_NAME, reading
from streams.index.fresh import Fresh
from streams.rollout.cohorts import CohortChange, Cohorts, CohortVersion, LetIn, Rate
from streams.rollout.comparison import compared
from streams.rollout.status import RolloutStatus, RolloutVerdict, _lacking, _silent, status
from streams.settings_checks import variable
from tests.cli.conftest import Byline
from tests.core.given import DAY, PLATFORM, START, policy
from tests.index.filled import empty, index_of, write
from tests.rollout.played import Played, PlayedRates, ids

SEED = 16
FIRST = policy(rollout_percent=10, invitations_per_day=100_000)
RAISED = policy(version=2, rollout_percent=20, invitations_per_day=100_000)


def lived(
    before: int, new: int, rates: PlayedRates, worse: PlayedRates, ripe: int = 20 * DAY
) -> Played:
    """So many accounts before a raise from 10 to 20, and so many that it let in."""
    chance = random.Random(SEED)
    played = Played(FIRST)
    old, young = ids(before, 0, 9), ids(new, 10, 19)
    played.rise([*old, *young])
    played.answer(old, rates, chance)
    played.wait(20 * DAY)
    played.take_up(RAISED)
    played.answer(young, worse, chance)
    played.wait(ripe)
    return played


def asked(engine: Engine, played: Played, late: int = 0, **more: object) -> RolloutStatus:
    with reading(engine) as connection:
        fresh = Fresh(played.now, 0, played.now)
        (found,) = status(connection, fresh, played.now + late, **more)  # type: ignore[arg-type]
    return found


def indexed(folder: Path, played: Played) -> Engine:
    return index_of(folder, played.records())


THIRD = PlayedRates(0.3, 0.3, 0.3)


@functools.cache
def alike() -> Played:
    """Three hundred lives, lived once: nobody is worse after the raise. Tests only read them."""
    return lived(150, 150, THIRD, THIRD)


def test_a_raise_after_which_nothing_is_worse_goes_on(tmp_path: Path) -> None:
    played = alike()
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.GO_ON, found.why
    assert found.change is not None
    assert (found.change.raised, found.change.before.percent) == (True, 10)
    for it in found.rates:
        assert (it.before.accounts, it.new.accounts, it.more) == (150, 150, (0, 0))
        assert 20 < it.before.befell < 75, it


@pytest.mark.parametrize(
    ("rate", "worse"),
    [
        (Rate.UNDELIVERED, PlayedRates(0.6, 0.1, 0.1)),
        (Rate.DECLINED, PlayedRates(0.1, 0.6, 0.1)),
        (Rate.UPHELD, PlayedRates(0.1, 0.1, 0.6)),
    ],
)
def test_a_rate_that_is_higher_among_the_new_ones_holds(
    rate: Rate, worse: PlayedRates, tmp_path: Path
) -> None:
    played = lived(60, 60, PlayedRates(0.1, 0.1, 0.1), worse)
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.HOLD
    assert [it.rate for it in found.rates if it.higher] == [rate]
    assert found.why[0].startswith(f"{rate.value} is higher among the new ones")


def test_too_few_are_said_with_how_many_more_it_takes(tmp_path: Path) -> None:
    played = lived(60, 40, PlayedRates(), PlayedRates())
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.NOT_ENOUGH
    for it in found.rates:
        assert it.more[1] == it.needed[1] - 40 > 0
        assert it.more[0] == it.needed[0] - 60
        assert it.before.share == it.base


def test_an_account_counts_when_its_time_is_up_and_what_came_later_does_not(
    tmp_path: Path,
) -> None:
    played = lived(30, 30, THIRD, THIRD, ripe=2 * DAY)
    engine = indexed(tmp_path, played)
    counted = {it.rate: (it.before.accounts, it.new.accounts) for it in asked(engine, played).rates}
    assert counted == {
        Rate.UNDELIVERED: (30, 30),
        Rate.DECLINED: (30, 0),
        Rate.UPHELD: (30, 0),
    }
    evidence = {it.rate: it.evidence for it in asked(engine, played).rates}
    assert evidence[Rate.DECLINED] == evidence[Rate.UPHELD] == 1
    soon = asked(engine, played, within=dict.fromkeys(Rate, DAY // 2))
    assert [it.new.befell for it in soon.rates][1:] == [0, 0]


def test_a_later_look_only_adds_to_what_an_earlier_one_saw(tmp_path: Path) -> None:
    played = lived(60, 60, PlayedRates(0.1, 0.1, 0.1), PlayedRates(0.4, 0.1, 0.1), ripe=40 * DAY)
    engine = indexed(tmp_path, played)
    evidence = []
    with reading(engine) as connection:
        for day in range(20, 80, 4):
            at = START + day * DAY
            (found,) = status(connection, Fresh(at, 0, at), at)
            evidence.append([it.evidence for it in found.rates])
    for earlier, later in pairwise(evidence):
        assert all(a <= b for a, b in zip(earlier, later, strict=True))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("late", "the index is behind"),
        ("silent", "receipts are missing"),
        ("history", "nobody knows when version 2 was taken up"),
        ("nobody", "nobody was let in before version 2"),
    ],
)
def test_what_is_missing_means_hold(what: str, says: str, tmp_path: Path) -> None:
    worse = PlayedRates(0, 0, 0, silent=1.0 if what == "silent" else 0)
    played = lived(0 if what == "nobody" else 20, 20, PlayedRates(0, 0, 0), worse)
    records = played.records()
    if what == "history":
        # A decision log of which only the end is left, as after its retention.
        records = [
            it for it in records if it.topic != "decisions" or b'"kind":"decision"' in it.value
        ]
    engine = empty(tmp_path)
    write(engine, records)
    found = asked(engine, played, late=2 * 60_000 if what == "late" else 0)
    assert found.verdict is RolloutVerdict.HOLD
    assert any(it.startswith(says) for it in found.why), found.why


def test_new_ones_without_a_receipt_hold_and_are_never_taken_for_delivered(tmp_path: Path) -> None:
    played = lived(150, 150, THIRD, THIRD._replace(silent=0.45))
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.HOLD
    assert [it.partition(": of")[0] for it in found.why] == ["receipts are missing"]
    undelivered = found.rates[0]
    assert undelivered.new.accounts + undelivered.new.unheard == 150
    assert 25 < undelivered.new.unheard < 68, (
        "some of the silent answer, and an answer stands for one"
    )
    assert undelivered.before.unheard == 0
    share = undelivered.new.share
    assert share is not None
    assert share > 22 / 150, "of those of whom something was heard, not of all"


def test_those_before_without_a_receipt_hold_too(tmp_path: Path) -> None:
    played = lived(20, 20, PlayedRates(0, 0, 0, silent=0.5), PlayedRates(0, 0, 0))
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.HOLD
    assert "20 accounts from before" in found.why[0]


RAISE = CohortChange(
    PLATFORM, CohortVersion(1, 10, "enforce", 0, 0), CohortVersion(2, 20, "enforce", 0, 1)
)


def heard(count: int, *receipts: int | None, cancelled: int | None = None) -> list[LetIn]:
    """So many accounts with these receipts in turn."""
    return [
        LetIn(f"weibo:u{at}", 0, receipts[at % len(receipts)], {}, cancelled) for at in range(count)
    ]


@pytest.mark.parametrize(
    ("new", "holds"),
    [
        (heard(20, 1), False),
        ([*heard(95, 1), *heard(5, None)], False),
        ([*heard(94, 1), *heard(6, None)], True),
        ([*heard(94, 1), *heard(6, 3 * DAY + 1)], True),
        ([*heard(94, 1), *heard(6, None, cancelled=DAY)], False),
        ([*heard(94, 1), *heard(6, None, cancelled=4 * DAY)], True),
        (heard(1, None), True),
    ],
)
def test_a_receipt_has_to_come_in_time_unless_the_invitation_was_cancelled(
    new: list[LetIn], holds: bool
) -> None:
    said = list(_silent({"p": Cohorts(heard(100, 1), new)}, RAISE, 3 * DAY, 3 * DAY))
    assert len(said) == holds
    assert list(_silent({"p": Cohorts(heard(100, 1), new)}, RAISE, 3 * DAY - 1, 3 * DAY)) == []


def test_an_old_disturbance_of_the_notifier_holds_no_later_roll_out() -> None:
    """Of those before, only as many are asked for as stand beside the new ones."""
    before = [*heard(50, 1), *heard(500, None)]
    assert list(_silent({"p": Cohorts(before, heard(50, 1))}, RAISE, 3 * DAY, 3 * DAY)) == []
    assert list(_silent({"p": Cohorts(before, heard(60, 1))}, RAISE, 3 * DAY, 3 * DAY)) != []


def test_a_phase_with_nobody_from_before_holds(tmp_path: Path) -> None:
    played = Played(FIRST)
    old = ids(10, 0, 9)
    played.rise(old)
    lower = (*FIRST.phases, Phase("second", 500, START + DAY, None, None))
    played.take_up(policy(version=2, phases=lower, invitations_per_day=100_000))
    played.wait(2 * DAY)
    played.rise(ids(10, 0, 99, "v"), 700)
    played.wait(20 * DAY)
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.HOLD
    assert any("nobody was let in before in phase second" in it for it in found.why), found.why


def test_phases_are_never_mixed() -> None:
    """A phase in which more bounce has most of the new ones; in neither phase anything is worse."""
    chance = random.Random(SEED)

    def group(count: int, share: float) -> list[LetIn]:
        drawn = [{Rate.UNDELIVERED: 1} if chance.random() < share else {} for _ in range(count)]
        return [LetIn(f"weibo:u{at}", 0, 1, first) for at, first in enumerate(drawn)]

    common, rare = (
        Cohorts(group(400, 0.05), group(40, 0.05)),
        Cohorts(group(40, 0.5), group(400, 0.5)),
    )

    def alarm(groups: dict[str, Cohorts]) -> bool:
        return compared(Rate.UNDELIVERED, groups, RAISE, 3 * DAY, 3 * DAY).higher

    assert not alarm({"common": common, "rare": rare})
    mixed = Cohorts([*rare.before, *common.before], [*common.new, *rare.new])
    assert alarm({"all": mixed}), "what mixing them would have said"


def test_another_version_compares_by_the_version_and_the_raise_can_be_asked_for(
    tmp_path: Path,
) -> None:
    played = lived(20, 20, PlayedRates(), PlayedRates())
    played.take_up(policy(version=3, rollout_percent=20, invitations_per_day=50_000))
    played.rise(ids(7, 0, 19, "w"))
    played.wait(20 * DAY)
    engine = indexed(tmp_path, played)
    newest = asked(engine, played)
    assert newest.change is not None
    assert (newest.change.after.version, newest.change.raised) == (3, False)
    undelivered, *others = newest.rates
    assert {(it.before.accounts, it.new.accounts) for it in others} == {(40, 7)}
    assert (undelivered.new.accounts, undelivered.new.unheard) == (0, 7), "no receipt came"
    raised = asked(engine, played, raise_only=True)
    assert raised.change is not None
    assert (raised.change.after.version, raised.change.raised) == (2, True)
    (before, new) = next((it.before.accounts, it.new.accounts) for it in raised.rates[1:])
    late = [it for it in ids(7, 0, 19, "w") if bucket(PLATFORM, it) < 10]
    assert 0 < len(late) < 7
    assert (before, new) == (20 + len(late), 27 - len(late))


def test_a_newest_version_under_which_nobody_works_any_more_is_told() -> None:
    known = [
        CohortVersion(1, 10, "enforce", START, 0),
        CohortVersion(2, 20, "enforce", START + DAY, 0),
    ]
    change, fresh = CohortChange(PLATFORM, *known), Fresh(START, 0, START)
    assert list(_lacking(fresh, START, known, change)) == [
        "no partition works under version 2, the newest, any more"
    ]
    running = [known[0], known[1]._replace(running=1)]
    assert list(_lacking(fresh, START, running, CohortChange(PLATFORM, *running))) == []


def test_a_version_that_no_partition_took_up_is_no_change(tmp_path: Path) -> None:
    """Published by a worker that ended before it worked; the next version has the same share."""
    played = Played(FIRST)
    played.rise(ids(5, 0, 9))
    played.publish(RAISED)
    played.wait(DAY)
    played.take_up(policy(version=3, rollout_percent=20, invitations_per_day=100_000))
    played.rise(ids(5, 10, 19))
    played.wait(20 * DAY)
    change = asked(indexed(tmp_path, played), played).change
    assert change is not None
    assert (change.before.version, change.after.version, change.raised) == (1, 3, True)


def test_one_version_and_shadow_have_nothing_to_compare(tmp_path: Path) -> None:
    played = Played(FIRST)
    played.rise(ids(3, 0, 9))
    assert asked(indexed(tmp_path / "one", played), played).verdict is RolloutVerdict.NOTHING
    played.take_up(policy(version=2, mode=Mode.SHADOW))
    found = asked(indexed(tmp_path / "two", played), played)
    assert found.verdict is RolloutVerdict.NOTHING
    assert "byline shadow report" in found.why[0]


def test_an_index_that_is_behind_never_says_that_there_is_nothing_to_compare(
    tmp_path: Path,
) -> None:
    """The version that it lacks may be the raise, and the one that enforces."""
    played = Played(FIRST)
    played.rise(ids(3, 0, 9))
    found = asked(indexed(tmp_path / "one", played), played, late=2 * 60_000)
    assert found.verdict is RolloutVerdict.HOLD
    assert found.why[0].startswith("the index is behind")
    assert found.why[1] == "in the index, version 1 is the only one that was ever in force"
    played.take_up(policy(version=2, mode=Mode.SHADOW))
    engine = indexed(tmp_path / "two", played)
    assert asked(engine, played, late=2 * 60_000).verdict is RolloutVerdict.HOLD


def test_of_what_befell_everybody_before_it_is_said_how_many_more_it_takes(
    tmp_path: Path,
) -> None:
    """One account from before, whose notice failed, is a rate of 100 %."""
    all_fail = PlayedRates(1, 0, 0)
    played = lived(1, 1, all_fail, all_fail)
    found = asked(indexed(tmp_path, played), played)
    assert found.verdict is RolloutVerdict.NOT_ENOUGH
    assert found.why[0].startswith("undelivered: at 100.0 % before, taken for 99.0 %, a doubl")


def test_an_appeal_upheld_before_the_invitation_does_not_hide_one_upheld_after_it(
    tmp_path: Path,
) -> None:
    played = Played(FIRST)
    (account,) = ids(1, 0, 9)
    played.say("controls", [played.control(account, "appeal_upheld", "before")])
    played.wait(DAY)
    played.say("controls", [played.control(account, "unhold", "between")])
    played.rise([account])
    played.wait(DAY)
    played.say("controls", [played.control(account, "appeal_upheld", "after")])
    played.take_up(RAISED)
    played.rise(ids(1, 10, 19))
    played.wait(20 * DAY)
    found = asked(indexed(tmp_path, played), played)
    upheld = next(it for it in found.rates if it.rate is Rate.UPHELD)
    assert (upheld.before.accounts, upheld.before.befell) == (1, 1)


def test_the_command_says_it_in_words_in_json_and_by_its_exit_code(
    byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    none = byline("rollout", "status")
    assert none.code == 2
    assert "there is no index" in none.err
    played = lived(20, 20, PlayedRates(), PlayedRates())
    (tmp_path / "byline").mkdir()
    engine = empty(tmp_path / "byline", FILE_NAME)
    write(engine, played.records())
    engine.dispose()
    told = byline("rollout", "status", "--within", "P3D")
    assert told.code == 1
    assert "weibo: hold" in told.out
    assert "the index is behind" in told.out
    assert "rollout_percent 10 → 20; new are the accounts in buckets 10 to 19" in told.out
    plain = json.loads(byline("rollout", "status", "--json", "--platform", PLATFORM).out)
    assert plain["source"] == "index"
    (its,) = plain["platforms"]
    assert (its["verdict"], its["change"]["after"]["rollout_percent"]) == ("hold", 20)
    assert {it["rate"] for it in its["rates"]} == {rate.value for rate in Rate}
    other = byline("rollout", "status", "--platform", "zhihu")
    assert (other.code, "the index is behind" in other.out) == (1, True)
    monkeypatch.setattr("streams.cli.rollout.now_ms", lambda: played.now)
    assert byline("rollout", "status", "--platform", "zhihu").code == 0
    assert byline("rollout", "status", "--within", "soon").code == 2


@pytest.mark.parametrize("width", [80, 120])
def test_a_fresh_index_and_nothing_worse_is_exit_0_and_the_table_folds(
    width: int, byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    monkeypatch.setattr("streams.cli.output.PLAIN_WIDTH", width)
    played = alike()
    (tmp_path / "byline").mkdir()
    index_of(tmp_path / "byline", played.records(), FILE_NAME).dispose()
    monkeypatch.setattr("streams.cli.rollout.now_ms", lambda: played.now)
    told = byline("rollout", "status")
    assert told.code == 0, told.out
    assert "weibo: go on" in told.out
    table = told.out.partition("roll-outs\n")[2].splitlines()
    assert len(table) >= 4
    assert max(cell_len(it) for it in table) <= width
    assert "of 150" in told.out
