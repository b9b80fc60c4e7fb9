"""Faults of the console under a real Prometheus: it is on a copy of the index, which is broken."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from streams.index.schema import HEAD
from streams.settings_checks import variable
from tests.prometheus.asking import Browser, Desk
from tests.prometheus.faults import WatchedEstate, events_of, eventually

AT_ONCE = 60
"""So many are more than a rule allows for within its range, which is two seconds at the least."""


def somebody_opens_the_console(stage: WatchedEstate) -> None:
    """The console is started on a copy of the index, which there is by now."""
    with (
        closing(sqlite3.connect(stage.index_file)) as source,
        closing(sqlite3.connect(_copy(stage))) as copy,
    ):
        source.backup(copy)
    _start(stage)
    stage.watch.ends("BylineConsoleSilent", 60)


def somebody_works_at_the_console(stage: WatchedEstate) -> None:
    """A person reads, finds for an owner, and turns a switch on; a program asks."""
    desk = Desk(stage.console, stage.index)
    desk.signs_in()
    for answer in (*desk.reads(), *desk.asks()):
        assert answer.status == 200, answer
    desk.orders("controls", command="appeal_upheld", account="weibo:a1", reason="appeal")
    eventually(
        lambda: events_of(stage.estate, "weibo:a1", "invitation.cancelled"), "nobody was freed"
    )
    assert desk.turns("douyin", "on").status == 200
    # Nobody follows the console's copy of the index, so what ends a protection is not sent from it.
    assert desk.turns("douyin", "off").status == 409
    stage.switch("douyin", "invitations_off", False)


def the_console_fails(stage: WatchedEstate) -> None:
    """Somebody guesses tokens; its database is of another version for a while; it is killed."""
    browser = Browser(stage.console)
    form = {"guard": browser.open("/sign-in").guard, "token": "guessed"}

    def often(path: str, **form: str) -> None:
        for _ in range(AT_ONCE):
            browser.open(path, **form)

    stage.watch.fires("BylineSignInsRefused", 20, lambda: often("/sign-in", **form))
    with _of_another_version(_copy(stage)):
        stage.watch.fires("BylineErrorResponses", 30, lambda: often("/readyz"))
    stage.watch.ends("BylineErrorResponses", 30)
    stage.watch.ends("BylineSignInsRefused", 30)
    (console,) = [it for it in stage.beside if "console" in it.args]
    stage.beside.remove(console)
    console.kill()
    console.communicate(timeout=20)
    stage.watch.fires("BylineConsoleSilent", 20)
    _start(stage)
    stage.watch.ends("BylineConsoleSilent", 60)


@contextmanager
def _of_another_version(database: Path) -> Iterator[None]:
    """As after the upgrade of an index that did not reach its console."""
    _says(database, "0000")
    try:
        yield
    finally:
        _says(database, HEAD)


def _says(database: Path, version: str) -> None:
    with closing(sqlite3.connect(database, timeout=10)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])


def _copy(stage: WatchedEstate) -> Path:
    return stage.estate.folder / "copy-of-the-index.sqlite"


def _start(stage: WatchedEstate) -> None:
    database = {variable("database"): f"sqlite:///{_copy(stage)}"}
    stage.run("console", "--port", str(stage.console), **database)
