"""A TCP proxy before one broker that holds, drops, repeats, releases late and resets requests.

The broker advertises the proxy's address (see node.py), so that every client comes through here.

held           the request, and all behind it, waits; then goes on
dropped        the request, or its answer, never arrives, nor does anything after it: silence
repeated       a copy follows on another connection, at once or some answers later
released late  the client's connection breaks; the request arrives at the broker some answers later
reset          the connection breaks before the request, under way, or before the answer
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from streams.local.probe import HOST
from tests.chaos.wire.faults import WireFault, empty_table
from tests.chaos.wire.frames import Request, framed, parse, read_frame

ANSWER_SECONDS = 2.0
"""How long the answer to a late request is waited for, where something waits for it."""
GONE = (OSError, asyncio.IncompleteReadError, ConnectionError)


class ProxyFaults(Protocol):
    """Who decides what befalls a request."""

    def draw(self, request: Request) -> WireFault | None: ...


@dataclass(frozen=True)
class Tls:
    """Contexts for both ways of the proxy: it is a server to its clients, the broker's client."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class Proxy:
    """Listens on `host` and `port` and passes on to `broker_port`. `faults` None: all passes.

    `tls`: both ways are encrypted, and only the proxy reads what passes.
    """

    def __init__(
        self,
        port: int,
        broker_port: int,
        faults: ProxyFaults | None = None,
        host: str = HOST,
        tls: Tls | None = None,
    ) -> None:
        self.port, self.broker_port, self.faults = port, broker_port, faults
        self._host, self._tls = host, tls
        self.touched = empty_table()
        self.passed: Counter[str] = Counter()
        self.versions: dict[str, int] = {}
        self.asked_again: list[str] = []
        """Coordinator's requests under an epoch in which one was left without an answer."""
        self.late: dict[str, list[Late]] = defaultdict(list)
        self._asking: dict[tuple[int, int], str] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxy":
        context = None if self._tls is None else self._tls.server
        self._server = await asyncio.start_server(
            self._serve, self._host, self.port, limit=2**24, ssl=context
        )
        return self

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own to the broker."""
        context = None if self._tls is None else self._tls.client
        return await asyncio.open_connection(HOST, self.broker_port, limit=2**24, ssl=context)

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Awaitable[None]) -> "asyncio.Task[None]":
        """Run it until the proxy ends."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def release_all(self) -> None:
        """Let everything go that is still kept back."""
        for waiting in list(self.late.values()):
            for late in list(waiting):
                await late.release()

    def note(self, request: Request) -> WireFault | None:
        """Count the request and draw its fault."""
        self.passed[request.api] += 1
        self.versions[request.api] = request.version
        if request.epoch is not None:
            if request.epoch in self._asking:
                self.asked_again.append(
                    f"{request.client_id}: {request.api} under producer id and epoch"
                    f" {request.epoch} although {self._asking[request.epoch]} got no answer"
                )
            self._asking[request.epoch] = request.api
        fault = self.faults.draw(request) if self.faults is not None else None
        if fault is not None:
            touched = self.touched[request.api]
            touched[fault.kind] = touched.get(fault.kind, 0) + 1
        return fault

    async def answered(self, request: Request) -> None:
        """The answer is about to be passed on: late requests of the same client come nearer."""
        if request.epoch is not None:
            self._asking.pop(request.epoch, None)
        for late in list(self.late[request.client_id]):
            if late.fault.to in ("", request.api):
                late.answers -= 1
            if late.answers <= 0:
                if late.fault.between:
                    await late.release()
                else:
                    self.spawn(late.release())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await self.connect()
        except OSError:
            reset(writer)
            return
        link = Link(self, reader, writer, *upstream)
        self.spawn(link.answers())
        await self.spawn(link.requests())


class Late:
    """A request that is let go when `answers` further ones have been answered, or `seconds` on."""

    def __init__(
        self, proxy: Proxy, client_id: str, fault: WireFault, send: Callable[[], Awaitable[None]]
    ) -> None:
        self.answers, self.fault = fault.after_answers, fault
        self._proxy, self._client_id, self._send = proxy, client_id, send
        self._gone = False
        proxy.late[client_id].append(self)
        proxy.spawn(self._time())

    async def _time(self) -> None:
        await asyncio.sleep(self.fault.seconds)
        await self.release()

    async def release(self) -> None:
        """Send it, once, and wait for its answer a while."""
        if self._gone:
            return
        self._gone = True
        self._proxy.late[self._client_id].remove(self)
        with contextlib.suppress(*GONE, TimeoutError):
            await asyncio.wait_for(self._send(), ANSWER_SECONDS)


class Link:
    """One client's connection and the one to the broker that belongs to it."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        broker_reader: asyncio.StreamReader,
        broker_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._broker_reader, self._broker_writer = broker_reader, broker_writer
        self._silent = False
        """The client neither sends nor gets anything any more."""
        self._open: dict[int, Request] = {}
        self._reset_at: set[int] = set()
        self._swallowed: dict[int, asyncio.Event] = {}

    async def requests(self) -> None:
        """From the client to the broker, until one of them goes."""
        try:
            while True:
                frame = await read_frame(self._reader)
                if self._silent:
                    continue
                request = parse(frame)
                self._open[request.correlation_id] = request
                fault = self._proxy.note(request) if request.api else None
                if fault is None:
                    self._pass(request)
                elif not await self._strike(request, fault):
                    return
        except GONE:
            pass
        finally:
            self._client_gone()

    async def answers(self) -> None:
        """From the broker to the client, until one of them goes."""
        try:
            while True:
                frame = await read_frame(self._broker_reader)
                (correlation_id,) = struct.unpack_from(">i", frame)
                request = self._open.get(correlation_id)
                if correlation_id in self._swallowed:
                    self._swallowed[correlation_id].set()
                elif correlation_id in self._reset_at:
                    self._break()
                elif not self._silent:
                    if request is not None and request.api:
                        await self._proxy.answered(request)
                    self._open.pop(correlation_id, None)
                    self._writer.write(framed(frame))
        except GONE:
            pass
        finally:
            reset(self._writer)

    def _pass(self, request: Request) -> None:
        self._broker_writer.write(framed(request.frame))

    async def _strike(self, request: Request, fault: WireFault) -> bool:
        """Do what `fault` says; whether anything more is read from the client."""
        if fault.kind == "held":
            await asyncio.sleep(fault.seconds)
            self._pass(request)
        elif fault.kind == "answered":
            self._open.pop(request.correlation_id, None)
            await self._proxy.answered(request)
            self._writer.write(framed(forged(request, fault.code)))
        elif fault.kind == "dropped":
            self._silent = True
            if fault.how == "answer":
                self._pass(request)
        elif fault.kind == "repeated":
            self._pass(request)
            copy = lambda: self._deliver_copy(request)  # noqa: E731
            if fault.how == "late":
                Late(self._proxy, request.client_id, fault, copy)
            else:
                self._proxy.spawn(copy())
        elif fault.kind == "released late":
            Late(self._proxy, request.client_id, fault, lambda: self._deliver_late(request))
            self._break()
            return False
        else:
            return self._reset(request, fault.how)
        return True

    def _reset(self, request: Request, how: str) -> bool:
        if how == "before the answer":
            self._reset_at.add(request.correlation_id)
            self._pass(request)
            return True
        if how == "on the way":
            self._pass(request)
        self._break()
        return False

    def _break(self) -> None:
        """The client sees its connection break."""
        self._silent = True
        reset(self._writer)

    def _client_gone(self) -> None:
        """Let the broker see it too, unless a late request still needs the connection."""
        reset(self._writer)
        self._proxy.spawn(self._close_later())

    async def _close_later(self) -> None:
        await asyncio.sleep(0.2 if not self._swallowed and not self._silent else 8.0)
        self._broker_writer.close()

    async def _deliver_late(self, request: Request) -> None:
        arrived = self._swallowed[request.correlation_id] = asyncio.Event()
        self._pass(request)
        await arrived.wait()

    async def _deliver_copy(self, request: Request) -> None:
        reader, writer = await self._proxy.connect()
        try:
            writer.write(framed(request.frame))
            await read_frame(reader)
        finally:
            writer.close()


def forged(request: Request, code: int) -> bytes:
    """An answer to EndTxn or TxnOffsetCommit with this error code; the broker never saw it."""
    number = request.correlation_id
    if request.api == "TxnOffsetCommit":
        if request.version >= 3:
            start = struct.pack(">ibibb1sb", number, 0, 0, 2, 2, b"x", 2)
            return start + struct.pack(">ihbbb", 0, code, 0, 0, 0)
        return struct.pack(">iiih1siih", number, 0, 1, 1, b"x", 1, 0, code)
    assert request.api == "EndTxn"
    if request.version < 3:
        return struct.pack(">iih", number, 0, code)
    return struct.pack(">ibihqhb", number, 0, 0, code, -1, -1, 0)


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection: the other side gets an RST, and what was not sent yet never is."""
    transport = writer.transport
    if transport.is_closing():
        return
    peer = transport.get_extra_info("socket")
    if peer is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
