"""A worker's little site: whoever reaches its port can hold or fill nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from streams import web
from streams.engine.observer import EngineStatus
from streams.metrics import Metrics
from streams.web import HealthSite

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def site() -> AsyncIterator[HealthSite]:
    status = EngineStatus(False, False, False, -1, ())
    made = HealthSite(Metrics(CollectorRegistry()), lambda: status, lambda: None)
    await made.start("127.0.0.1", 0)
    yield made
    await made.stop()


async def connect(site: HealthSite) -> Talk:
    assert site._server is not None
    return await asyncio.open_connection(*site._server.sockets[0].getsockname())


async def ask(site: HealthSite, request: bytes) -> bytes:
    reader, writer = await connect(site)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def gone(talk: Talk) -> bool:
    try:
        return await asyncio.wait_for(talk[0].read(), 5) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /healthz HTTP/1.1", "200 OK"),
        ("GET /healthz?x=1 HTTP/1.0", "200 OK"),
        ("GET /metrics HTTP/1.1", "200 OK"),
        ("GET /readyz HTTP/1.1", "503 Service Unavailable"),
        ("GET / HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("nonsense", "405 Method Not Allowed"),
    ],
)
async def test_a_page_is_answered_and_nothing_tells_what_serves_it(
    site: HealthSite, request_line: str, status: str
) -> None:
    head, _, body = (await ask(site, f"{request_line}\r\nHost: x\r\n\r\n".encode())).partition(
        b"\r\n\r\n"
    )
    lines = head.decode().split("\r\n")
    assert lines[0] == f"HTTP/1.1 {status}"
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert "server" not in headers
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body) > 0


async def test_head_has_the_headers_alone(site: HealthSite) -> None:
    answer = await ask(site, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 19" in answer


async def test_who_sends_no_request_is_shown_the_door(
    site: HealthSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "HEADER_SECONDS", 0.3)
    slow = await connect(site)
    slow[1].write(b"GET /healthz HTTP/1.1\r\nX: ")
    began = asyncio.get_running_loop().time()
    assert await gone(slow)
    assert asyncio.get_running_loop().time() - began < 2.0


async def test_who_does_not_read_the_answer_likewise(
    site: HealthSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.3)
    huge = (web.HTTPStatus.OK, web.JSON, b"x" * 50_000_000)
    site._pages["/healthz"] = lambda: huge
    _, writer = await connect(site)
    writer.write(GET)
    await asyncio.sleep(1.0)
    assert not site._open
    writer.transport.abort()


async def test_a_head_without_end_is_not_kept(site: HealthSite) -> None:
    endless = await connect(site)
    endless[1].write(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000)
    assert await gone(endless)


async def test_there_are_only_so_many_connections_at_once(site: HealthSite) -> None:
    idle = [await connect(site) for _ in range(web.MOST_CONNECTIONS)]
    await asyncio.sleep(0.1)
    one_more = await connect(site)
    one_more[1].write(GET)
    assert await gone(one_more)
    for _, writer in idle:
        writer.close()
    await asyncio.sleep(0.1)
    assert (await ask(site, GET)).startswith(b"HTTP/1.1 200 OK")
