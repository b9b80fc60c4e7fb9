"""Who asks and orders while Prometheus looks on: a person at the console, a program at the API."""

import re
import urllib.error
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

ACTOR, TOKEN = "desk.1", "token-of-desk.1"
PAGES = ("/", "/accounts/weibo:a0", "/worklists/pending", "/dead-letters", "/proposals")
ROUTES = (
    "/v1/accounts/weibo:a0",
    "/v1/accounts/weibo:a0/events",
    "/v1/worklists/pending",
    "/v1/funnel",
    "/v1/propagation",
)
_GUARD = re.compile(r'name="guard" value="(\w+)"')


class PageSeen(NamedTuple):
    """An answer, after redirections: status, path, text."""

    status: int
    path: str
    text: str

    @property
    def guard(self) -> str:
        """The token of the page's forms."""
        found = _GUARD.search(self.text)
        assert found is not None, (self.status, self.path)
        return found[1]


class Browser:
    """It keeps its cookies, and takes every answer. `port`: of this machine."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._opener = build_opener(HTTPCookieProcessor())

    def open(self, path: str, headers: dict[str, str] | None = None, **form: str) -> PageSeen:
        """Gets a page, or posts the fields of a form. Raises OSError where nobody answers."""
        data = urlencode(form).encode() if form else None
        asked = Request(f"{self._address}{path}", data, headers or {})
        try:
            answer: Any = self._opener.open(asked, timeout=20)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            path = answer.url.removeprefix(self._address)
            return PageSeen(answer.status, path, answer.read().decode())


class Desk:
    """A person who is signed in at the console, and the same token at the read API."""

    def __init__(self, console: int, index: int) -> None:
        self._browser, self._api = Browser(console), Browser(index)

    def signs_in(self) -> None:
        """The person signs in."""
        form = {"guard": self._browser.open("/sign-in").guard, "token": TOKEN}
        self._browser.open("/sign-in", **form)

    def reads(self) -> list[PageSeen]:
        """Opens each page."""
        if self._browser.open("/").path.startswith("/sign-in"):
            self.signs_in()
        return [self._browser.open(path) for path in PAGES]

    def asks(self) -> list[PageSeen]:
        """The program asks each route."""
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        return [self._api.open(path, bearer) for path in ROUTES]

    def orders(self, what: str, **form: str) -> PageSeen:
        """Sends a control or a switch: fills its form in, looks at the preview, confirms.

        Returns the preview's answer if that was refused.
        """
        guard = self._browser.open(f"/actions/{what}").guard
        preview = self._browser.open(f"/actions/{what}", guard=guard, **form)
        if preview.status != 200:
            return preview
        return self._browser.open(f"{preview.path}/send", guard=preview.guard)

    def turns(self, scope: str, on: str) -> PageSeen:
        """Turns a platform's invitations off, `on`: on or off."""
        word = {"switch": "invitations_off", "scope": scope, "reason": "incident"}
        return self.orders("switches", on=on, **word)
