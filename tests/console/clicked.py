"""A person at a real browser, before a console that stands beside a real Kafka and a worker."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from streams.console.words import WORDS
from tests.console.beside import ROOMY, Owners, StandingConsole
from tests.console.served import signed_in_at
from tests.worker.harness import Estate, Out

OBEYED = "All partitions have read it"


class ClickingPerson:
    """A person signed in with Chromium; `script`: whether pages may run JavaScript."""

    def __init__(self, browser: Any, standing: StandingConsole, actor: str, script: bool) -> None:
        self._standing = standing
        self.actor = actor
        self.page = browser.new_context(java_script_enabled=script, locale="en-GB").new_page()
        self.page.set_default_timeout(ROOMY * 1000)
        signed_in_at(self.page, standing.address, f"token-of-{actor}")

    def text(self, path: str) -> str:
        """What a person reads on a page."""
        self.page.goto(f"{self._standing.address}{path}")
        return str(self.page.inner_text("main"))

    def until(self, path: str, *texts: str, without: Iterable[str] = ()) -> str:
        """Load a page again until one reads these texts there, and none of the others."""

        def loaded() -> str:
            said = self.text(path)
            right = all(it in said for it in texts) and not any(it in said for it in without)
            return said if right else ""

        return str(self._standing.until(loaded, f"{path} says {texts}"))

    def press(self, key: str) -> None:
        """Press the button with these words, and wait for the page to which it leads."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=WORDS[key][0], exact=True).click()

    @property
    def path(self) -> str:
        """The path of the page that is shown."""
        return str(self.page.url.removeprefix(self._standing.address))

    def begin(self, account: str, command: str, reason: str, **fields: str) -> str:
        """From an account's page through the form of a command; the path of the preview."""
        self.text(f"/accounts/{account}")
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=WORDS[f"do.{command}"][0], exact=True).click()
        assert self.page.input_value("#account").split() == [account]
        assert self.page.input_value("#command") == command
        return self._prepared(reason, fields)

    def begin_switch(self, switch: str, scope: str, on: bool) -> str:
        """From the navigation through the form of a switch; the path of the preview."""
        self.text("/")
        with self.page.expect_navigation():
            name = WORDS["nav.switches"][0]
            self.page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        self.page.select_option("#switch", switch)
        self.page.select_option("#scope", scope)
        self.page.select_option("#on", "on" if on else "off")
        return self._prepared("incident", {})

    def _prepared(self, reason: str, fields: Mapping[str, str]) -> str:
        self.page.select_option("#reason", reason)
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)
        self.press("act.go")
        assert self.path.startswith("/proposals/"), self.page.inner_text("main")
        return self.path

    def choose(self, which: str, *accounts: str, command: str, **fields: str) -> str:
        """Choose rows of a work-list and what becomes of them; the path of the preview."""
        self.until(f"/worklists/{which}", *accounts)
        for account in accounts:
            self.page.check(f"input[name=account][value='{account}']")
        self.page.select_option("select[name=command]", command)
        self.page.select_option("select[name=reason]", "appeal")
        for name, value in fields.items():
            self.page.fill(f"input[name={name}]", value)
        self.press("act.go")
        return self.path

    def send(self) -> str:
        """Send the order that is shown, and wait until the workers have read it; its path."""
        self.press("order.send")
        path = self.path
        self.until(path, OBEYED)
        return path

    def row(self, path: str) -> str:
        """What Orders says of an order."""
        self.text("/proposals")
        link = self.page.locator(f"a[href='{path}']")
        return str(self.page.locator("tr", has=link).inner_text())


class Seat(NamedTuple):
    """A console with one database, before which two persons sit; `mark` is in its accounts' ids."""

    standing: StandingConsole
    owners: Owners
    maker: ClickingPerson
    second: ClickingPerson
    mark: str

    @property
    def estate(self) -> Estate:
        """What stands in Kafka."""
        return self.standing.estate

    def newest(self, account: str) -> Out:
        """The newest record on the topic of controls about an account."""
        mine = [it for it in self.estate.read(["controls"]) if it.key == account.encode()]
        return max(mine, key=lambda it: it.offset)

    def decided(self, control: Out) -> dict[str, Any]:
        """The one decision that a worker took on a control."""
        found = []
        for it in self.estate.read(["decisions"]):
            cause = it.json.get("cause", {}) if it.json["kind"] == "decision" else {}
            topic, offset = str(cause.get("topic", "")), cause.get("offset")
            if it.partition == control.partition and topic.endswith("controls"):
                found += [it.json] if offset == control.offset else []
        (one,) = found
        return dict(one)
