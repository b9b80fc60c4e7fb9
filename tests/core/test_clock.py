"""The reckoning of deadlines: only ever later, and by the exact union of the stops."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from streams.core.model.instants import (
    DAY,
    HOUR,
    add_stop,
    bounded,
    day_of,
    day_start,
    hour_of,
    hour_start,
    merge,
    milliseconds,
    reckon,
    rfc3339,
)

INSTANT = st.integers(0, 300)
CLOSED_STOP = st.tuples(INSTANT, INSTANT)
STOP = st.tuples(INSTANT, st.one_of(st.none(), INSTANT))


def by_ticking(base: int, counted_from: int, stops: list[tuple[int, int]]) -> int:
    """The deadline by a clock that ticks: it stands still wherever a stop covers the tick."""
    now, left = counted_from, base - counted_from
    while left > 0:
        stopped = any(start <= now < end for start, end in stops)
        now, left = now + 1, left if stopped else left - 1
    return now


@given(st.integers(0, 200), st.integers(0, 200), st.lists(CLOSED_STOP, max_size=6))
def test_a_deadline_is_where_a_ticking_clock_would_put_it(
    counted_from: int, window: int, stops: list[tuple[int, int]]
) -> None:
    base = counted_from + window
    ticked = by_ticking(base, counted_from, stops)
    reckoned = reckon(base, counted_from, stops)
    assert reckoned == (ticked, False)


@given(st.integers(0, 200), st.integers(0, 200), st.lists(STOP, max_size=6), STOP)
def test_one_more_stop_never_makes_a_deadline_earlier(
    counted_from: int,
    window: int,
    stops: list[tuple[int, int | None]],
    more: tuple[int, int | None],
) -> None:
    base = counted_from + window
    before, after = reckon(base, counted_from, stops), reckon(base, counted_from, [*stops, more])
    assert after.deadline >= before.deadline >= base or after.stopped
    assert before.stopped <= after.stopped
    assert before.deadline >= base


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 99), st.lists(STOP, max_size=6))
def test_a_later_base_never_makes_a_deadline_earlier(
    counted_from: int, window: int, more: int, stops: list[tuple[int, int | None]]
) -> None:
    base = counted_from + window
    earlier, later = reckon(base, counted_from, stops), reckon(base + more, counted_from, stops)
    assert later.deadline >= earlier.deadline or later.stopped


@given(st.lists(STOP, max_size=8))
def test_a_union_covers_the_same_instants_and_nothing_twice(
    stops: list[tuple[int, int | None]],
) -> None:
    merged = merge(stops)
    for instant in range(310):
        was = any(start <= instant and (end is None or instant < end) for start, end in stops)
        inside = [s for s in merged if s[0] <= instant and (s[1] is None or instant < s[1])]
        assert len(inside) == was
    ends = [bound for stop in merged for bound in stop if bound is not None]
    assert ends == sorted(ends)


@given(st.lists(STOP, max_size=6), st.integers(0, 200), st.integers(0, 99))
def test_the_order_and_the_doubling_of_stops_mean_nothing(
    stops: list[tuple[int, int | None]], counted_from: int, window: int
) -> None:
    base = counted_from + window
    assert reckon(base, counted_from, stops) == reckon(base, counted_from, stops[::-1] * 2)


def test_a_stop_that_begins_at_the_deadline_comes_too_late() -> None:
    assert reckon(100, 0, [(100, 150)]) == (100, False)
    assert reckon(100, 0, [(99, 150)]) == (151, False)
    assert reckon(100, 0, [(99, None)]) == (100, True)


@given(st.integers(0, 4_000_000_000_000))
def test_days_and_hours_are_those_of_shanghai(instant: int) -> None:
    shanghai = datetime.fromtimestamp(instant // 1000, timezone(timedelta(hours=8)))
    begins = datetime.fromtimestamp(day_start(day_of(instant)) / 1000, UTC)
    assert begins.astimezone(shanghai.tzinfo).time().isoformat() == "00:00:00"
    assert begins.astimezone(shanghai.tzinfo).date() == shanghai.date()
    assert 0 <= instant - day_start(day_of(instant)) < DAY
    assert 0 <= instant - hour_start(hour_of(instant)) < HOUR


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))
def test_an_instant_on_the_wire_reads_back(instant: datetime) -> None:
    assert milliseconds(datetime.fromisoformat(rfc3339(milliseconds(instant)))) == milliseconds(
        instant
    )


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 30)), max_size=60), st.integers(1, 12)
)
def test_adding_a_stop_is_the_same_as_making_them_anew(
    spans: list[tuple[int, int]], most: int
) -> None:
    kept: list[tuple[int, int]] = []
    made: list[tuple[int, int]] = []
    for start, length in spans:
        add_stop(kept, start, start + length, most)
        made = bounded([*made, (start, start + length)], most)
        assert kept == made


def test_of_too_many_stops_the_shortest_gap_and_of_equals_the_earliest_counts_as_stopped() -> None:
    assert bounded([(0, 1), (5, 6), (8, 9)], 2) == [(0, 1), (5, 9)]
    assert bounded([(0, 1), (3, 4), (6, 7), (99, 100)], 3) == [(0, 4), (6, 7), (99, 100)]
