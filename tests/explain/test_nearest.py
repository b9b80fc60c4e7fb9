"""The nearest change, held to the core itself: applied, it has the outcome that was said."""

import copy
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from streams.core.model.instants import DAY, HOUR, SECOND
from streams.explain.gather import from_index
from streams.explain.nearest import Change, Kind, Nearest, nearest
from streams.explain.sandbox import DECISIVE
from tests.index.filled import filled
from tests.operate.recording import Tape, invited

MINUTE = 60 * SECOND
AHEAD = 100 * DAY
Events = tuple[tuple[str, str, str | None, str], ...]


def found(tape: Tape, folder: Path, account: str = "p1") -> Nearest:
    engine = filled(folder, tape)
    told = nearest(from_index(engine, f"weibo:{account}"), tape.now)
    assert told is not None
    return told


def lived(
    tape: Tape, act: Callable[[Tape], object] = lambda _: None, account: str = "p1"
) -> Events:
    """What happens first to an account in the recording's own world, which is left as it was."""
    world = copy.deepcopy(tape)
    before = len(world.events)
    act(world)
    world.wait(AHEAD)
    return first_of(world.events[before:], account)


def first_of(events: Iterable[Mapping[str, Any]], account: str = "p1") -> Events:
    """The first events that are an outcome, all of one instant."""
    decisive = [it for it in events if it["event"] in DECISIVE and it["account_id"] == account]
    return tuple(
        (it["event"], it["reason"], it.get("surface"), it["mode"])
        for it in decisive
        if it["decided_at"] == decisive[0]["decided_at"]
    )


def applied(tape: Tape, change: Change, more: int = 0) -> Events:
    """The same with a change; `more`: so many followers, or milliseconds, less of it."""
    known = tape.account("p1").followers or 0

    def act(world: Tape) -> None:
        if change.kind is Kind.MORE:
            world.reads(known + (change.by or 0) - more, "p1")
        elif change.kind is Kind.FEWER:
            world.reads(known - (change.by or 0) + more, "p1")
        elif change.kind is Kind.LABEL:
            world.label(change.label, "p1")
        elif change.kind is Kind.NO_LABEL:
            world.label("日常生活", "p1")
        elif change.kind is Kind.EXEMPTION_ENDS:
            world.change("exemption_ended", "p1")
        elif change.kind is Kind.WITHDRAW:
            world.answer("withdrawn", "p1")
        else:
            if change.until is not None:
                world.wait(change.until + more - world.now - 1)
                world.now += 1
                if more:
                    world.run_timers()
            world.answer("granted", "p1")

    return lived(tape, act)


def outside() -> Tape:
    return Tape().label("财经", "p1").reads(700, "p1").change("exempted", "x").wait(MINUTE)  # type: ignore[return-value]


def tracked() -> Tape:
    tape = Tape().control("settle", "p1").label("财经", "p1").reads(700, "p1")
    return tape.wait(MINUTE)  # type: ignore[return-value]


def unlabelled() -> Tape:
    return Tape().control("settle", "p1").reads(5_000, "p1").wait(MINUTE)  # type: ignore[return-value]


def dwelling() -> Tape:
    return Tape().label("财经", "p1").reads(1_234, "p1").wait(MINUTE)  # type: ignore[return-value]


def exempt() -> Tape:
    tape = Tape().label("财经", "p1").reads(1_234, "p1").change("exempted", "p1")
    return tape.wait(2 * HOUR)  # type: ignore[return-value]


def issued() -> Tape:
    return invited(Tape(), "p1")


def delivered() -> Tape:
    return issued().receipt(account="p1").wait(DAY)  # type: ignore[return-value]


def declined() -> Tape:
    return delivered().answer("declined", "p1").wait(MINUTE)  # type: ignore[return-value]


def held() -> Tape:
    return delivered().control("hold", "p1").wait(DAY)  # type: ignore[return-value]


def leaving() -> Tape:
    return delivered().reads(899, "p1").wait(HOUR)  # type: ignore[return-value]


def restricted() -> Tape:
    return delivered().wait(4 * DAY)  # type: ignore[return-value]


def granted() -> Tape:
    return delivered().answer("granted", "p1").wait(HOUR)  # type: ignore[return-value]


def failed() -> Tape:
    return issued().receipt("failed", "p1", failure="blocked").wait(HOUR)  # type: ignore[return-value]


def cooling() -> Tape:
    return granted().answer("withdrawn", "p1").wait(DAY)  # type: ignore[return-value]


STATES: dict[str, tuple[Callable[[], Tape], set[Kind]]] = {
    "tracked": (tracked, {Kind.MORE}),
    "unlabelled": (unlabelled, {Kind.LABEL}),
    "dwelling": (dwelling, {Kind.FEWER, Kind.NO_LABEL}),
    "exempt": (exempt, {Kind.EXEMPTION_ENDS}),
    "issued": (issued, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "delivered": (delivered, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "declined": (declined, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "held": (held, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "leaving": (leaving, {Kind.MORE, Kind.NO_LABEL, Kind.GRANT}),
    "restricted": (restricted, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "granted": (granted, {Kind.WITHDRAW}),
    "failed": (failed, {Kind.FEWER, Kind.NO_LABEL, Kind.GRANT}),
    "cooling": (cooling, {Kind.FEWER, Kind.NO_LABEL}),
}
"""A recording in each state, and the kinds of changes that alter what happens."""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.slow
def test_each_change_has_the_outcome_that_is_said_and_one_unit_less_has_not(
    state: str, tmp_path: Path
) -> None:
    make, kinds = STATES[state]
    tape = make()
    told = found(tape, tmp_path)
    assert {it.kind for it in told.changes} == kinds
    without = lived(tape)
    assert told.without.events == without
    for change in told.changes:
        assert applied(tape, change) == change.outcome.events != without, change
        if change.by is not None and change.by > 1:
            assert applied(tape, change, 1) == without, change
        if change.until is not None:
            assert applied(tape, change, SECOND) != change.outcome.events, change


@pytest.mark.parametrize("state", ["tracked", "dwelling", "delivered", "leaving", "restricted"])
def test_no_smaller_change_of_the_count_alters_it(state: str, tmp_path: Path) -> None:
    tape = STATES[state][0]()
    told = found(tape, tmp_path)
    known, without = tape.account("p1").followers or 0, lived(tape)
    chance = random.Random(state)
    for kind, sign in ((Kind.MORE, 1), (Kind.FEWER, -1)):
        sizes = [it.by or 0 for it in told.changes if it.kind is kind]
        most = min(sizes) - 1 if sizes else min(known, 100_000)
        for by in {chance.randint(0, most) for _ in range(6)} if most > 0 else ():
            count = known + sign * by
            after = lived(tape, lambda world, count=count: world.reads(count, "p1"))  # type: ignore[misc]
            assert after == without, (kind, by)


def test_of_an_account_that_nobody_knows_nothing_is_said(tmp_path: Path) -> None:
    tape = outside()
    assert nearest(from_index(filled(tmp_path, tape), "weibo:nobody"), tape.now) is None
