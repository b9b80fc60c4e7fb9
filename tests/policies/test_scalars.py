"""Durations, instants and ratios are read exactly, and written so that they read back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.operate.policy_show import ratio_words
from streams.policies.faults import InvalidValue
from streams.policies.scalars import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    SECOND,
    format_duration,
    format_instant,
    parse_duration,
    parse_instant,
    parse_ratio_ppm,
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT0S", 0),
        ("P0D", 0),
        ("P3D", 3 * DAY),
        ("PT24H", DAY),
        ("P2W", 14 * DAY),
        ("P1DT2H30M", DAY + 2 * HOUR + 30 * MINUTE),
        ("PT90S", 90 * SECOND),
        ("P36525D", LONGEST),
    ],
)
def test_a_duration_is_read_in_milliseconds(text: str, length: int) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "3D", "p3d", "P3", "P1W2D", "PT0.5S", "PT1,5S", "-P3D", "P-3D"),
        *("P3D ", "P3D\n", "P٣D", "PT1M2H", "P1Y", "P1M", "P1Y2M3D", "P1MT1H", "P36526D"),
        *("30 days", "P3DT", "PT1S1S", "P3H", "P9999999999D"),
    ],
)
def test_another_text_is_not_a_duration(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_duration(text)


@pytest.mark.parametrize("text", ["P1Y", "P6M", "P1Y2M3D", "P1MT1H"])
def test_years_and_months_are_refused_for_having_no_length(text: str) -> None:
    with pytest.raises(InvalidValue, match="has no fixed length"):
        parse_duration(text)


@given(st.integers(0, LONGEST // SECOND).map(lambda seconds: seconds * SECOND))
def test_a_duration_that_was_written_reads_back(length: int) -> None:
    assert parse_duration(format_duration(length)) == length


@given(st.integers(0, 999), st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 99999))
def test_every_way_of_writing_a_duration_has_one_shortest(
    days: int, hours: int, minutes: int, seconds: int
) -> None:
    length = parse_duration(f"P{days}DT{hours}H{minutes}M{seconds}S")
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert length == span // timedelta(milliseconds=1)
    shortest = format_duration(length)
    assert len(shortest) <= len(f"P{days}DT{hours}H{minutes}M{seconds}S")
    assert format_duration(parse_duration(shortest)) == shortest


@given(st.integers(1, 1_000_000))
def test_a_ratio_that_was_written_reads_back(ppm: int) -> None:
    assert parse_ratio_ppm(ratio_words(ppm)) == ppm


@given(st.decimals("0.000001", "1", places=6))
def test_a_ratio_is_read_without_rounding(ratio: Decimal) -> None:
    assert parse_ratio_ppm(f"{ratio:f}") == ratio * 1_000_000
    assert parse_ratio_ppm(f"{ratio:f}000") == ratio * 1_000_000


@pytest.mark.parametrize(
    "text",
    ["0", "0.0", "-0.5", "1.000001", "1.01", "2", "0.0000001", ".5", "5%", "1e-1", ".nan", ""],
)
def test_another_text_is_not_a_ratio(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_ratio_ppm(text)


def test_instants_with_different_offsets_are_one_instant() -> None:
    assert parse_instant("2023-12-31T23:59:59+08:00") == parse_instant("2023-12-31T15:59:59Z")
    assert format_instant(parse_instant("2023-12-31T23:59:59+08:00")) == "2023-12-31T15:59:59.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2023-12-31T23:59:59",
        "2023-12-31",
        "2023-12-31 23:59:59+08:00",
        "2023-12-31T24:00:00Z",
        "2023-02-29T00:00:00Z",
        "2023-12-31T23:59:60Z",
        "2023-12-31T23:59:59+0800",
        "0001-01-01T00:00:00+08:00",
    ],
)
def test_another_text_is_not_an_instant(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_instant(text)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 31)))
def test_an_instant_that_was_written_reads_back(at: datetime) -> None:
    milliseconds = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        milliseconds=1
    )
    assert parse_instant(format_instant(milliseconds)) == milliseconds
