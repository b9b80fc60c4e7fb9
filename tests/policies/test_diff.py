"""What a change of policy does, in words, and which way it goes."""

import json
from pathlib import Path

import pytest

from streams.operate.policy_diff import Direction, diff, needs_rescan, show
from tests.policies.given import GOOD, loaded

GUARDS = "guards: {window: PT1H, minimum: 50, undelivered_ratio: 0.2}\n"
NEW_ONLY = " (for new invitations only)"
WIDENS = " (widens labels → rescan needed)"
DEADLINE = "from: 2023-12-22T00:00:00+08:00, answer_by: 2023-12-31T23:59:59+08:00"
OFF_TIPS = "tips: {level: off, mode: shadow}"

CHANGES = [
    ("version: 3", "version: 4", "neutral   version: 3 → 4"),
    ("mode: shadow\n", "mode: enforce\n", "stricter  mode: shadow → enforce"),
    ("mode: shadow\n", "mode: off\n", "milder    mode: shadow → off"),
    ("id: weibo-", "id: sina-", "neutral   notice.id: weibo-2023-10-31 → sina-2023-10-31"),
    ('version: "1"', 'version: "2"', f"neutral   notice.version: 1 → 2{NEW_ONLY}"),
    ("P14D", "P15D", "milder    notice.answer_window: P14D → P15D"),
    ("P14D", "P13D", f"stricter  notice.answer_window: P14D → P13D{NEW_ONLY}"),
    ("P14D", "null", "milder    notice.answer_window: P14D → null"),
    ("[P3D, P1D]", "[P1D]", "neutral   notice.reminders: P1D, P3D → P1D"),
    ("PIA-2023-17", "PIA-2", "neutral   impact_assessment: PIA-2023-17 → PIA-2"),
    ("zhao.m", "wu.q", "neutral   approvals: li.w, zhao.m → li.w, wu.q"),
    ("1000000,", "2000000,", "milder    phases.million.followers: 1000000 → 2000000"),
    (
        "from: 2023-12-22T00:00:00+08:00",
        "from: 2023-12-23T00:00:00+08:00",
        "milder    phases.half-million.from: 2023-12-21T16:00:00.000Z → 2023-12-22T16:00:00.000Z",
    ),
    (
        "from: 2023-12-22T00:00:00+08:00",
        "from: null",
        "milder    phases.half-million.from: 2023-12-21T16:00:00.000Z → null",
    ),
    (
        "from: 2023-12-22T00:00:00+08:00",
        DEADLINE,
        "milder    phases.half-million.answer_by: null → 2023-12-31T15:59:59.000Z",
    ),
    (
        "name: million,",
        "name: million, mode: off,",
        "milder    phases.million.mode: null → off",
    ),
    ("[finance, law]", "[finance]", "milder    fields.covered: finance, law → finance"),
    ("[finance, law]", "any", f"stricter  fields.covered: finance, law → any{WIDENS}"),
    ("法律: law", "法律: finance", "neutral   fields.labels.法律: law → finance"),
    ("法律: law", "法律: health", "milder    fields.labels.法律: law → health"),
    (", 法律: law", "", "milder    fields.labels.法律: law → unmapped"),
    ("法律: law", "法律: law, 司法: law", f"stricter  fields.labels.司法: unmapped → law{WIDENS}"),
    (", 美食]", "]", "neutral   fields.labels.美食: exempt → unmapped"),
    ("dwell: PT24H", "dwell: P2D", "milder    stability.dwell: P1D → P2D"),
    ("leave_after: P7D", "leave_after: P8D", "stricter  stability.leave_after: P7D → P8D"),
    ("cool_down: P30D", "cool_down: P29D", "stricter  stability.cool_down: P30D → P29D"),
    (", max_age: P30D", "", "stricter  stability.max_age: P30D → null"),
    (OFF_TIPS, "tips: off", f"stricter  consequence.surfaces.tips: off in shadow → off{NEW_ONLY}"),
    (
        OFF_TIPS,
        "tips: limited",
        f"stricter  consequence.surfaces.tips: off in shadow → limited{NEW_ONLY}",
    ),
    (f", {OFF_TIPS}", "", "milder    consequence.surfaces.tips: off in shadow → untouched"),
    (
        "feed: limited,",
        "feed: limited, search: limited,",
        f"stricter  consequence.surfaces.search: untouched → limited{NEW_ONLY}",
    ),
    (
        "[declined, no_answer]",
        "[declined]",
        "milder    consequence.on: declined, no_answer → declined",
    ),
    ("review_after: P30D", "review_after: P31D", "stricter  consequence.review_after: P30D → P31D"),
    (
        "expires_after: P90D",
        "expires_after: P89D",
        "milder    consequence.expires_after: P90D → P89D",
    ),
    ("close", "keep", "stricter  on_fall_below: close → keep"),
    ("20000,", "20001,", "stricter  caps.invitations_per_day: 20000 → 20001"),
    ("2000}", "1999}", "milder    caps.throttles_per_hour: 2000 → 1999"),
    ("percent: 100", "percent: 5", "milder    rollout_percent: 100 → 5"),
    ("minimum: 50", "minimum: 60", "stricter  guards.minimum: 50 → 60"),
    ("window: PT1H", "window: PT2H", "neutral   guards.window: PT1H → PT2H"),
    ("ratio: 0.2}", "ratio: 0.1}", "milder    guards.undelivered_ratio: 0.2 → 0.1"),
    ("0.2}", "0.2, sudden_drop_ratio: 0.5}", "milder    guards.sudden_drop_ratio: null → 0.5"),
    (GUARDS, "", "stricter  guards: removed"),
]


@pytest.mark.parametrize(("before", "after", "words"), CHANGES, ids=[c[2][10:] for c in CHANGES])
def test_one_change_is_one_difference_in_these_words(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    differences = diff(loaded(tmp_path), loaded(tmp_path, (before, after)))
    assert [str(difference) for difference in differences] == [words]


@pytest.mark.parametrize(
    ("before", "after"), [(before, after) for before, after, words in CHANGES if "→" in words]
)
def test_going_back_goes_the_other_way(before: str, after: str, tmp_path: Path) -> None:
    a, b = loaded(tmp_path), loaded(tmp_path, (before, after))
    other = {
        Direction.STRICTER: Direction.MILDER,
        Direction.MILDER: Direction.STRICTER,
        Direction.NEUTRAL: Direction.NEUTRAL,
    }
    there, back = diff(a, b), diff(b, a)
    assert [other[difference.direction] for difference in there] == [
        difference.direction for difference in back
    ]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("500000,", "400000,", "stricter  floor: 475000 → 380000 (lowers the floor"),
        ("ratio: 0.95", "ratio: 0.9", "stricter  floor: 475000 → 450000 (lowers the floor"),
    ],
)
def test_what_lowers_the_floor_needs_a_rescan(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    a, b = loaded(tmp_path), loaded(tmp_path, (before, after))
    assert any(str(difference).startswith(words) for difference in diff(a, b))
    assert needs_rescan(diff(a, b))
    assert not needs_rescan(diff(b, a))


def test_a_new_phase_is_stricter_once_it_has_a_start(tmp_path: Path) -> None:
    last = GOOD.splitlines()[8] + "\n"
    fewer = loaded(tmp_path, (last, ""))
    undated = loaded(tmp_path, ("from: 2023-12-22T00:00:00+08:00", "from: null"))
    directions = {
        "dated": diff(fewer, loaded(tmp_path))[0].direction,
        "undated": diff(fewer, undated)[0].direction,
        "gone": diff(loaded(tmp_path), fewer)[0].direction,
    }
    assert directions == {
        "dated": Direction.STRICTER,
        "undated": Direction.NEUTRAL,
        "gone": Direction.MILDER,
    }
    assert needs_rescan(diff(fewer, undated))


def test_a_new_notice_that_renews_asks_everybody_again(tmp_path: Path) -> None:
    renewed = loaded(tmp_path, ('version: "1"', 'version: "2"'), ("renew: false", "renew: true"))
    assert [str(difference) for difference in diff(loaded(tmp_path), renewed)] == [
        "stricter  notice.version: 1 → 2 (voids consents to the old version)",
        "neutral   notice.renew: false → true",
    ]


def test_the_same_policy_has_no_difference(tmp_path: Path) -> None:
    assert diff(loaded(tmp_path), loaded(tmp_path)) == []


def test_two_platforms_are_not_compared(tmp_path: Path) -> None:
    other = loaded(tmp_path, ("platform: weibo", "platform: douyin"))
    with pytest.raises(ValueError, match="weibo and douyin are two platforms"):
        diff(loaded(tmp_path), other)


def test_a_difference_is_plain_data_for_a_program(tmp_path: Path) -> None:
    (difference,) = diff(loaded(tmp_path), loaded(tmp_path, ("P14D", "P13D")))
    assert json.loads(json.dumps(difference.as_dict())) == {
        "where": "notice.answer_window",
        "change": "P14D → P13D",
        "direction": "stricter",
        "note": "for new invitations only",
        "rescan": False,
    }


def test_what_is_shown_is_what_is_in_effect(tmp_path: Path) -> None:
    policy = loaded(tmp_path, ("name: million,", "name: million, mode: enforce,"))
    shown = show(policy)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["digest"] == policy.digest
    assert shown["floor"] == 475_000
    assert [phase["mode"] for phase in shown["phases"]] == ["shadow", "shadow"]
    assert shown["consequence"]["surfaces"]["tips"] == {"level": "off", "mode": "shadow"}
    assert shown["stability"]["exit_ratio"] == "0.95"
    assert shown["notice"]["answer_window"] == "P14D"
