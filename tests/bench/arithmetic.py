"""Percentiles, medians with their spread, ratios: all arithmetic of the benchmark."""

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """A figure over several runs."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return number(self.median)
        return f"{number(self.median)} ({number(self.least)}–{number(self.most)})"


def number(value: float) -> str:
    """Three digits that count, thousands apart: 325,000 · 15.9 · 2.61."""
    size = abs(value)
    if size >= 1000:
        return f"{round(value, -2 if size >= 100_000 else 0):,.0f}"
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread(values: Iterable[float]) -> Spread | None:
    """Median, least and most; None of nothing."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found)) if found else None


def ratio(part: float | None, whole: float | None) -> float | None:
    """part / whole; None where one is missing or the whole is nothing."""
    return part / whole if part is not None and whole else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("a percentile of nothing")
    if not 0 <= share <= 1:
        raise ValueError(f"a share is 0 to 1, not {share}")
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(0, rank - 1)]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest in milliseconds, and of how many; empty of nothing."""
    if not seconds:
        return {"samples": 0}
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    found = {name: round(percentile(seconds, share) * 1000, 1) for name, share in shares.items()}
    return {"samples": len(seconds), **found}
