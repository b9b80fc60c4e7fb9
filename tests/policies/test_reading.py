"""What a sound file comes to: defaults, exact numbers, a digest that layout does not touch."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.enums import Field, Level, Mode, Surface
from streams.core.model.policy import Restriction
from streams.policies import load_policy
from tests.policies.given import GOOD, SHIPPED, loaded, written

HOUR = 3_600_000
DAY = 24 * HOUR


def test_every_value_arrives_in_milliseconds_and_parts_per_million(tmp_path: Path) -> None:
    policy = loaded(tmp_path)
    assert policy.notice.answer_window == 14 * DAY
    assert policy.notice.reminders == (3 * DAY, DAY)
    assert [phase.starts_at for phase in policy.phases] == [1698681600000, 1703174400000]
    assert policy.stability.exit_ratio_ppm == 950_000
    assert policy.floor == 475_000
    assert policy.labels == {"财经": Field.FINANCE, "法律": Field.LAW}
    assert policy.consequence.surfaces == {
        Surface.RECOMMEND_FEED: Restriction(Level.LIMITED, None),
        Surface.TIPS: Restriction(Level.OFF, Mode.SHADOW),
    }
    assert policy.guards is not None
    assert policy.guards.undelivered_ppm == 200_000
    assert policy.guards.overturned_ppm is None


def test_what_may_be_absent_has_its_default(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        (", renew: false", ""),
        (", reminders: [P3D, P1D]", ""),
        (GOOD.splitlines()[5] + "\n", ""),
        (", max_age: P30D", ""),
        ("guards: {window: PT1H, minimum: 50, undelivered_ratio: 0.2}\n", ""),
    )
    assert policy.notice.renew is False
    assert policy.notice.reminders == ()
    assert policy.approvals == ()
    assert policy.stability.max_age is None
    assert policy.guards is None


def test_what_was_not_announced_may_be_null_in_shadow(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        ("answer_window: P14D", "answer_window: null"),
        ("surfaces: {recommend-feed: limited, tips: {level: off, mode: shadow}}", "surfaces: null"),
        ("impact_assessment: PIA-2023-17", "impact_assessment:"),
        ("from: 2023-12-22T00:00:00+08:00", "from: ~"),
        ("on: [declined, no_answer]", "on: null"),
        ("exempt_labels: [日常生活, 美食]", "exempt_labels: null"),
    )
    assert policy.missing_for_enforce == (
        "notice.answer_window",
        "consequence.surfaces",
        "impact_assessment",
    )
    assert policy.phases[-1].starts_at is None
    assert policy.floor == 475_000


def test_a_phase_without_a_start_may_be_enforced_around(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        ("mode: shadow\n", "mode: enforce\n"),
        ("from: 2023-12-22T00:00:00+08:00", "from: null"),
    )
    assert policy.mode is Mode.ENFORCE


def test_a_phase_s_own_mode_cannot_strengthen_the_policy_s(tmp_path: Path) -> None:
    policy = loaded(tmp_path, ("name: half-million,", "name: half-million, mode: enforce,"))
    assert policy.phase_mode(policy.phases[1]) is Mode.SHADOW


@pytest.mark.parametrize("off", ["off", '"off"', "'off'", "Off"])
def test_off_is_a_text_with_quotes_and_without(off: str, tmp_path: Path) -> None:
    path = written(tmp_path, ("mode: shadow\n", f"mode: {off}\n"))
    if off == "Off":
        with pytest.raises(ValueError, match="unknown mode 'Off'"):
            load_policy(path)
    else:
        assert load_policy(path).mode is Mode.OFF


def _reordered(value: Any, seed: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        seed.shuffle(keys)
        return {key: _reordered(value[key], seed) for key in keys}
    if isinstance(value, list):
        items = [_reordered(item, seed) for item in value]
        seed.shuffle(items)
        return items
    return value


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_digest_is_of_the_meaning_not_of_the_layout(path: Path, tmp_path: Path) -> None:
    """Comments gone, keys and lists in any order, JSON for YAML, hours for days: one digest."""
    plain = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    for seed in range(5):
        shuffled = _reordered(plain, random.Random(seed))
        text = json.dumps(shuffled, ensure_ascii=False, default=lambda at: at.isoformat())
        again = tmp_path / path.name
        again.write_text(text.replace('"P1D"', '"PT24H"').replace("0.95", "0.950"), "utf-8")
        assert load_policy(again).digest == load_policy(path).digest


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 3", "version: 4"),
        ("answer_window: P14D", "answer_window: P15D"),
        ("followers: 500000", "followers: 500001"),
        ("exit_ratio: 0.95", "exit_ratio: 0.950001"),
        ("法律: law", "法律: finance"),
        ("美食", "美妆"),
        ("level: off", "level: limited"),
        ("on: [declined, no_answer]", "on: [declined]"),
        ("on_fall_below: close", "on_fall_below: keep"),
        ("minimum: 50", "minimum: 51"),
    ],
)
def test_any_change_of_meaning_changes_the_digest(before: str, after: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, (before, after)).digest != loaded(tmp_path).digest
