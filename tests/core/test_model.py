"""The core against the independent model: random lives, said alike to the millisecond.

`twin.py` lists the readings in which the two differ on purpose; the histories here avoid those.
"""

import os
import random
from dataclasses import replace
from typing import Any

import pytest

from schemas.enums import Level, Mode, Surface
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Consequence, Notice, Phase, Policy, Restriction, Stability
from tests.core.given import DAY, START, policy
from tests.core.twin import Twin, minutes

LIVES = int(os.environ.get("BYLINE_TEST_LIVES", "20"))
"""Random lives a policy; more, by seed and in parts: `python -m tests.core.model_histories`."""

SURFACES = {
    Surface.TIPS: Restriction(Level.OFF, None),
    Surface.HOT_SEARCH: Restriction(Level.LIMITED, None),
}
BOTH = frozenset({"declined", "no_answer"})
FAIR = policy(
    notice=Notice("n", "1", False, minutes(60), (minutes(40), minutes(10))),
    phases=(Phase("first", 1000, START - DAY, None, None),),
    stability=Stability(minutes(3), 900_000, minutes(8), minutes(15), None),
    consequence=Consequence(SURFACES, BOTH, minutes(100), minutes(250)),
)


def stable(**changes: Any) -> Stability:
    """FAIR's stability, changed."""
    return replace(FAIR.stability, **changes)


def consequence(**changes: Any) -> Consequence:
    """FAIR's consequence, changed."""
    return replace(FAIR.consequence, **changes)


QUICK = replace(FAIR, stability=stable(dwell=0, cool_down=0, leave_after=0))
PART_SHADOW = {**SURFACES, Surface.TIPS: Restriction(Level.OFF, Mode.SHADOW)}
POLICIES: dict[str, Policy] = {
    "fair": FAIR,
    "plain": replace(FAIR, stability=stable(dwell=0, exit_ratio_ppm=1_000_000)),
    "keep": replace(FAIR, keep_on_fall_below=True),
    "aging": replace(FAIR, stability=stable(max_age=minutes(45))),
    "refusal alone": replace(FAIR, consequence=consequence(on=frozenset({"declined"}))),
    "shadow": replace(FAIR, mode=Mode.SHADOW),
    "shadow surface": replace(FAIR, consequence=consequence(surfaces=PART_SHADOW)),
    "null window": replace(
        FAIR, mode=Mode.SHADOW, notice=replace(FAIR.notice, answer_window=None, reminders=())
    ),
    "answer by": replace(FAIR, phases=(replace(FAIR.phases[0], answer_by=START + 4 * DAY),)),
    "later phase": replace(FAIR, phases=(replace(FAIR.phases[0], starts_at=START + minutes(200)),)),
    "two phases": replace(
        FAIR,
        phases=(
            Phase("first", 1200, START - DAY, None, None),
            Phase("second", 1000, START + minutes(150), None, None),
            Phase("third", 500, None, None, None),
        ),
    ),
    "quick": QUICK,
}
NEXT: list[Policy] = [
    FAIR,
    replace(FAIR, consequence=consequence(surfaces={Surface.TIPS: SURFACES[Surface.TIPS]})),
    replace(FAIR, notice=replace(FAIR.notice, answer_window=minutes(90))),
    replace(FAIR, notice=replace(FAIR.notice, version="2", renew=True)),
    replace(FAIR, notice=replace(FAIR.notice, version="3")),
    replace(
        FAIR, exempt_labels=frozenset({"日常生活", "法律"}), labels={"财经": FAIR.labels["财经"]}
    ),
    replace(FAIR, consequence=consequence(on=frozenset({"declined"}))),
]
CHANGING = ("fair", "refusal alone")
"""The policies that the next ones follow."""
MODES: list[Policy] = [QUICK, replace(QUICK, mode=Mode.SHADOW), replace(QUICK, mode=Mode.OFF)]


def tell(seed: int, first: Policy, following: list[Policy], steps: int = 45) -> set[str]:
    """A random life, told to both; the kinds of events that came of it."""
    draw = random.Random(seed)
    twin = Twin(first)
    twin.input("category-changes", _observed(twin, category="财经"))
    twin.input("follower-counts", _observed(twin, followers=1500))
    for _ in range(steps):
        twin.wait(minutes(draw.choice([1, 1, 3, 9, 20, 61, 7.5])))
        if twin.unread is None:
            if draw.random() < 0.05:
                twin.sleep()
        elif draw.random() < 0.4 or twin.now - twin.slept_at > minutes(90):
            twin.wake()
        _one(twin, draw, following)
    twin.end()
    return {f"{event['event']} {event['reason']}" for event in twin.day.events}


def _observed(twin: Twin, **value: Any) -> dict[str, Any]:
    return {"observed_at": rfc3339(twin.now), **value}


def _stated(twin: Twin, draw: random.Random) -> str:
    """The time of a word: mostly now, or before, or what a wrong clock says."""
    if draw.random() < 0.02:
        return "1970-01-01T00:00:00.000Z"
    ago = draw.choice([0] * 8 + [1, 4, 5, 6, 30.5, -2, -5, -90])
    return rfc3339(twin.now - minutes(ago))


def _one(twin: Twin, draw: random.Random, following: list[Policy]) -> None:
    act = draw.randrange(30)
    if draw.random() < 0.45:
        _clear_the_way(twin, draw)
    elif act < 6:
        _reading(twin, draw, following)
    elif act < 10:
        twin.input("notice-receipts", _receipt(twin, draw))
    elif act < 14:
        _answer(twin, draw)
    elif act < 16:
        _label(twin, draw)
    elif act < 19:
        words = ["closed", "reopened", "reopened", "owner_changed", "exempted"]
        word = draw.choice([*words, "exemption_ended", "exemption_ended", "exemption_ended"])
        twin.input("account-changes", {"change": word, "observed_at": _stated(twin, draw)})
    elif act < 24:
        _control(twin, draw)
    elif act < 27:
        _switch(twin, draw)
    elif act < 28:
        _refusal(twin, draw)
    elif act < 29 and twin.unread is None and draw.random() < 0.5:
        if twin.life.brakes.cluster_since is None:
            twin.cluster_changed()
        else:
            twin.restart()
    elif following and twin.unread is None and draw.random() < 0.6:
        chosen = draw.choice(following)
        if following is not MODES:
            # Lines and `keep` stay: a dwell under another line is read differently (twin.py).
            kept = twin.policy.keep_on_fall_below
            chosen = replace(chosen, phases=twin.policy.phases, keep_on_fall_below=kept)
        twin.under(replace(chosen, version=twin.policy.version + 1))


def _clear_the_way(twin: Twin, draw: random.Random) -> None:
    """What brings an account on, so that a history does not end with its first obstacle."""
    life, now = twin.life, rfc3339(twin.now)
    brakes, facts = life.brakes, life.facts
    ways: list[tuple[str, dict[str, Any]]] = []
    for (scope, switch), _ in brakes.switches.items():
        ways.append(("switches", {"scope": scope, "switch": switch, "on": False, "issued_at": now}))
    if brakes.refusals_since is not None:
        settled = {"scope": "*", "switch": "refusals_settled", "on": True, "issued_at": now}
        ways.append(("switches", settled))
    for held, command, more in (
        (brakes.holds, "unhold", {}),
        (brakes.unclear, "settle", {}),
        (brakes.appeals, "appeal_rejected", {"appeal_id": next(iter(brakes.appeals), "")}),
        (brakes.upheld_at, "unhold", {"reason": "appeal"}),
    ):
        if held:
            given = {name: value for name, value in more.items() if value}
            ways.append(("controls", {"command": command, "issued_at": now, **given}))
    if facts.closed or facts.exempt:
        change = "reopened" if facts.closed else "exemption_ended"
        ways.append(("account-changes", {"change": change, "observed_at": now}))
    elif facts.label is None or facts.failing(life.policy, life.clock) == "label":
        ways.append(("category-changes", _observed(twin, category="财经")))
    elif facts.followers is None or facts.followers < 1000:
        ways.append(("follower-counts", _observed(twin, followers=1500)))
    if life.state in ("INVITED", "UNDELIVERED"):
        receipt = {"invitation_id": _mine(twin), "outcome": "delivered", "occurred_at": now}
        ways.append(("notice-receipts", receipt))
    if brakes.cluster_since is not None and twin.unread is None:
        twin.restart()
    elif ways:
        twin.input(*draw.choice(ways))
    elif twin.unread is None:
        twin.wait(minutes(draw.choice([20, 61])))


def _reading(twin: Twin, draw: random.Random, following: list[Policy]) -> None:
    between = 1000 if following is MODES else 950
    value = {
        "followers": draw.choice([1500, 1500, 1500, 1000, between, 800, 20]),
        "cause": draw.choice(["organic"] * 5 + ["owner_purge", "correction", "platform_purge"]),
        "observed_at": rfc3339(twin.now - draw.choice([0, 0, 0, minutes(2), minutes(500)])),
    }
    known = twin.life.facts.reading_at
    if known is not None and draw.random() < 0.1:
        value["observed_at"] = known.isoformat()
    twin.input("follower-counts", value)


def _receipt(twin: Twin, draw: random.Random) -> dict[str, Any]:
    return {
        "invitation_id": draw.choice([_mine(twin)] * 5 + ["other"]),
        "outcome": draw.choice(["delivered"] * 3 + ["failed"]),
        "occurred_at": _stated(twin, draw),
        "failure": draw.choice([None, "blocked", "invalid"]),
    }


def _mine(twin: Twin) -> str:
    cycle = twin.life.cycle
    return twin.life.invitation_id(cycle["mode"], cycle["number"]) if cycle else "other"


def _answer(twin: Twin, draw: random.Random) -> None:
    word = draw.choice(["granted", "declined", "withdrawn"])
    value = {"answer": word, "occurred_at": _stated(twin, draw)}
    if draw.random() < 0.25:
        value["notice_version"] = draw.choice(["1", "2", "3"])
    if draw.random() < 0.3:
        value["invitation_id"] = draw.choice(["other", _mine(twin), _mine(twin)])
    twin.input("consent-answers", value)


def _label(twin: Twin, draw: random.Random) -> None:
    text = draw.choice(["财经", "财经", " 财\u200b经", "法律", "旅游", "日常生活", None])
    if text is None:
        twin.input("category-changes", None)
        return
    value = _observed(twin, category=text)
    if draw.random() < 0.2:
        value["observed_at"] = rfc3339(twin.now - minutes(draw.choice([1, 10])))
    known = twin.life.facts.label_at
    if known is not None and draw.random() < 0.15:
        value["observed_at"] = known.isoformat()
    if draw.random() < 0.3:
        value["valid_until"] = rfc3339(twin.now + minutes(draw.choice([5, 40, 200])))
    twin.input("category-changes", value)


def _control(twin: Twin, draw: random.Random) -> None:
    commands = ["hold", "unhold", "unhold", "lift", "extend", "reissue", "reissue", "settle"]
    commands += ["appeal_opened", "appeal_rejected", "appeal_rejected", "settle"] * 2
    commands += ["appeal_upheld", "unhold", "unhold", "extend"]
    command = draw.choice(commands)
    value = {"command": command, "issued_at": _stated(twin, draw)}
    if command in ("unhold", "settle", "appeal_rejected", "appeal_upheld"):
        # A stop that ends ahead of its entry before there is a cycle: see twin.py.
        value["issued_at"] = min(value["issued_at"], rfc3339(twin.now))
    if command == "hold" and draw.random() < 0.8:
        # One that is over before it is read and an extension behind it: see twin.py.
        lengths = [5, 30, 100] if twin.unread is None else [500]
        value["expires_at"] = rfc3339(twin.now + minutes(draw.choice(lengths)))
    if command == "extend":
        value["until"] = rfc3339(twin.now + minutes(draw.choice([5, 50, 80])))
    if command.startswith("appeal") and draw.random() < 0.4:
        value["appeal_id"] = draw.choice(["a", "b"])
    if command == "unhold":
        marked = twin.life.brakes.upheld_at is not None
        value["reason"] = draw.choice(["test", "appeal"] if marked else ["test"] * 9 + ["appeal"])
    if draw.random() < 0.1:
        value["control_id"] = "same"
    twin.input("controls", value)


def _switch(twin: Twin, draw: random.Random) -> None:
    names = ["adverse_off", "invitations_off", "throttles_off", "answers_paused"]
    switch, on = draw.choice([*names, "refusals_settled"]), draw.random() < 0.3
    value = {"scope": draw.choice(["*", "weibo"]), "switch": switch, "on": on}
    if switch == "refusals_settled":
        value |= {"on": draw.random() < 0.8, "reason": "incident"}
    stated = rfc3339(twin.now) if switch == "refusals_settled" else _stated(twin, draw)
    twin.input("switches", {**value, "issued_at": stated})


def _refusal(twin: Twin, draw: random.Random) -> None:
    """A word that is no JSON, of this account or of nobody knows whom; or a hundred receipts."""
    kind = draw.randrange(10)
    if kind < 8:
        twin.refuse(draw.choice(["consent-answers", "account-changes", "controls"]))
    elif kind < 9:
        twin.refuse("consent-answers", key=draw.choice([None, "weibo:a b"]))
    else:
        twin.refuse("notice-receipts", count=110)


@pytest.mark.parametrize("name", POLICIES)
def test_random_lives_are_told_alike(name: str) -> None:
    seen: set[str] = set()
    following = NEXT if name in CHANGING else []
    for seed in range(LIVES):
        seen |= tell(seed, POLICIES[name], following)
    assert len(seen) > (3 if POLICIES[name].mode is Mode.SHADOW else 10), sorted(seen)


@pytest.mark.parametrize("block", range(3))
def test_lives_under_changing_modes_are_told_alike(block: int) -> None:
    for seed in range(LIVES):
        tell(seed, MODES[block], MODES, steps=60)


@pytest.mark.parametrize("seed", [259, 270])
def test_a_policy_taken_up_on_a_changed_cluster_comes_before_what_waited(seed: int) -> None:
    tell(seed, MODES[1], MODES, steps=60)


def test_a_cycle_that_a_policy_ends_has_no_pause_made_good_before() -> None:
    tell(7003, MODES[0], MODES, steps=60)


TOLD_APART = {
    "a refused word keeps a count": ("fair", 464),
    "a word entered late for a delivery that failed": ("refusal alone", 755),
    "the leaving was over, then the label ended": ("fair", 1117),
    "the deadline passed, then the label ended": ("fair", 1292),
    "an appeal read after a later new owner": ("fair", 1196),
    "a refusal that ends the stop in which it came": ("refusal alone", 1927),
    "a correction of the instant that opened a dwell": ("fair", 2906),
    "a surface that one policy frees and the next one names": ("fair", 1519),
    "two labels behind a contradictory one": ("quick", 2945),
    "a label from before the second phase": ("two phases", 6071),
    "an exemption that ended before the second phase": ("two phases", 3355),
    "a reissue behind a switch that changed something": ("plain", 631),
    "a reissue behind a switch that changed nothing": ("fair", 4023),
    "a reissue between a failure and the answer": ("plain", 1989),
    "a label that ends at the instant of a new start": ("later phase", 10_667),
    "a purge behind the reading that opens, both after a leaving": ("shadow", 7641),
    "the same with a null window": ("null window", 7641),
}


@pytest.mark.parametrize("why", TOLD_APART)
def test_lives_that_were_told_apart_are_told_alike(why: str) -> None:
    name, seed = TOLD_APART[why]
    tell(seed, POLICIES[name], NEXT if name in CHANGING else [])


BRAKES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "hold": ("controls", {"command": "hold"}, {"command": "unhold"}),
    "switch": (
        "switches",
        {"scope": "*", "switch": "adverse_off", "on": True},
        {"scope": "*", "switch": "adverse_off", "on": False},
    ),
}


@pytest.mark.parametrize("ended", ["before", "after"])
@pytest.mark.parametrize("brake", [None, *BRAKES])
def test_a_refusal_after_the_deadline_that_it_tells_itself_is_late_for_both(
    brake: str | None, ended: str
) -> None:
    """It proves the delivery at its own time; nobody had told a deadline before (READINGS 93)."""
    twin = _told_by_hand("refusal alone", receipt=False)
    if brake:
        topic, begins, ends = BRAKES[brake]
        twin.wait(minutes(5))
        twin.input(topic, {**begins, "issued_at": rfc3339(twin.now)})
        if ended == "before":
            twin.wait(minutes(30))
            twin.input(topic, {**ends, "issued_at": rfc3339(twin.now)})
    twin.wait(minutes(70))
    said_at = rfc3339(twin.now - minutes(65))
    refused = {"answer": "declined", "occurred_at": said_at, "invitation_id": _mine(twin)}
    twin.input("consent-answers", refused)
    if brake and ended == "after":
        twin.wait(minutes(10))
        twin.input(topic, {**ends, "issued_at": rfc3339(twin.now)})
    twin.end()
    said = [event["event"] for event in twin.day.events]
    assert "consent.declined" in said
    assert "throttle.applied" not in said


@pytest.mark.parametrize("ended", [None, "before", "after"])
@pytest.mark.parametrize("asleep", [False, True], ids=["punctual", "late"])
@pytest.mark.parametrize("switch", ["adverse_off", "answers_paused"])
def test_a_switch_that_entered_after_the_deadline_it_is_dated_before_is_told_alike(
    switch: str, asleep: bool, ended: str | None
) -> None:
    """`ended`: before or after a receipt that is read between the switch and the refusal."""
    twin = _told_by_hand("refusal alone", receipt=True)
    turned = {"scope": "*", "switch": switch}
    twin.wait(minutes(50))
    if asleep:
        twin.sleep()
    if ended == "before":
        twin.input("notice-receipts", _delivered_again(twin))
    twin.wait(minutes(15))
    dated = rfc3339(twin.now - minutes(10))
    twin.input("switches", {**turned, "on": True, "issued_at": dated})
    twin.wait(minutes(5))
    if ended:
        twin.input("switches", {**turned, "on": False, "issued_at": rfc3339(twin.now)})
    if ended == "after":
        twin.input("notice-receipts", _delivered_again(twin))
    twin.input("consent-answers", {"answer": "declined", "occurred_at": rfc3339(twin.now)})
    if asleep:
        twin.wait(minutes(1))
        twin.wake()
    if not ended:
        twin.wait(minutes(5))
        twin.input("switches", {**turned, "on": False, "issued_at": rfc3339(twin.now)})
    twin.end()
    assert "throttle.applied" not in [event["event"] for event in twin.day.events]


def _told_by_hand(name: str, receipt: bool) -> Twin:
    twin = Twin(POLICIES[name])
    twin.input("category-changes", _observed(twin, category="财经"))
    twin.input("follower-counts", _observed(twin, followers=1500))
    twin.wait(minutes(4))
    twin.input("follower-counts", _observed(twin, followers=1500))
    if receipt:
        twin.input("notice-receipts", _delivered_again(twin))
    return twin


def _delivered_again(twin: Twin) -> dict[str, Any]:
    return {
        "invitation_id": _mine(twin),
        "outcome": "delivered",
        "occurred_at": rfc3339(twin.now),
    }
