"""A console as people have it: beside a real Kafka, a worker and `byline index --follow`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr
from sqlalchemy import URL, Engine

from schemas.topics import TopicNames
from streams.index.database import FILE_NAME, open_engine, url_of
from streams.local.probe import free_port
from streams.settings import SettingsWithoutPolicies
from tests.conftest import RunningKafka
from tests.console.given import digest, guard
from tests.support.running import Running
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

ROOMY = 60.0
PERSONS = {
    "desk.1": "operator",
    "desk.2": "operator,approver",
    "desk.3": "viewer",
    "desk.4": "auditor",
}
"""Actor → roles. A person's token is the actor's id with `token-of-` before it."""
TWO = ", ".join(
    f'{{actor: law-{number}, at: "2026-01-05T1{number}:00:00+08:00"}}' for number in (1, 2)
)
POLICIES = {
    "weibo": policy("weibo", window="PT2S", approvals=TWO),
    "douyin": policy("douyin", window="P7D", approvals=TWO),
}
"""On weibo who says nothing is restricted after two seconds; on douyin nobody is for a week."""


def console_estate(kafka: RunningKafka, folder: Path, **settings: str) -> Estate:
    """An estate without a worker, under both policies and names of the folder's own."""
    policies = folder / "policies"
    policies.mkdir()
    for platform, text in POLICIES.items():
        (policies / f"{platform}.yaml").write_text(text, encoding="utf-8")
    names = TopicNames(f"{folder.name}.", folder.name)
    return Estate(kafka.bootstrap, names, policies, folder, 4, settings).create_topics()


class StandingConsole:
    """The three processes of a console on one estate; each can be killed and started again.

    `database`: the address of another database than SQLite's file.
    """

    def __init__(self, estate: Estate, database: str | None = None) -> None:
        self.estate, self.port = estate, free_port()
        folder = estate.folder
        roles = folder / "roles"
        lines = [f"{digest(f'token-of-{it}')} {it} {held}\n" for it, held in PERSONS.items()]
        roles.write_text("".join(lines))
        self.environment = {
            **estate.environment,
            "BYLINE_DATA_DIR": str(folder / "index"),
            "BYLINE_ROLES_FILE": str(roles),
        }
        if database is not None:
            self.environment["BYLINE_DATABASE"] = database
        self.index, self.console = Running(folder / "index.log"), Running(folder / "console.log")

    @property
    def address(self) -> str:
        """Where the console answers; the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The index's file."""
        folder = Path(self.environment["BYLINE_DATA_DIR"])
        return folder / self.environment["BYLINE_APPLICATION_ID"] / FILE_NAME

    def engine(self) -> Engine:
        """The index's database, opened beside the two."""
        known = self.environment.get("BYLINE_DATABASE")
        if known is None:
            return open_engine(URL.create("sqlite", database=str(self.database)))
        return open_engine(url_of(SettingsWithoutPolicies(database=SecretStr(known))))

    def start(self) -> "StandingConsole":
        """Start indexer and console, and wait until a page can be asked for."""
        self.start_index()
        self.start_console()
        return self

    def start_index(self) -> None:
        """Start the indexer, or start it again."""
        self.index.fork(["index", "--follow"], self.environment)

    def start_console(self) -> None:
        """Start the console at its address; it ends by itself until there is an index."""

        def answers() -> bool:
            if self.console.pid is None:
                self.console.fork(["console", "--port", str(self.port)], self.environment)
            try:
                return httpx2.get(f"{self.address}/readyz", timeout=10).status_code == 200
            except httpx2.TransportError:
                return False

        self.until(answers, "the console answers")

    def end(self) -> None:
        """End both."""
        self.console.end()
        self.index.end()

    def until(self, done: Callable[[], Any], what: str, seconds: float = ROOMY) -> Any:
        """Wait for something; fails with the logs."""
        end = time.monotonic() + seconds
        while not (found := done()):
            if time.monotonic() > end:
                logs = self.index.said[-1500:] + self.console.said[-1500:]
                raise AssertionError(f"not within {seconds} s: {what}\n{logs}")
            time.sleep(0.1)
        return found

    def browser(self, actor: str) -> "PlainBrowser":
        """A browser in which this person is signed in."""
        return PlainBrowser(self, actor)


class PlainBrowser:
    """A browser without JavaScript: it follows links and sends the forms of pages."""

    def __init__(self, standing: StandingConsole, actor: str) -> None:
        self._standing = standing
        self.client = httpx2.Client(base_url=standing.address, timeout=ROOMY)
        form = {"guard": guard(self.client.get("/sign-in")), "token": f"token-of-{actor}"}
        assert self.client.post("/sign-in", data=form).status_code == 303

    def page(self, path: str) -> str:
        """The text of a page."""
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.text

    def until(self, path: str, *texts: str) -> str:
        """Load a page again until it has the texts."""

        def loaded() -> str:
            page = self.page(path)
            return page if all(it in page for it in texts) else ""

        return str(self._standing.until(loaded, f"{path} says {texts}"))

    def prepare(self, what: str, **form: Any) -> str:
        """Send the form of an action; the path of its preview."""
        page = guard(self.client.get(f"/actions/{what}"))
        answer = self.client.post(f"/actions/{what}", data={"guard": page, **form})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def settle(self, *places: str, work: str, **form: Any) -> str:
        """Send the form of dead letters; the path of its dry run."""
        page = guard(self.client.get("/dead-letters"))
        said = {"guard": page, "place": list(places), "work": work, "reason": "incident", **form}
        answer = self.client.post("/actions/dead-letters", data=said)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def press(self, path: str, button: str, code: int = 303) -> str:
        """Press a button of an order's page; where that leads, or what the refusal says."""
        page = guard(self.client.get(path))
        answer = self.client.post(f"{path}/{button}", data={"guard": page})
        assert answer.status_code == code, (answer.status_code, answer.text)
        return answer.headers["location"] if code == 303 else answer.text

    def press_again(self, path: str) -> str:
        """Press send once more, until nobody is taken to be sending: a killed process may have."""
        claimed = "It is being sent at this moment"

        def pressed() -> str:
            page = guard(self.client.get(path))
            answer = self.client.post(f"{path}/send", data={"guard": page})
            assert answer.status_code == 303 or claimed in answer.text, answer.text
            return str(answer.headers.get("location", ""))

        return str(self._standing.until(pressed, f"{path} is sent again"))


class Owners:
    """Owners of both platforms: each crosses the line, and is told of it."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def cross(self, *accounts: str) -> None:
        """Each is invited."""
        for account in accounts:
            value = self._of(account) | {"observed_at": utc_now()}
            self.estate.put("category-changes", {**value, "category": "财经"})
            self.estate.put("follower-counts", {**value, "followers": 2_000_000})
        self.estate.drain()

    def are_told(self, *accounts: str) -> None:
        """The notice of each is delivered; whose two seconds pass in silence is restricted."""
        events = self.estate.events()
        for account in accounts:
            said = {"invitation_id": events[account][0]["invitation_id"], "outcome": "delivered"}
            value = {**self._of(account), **said, "occurred_at": utc_now()}
            self.estate.put("notice-receipts", value)
        self.estate.drain()

    def _of(self, account: str) -> dict[str, Any]:
        platform, _, name = account.partition(":")
        return {"platform": platform, "account_id": name}

    def said(self, account: str) -> list[tuple[str, str]]:
        """The account's events and their reasons, in order."""
        return [(it["event"], it["reason"]) for it in self.estate.events().get(account, [])]

    def controls(self, *accounts: str) -> list[dict[str, Any]]:
        """What stands on the topic of controls of these accounts, each account's in order."""
        found = [it.json for it in self.estate.read(["controls"])]
        return [it for it in found if f"{it['platform']}:{it['account_id']}" in accounts]
