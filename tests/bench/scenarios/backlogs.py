"""Backlogs to be drained: all peers, the worst case, more accounts, partitions, workers.

Contestants take turns, round by round, so that whatever else the machine does meets all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.contestants import CONTESTANTS, Contestant
from tests.bench.data import DataShape
from tests.bench.draining import drain
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import Site

FULL = DataShape("full", accounts=400_000, readings=5)
TRACKED = DataShape("tracked", accounts=400_000, readings=3, tracked=True)
FEW = DataShape("few", accounts=400_000, readings=2)
MANY = DataShape("many", accounts=4_000_000, readings=2)
WIDE = DataShape("wide", accounts=400_000, readings=5, partitions=32)

PATIENCE_SECONDS, LEAST_EVENTS_PER_SECOND = 180.0, 20_000
WORST_PEERS = ("byline", "byline-2", "kstreams")


@dataclass(frozen=True)
class BacklogTurn:
    """What one contestant does in each round."""

    case: str
    contestant: Contestant
    shape: DataShape
    workers: int = 1


def drains(site: Site, options: Options) -> Iterator[BenchRun]:
    """Nearly every reading changes nothing: 2.4 million events of 400,000 accounts."""
    turns = [
        BacklogTurn("backlog", one, FULL.scaled(options.scale * one.share), one.workers or 1)
        for one in options.contestants
    ]
    return _rounds(site, options, "drain", turns)


def worst(site: Site, options: Options) -> Iterator[BenchRun]:
    """Every account is tracked and every reading changes state: 1.6 million events."""
    shape = TRACKED.scaled(options.scale)
    turns = [
        BacklogTurn("every account tracked", one, shape, one.workers or 1)
        for one in options.contestants
        if one.name in WORST_PEERS
    ]
    return _rounds(site, options, "worst", turns)


def accounts(site: Site, options: Options) -> Iterator[BenchRun]:
    """Ten times the accounts, the same mix of events: what does an event cost?"""
    byline = CONTESTANTS["byline"]
    turns = [
        BacklogTurn("400 k accounts", byline, FEW.scaled(options.scale)),
        BacklogTurn("4 M accounts", byline, MANY.scaled(options.scale)),
    ]
    return _rounds(site, options, "accounts", turns)


def partitions(site: Site, options: Options) -> Iterator[BenchRun]:
    """The same events in 8 and in 32 partitions."""
    byline = CONTESTANTS["byline"]
    turns = [
        BacklogTurn("8 partitions", byline, FULL.scaled(options.scale)),
        BacklogTurn("32 partitions", byline, WIDE.scaled(options.scale)),
    ]
    return _rounds(site, options, "partitions", turns)


def workers(site: Site, options: Options) -> Iterator[BenchRun]:
    """The same backlog by one worker and by two."""
    byline, shape = CONTESTANTS["byline"], FULL.scaled(options.scale)
    turns = [
        BacklogTurn("1 worker", byline, shape, 1),
        BacklogTurn("2 workers", byline, shape, 2),
    ]
    return _rounds(site, options, "workers", turns)


def _rounds(
    site: Site, options: Options, scenario: str, turns: list[BacklogTurn]
) -> Iterator[BenchRun]:
    for turn in turns:
        options.say(f"{scenario}: loading {turn.shape.events:,} events for {turn.contestant.name}")
        site.data(turn.shape)
    for round_ in range(options.rounds):
        for turn in turns:
            data = site.data(turn.shape)
            try:
                figures = drain(
                    site,
                    data,
                    turn.contestant,
                    workers=turn.workers,
                    limit_seconds=PATIENCE_SECONDS + data.events / LEAST_EVENTS_PER_SECOND,
                )
            except (TimeoutError, RuntimeError) as error:
                figures = {"failed": str(error)[-2000:]}
            yield BenchRun(scenario, turn.case, turn.contestant.name, round_, figures)
