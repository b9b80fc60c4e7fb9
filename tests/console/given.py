"""A console on a recording's index, and browsers of people with each role."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, cast

from sqlalchemy import Engine
from starlette.testclient import TestClient

from streams.console.app import make_app
from streams.console.aside import Aside, Beat, CommandEnd, CommandProcess
from streams.console.news import PageNews
from streams.console.peers import Peers
from streams.console.site import Console
from streams.letters.desk import LetterDesk
from streams.letters.producer import TakenOverError
from streams.letters.settle import Done, Left, SettlementOrder
from streams.operate.send import Sent
from streams.serve.roles import Who, held, token_key, user_key
from streams.settings import SettingsWithoutPolicies
from streams.settings_checks import variable

TOKENS = {
    "accounts": "token-of-accounts",
    "numbers": "token-of-numbers",
    "viewer": "token-of-viewer",
    "operator": "token-of-operator",
    "operator.2": "token-of-operator-2",
    "approver": "token-of-approver",
    "auditor": "token-of-auditor",
}
"""Person → token. A person's id is its name here, its role what stands before a full stop."""

ROLES = {token_key(token): Who(name, held([name.split(".")[0]])) for name, token in TOKENS.items()}
RECORDED = 1_000
"""More than the recording has of switches; what is sent stands behind it."""
STATED = "somebody@example.org"
"""Whom the proxy of the tests states; a viewer."""
PROXY = "10.9.8.7"
GATEWAY = "172.30.99.1"
"""From where tokens sign in beside this machine, as of a container's network."""
ROLES |= {user_key(STATED): Who("viewer.9", held(["viewer"]))}


class LettersOfTest:
    """Stands where Kafka would be asked for refused records; it notes what was settled.

    `records`: what is said of each. `failing`: raised instead. `stay`: letters that stay. `fenced`:
    whether another order was begun meanwhile.
    """

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.settled: list[tuple[str, SettlementOrder]] = []
        self.failing: Exception | None = None
        self.stay: list[Left] = []
        self.fenced = False

    def shown(self, place: str) -> dict[str, Any]:
        if self.failing is not None:
            raise self.failing
        return self.records.get(place, {"gone": "Kafka has dropped it"})

    def settle(self, word: str, order: SettlementOrder, *, dry: bool) -> Done:
        if self.failing is not None:
            raise self.failing
        if not dry and self.fenced:
            raise TakenOverError("another order")
        if not dry:
            self.settled.append((word, order))
        return Done(len(order.wanted.origins) - len(self.stay), 0, list(self.stay))


class CommandsOfTest:
    """Stands where `byline` would be run beside the console; it notes what is asked for.

    `real`: the environment in which it really runs; None: `ran` is what came of it, and `wrote`
    the files that it left in its folder.
    """

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.real: Mapping[str, str] | None = None
        self.ran = CommandEnd(2, "", "not in this test")
        self.wrote: dict[str, str] = {}

    def __call__(self, words: Sequence[str], folder: Path, beat: Beat, ending: Event) -> CommandEnd:
        self.asked.append(list(words))
        if self.real is None:
            for name, text in self.wrote.items():
                (folder / name).write_text(text)
            return self.ran
        return CommandProcess((), self.real)(words, folder, beat, ending)


@dataclass
class ConsoleGround:
    """A console, what it was told to send, and a clock that the test moves."""

    engine: Engine
    now: int
    folder: Path
    roles: dict[str, Who] = field(default_factory=lambda: dict(ROLES))
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failing: Exception | None = None
    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, int] = field(default_factory=lambda: {"switches": RECORDED})
    letters: LettersOfTest = field(default_factory=LettersOfTest)
    commands: CommandsOfTest = field(default_factory=CommandsOfTest)

    def __post_init__(self) -> None:
        settings = SettingsWithoutPolicies(data_dir=self.folder, **self.options)
        self.console = Console(
            self.engine,
            settings,
            lambda: self.roles,
            lambda: self.now,
            b"k" * 32,
            self._send,
            lambda topic: self.ends.get(topic, {}),
            cast(LetterDesk, self.letters),
            Aside(self.engine, self.folder, lambda: self.now, self.commands),
            Peers((network(PROXY),), tokens=(network(GATEWAY),)),
            news=PageNews(pause_seconds=0, looks=3),
        )
        self.app = make_app(self.console)

    def _send(self, topic: str, values: list[dict[str, Any]], _: int) -> Sent:
        """What Kafka would take: the offset after each partition's last record is told."""
        if self.failing is not None:
            raise self.failing
        self.sent += [(topic, it) for it in values]
        before = self.recorded.get(topic, 0)
        return Sent(f"byline.{topic}", len(values), (), None, {0: before + len(self.sent)})

    def runs_commands(self) -> None:
        """From now on a command really runs, on this index."""
        url = self.engine.url.render_as_string(hide_password=False)
        own = {"database": url, "data_dir": str(self.folder), "policies": str(self.folder)}
        self.commands.real = {**os.environ, **{variable(name): it for name, it in own.items()}}

    def browser(self, host: str = "127.0.0.1", **headers: str) -> TestClient:
        """A browser without a session."""
        client = (host, 50_000)
        return TestClient(
            self.app,
            "http://127.0.0.1:9467",
            client=client,
            headers=headers,
            follow_redirects=False,
        )

    def signed_in(self, name: str) -> TestClient:
        """A browser of this person."""
        browser = self.browser()
        page = browser.get("/sign-in")
        done = browser.post("/sign-in", data={"guard": guard(page), "token": TOKENS[name]})
        assert done.status_code == 303, done.text
        return browser


def network(address: str) -> Any:
    import ipaddress

    return ipaddress.ip_network(address)


def guard(page: Any) -> str:
    """The token of the page's forms."""
    found = re.search(r'name="guard" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for it in value.values():
            yield from texts(it)
    elif isinstance(value, list | tuple):
        for it in value:
            yield from texts(it)


Browse = Callable[..., Any]
