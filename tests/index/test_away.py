"""A PostgreSQL that goes, is locked, freezes or turns us away while an indexer follows.

It says so once, waits, says once that it is back, and loses nothing. It ends only for what a person
has to change.
"""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine

from streams.index.database import BUSY_MS, open_engine, url_of
from streams.index.outage import SLOW_SECONDS
from streams.settings import Settings, SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.index.filled import contents
from tests.index.poured import pour, topics, two_lives
from tests.index.test_bad_luck import ROOMY, count
from tests.operate.conftest import until
from tests.support import processes
from tests.support.postgresql import USER, Server
from tests.support.zygote import Child

__all__ = ["byline", "clean_environment", "on_kafka"]
HALF = len(two_lives()) // 2


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


@pytest.fixture
def engine(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database without a table, to which BYLINE_DATABASE points."""
    with psycopg.connect(server.url, autocommit=True) as shell:
        shell.execute("DROP SCHEMA public CASCADE")
        shell.execute("CREATE SCHEMA public")
    monkeypatch.setenv(variable("database"), server.url)
    made = open_engine(url_of(SettingsWithoutPolicies(database=SecretStr(server.url))))
    yield made
    made.dispose()


@pytest.fixture
def following(
    on_kafka: Settings, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Child, Path]]:
    """An indexer that serves, and has read the first half of two lives."""
    topics(on_kafka)
    pour(on_kafka, two_lives()[:HALF])
    roles, said = tmp_path / "roles", tmp_path / "said"
    roles.write_text(f"{sha256(b'x').hexdigest()} desk.1 accounts\n")
    monkeypatch.setenv(variable("roles_file"), str(roles))
    process = processes.start(["index", "--follow", "--serve", "--port", "0"], os.environ, said)
    until(lambda: count(engine) == HALF, ROOMY, "the first half is read")
    yield process, said
    process.kill()
    process.wait(30)


def lives(said: Path) -> bool:
    """Its own word that the process lives."""
    found = re.search(r"http://[^:]+:\d+", said.read_text())
    assert found is not None
    with urllib.request.urlopen(f"{found[0]}/healthz", timeout=10) as answer:
        return bool(answer.status == 200)


def backends(server: Server) -> list[int]:
    """The processes of the server that work for others than us."""
    asked = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid()"
    with psycopg.connect(server.url, autocommit=True) as shell:
        return [pid for (pid,) in shell.execute(asked, (USER,)).fetchall()]


def rest(on_kafka: Settings, engine: Engine) -> None:
    """The second half arrives, and is read."""
    records = two_lives()
    until(lambda: count(engine) == len(records), ROOMY, "it goes on")


@pytest.mark.kafka
def test_a_server_that_stops_and_starts_again_is_waited_for_and_nothing_is_lost(
    following: tuple[Child, Path],
    engine: Engine,
    server: Server,
    on_kafka: Settings,
    byline: Byline,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, said = following
    server.stop()
    pour(on_kafka, two_lives()[HALF:])
    until(lambda: "does not answer" in said.read_text(), ROOMY, "it says that it is gone")
    time.sleep(7)
    assert lives(said)
    assert process.poll() is None
    server.start()
    rest(on_kafka, engine)
    until(lambda: "answers again" in said.read_text(), ROOMY, "it says that it is back")
    text = said.read_text()
    assert text.count("does not answer") == text.count("answers again") == 1, text
    assert "a%20word" not in text
    process.terminate()
    assert process.wait(30) == 0
    other = URL.create("sqlite", database=str(tmp_path / "other.sqlite"))
    monkeypatch.setenv(variable("database"), other.render_as_string())
    assert byline("index").code == 0
    assert contents(engine) == contents(open_engine(other))


@pytest.mark.kafka
def test_a_lock_of_another_session_is_waited_for_and_who_is_in_the_way_is_said(
    following: tuple[Child, Path], engine: Engine, server: Server, on_kafka: Settings
) -> None:
    process, said = following
    with psycopg.connect(server.url) as shell:
        shell.execute("LOCK TABLE decisions IN SHARE ROW EXCLUSIVE MODE")
        pour(on_kafka, two_lives()[HALF:])
        wanted = "another program has locked"
        until(lambda: wanted in said.read_text(), ROOMY + BUSY_MS / 1000, "it says who")
        # What came before the first decision of the second half may be in already.
        assert HALF <= count(engine) < len(two_lives())
        assert process.poll() is None
    rest(on_kafka, engine)
    until(lambda: "answers again" in said.read_text(), ROOMY, "it says that it is back")


@pytest.mark.kafka
def test_a_server_that_freezes_is_said_to_be_slow_and_holds_up_no_end(
    following: tuple[Child, Path], engine: Engine, server: Server, on_kafka: Settings
) -> None:
    process, said = following
    engine.dispose()
    frozen = backends(server)
    assert frozen
    for pid in frozen:
        server.send_signal(pid, signal.SIGSTOP)
    pour(on_kafka, two_lives()[HALF:])
    wanted = f"has not answered for {SLOW_SECONDS:.0f} s. Waiting"
    until(lambda: wanted in said.read_text(), ROOMY, "it says that it is slow")
    assert lives(said)
    for pid in frozen:
        server.send_signal(pid, signal.SIGCONT)
    rest(on_kafka, engine)
    until(lambda: "answers again" in said.read_text(), ROOMY, "it says that it is back")
    engine.dispose()
    frozen = backends(server)
    for pid in frozen:
        server.send_signal(pid, signal.SIGSTOP)
    time.sleep(2)
    process.terminate()
    try:
        assert process.wait(30) == 0
    finally:
        for pid in frozen:
            server.send_signal(pid, signal.SIGCONT)


@pytest.mark.kafka
def test_a_password_that_is_changed_ends_it_with_what_to_do(
    following: tuple[Child, Path], server: Server
) -> None:
    process, said = following
    pids = backends(server)
    with psycopg.connect(server.url, autocommit=True) as shell:
        shell.execute(f"ALTER ROLE {USER} PASSWORD 'another'")
        for pid in pids:
            shell.execute("SELECT pg_terminate_backend(%s)", (pid,))
        try:
            assert process.wait(30) == 2
        finally:
            shell.execute(f"ALTER ROLE {USER} PASSWORD 'a word'")
    text = said.read_text()
    assert "refuses us: " in text
    assert "Check BYLINE_DATABASE and its rights" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("a%20word", "wrong"), "password authentication failed"),
        (("/postgres", "/nowhere"), 'database "nowhere" does not exist'),
    ],
)
def test_what_only_a_person_can_change_ends_it_at_once(
    server: Server, tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    environment = {
        **os.environ,
        variable("database"): server.url.replace(*change),
        variable("data_dir"): str(tmp_path),
    }
    done = processes.run(["index", "--follow"], environment)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Check BYLINE_DATABASE and its rights" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong" not in done.stderr
