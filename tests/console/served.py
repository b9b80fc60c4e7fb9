"""The console on a recorded day, served to a real browser, and the browser itself.

Chromium, Playwright and axe-core are the part `browser` (tests/support/parts.py).
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Engine, insert

from streams.console import proposals
from streams.console.app import make_app
from streams.console.news import PageNews
from streams.console.orders import control, counted
from streams.index import tables
from streams.index.database import reading, writing
from streams.index.states import POSITION
from streams.local.probe import free_port
from tests.console import worked
from tests.console.given import TOKENS, ConsoleGround
from tests.console.provided import with_provider
from tests.core.given import policy
from tests.index.filled import all_of, filled, write
from tests.operate.recording import RECORDINGS, Tape
from tests.support.parts import program

HOUR = 3_600_000
PATHS = {
    "overview": "/?days=30",
    "account": "/accounts/weibo:w1",
    "account-stopped": "/accounts/weibo:w2",
    "account-due": "/accounts/weibo:w3",
    "account-restricted": "/accounts/weibo:r1",
    "search": "/accounts?q=w",
    "pending": "/worklists/pending?within=168",
    "unconfirmed": "/worklists/unconfirmed",
    "appeals": "/worklists/appeals",
    "letters": "/dead-letters?show=all",
    "letter": "/dead-letters/controls[0]@{letter}",
    "order": "/actions/controls?command=hold&account=weibo:w1",
    "switch": "/actions/switches",
    "orders": "/proposals",
    "preview": "/proposals/{proposal}",
    "policies": "/policies",
    "policy": "/policies/{digest}",
    "policy-compared": "/policies/{digest}?with={earlier}",
    "shadow": "/policies/shadow",
    "rollout": "/policies/rollout",
    "backtests": "/policies/backtests",
    "backtest": "/policies/backtests/{backtest}",
    "backtests-compared": "/policies/backtests/{backtest}?against={other}",
    "backtest-accounts": "/policies/backtests/{backtest}/accounts",
    "reports": "/reports?from=2023-12-01&to=2025-01-01",
    "evidence": "/reports/evidence",
    "accesses": "/accesses",
    "refusal": "/nowhere",
}
"""Every kind of page: its name and path, with places that `ServedConsole` fills."""
AUDITED = ("evidence", "accesses")
"""The pages that an auditor alone sees."""


def recorded() -> Tape:
    """A day with open clocks: one that runs, one that stands still, and one restriction."""
    tape = RECORDINGS["clean"]()
    tape.label("财经", "r1").reads(2_000_000, "r1").wait(2 * HOUR).receipt(account="r1")
    tape.wait(80 * HOUR)
    for name in ("w1", "w2", "w3"):
        tape.label("财经", name).reads(2_000_000, name)
    tape.wait(2 * HOUR)
    for name in ("w1", "w2", "w3"):
        tape.receipt(account=name)
    tape.wait(5 * HOUR).control("hold", "w1").wait(20 * HOUR).control("unhold", "w1")
    tape.control("hold", "w2").wait(24 * HOUR)
    tape.put("controls", "weibo:w2", b"nonsense").wait(HOUR)
    for number in range(3):
        tape.label("财经", f"v{number}").reads(2_000, f"v{number}")
    tape.wait(2 * HOUR).switch("invitations_off", True).wait(HOUR).reads(1, "nobody")
    tape.open(policy(version=2, keep_on_fall_below=True))
    return tape.reads(1, "nobody")


class ServedConsole:
    """A console at an address of this machine; `ground` holds what it was told to send.

    `engine`: of an index without a row; None: a file of SQLite.
    """

    def __init__(
        self,
        folder: Path,
        issuer: str | None = None,
        engine: Engine | None = None,
        **options: Any,
    ) -> None:
        tape = recorded()
        if engine is None:
            engine = filled(folder, tape)
        else:
            write(engine, all_of(tape))
        self.ground = ConsoleGround(engine, tape.now, folder, options=options)
        self._kept = worked.put(self.ground.engine, tape.now)
        # The recording's core has no worker, which would keep how far each partition has read.
        position = {"partition": 0, "key": POSITION, "offset": 9_999, "watched": False}
        position |= {"written_at": tape.now - 4_000, "value": b'{"next":{}}'}
        with writing(self.ground.engine) as connection:
            connection.execute(insert(tables.states), position)
        self.port = free_port()
        if issuer is not None:
            with_provider(self.ground, issuer, console_address=self.address)
        # A proxy of the tests would take this machine's own address.
        news = PageNews(pause_seconds=0.2)
        self.console = replace(self.ground.console, news=news)
        config = uvicorn.Config(
            make_app(self.console), port=self.port, log_level="warning", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> dict[str, str]:
        """The pages, with what the recording has in their places."""
        browser = self.ground.signed_in("auditor")
        digest = self._first(browser, r"/policies/([0-9a-f]{64})", "/policies")
        option = r'<option value="([0-9a-f]{64})"'
        places = {
            "letter": self._first(browser, r"controls%5B0%5D%40(\d+)", "/dead-letters?show=all"),
            "digest": digest,
            "earlier": self._first(browser, option, f"/policies/{digest}"),
            "proposal": self._prepared(),
            **self._kept,
        }
        return {name: path.format(**places) for name, path in PATHS.items()}

    def _first(self, browser: Any, pattern: str, path: str) -> str:
        import re

        found = re.search(pattern, browser.get(path).text)
        assert found is not None, (pattern, path)
        return found[1]

    def _prepared(self) -> str:
        ground = self.ground
        wish = control("lift", ["weibo:w1", "weibo:w2"], "owner_request", "operator", ground.now)
        with reading(ground.engine) as connection:
            counts = counted(connection, wish, "operator", ground.now)
        return proposals.prepare(ground.engine, "operator", wish, counts, ground.now)

    def __enter__(self) -> "ServedConsole":
        self._thread.start()
        while not self._server.started:
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(20)
        self.ground.engine.dispose()

    def sign_in(self, page: Any, name: str) -> None:
        """Signs a person in, as he does it: by the form."""
        signed_in_at(page, self.address, TOKENS[name])


def signed_in_at(page: Any, address: str, token: str) -> None:
    """Sends the form of signing in at a console's address."""
    page.goto(f"{address}/sign-in")
    page.fill("#token", token)
    page.press("#token", "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    folder = Path(program("browser")).parent.parent / "browser"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.append(str(folder / "lib" / version / "site-packages"))
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program("browser"))
        try:
            yield browser
        finally:
            browser.close()


def axe_source() -> str:
    """The text of axe-core."""
    folder = Path(program("browser")).parent.parent / "browser"
    return (folder / "axe/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
