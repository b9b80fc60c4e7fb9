"""What a rule or a panel counts is there before it happens, with the labels that are asked for.

Of a counter whose first value is 1 Prometheus sees no increase; of one that is not there, nothing.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import pytest

from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.exported import from_start
from tests.prometheus.rules import groups
from tests.prometheus.test_dashboards import filled_in

COUNTED = re.compile(r"\b(byline_\w+_total)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


class LabelMatcher(NamedTuple):
    """A label's value, by the four operators of PromQL."""

    label: str
    operator: str
    value: str

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is chosen."""
        value = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (value == self.value) is (self.operator == "=")
        return (re.fullmatch(self.value, value) is not None) is (self.operator == "=~")

    def single(self) -> Iterator["LabelMatcher"]:
        """Each of the words of an alternative by itself."""
        if self.operator == "=~" and "|" in self.value:
            yield from (LabelMatcher(self.label, "=", word) for word in self.value.split("|"))
        else:
            yield self


def queries() -> list[str]:
    """All of the rules and of the dashboards."""
    rules = [str(rule["expr"]) for group in groups() for rule in group["rules"]]
    panels = [it for board in BOARDS for panel in board.panels for it in panel.shows.values()]
    return [*rules, *map(filled_in, panels)]


def missing(query: str) -> list[str]:
    """The counters of the query of which nothing is there from the start, as it chooses them."""
    found = []
    for name, matchers in COUNTED.findall(query):
        series = [it.labels for it in from_start() if it.name == name]
        wanted = [LabelMatcher(*it).single() for it in MATCHER.findall(matchers)]
        for chosen in product(*wanted):
            if not any(all(it.fits(labels) for it in chosen) for labels in series):
                found.append(f"{name} {chosen}")
    return found


@pytest.mark.parametrize("query", [it for it in queries() if COUNTED.search(it)])
def test_what_is_counted_is_there_from_the_start(query: str) -> None:
    assert missing(query) == []


@pytest.mark.parametrize(
    "query",
    [
        "rate(byline_refusal_guard_trips_total[5m])",
        'increase(byline_events_total{event=~"invitation.issued|invitation.isued"}[1h])',
        'increase(byline_console_orders_total{word="lifted"}[1h])',
    ],
)
def test_a_counter_or_a_label_that_is_not_there_is_told(query: str) -> None:
    assert len(missing(query)) == 1
