"""Every alert and every panel in a real Prometheus: `python -m tests.prometheus [STAGE…] --write`.

`day`: faults of the programme under load, and all panels; `machines`: faults of workers and
brokers. Each has a Kafka of its own and takes some eight minutes. `--write` puts what was seen into
seen.json, the tables and the pictures beside this file. Exit 1 when an alert or a query of a panel
is missing.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.topics import TopicNames
from streams.local.kafka import KafkaCluster
from tests.prometheus import faults, pictures, seen
from tests.prometheus.dashboards.__main__ import BOARDS
from tests.prometheus.faults import WatchedEstate
from tests.prometheus.load import load
from tests.prometheus.panels import PanelAnswer, answers
from tests.prometheus.running import Prometheus
from tests.prometheus.stages import (
    OF_MACHINES,
    POLICIES,
    POLICIES_OF_MACHINES,
    a_day,
    settings,
    watched,
)
from tests.worker.harness import Estate
from tests.worker.policies import policy

FACTOR, SHORTEST_MS, SCRAPE_MS = 240, 3_000, 1_000
"""A day takes six minutes, and no range is shorter than three scrapes."""
LOADED = "zhihu"
"""Half a minute to answer, so that the silent are restricted while the run goes on."""


@contextmanager
def _stage(name: str, policies: Mapping[str, str]) -> Iterator[tuple[WatchedEstate, Prometheus]]:
    with (
        tempfile.TemporaryDirectory(prefix=f"byline-{name}-") as folder,
        KafkaCluster(Path(folder) / "kafka", brief=True) as cluster,
    ):
        place = Path(folder)
        (place / "policies").mkdir()
        for platform, text in policies.items():
            (place / "policies" / f"{platform}.yaml").write_text(text, encoding="utf-8")
        names = TopicNames("byline.", "byline")
        estate = Estate(
            cluster.bootstrap, names, place / "policies", place, 1, settings(place)
        ).create_topics()
        try:
            estate.start(1)
            if name == "day":
                faults.lead_lives(estate)
            with watched(estate, FACTOR, SHORTEST_MS, SCRAPE_MS, cluster) as made:
                yield made
        except BaseException:
            print(estate.workers[0].said[-3_000:] if estate.workers else "", file=sys.stderr)
            raise
        finally:
            estate.stop()


def _day(found: dict[str, Any]) -> list[PanelAnswer]:
    with _stage("day", {**POLICIES, LOADED: policy(LOADED, window="PT30S")}) as (stage, prometheus):
        began = time.time()
        try:
            a_day(stage, load(stage, LOADED))
            answered = answers(prometheus, began, time.time())
            found["panels"] = seen.of_panels(answered)
            faults.a_worker_dies(stage)
        finally:
            _keep(found, stage)
    return answered


def _machines(found: dict[str, Any], only: list[str]) -> None:
    with _stage("machines", POLICIES_OF_MACHINES) as (stage, _):
        try:
            for fault in OF_MACHINES:
                if only and not any(word in fault.__name__ for word in only):
                    continue
                try:
                    fault(stage)
                    print(fault.__name__, flush=True)
                except (AssertionError, OSError) as error:
                    # The next one is tried all the same: each begins with a worker that serves.
                    print(f"{fault.__name__}: {error}", flush=True)
                    stage.cluster_again()
        finally:
            _keep(found, stage)


def _keep(found: dict[str, Any], stage: WatchedEstate) -> None:
    print(stage.watch.told(), flush=True)
    for alert, it in seen.of_alerts(stage.watch.seen).items():
        if it["ends_after_seconds"] is not None or alert not in found["alerts"]:
            found["alerts"][alert] = it


def _draw(answered: list[PanelAnswer]) -> None:
    seen.PICTURES.mkdir(exist_ok=True)
    for board in BOARDS:
        own = [it for it in answered if it.board == board.name]
        pictures.draw_board(own, seen.PICTURES / f"{board.name}.png")


def _missing(found: Mapping[str, Any], stages: list[str]) -> list[str]:
    empty = seen.without_series(found)
    unseen = [alert for alert in seen.INJECTED if alert not in found["alerts"]]
    return (empty if "day" in stages else []) + (unseen if len(stages) == 2 else [])


def main() -> int:
    """Runs the stages, prints what was seen, writes it where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.prometheus", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="day, machines; else both")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="faults of machines with one of these"
    )
    parser.add_argument("--write", action="store_true", help="seen.json, tables, pictures")
    given = parser.parse_args()
    chosen = given.stages or ["day", "machines"]
    if unknown := set(chosen) - {"day", "machines"}:
        parser.error(f"no stage is called {', '.join(sorted(unknown))}: there are day, machines")
    found = seen.kept()
    for name in chosen:
        began, loaded = time.monotonic(), os.getloadavg()[0]
        answered: list[PanelAnswer] = []
        try:
            if name == "day":
                answered = _day(found)
            else:
                _machines(found, given.only)
        finally:
            busy = max(loaded, os.getloadavg()[0])
            found["stages"][name] = (
                f"{datetime.now(UTC):%Y-%m-%d}, {time.monotonic() - began:.0f} s, durations divided"
                f" by {FACTOR}, no range shorter than {SHORTEST_MS // 1000} s, load of the machine"
                f" {busy:.0f} on {os.cpu_count()} cores"
            )
            if given.write:
                seen.write(found)
        if given.write and answered:
            _draw(answered)
    missing = _missing(found, chosen)
    print("\n".join(f"not seen: {it}" for it in missing) or "all were seen")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
