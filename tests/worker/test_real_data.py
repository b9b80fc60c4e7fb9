"""Real readings through a real Kafka and two shipped workers, against a plain fold over the file.

The label of a line counts before its reading, so a file is sent in rounds: the first labels, then
the readings under them, then the next labels. Each round is drained before the next.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backtest.live import backtest_of
from tests.oracle.fold import DATA, ReadingLine, Rules, fold, lines_of
from tests.worker.commands import audited
from tests.worker.harness import Estate
from tests.worker.policies import policy

SETS = {
    "douyin_bigv": (500_000, 1_000_000),
    "reddit_subscribers": (500_000, 1_000_000),
    "taiwan_vtuber": (5_000, 10_000),
    "instagram_1m_minute": (1_000_000,),
    "bilibili_10m_1s": (10_000_000,),
}
"""Real sets, and the lines of the policies that they are led under."""
STATED = "stated"
"""The label of accounts in a set that has none."""


def labelled(lines: list[ReadingLine]) -> list[ReadingLine]:
    """The lines of a set; where it has no label at all, each with a stated one."""
    if any(line.category for line in lines):
        return lines
    return [replace(line, category=STATED) for line in lines]


def rounds(lines: list[ReadingLine]) -> Iterator[tuple[dict[str, ReadingLine], list[ReadingLine]]]:
    """What to send in turn: label changes by account, then the readings that follow them."""
    labels: list[dict[str, ReadingLine]] = [{}]
    readings: list[list[ReadingLine]] = [[]]
    last: dict[str, str | None] = {}
    place: dict[str, int] = defaultdict(int)
    for line in lines:
        if last.get(line.key) != line.category:
            last[line.key] = line.category
            while place[line.key] >= len(labels) or line.key in labels[place[line.key]]:
                place[line.key] += 1
                if place[line.key] >= len(labels):
                    labels.append({})
                    readings.append([])
            labels[place[line.key]][line.key] = line
        readings[place[line.key]].append(line)
    return zip(labels, readings, strict=True)


def send(estate: Estate, lines: list[ReadingLine]) -> None:
    """All rounds of a file."""
    for labels, readings in rounds(lines):
        for key, line in labels.items():
            value = {
                "platform": line.platform,
                "account_id": line.account_id,
                "category": line.category,
                "observed_at": line.observed_at.isoformat(),
            }
            estate.put("category-changes", value if line.category else None, key=key)
        estate.drain()
        for line in readings:
            value = {
                "platform": line.platform,
                "account_id": line.account_id,
                "followers": line.followers,
                "observed_at": line.observed_at.isoformat(),
            }
            estate.put("follower-counts", value)
        estate.drain(300)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SETS)
def test_workers_agree_with_a_fold_over_real_readings(
    name: str,
    make_estate: Callable[..., Estate],
    record_property: Callable[[str, object], None],
    tmp_path: Path,
) -> None:
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{Path('../shared/data') / path.name} is not on this machine")
    lines = labelled(list(lines_of(path)))
    categories = sorted({line.category for line in lines if line.category})
    covered = dict.fromkeys(categories, "society")
    rules = Rules(lines=SETS[name], labels=covered)
    expected = fold(lines, rules)
    platforms = sorted({line.platform for line in lines})
    estate = make_estate(
        {platform: policy(platform, SETS[name], covered) for platform in platforms}
    )
    estate.start(2)
    send(estate, lines)
    events = {
        key: [(event["event"], event["reason"]) for event in own]
        for key, own in estate.events().items()
    }
    figures = {
        "readings": len(lines),
        "accounts": len({line.key for line in lines}),
        "invited": len(events),
        "oracle": len(expected.invited),
        "events": sum(map(len, events.values())),
    }
    record_property(name, json.dumps(figures))
    print(name, figures)
    assert set(events) == expected.invited
    assert events == expected.events
    assert audited(estate) == []
    assert backtest_of(estate, tmp_path) == events, "a backtest of the topics says the same"
    assert expected.invited, "a set in which nobody crosses proves nothing"
