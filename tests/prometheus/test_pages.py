"""What a worker, the index and the auditor show is as Prometheus wants it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import ALIASES, SPECS
from streams.serve.metrics import NAMES, registry_of
from tests.core.given import HOUR
from tests.index.test_propagation import Acks, indexed, of, twice
from tests.prometheus.exported import auditor_page, worker_page
from tests.support.parts import program


def index_page(folder: Path) -> str:
    """The page of an index in which a system has acknowledged some of what it was told."""
    tape, acks = twice(), Acks()
    for event in of(tape, "p1", "throttle.applied"):
        acks.says("recommender", event, "applied")
    return generate_latest(
        registry_of(indexed(folder, tape, acks), lambda: tape.now, HOUR)
    ).decode()


PAGES: dict[str, Callable[[Path], str]] = {
    "worker": lambda _: worker_page(),
    "auditor": lambda _: auditor_page(),
    "index": index_page,
}


@pytest.mark.part("promtool")
@pytest.mark.parametrize("page", PAGES)
def test_promtool_finds_nothing_wrong_with_the_page(page: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=PAGES[page](tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.part("promtool")
def test_promtool_is_heard_when_it_complains() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input="# TYPE byline_things counter\nbyline_things 1\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0


def test_the_worker_shows_the_list_its_former_names_and_its_process_alone() -> None:
    shown = {family.name for family in text_string_to_metric_families(worker_page())}
    names = {spec.name for spec in SPECS} | set(ALIASES.values())
    listed = {name.removesuffix("_total") for name in names}
    assert {name for name in shown if name.startswith("byline")} <= listed
    assert listed & shown == {name for name in shown if not name.startswith("process_")}


def test_every_metric_of_the_index_is_on_its_page(tmp_path: Path) -> None:
    shown = {family.name for family in text_string_to_metric_families(index_page(tmp_path))}
    assert NAMES.keys() <= shown
