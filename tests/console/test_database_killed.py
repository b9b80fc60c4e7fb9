"""A real PostgreSQL under console and indexer, killed in use: nothing lost, nothing done twice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select, update

from streams.console.proposals import State
from streams.index import tables
from streams.index.database import open_engine, reading, url_of, writing
from streams.settings import SettingsWithoutPolicies
from tests.conftest import RunningKafka
from tests.console.beside import Owners, StandingConsole, console_estate
from tests.index.filled import contents
from tests.support.postgresql import Server
from tests.support.running import Running
from tests.worker.commands import audited

pytestmark = pytest.mark.kafka
OBEYED = "All partitions have read it"
AWAY = "database does not answer. Nothing was changed"
UNKNOWN = "It is not known whether Kafka has it"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as it:
        yield it


@pytest.fixture(scope="module")
def standing(
    kafka: RunningKafka, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandingConsole]:
    folder = tmp_path_factory.mktemp("console")
    estate = console_estate(kafka, folder)
    made = StandingConsole(estate, server.url)
    try:
        estate.start(1)
        yield made.start()
        assert audited(estate) == []
    finally:
        made.end()
        estate.stop()


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    made = open_engine(url_of(SettingsWithoutPolicies(database=SecretStr(server.url))))
    yield made
    made.dispose()


def state_of(engine: Engine, path: str) -> State:
    mine = tables.proposals.c.id == path.rpartition("/")[2]
    with reading(engine) as connection:
        return State(connection.scalars(select(tables.proposals.c.state).where(mine)).one())


def as_one_made_anew(standing: StandingConsole, engine: Engine, folder: Path) -> None:
    """The index has each record once: it equals one that is read from Kafka from nothing."""
    anew = Running(folder / "anew.log")
    file = folder / "anew.sqlite"
    environment = {**standing.environment, "BYLINE_DATABASE": f"sqlite:///{file}"}
    anew.fork(["index"], environment)
    standing.until(lambda: anew.code is not None, "a new index has read it all")
    assert anew.code == 0, anew.said
    settings = SettingsWithoutPolicies(database=SecretStr(environment["BYLINE_DATABASE"]))
    other = open_engine(url_of(settings))
    try:
        wanted = contents(other)
        standing.until(lambda: contents(engine) == wanted, "the index is as one made anew")
    finally:
        other.dispose()


def test_a_database_that_is_killed_is_waited_for_and_an_order_is_sent_once(
    standing: StandingConsole, server: Server, engine: Engine, kafka: RunningKafka, tmp_path: Path
) -> None:
    owners = Owners(standing.estate)
    owners.cross("douyin:d1", "douyin:d2")
    owners.are_told("douyin:d1", "douyin:d2")
    browser = standing.browser("desk.1")
    browser.until("/accounts/douyin:d2", "left to answer")
    form = {"command": "hold", "account": "douyin:d1 douyin:d2", "reason": "incident"}
    path = browser.prepare("controls", **form)

    server.kill()
    for asked in ("/", "/accounts/douyin:d1", path):
        answer = browser.client.get(asked)
        assert (answer.status_code, AWAY in answer.text) == (503, True), answer.text
    assert browser.client.get("/healthz").status_code == 200
    assert browser.client.get("/readyz").status_code == 503
    answer = browser.client.post(f"{path}/send", data={"guard": "x" * 64})
    assert answer.status_code == 503, answer.text
    owners.cross("douyin:d3")
    assert owners.controls("douyin:d1", "douyin:d2") == [], "nothing was sent"
    server.start()
    browser.until("/accounts/douyin:d3", "an invitation is issued")
    browser.press(path, "send")
    browser.until(path, OBEYED)
    assert len(owners.controls("douyin:d1", "douyin:d2")) == 2

    accounts = [f"douyin:e{number}" for number in range(20)]
    path = browser.prepare("controls", **{**form, "account": " ".join(accounts)})
    kafka.cluster.freeze()
    try:
        with ThreadPoolExecutor(1) as pool, suppress(httpx2.TransportError, AssertionError):
            pressed = pool.submit(browser.press, path, "send")
            standing.until(lambda: state_of(engine, path) is State.SENDING, "it is being sent")
            server.kill()
            standing.console.kill()
            standing.index.kill()
            pressed.result()
    finally:
        kafka.cluster.thaw()
    server.start()
    with writing(engine) as connection:
        # Nobody waits a minute here until the page calls it old.
        old = int(time.time() * 1000) - 120_000
        connection.execute(update(tables.freshness).values(as_of=old))
    standing.start_console()
    assert 'class="age late"' in browser.page("/"), "the page says that what it shows is old"
    assert UNKNOWN in browser.page(path)
    browser.press_again(path)
    browser.press(path, "send", 409)
    assert "of 4 partitions" in browser.page(path), "the index is still away"
    standing.start_index()
    browser.until(path, OBEYED)
    browser.until("/", 'class="age"')
    sent = owners.controls(*accounts)
    assert len({it["control_id"] for it in sent}) == len(accounts)
    standing.estate.drain()
    as_one_made_anew(standing, engine, tmp_path)


def test_a_database_that_is_killed_again_and_again_loses_no_row(
    standing: StandingConsole, server: Server, engine: Engine, tmp_path: Path
) -> None:
    owners = Owners(standing.estate)
    browser = standing.browser("desk.1")
    for number in range(5):
        owners.cross(f"douyin:f{number}")
        server.kill()
        owners.are_told(f"douyin:f{number}")
        server.start()
        standing.until(lambda: browser.client.get("/").status_code == 200, "the page comes again")
    browser.until("/accounts/douyin:f4", "left to answer")
    standing.estate.drain()
    as_one_made_anew(standing, engine, tmp_path)
