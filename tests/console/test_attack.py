"""What a pass from outside found, each as a test. ATTACK.md beside it says what else was tried."""

import asyncio
import json
import logging
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from streams.console import app as application
from streams.console import connections, zones
from streams.core.model.instants import SECOND
from streams.index import tables
from streams.index.database import writing
from streams.serve.roles import Who, held, token_key, user_key
from tests.console.forging import ForgedProvider, serving
from tests.console.given import PROXY, STATED, TOKENS, ConsoleGround, guard
from tests.console.provided import far_browser, nobody_is_in, with_provider
from tests.console.test_provider import back

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/metrics", "/sign-in/", "/accounts/", "/metrics/", "/%ff%00"])
def test_answers_beside_the_pages_have_the_headers_of_security(
    ground: ConsoleGround, path: str
) -> None:
    headers = ground.browser().get(path, headers={"Host": "evil.example"}).headers
    assert {name: headers.get(name) for name in application.HEADERS} == application.HEADERS
    assert headers["cache-control"] == "no-store"
    assert "evil" not in headers.get("location", "")


def test_a_fault_outside_of_every_page_has_the_headers_of_security(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(application, "stranger", broken)
    monkeypatch.setattr(application, "strayed", broken)
    with pytest.raises(RuntimeError, match="secret"):
        ground.browser().get("/sign-in")
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        await ground.app({**scope, "client": ("127.0.0.1", 1)}, None, send)  # type: ignore[arg-type]

    with pytest.raises(RuntimeError, match="secret"):
        asyncio.run(ask())
    assert sent[0]["status"] == 500
    assert b"content-security-policy" in dict(sent[0]["headers"])  # type: ignore[call-overload]
    assert b"secret" not in sent[1]["body"]  # type: ignore[operator]


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "", "http://x]", "://"])
def test_an_origin_that_is_no_address_is_foreign_and_no_fault(
    ground: ConsoleGround, origin: str
) -> None:
    browser = ground.browser()
    form = {"guard": guard(browser.get("/sign-in"))}
    assert browser.post("/view", data=form, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("days", [("0001-01-01", "9999-12-31"), ("0001-01-01", "0001-01-02")])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles"])
def test_days_at_the_ends_of_the_calendar_are_no_fault(
    ground: ConsoleGround, days: tuple[str, str], zone: str
) -> None:
    browser = ground.signed_in("auditor")
    browser.post("/view", data={"guard": guard(browser.get("/")), "zone": zone})
    asked = {"from": days[0], "to": days[1]}
    assert browser.get("/reports", params=asked).status_code == 200
    assert browser.get("/reports/download", params=asked).status_code == 200
    form = {"guard": guard(browser.get("/")), **asked}
    assert browser.post("/reports/evidence", data=form).status_code == 303


def test_every_instant_can_be_shown_in_every_zone() -> None:
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    for ms in (*(int(it.timestamp()) * SECOND for it in ends), -(2**63), 2**63):
        for zone in zones.ZONES:
            assert zones.moment(ms, zone)[:4] in ("0001", "9999")


def test_signing_out_everywhere_ends_every_way_in_of_the_person(ground: ConsoleGround) -> None:
    ground.roles[token_key("another-token")] = Who("operator", held(["operator"]))
    first, other = ground.signed_in("operator"), ground.browser()
    form = {"guard": guard(other.get("/sign-in")), "token": "another-token"}
    assert other.post("/sign-in", data=form).status_code == 303
    stranger = ground.signed_in("operator.2")
    first.post("/sign-out-everywhere", data={"guard": guard(first.get("/"))})
    assert nobody_is_in(other)
    assert not nobody_is_in(stranger)


@pytest.mark.parametrize("names", [(STATED, "both"), ("both", STATED), (STATED, STATED)])
def test_two_names_of_a_proxy_are_nobodys(ground: ConsoleGround, names: tuple[str, str]) -> None:
    ground.roles[user_key("both")] = Who("both", held(["operator"]))
    browser = ground.browser(PROXY)
    headers = [("X-Forwarded-User", it) for it in names]
    assert browser.get("/", headers=headers).status_code == 303
    assert browser.get("/", headers=headers[:1]).status_code == 200


async def _posted(ground: ConsoleGround, *messages: dict[str, object]) -> int:
    """The status of a form that arrives in these messages, and then stops."""
    sent: list[int] = []
    left = list(messages)

    async def receive() -> dict[str, object]:
        if left:
            return left.pop(0)
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, int]) -> None:
        sent.append(message.get("status", 0))

    said = {**FORM, "Host": "127.0.0.1:9467"}
    headers = [(name.lower().encode(), it.encode()) for name, it in said.items()]
    scope = {"type": "http", "method": "POST", "path": "/view", "query_string": b""}
    scope |= {"headers": headers, "client": ("127.0.0.1", 1), "scheme": "http"}
    await asyncio.wait_for(ground.app(scope, receive, send), 20)  # type: ignore[arg-type]
    return sent[0]


def test_a_form_that_does_not_end_is_refused(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    part = {"type": "http.request", "body": b"guard=", "more_body": True}
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(_posted(ground, part, {"type": "http.disconnect"})) == 400
        monkeypatch.setattr(application, "FORM_SECONDS", 0.1)
        assert asyncio.run(_posted(ground, part)) == 400
    assert not caplog.records, "a client that leaves is no fault of the console"


async def served(ground: ConsoleGround, *texts: bytes) -> list[bytes]:
    """What the console's server answers, each to a connection of its own, until it ends it."""

    async def ask(port: int, text: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        found = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return found

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = connections.server_of(ground.app)
        serving_it = asyncio.ensure_future(server._serve(sockets=[listener]))
        port = listener.getsockname()[1]
        found = await asyncio.gather(*(ask(port, it) for it in texts))
        server.should_exit = True
        await serving_it
        return found


def test_who_asks_nothing_is_not_waited_for(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections.ImpatientProtocol, "wait_seconds", 0.3)

    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    nothing, half, once = asyncio.run(served(ground, b"", head, head + b"\r\n" + head))
    assert (nothing, half) == (b"", b"")
    assert once.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("said", [7, None, {}, [7], "client_secret_post"])
def test_a_provider_that_describes_itself_oddly_is_no_fault(
    ground: ConsoleGround, tmp_path: Path, said: object
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret-of-the-client")
    with serving(ForgedProvider(ground.now)) as forged:
        desk = with_provider(ground, forged.address, oidc_client_secret_file=secret)
        forged.described = {"token_endpoint_auth_methods_supported": said}
        assert back(far_browser(desk), forged).status_code == 200


@pytest.mark.parametrize("said", [[], ["x"], 7, None, "x", {"id_token": 7}, {"id_token": {}}])
def test_a_token_endpoint_that_answers_oddly_is_no_fault(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch, said: object
) -> None:
    with serving(ForgedProvider(ground.now)) as forged:
        monkeypatch.setattr(ForgedProvider, "exchange", lambda *_: (200, said))
        desk = with_provider(ground, forged.address)
        answer = back(far_browser(desk), forged)
        assert answer.status_code in (403, 503), answer.text


def test_no_token_of_a_sign_in_is_in_a_log(
    ground: ConsoleGround, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ground.signed_in("operator")
        browser = ground.browser()
        form = {"guard": guard(browser.get("/sign-in")), "token": "wrong-token-of-somebody"}
        browser.post("/sign-in", data=form)
    for text in (TOKENS["operator"], "wrong-token-of-somebody"):
        assert text not in caplog.text


def test_a_request_with_two_lengths_is_refused_and_its_connection_ends(
    ground: ConsoleGround,
) -> None:
    """What follows it could be taken for a request of its own by what stands before the console."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
    head = b"POST /view HTTP/1.1\r\nHost: 127.0.0.1\r\n" + kind
    both = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden
    (answer,) = asyncio.run(served(ground, both))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_restriction_that_nobody_can_read_leaves_its_account_a_page(
    ground: ConsoleGround, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables.events
    with writing(ground.engine) as connection:
        mine = table.c.event == "throttle.applied"
        it = connection.execute(select(table).where(mine)).first()
        assert it is not None
        hostile = {**json.loads(it.value), "surface": "Zhang San", "statement": {"ground": "x"}}
        one = (table.c.topic == it.topic, table.c.partition == it.partition)
        place = update(table).where(*one, table.c.offset == it.offset)
        connection.execute(place.values(value=json.dumps(hostile)))
    browser = ground.signed_in("operator")
    for kind in ("", "?kind=events", "?kind=decisions"):
        answer = browser.get(f"/accounts/{it.account}{kind}")
        assert answer.status_code == 200
        place_of_it = f"{it.topic}[{it.partition}]@{it.offset}"
        assert f"{place_of_it} says that it was restricted, but no statement" in answer.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_file_of_a_report_is_called_by_the_days_that_were_asked_for(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("auditor")
    asked = {"from": "2024-03-01", "to": "2024-03-08", "as": "csv"}
    named = browser.get("/reports/download", params=asked).headers["content-disposition"]
    assert named == 'attachment; filename="byline-2024-03-01-2024-03-08.csv"'
    odd = browser.get("/reports/download", params={**asked, "as": "exe"})
    assert (odd.status_code, "no such kind of file" in odd.text) == (400, True)
