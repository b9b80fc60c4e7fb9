"""`python -m tests.console.shots FOLDER`: every page as a picture, 1280 and 390 px, light and dark.

It serves the console on the recording `clean` behind a proxy of its own, which states who asks, and
drives Debian's Chromium by its own protocol.
"""

import asyncio
import base64
import json
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from streams.console import proposals
from streams.console.app import make_app
from streams.console.orders import control, counted
from streams.console.peers import peers_of
from streams.index.database import reading
from streams.local.probe import free_port
from streams.serve.roles import Who, held, user_key
from tests.console.given import ConsoleGround
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS, Tape

PERSON = "person"
ROLES = {user_key(PERSON): Who("desk.1", held(["operator", "approver", "auditor"]))}
PATHS = {
    "overview": "/?days=30",
    "account": "/accounts/weibo:w1",
    "account-stopped": "/accounts/weibo:w2",
    "account-restricted": "/accounts/weibo:w3",
    "search": "/accounts?q=w",
    "worklist": "/worklists/pending?within=168",
    "unconfirmed": "/worklists/unconfirmed",
    "empty": "/worklists/appeals",
    "letters": "/dead-letters?show=all",
    "order": "/actions/controls?command=hold&account=weibo:w1",
    "switch": "/actions/switches",
    "orders": "/proposals",
    "policies": "/policies",
    "reports": "/reports?from=2023-12-01&to=2025-01-01",
    "accesses": "/accesses",
    "refusal": "/nowhere",
}
WIDTHS = (1280, 390)


def recorded() -> Tape:
    """A day with open clocks: one that runs, one that stands still, one restriction."""
    tape = RECORDINGS["clean"]()
    for name in ("w1", "w2", "w3"):
        tape.label("财经", name).reads(2_000_000, name)
    tape.wait(2 * 3_600_000)
    for name in ("w1", "w2", "w3"):
        tape.receipt(account=name)
    tape.wait(5 * 3_600_000).control("hold", "w1").wait(20 * 3_600_000).control("unhold", "w1")
    tape.control("hold", "w2").wait(86_400_000)
    tape.put("controls", "weibo:w2", b"nonsense").wait(3_600_000)
    for number in range(3):
        tape.label("财经", f"v{number}").reads(2_000, f"v{number}")
    return tape.wait(3 * 3_600_000).reads(1, "nobody")


class Stating:
    """A proxy that states one person, as the ASGI application before the console."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        stated = [(b"x-forwarded-user", PERSON.encode())]
        await self._app({**scope, "headers": [*scope["headers"], *stated]}, receive, send)


class Browser:
    """Chromium's own protocol, as far as pictures need it."""

    def __init__(self, socket_: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket_, 0

    async def do(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            told = json.loads((await self._socket.receive(timeout=120)).data)
            if told.get("id") == self._number:
                return told.get("result")

    async def shot(self, url: str, width: int, theme: str, file: Path) -> int:
        """Takes the whole page; returns how many pixels it is wider than its window."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.do("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": theme}
        await self.do("Emulation.setEmulatedMedia", features=[scheme])
        await self.do("Page.navigate", url=url)
        for _ in range(200):
            found = await self.do("Runtime.evaluate", expression="document.readyState+location")
            if found["result"]["value"] == f"complete{url}":
                break
            await asyncio.sleep(0.1)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        wider = (await self.do("Runtime.evaluate", expression=over))["result"]["value"]
        taken = await self.do("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(taken["data"]))
        return int(wider)


async def main(folder: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix="byline-shots-"))
    tape = recorded()
    ground = ConsoleGround(filled(work, tape), tape.now, work, roles=ROLES)
    peers = peers_of(["127.0.0.1"], "X-Forwarded-User")
    console = replace(ground.console, peers=peers)
    wish = control("lift", ["weibo:w1", "weibo:w2"], "owner_request", "desk.1", tape.now)
    with reading(ground.engine) as connection:
        counts = counted(connection, wish, "desk.1", tape.now)
    name = proposals.prepare(ground.engine, "desk.1", wish, counts, tape.now)
    port, debug = free_port(), free_port()
    config = uvicorn.Config(Stating(make_app(console)), port=port, log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    chromium = subprocess.Popen(  # noqa: ASYNC220
        ["/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu",
         f"--remote-debugging-port={debug}", f"--user-data-dir={work}/chromium", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listens(debug)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{debug}/json") as answer:
                pages = [it for it in await answer.json() if it["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as it:
                browser = Browser(it)
                for what, path in {**PATHS, "preview": f"/proposals/{name}"}.items():
                    for width in WIDTHS:
                        theme = "dark" if width == 390 else "light"
                        url = f"http://127.0.0.1:{port}{path}"
                        wider = await browser.shot(
                            url, width, theme, folder / f"{what}-{width}.png"
                        )
                        print(what, width, f"{wider} px too wide" if wider else "fits", flush=True)
    finally:
        chromium.terminate()
        server.should_exit = True
        await serving


async def _listens(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            await asyncio.sleep(0.2)
    raise TimeoutError("chromium does not answer")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1])))
