"""The fold and the model agree, on invented lines and on the real files where they are present."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.oracle.fold import DATA, FoldedReading, ReadingLine, Rules, fold, lines_of
from tests.oracle.model import OracleLife
from tests.oracle.policy import OraclePhase, OraclePolicy

YEARS_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TODAY = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def modelled(lines: list[ReadingLine], rules: Rules) -> dict[str, list[tuple[str, str]]]:
    """Events per account, by the model."""
    labels = rules.labels
    if labels is None:
        labels = {line.category: "finance" for line in lines if line.category}
    policy = OraclePolicy(
        platform="any",
        mode="shadow" if rules.shadow else "enforce",
        phases=tuple(
            OraclePhase(str(one), one, datetime(2000, 1, 1, tzinfo=UTC)) for one in rules.lines
        ),
        labels=dict(labels),
        exit_ratio=rules.exit_ratio,
        leave_after=timedelta(days=36500) if rules.leave_after is None else rules.leave_after,
        cool_down=timedelta(days=36500) if rules.cool_down is None else rules.cool_down,
    )
    lives: dict[str, OracleLife] = {}
    last: dict[str, str | None] = defaultdict(lambda: None)
    clock = YEARS_AGO - 3650 * DAY
    for line in lines:
        clock = max(clock, line.observed_at)
        now = TODAY if rules.clock == "wall" else clock
        life = lives.get(line.key) or lives.setdefault(line.key, OracleLife(policy))
        if line.category != last[line.key]:
            last[line.key] = line.category
            value = {"category": line.category, "observed_at": line.observed_at}
            life.apply(now, "category-changes", value if line.category else None)
        value = {"followers": line.followers, "observed_at": line.observed_at}
        life.apply(now, "follower-counts", value)
    for life in lives.values():
        life.run_timers(clock, inclusive=False)
    found = {
        key: [(one["event"], one["reason"]) for one in life.events] for key, life in lives.items()
    }
    return {key: own for key, own in found.items() if own}


def invented(seed: int) -> list[ReadingLine]:
    """Six accounts that flap around two lines, lose labels and step back in time."""
    draw = random.Random(seed)
    lines = []
    for number in range(400):
        at = YEARS_AGO + number * timedelta(hours=6) - draw.choice([0, 0, 0, 0, 1]) * 3 * DAY
        category = draw.choice(["a", "a", "a", "a", "b", None])
        lines.append(
            ReadingLine(at, "p", str(draw.randrange(6)), draw.randrange(85, 115), category)
        )
    return lines


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "rules",
    [
        Rules((100, 110), {"a": "finance"}),
        Rules((100,), {"a": "finance"}, cool_down=timedelta(0), shadow=True),
        Rules((100,), None, leave_after=None, cool_down=timedelta(0)),
        Rules((100,), {"a": "law"}, Decimal("0.9"), 2 * DAY, 5 * DAY, "observed"),
        Rules((100,), {"a": "law"}, Decimal("0.97"), timedelta(0), 9 * DAY, "observed"),
    ],
)
def test_the_fold_and_the_model_agree_on_invented_lines(seed: int, rules: Rules) -> None:
    lines = invented(seed)
    if rules.clock == "observed":
        lines.sort(key=lambda line: line.observed_at)
    assert fold(lines, rules).events == modelled(lines, rules)


def test_a_forgotten_count_is_not_read_again() -> None:
    told = [(0, 120), (1, 10), (1, 120), (1, 10)]
    lines = [ReadingLine(YEARS_AGO + day * DAY, "p", "a", count, None) for day, count in told]
    lines.append(replace(lines[2], category="a"))
    rules = Rules((100,), {"a": "finance"})
    seen = fold(lines, rules)
    assert (seen.applied, seen.stale, seen.events) == (2, 3, modelled(lines, rules))
    lines.append(replace(lines[4], observed_at=YEARS_AGO + 2 * DAY))
    assert fold(lines, rules).events == modelled(lines, rules) != {}


def real(name: str, rules: Rules) -> tuple[list[ReadingLine], FoldedReading]:
    """A real file's lines, and what the fold says."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real readings are not here: {path}")
    lines = list(lines_of(path))
    return lines, fold(lines, rules)


@pytest.mark.slow
def test_reddit_crosses_both_lines_and_never_back() -> None:
    lines, seen = real("reddit_subscribers.csv.gz", Rules((500_000, 1_000_000)))
    highest: dict[str, int] = defaultdict(int)
    for line in lines:
        highest[line.key] = max(highest[line.key], line.followers)
    assert seen.invited == {key for key, most in highest.items() if most >= 500_000}
    assert seen.events == modelled(lines, Rules((500_000, 1_000_000)))


@pytest.mark.slow
@pytest.mark.parametrize("cool_down", [timedelta(0), None])
def test_taiwan_survives_its_collector_fault(cool_down: timedelta | None) -> None:
    rules = Rules((5_000, 10_000), leave_after=None, cool_down=cool_down)
    lines, seen = real("taiwan_vtuber.csv.gz", rules)
    assert seen.events == modelled(lines, rules)
    assert not any(reason == "left" for own in seen.events.values() for _, reason in own)
    at_once = fold(lines, replace(rules, leave_after=timedelta(0)))
    assert any(reason == "left" for own in at_once.events.values() for _, reason in own)


@pytest.mark.slow
def test_bilibili_flaps_within_seconds_and_its_clock_steps_back() -> None:
    rules = Rules((10_000_000,), exit_ratio=Decimal("0.999"))
    lines, seen = real("bilibili_10m_1s.csv.gz", rules)
    assert seen.stale > 0
    assert seen.events == {}
    lines = [replace(line, category="c") for line in lines]
    covered = fold(lines, rules)
    assert covered.events == modelled(lines, rules)
    assert len(covered.invited) == 2
    assert all(len(own) == 1 for own in covered.events.values())


@pytest.mark.slow
def test_douyin_invites_by_label() -> None:
    lines, seen = real("douyin_bigv.csv.gz", Rules((500_000, 1_000_000), {"财经": "finance"}))
    assert seen.events == modelled(lines, Rules((500_000, 1_000_000), {"财经": "finance"}))
    assert {line.key for line in lines if line.category == "财经"} >= seen.invited
