"""The read API: the same answers as the commands', to those who may ask, and who asked is known."""

import hashlib
import json
import os
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Engine, insert, select

from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.index import tables
from streams.index.database import FILE_NAME, reading, writing
from streams.index.retention import forget as forget_rows
from streams.operate.errors import UsageError
from streams.serve import api
from streams.serve.access import forget, write_down
from streams.serve.api import make_app
from streams.serve.metrics import ANSWERS, NAMES
from streams.serve.openapi import ROUTES, document
from streams.serve.roles import Role, Who, held, oidc_key, read_roles, who_is
from streams.settings_checks import variable
from tests.cli.conftest import clean_environment
from tests.core.given import DAY, HOUR, START
from tests.index.filled import empty, filled
from tests.operate.conftest import until
from tests.operate.recording import RECORDINGS, Tape
from tests.support import processes

__all__ = ["clean_environment"]
TOKENS = {"all": "token-of-all", "numbers": "token-of-numbers"}
Ask = Callable[..., Any]


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


ROLES = {
    digest(TOKENS["all"]): Who("desk.1", held(["viewer"])),
    digest(TOKENS["numbers"]): Who("press.1", frozenset({Role.NUMBERS})),
}


@pytest.fixture
def tape() -> Tape:
    return RECORDINGS["clean"]()


@pytest.fixture
def engine(tape: Tape, tmp_path: Path) -> Engine:
    return filled(tmp_path, tape)


@pytest.fixture
async def ask(engine: Engine, tape: Tape) -> AsyncIterator[Ask]:
    """`await ask(path, token)`: status and answer."""
    app = make_app(engine, ROLES, lambda: tape.now, DAY, HOUR, "0")
    async with TestClient(TestServer(app)) as client:

        async def run(path: str, token: str | None = "all") -> tuple[int, Any]:
            headers = {} if token is None else {"Authorization": f"Bearer {TOKENS[token]}"}
            answer = await client.get(path, headers=headers)
            plain = answer.content_type == "text/plain"
            return answer.status, await (answer.text() if plain else answer.json())

        yield run


def seen(engine: Engine) -> list[tuple[str, str, str | None]]:
    table = tables.accesses
    with reading(engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.id)).all()
    return [(it.actor, it.what, it.account) for it in rows]


async def test_metrics_are_a_closed_list_and_name_no_account(ask: Ask, engine: Engine) -> None:
    status, told = await ask("/metrics", None)
    assert status == 200
    named = {line.split()[2] for line in told.splitlines() if line.startswith("# HELP")}
    own = {name for name in named if not name.startswith("process_")}
    assert own == {*NAMES, ANSWERS}
    assert "byline_index_as_of_timestamp_seconds 1" in told
    assert "weibo:" not in told
    assert seen(engine) == [], "numbers are nobody's"


async def test_answers_and_faults_are_counted_by_route(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted(status: str) -> float:
        page = (await ask("/metrics", None))[1]
        series = f'{ANSWERS}{{route="/v1/accounts/{{account}}",status="{status}"}}'
        return float(dict(re.findall(r"^(.+) (\S+)$", page, re.M)).get(series, "-1"))

    assert await counted("5xx") == 0.0, "a first fault has to be an increase"
    await ask("/v1/accounts/weibo:a5")
    await ask("/v1/accounts/weibo:a5", None)
    assert (await counted("2xx"), await counted("4xx")) == (1.0, 1.0)
    monkeypatch.setattr(api, "from_index", None)
    assert (await ask("/v1/accounts/weibo:a5"))[0] == 500
    assert (await counted("2xx"), await counted("5xx")) == (1.0, 1.0)


async def test_answers_are_those_of_the_commands(ask: Ask, engine: Engine, tape: Tape) -> None:
    status, told = await ask("/v1/accounts/weibo:a5?lang=zh")
    assert (status, told) == (200, explain(from_index(engine, "weibo:a5"), tape.now).as_dict("zh"))
    status, found = await ask("/v1/accounts/weibo:a3/events")
    assert found["events"] == [it for it in tape.events if it["account_id"] == "a3"] != []
    assert found["whole"] is True
    status, listed = await ask("/v1/worklists/unconfirmed")
    assert status == 200
    assert listed["rows"]
    assert all(row["account"].startswith("weibo:") for row in listed["rows"])
    assert (await ask("/v1/worklists/unconfirmed?platform=douyin"))[1]["rows"] == []
    status, counts = await ask("/v1/funnel?from=2023-12-01T00:00:00%2B08:00&by=field", "numbers")
    assert counts["lines"][0]["group"] == "finance"
    period = "from=2023-12-01T00:00:00Z&to=2025-01-01T00:00:00Z"
    status, numbers = await ask(f"/v1/report?{period}", "numbers")
    assert status == 200
    assert sum(it["count"] for it in numbers["events"]) == len(tape.events)


async def test_only_who_may_is_answered(ask: Ask, engine: Engine) -> None:
    for path in ("/v1/accounts/weibo:a5", "/v1/worklists/pending", "/v1/funnel"):
        assert (await ask(path, None))[0] == 401
    for path in ("/v1/accounts/weibo:a5", "/v1/accounts/weibo:a5/events", "/v1/worklists/pending"):
        status, said = await ask(path, "numbers")
        assert (status, said["error"]) == (403, "this token lacks the role accounts")
    assert seen(engine) == []


async def test_who_asked_about_whom_is_written_down(ask: Ask, engine: Engine, tape: Tape) -> None:
    await ask("/v1/accounts/weibo:a5")
    await ask("/v1/worklists/pending")
    await ask("/v1/funnel")
    before = [
        ("desk.1", "/v1/accounts/{account}", "weibo:a5"),
        ("desk.1", "/v1/worklists/pending", None),
    ]
    assert seen(engine) == before
    forget_rows(engine, {}, tape.now)
    assert seen(engine) == before, "a rebuild leaves it alone"
    assert forget(engine, START) == 0
    assert forget(engine, tape.now + 1) == 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/accounts/nonsense", "platform:account_id"),
        ("/v1/accounts/weibo:a5?lang=fr", "en or zh"),
        ("/v1/accounts/weibo:a5/events?from=yesterday", "from is a time like"),
        ("/v1/worklists/mine", "there are the lists"),
        ("/v1/funnel?by=weather", "by is platform"),
        ("/v1/report?from=2024-01-01T00:00:00Z", "from and to are needed"),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(ask: Ask, path: str, said: str) -> None:
    status, answer = await ask(path)
    assert status == 400
    assert said in answer["error"]


async def test_the_document_describes_every_route(ask: Ask, engine: Engine) -> None:
    status, told = await ask("/openapi.json", None)
    assert (status, told) == (200, document("0"))
    app = make_app(engine, ROLES, lambda: 0, DAY, HOUR, "0")
    routes = {it.resource.canonical for it in app.router.routes() if it.resource is not None}
    assert routes == {*ROUTES, "/openapi.json", "/metrics", "/healthz"}
    assert await ask("/healthz", None) == (200, {"alive": True})
    for path, (_, _, asked) in ROUTES.items():
        named = {it["name"] for it in asked if it["in"] == "path"}
        assert set(re.findall(r"{(\w+)}", path)) == named


def test_the_file_of_roles_names_its_bad_lines_and_no_token(tmp_path: Path) -> None:
    path = tmp_path / "roles"
    good = f"# who\n\n{digest('x')} desk.1 accounts,numbers  # the desk\n"
    path.write_text(good)
    roles = read_roles(path)
    assert who_is(roles, "Bearer x") == Who("desk.1", held(["accounts", "numbers"]))
    path.write_text(f"user:{digest('x')} desk.1 viewer\n")
    assert who_is(read_roles(path), "Bearer x") is None, "a name that a proxy states is no token"
    path.write_text(good + "oidc  desk.9  viewer\n")
    found = read_roles(path)
    assert found[oidc_key("desk.9")] == Who("desk.9", held(["viewer"]))
    for token in ("oidc", "desk.9", oidc_key("desk.9")):
        assert who_is(found, f"Bearer {token}") is None, "whom a provider signs in has no token"
    assert who_is(roles, "bearer y") is who_is(roles, "x") is who_is(roles, None) is None
    for line, said in (
        ("x desk.1 accounts", "SHA-256-OF-TOKEN ACTOR"),
        (f"{digest('x')} desk@1 accounts", "opaque id"),
        (
            f"{digest('x')} desk.1 everything",
            "roles are accounts, approver, ",
        ),
    ):
        path.write_text(good + line)
        with pytest.raises(UsageError, match=said) as told:
            read_roles(path)
        assert ":4:" in str(told.value)
    path.write_text("")
    with pytest.raises(UsageError, match="names nobody"):
        read_roles(path)


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop(
    tmp_path: Path, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "byline").mkdir()
    filled(tmp_path / "byline", tape, FILE_NAME).dispose()
    roles = tmp_path / "roles"
    roles.write_text(f"{digest('x')} desk.1 accounts\n")
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    refused = processes.run(["index", "--serve"], os.environ)
    assert refused.returncode == 2
    assert "BYLINE_ROLES_FILE is missing" in refused.stderr
    monkeypatch.setenv(variable("roles_file"), str(roles))
    log = tmp_path / "log"
    process = processes.start(["index", "--serve", "--port", "0"], os.environ, log)
    said = until(
        lambda: re.search(r"http://\S+", log.read_text() if log.exists() else ""), 60, "up"
    )
    url = f"{said.group()}/accounts/weibo:a5"
    request = urllib.request.Request(url, headers={"Authorization": "Bearer x"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["account"] == "weibo:a5"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, timeout=30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_who_asks_is_not_kept_waiting_by_an_indexer_that_writes_without_a_pause(
    tmp_path: Path,
) -> None:
    """Each question is written down first; while an index catches up, batch follows on batch."""
    engine = empty(tmp_path)
    stopping = threading.Event()

    def catch_up() -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            with writing(engine) as connection:
                row = {"at": number, "what": "gap", "says": "a batch"}
                connection.execute(insert(tables.runs), row)
                time.sleep(0.2)

    indexer = threading.Thread(target=catch_up)
    indexer.start()
    time.sleep(0.5)
    took = []
    try:
        for number in range(5):
            began = time.monotonic()
            write_down(engine, number, "desk.1", "/v1/accounts", "weibo:a1")
            took.append(time.monotonic() - began)
    finally:
        stopping.set()
        indexer.join()
    assert max(took) < 3.0, took


async def test_of_a_work_list_it_is_written_which_one_and_of_which_platform(
    ask: Ask, engine: Engine
) -> None:
    for query in ("", "?platform=weibo", "?platform=Zhang%20San"):
        await ask(f"/v1/worklists/unconfirmed{query}")
    await ask("/v1/worklists/nonsense")
    assert [what for _, what, _ in seen(engine)] == [
        "/v1/worklists/unconfirmed",
        "/v1/worklists/unconfirmed weibo",
        "/v1/worklists/unconfirmed",
        "/v1/worklists/{list}",
    ]


async def test_no_cache_on_the_way_keeps_an_answer(engine: Engine, tape: Tape) -> None:
    app = make_app(engine, ROLES, lambda: tape.now, DAY, HOUR, "0")
    async with TestClient(TestServer(app)) as client:
        for token in ("all", None):
            given = {} if token is None else {"Authorization": f"Bearer {TOKENS[token]}"}
            answer = await client.get("/v1/accounts/weibo:a5", headers=given)
            assert answer.headers["Cache-Control"] == "no-store", answer.status
