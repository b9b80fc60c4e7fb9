"""A real Prometheus on this machine, with the shipped rules and a day of a minute."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from streams.local.probe import free_port
from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.rules import RULE_FILES
from tests.prometheus.test_dashboards import filled_in
from tests.support.parts import program

FACTOR = 1440
"""By how much `for` and ranges are shorter: a day takes a minute."""
SHORTEST_MS = 1_000
"""Of a range: five scrapes."""
SCRAPE_MS = 200
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LENGTH = re.compile(r"(\d+)([smhd])")


def _ms(length: str) -> int:
    match = _LENGTH.fullmatch(length)
    assert match is not None, length
    return int(match[1]) * _UNITS[match[2]]


def shortened(rules: dict[str, Any], workers: int) -> dict[str, Any]:
    """Rules with durations divided by `FACTOR`, and so many workers wanted."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = re.sub(
                r"\[(\w+)\]",
                lambda it: f"[{max(_ms(it[1]) // FACTOR, SHORTEST_MS)}ms]",
                rule["expr"],
            )
            if "for" in rule:
                rule["for"] = f"{_ms(rule['for']) // FACTOR}ms"
            if rule.get("record") == "byline:workers_wanted":
                rule["expr"] = f"vector({workers})"
    return rules


class Prometheus:
    """`targets`: job -> port on this machine; what does not listen is down."""

    def __init__(self, folder: Path, targets: Mapping[str, int], workers: int = 1) -> None:
        yaml = YAML(typ="safe")
        for file in RULE_FILES:
            yaml.dump(shortened(yaml.load(file.read_text()), workers), folder / file.name)
        interval = f"{SCRAPE_MS}ms"
        config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(folder / file.name) for file in RULE_FILES],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
                for job, port in targets.items()
            ],
        }
        yaml.dump(config, folder / "prometheus.yaml")
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Prometheus":
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={self._folder / 'prometheus.yaml'}",
                    f"--storage.tsdb.path={self._folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--query.lookback-delta=2s",
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

    def _asked(self, what: str, **about: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(about)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())["data"]
        return found


class Panels:
    """Which panels of the dashboards have shown a series."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.empty = {panel.title: panel for board in BOARDS for panel in board.panels}

    def look(self) -> None:
        """Ask for all that were empty so far."""
        for title in list(self.empty):
            self.shows(title)

    def shows(self, title: str) -> bool:
        """Whether a panel has shown a series, now or before."""
        panel = self.empty.get(title)
        if panel is not None and any(map(self._series, panel.shows.values())):
            del self.empty[title]
        return title not in self.empty

    def _series(self, query: str) -> int:
        return self._prometheus.series(filled_in(query))


def _only_look() -> None:
    """Nothing happens meanwhile."""


class PrometheusWatch:
    """When each alert was first seen firing (`first`, of `time.monotonic`), and how long a fault or
    its end took to show (`told`).
    """

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.first: dict[str, float] = {}
        self.told: list[str] = []

    def fires(self, alert: str, within: float, meanwhile: Callable[[], None] = _only_look) -> None:
        """Wait until the alert fires; `meanwhile` is done at each look.

        Raises AssertionError when it takes longer than `within` seconds.
        """
        self._until(alert, True, within, meanwhile)

    def ends(self, alert: str, within: float, meanwhile: Callable[[], None] = _only_look) -> None:
        """The same until it fires no more."""
        self._until(alert, False, within, meanwhile)

    def _until(self, alert: str, fires: bool, within: float, meanwhile: Callable[[], None]) -> None:
        began = time.monotonic()
        word = "fires" if fires else "ends"
        while True:
            meanwhile()
            now = self._prometheus.firing()
            for one in now - self.first.keys():
                self.first[one] = time.monotonic()
            passed = time.monotonic() - began
            if (alert in now) is fires:
                self.told.append(f"{alert} {word} after {passed:.1f} s")
                return
            assert passed < within, f"{alert}: not so after {within} s: {word}; now {sorted(now)}"
            time.sleep(0.1)
