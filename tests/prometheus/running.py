"""A real Prometheus on this machine, with the shipped rules and a day of a minute."""

import json
import math
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from streams.local.probe import free_port
from tests.prometheus.rules import RULE_FILES
from tests.support.parts import program

FACTOR = 1440
"""By how much `for` and ranges are shorter: a day takes a minute."""
SHORTEST_MS = 2_000
"""Of a range: five scrapes."""
SCRAPE_MS = 400
"""Also the time that a scrape may take: a missed one begins every `for` anew."""
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LENGTH = re.compile(r"(\d+)([smhd])")
_HALF_AN_HOUR = re.compile(r"(byline_system_silent_seconds\) > )(\d+)$")
"""The one threshold that no test can wait for: it is divided as a duration."""


def _ms(length: str) -> int:
    match = _LENGTH.fullmatch(length)
    assert match is not None, length
    return int(match[1]) * _UNITS[match[2]]


def shortened(
    rules: dict[str, Any], workers: int, factor: int = FACTOR, shortest_ms: int = SHORTEST_MS
) -> dict[str, Any]:
    """Rules with durations divided by `factor`, and so many workers wanted.

    No range is shorter than `shortest_ms`.
    """
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = re.sub(
                r"\[(\w+)\]",
                lambda it: f"[{max(_ms(it[1]) // factor, shortest_ms)}ms]",
                rule["expr"],
            )
            rule["expr"] = _HALF_AN_HOUR.sub(
                lambda it: f"{it[1]}{int(it[2]) / factor}", rule["expr"]
            )
            if "for" in rule:
                rule["for"] = f"{_ms(rule['for']) // factor}ms"
            if rule.get("record") == "byline:workers_wanted":
                rule["expr"] = f"vector({workers})"
    return rules


class Series(NamedTuple):
    """A line of a panel: its legend, and its points (seconds UTC, value)."""

    legend: str
    points: list[tuple[float, float]]

    @property
    def span(self) -> tuple[float, float]:
        """Its least value and its most."""
        values = [value for _, value in self.points]
        return min(values), max(values)


def liveliest(series: Iterable[Series]) -> list[Series]:
    """Series with points, that whose values differ most first."""
    return sorted(series, key=lambda it: it.span[0] - it.span[1])


def legend_of(legend: str, labels: Mapping[str, str]) -> str:
    """A legend as Grafana writes it: labels in double braces are filled in."""
    return re.sub(r"\{\{(\w+)\}\}", lambda it: labels.get(it[1], ""), legend)


class Prometheus:
    """`targets`: job -> ports on this machine; what does not listen is down."""

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, Sequence[int]],
        workers: int = 1,
        factor: int = FACTOR,
        shortest_ms: int = SHORTEST_MS,
        scrape_ms: int = SCRAPE_MS,
    ) -> None:
        yaml = YAML(typ="safe")
        for file in RULE_FILES:
            rules = shortened(yaml.load(file.read_text()), workers, factor, shortest_ms)
            yaml.dump(rules, folder / file.name)
        interval = f"{scrape_ms}ms"
        config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(folder / file.name) for file in RULE_FILES],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": _addresses(ports)}]}
                for job, ports in targets.items()
            ],
        }
        yaml.dump(config, folder / "prometheus.yaml")
        self._folder, self._port, self._scrape_ms = folder, free_port(), scrape_ms
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Prometheus":
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={self._folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    f"--query.lookback-delta={10 * self._scrape_ms}ms",
                ],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def firing(self) -> set[str]:
        """Names of the alerts that fire now; none while it starts."""
        try:
            found = self._asked("alerts")
        except OSError:
            return set()
        return {it["labels"]["alertname"] for it in found["alerts"] if it["state"] == "firing"}

    def series(self, query: str) -> int:
        """How many series a query has now."""
        return len(self._asked("query", query=query)["result"])

    def over_time(self, query: str, legend: str, start: float, end: float) -> list[Series]:
        """A query's series between two instants (seconds UTC), a value a second.

        `legend`: as Grafana has it, with labels in double braces.
        """
        found = self._asked("query_range", query=query, start=f"{start}", end=f"{end}", step="1")
        return [
            Series(
                legend_of(legend, one["metric"]),
                [(at, float(it)) for at, it in one["values"] if math.isfinite(float(it))],
            )
            for one in found["result"]
        ]

    def _asked(self, what: str, **about: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(about)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())["data"]
        return found


def _addresses(ports: Sequence[int]) -> list[str]:
    return [f"127.0.0.1:{port}" for port in ports]
