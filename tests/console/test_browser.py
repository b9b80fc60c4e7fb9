"""The pages in a real browser: no fault of accessibility, with and without JavaScript, both themes
and languages, two persons at once. On SQLite, and what is done there on a real PostgreSQL too.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from streams.console.words import WORDS
from streams.index import schema
from streams.index.database import open_engine, url_of
from streams.settings import SettingsWithoutPolicies
from tests.console.given import ConsoleGround, guard
from tests.console.served import AUDITED, ServedConsole, axe_source, chromium
from tests.console.shots import OPENED, TOO_WIDE
from tests.support.postgresql import Server

pytestmark = pytest.mark.part("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


ON_BOTH = pytest.mark.parametrize("served", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedConsole]:
    """A console where a second person is required; without a parameter on SQLite."""
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        engine = None
        if getattr(request, "param", "sqlite") == "postgresql":
            server = stack.enter_context(Server())
            settings = SettingsWithoutPolicies(database=SecretStr(server.url))
            engine = open_engine(url_of(settings))
            schema.bring_up(engine, 0)
        yield stack.enter_context(ServedConsole(folder, engine=engine, require_approvals=True))


class Watched:
    """A page of a context of its own; what its console complains of, and where it asks."""

    def __init__(self, browser: Any, served: ServedConsole, name: str, **options: Any) -> None:
        self.page = browser.new_context(**options).new_page()
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda it: self._says(it.type, it.text))
        self.page.on("pageerror", lambda it: self.complaints.append(str(it)))
        self.page.on("request", lambda it: self.asked.add(it.url.split("/")[2]))
        self.served = served
        served.sign_in(self.page, name)

    def _says(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 4" not in text:
            self.complaints.append(text)

    def goto(self, path: str) -> Any:
        self.page.goto(f"{self.served.address}{path}")
        return self.page

    def is_clean(self) -> None:
        """Nothing was refused by the policy of the page, and no other host was asked."""
        assert self.complaints == []
        assert self.asked == {f"127.0.0.1:{self.served.port}"}
        self.page.context.close()


@pytest.mark.parametrize(
    ("served", "theme", "language"),
    [("sqlite", "light", "en"), ("sqlite", "dark", "zh"), ("postgresql", "light", "zh")],
    indirect=["served"],
)
def test_no_page_has_a_fault_of_accessibility_or_is_too_wide_for_a_telephone(
    browser: Any, served: ServedConsole, theme: str, language: str
) -> None:
    options = {"color_scheme": theme, "locale": {"en": "en-GB", "zh": "zh-CN"}[language]}
    phone = {"width": 390, "height": 800}
    source, faults = axe_source(), []
    for person in ("operator", "auditor"):
        watched = Watched(browser, served, person, viewport=phone, **options)
        for name, path in {**served.paths(), "sign-in": "/sign-in"}.items():
            if (person == "auditor") != (name in AUDITED):
                continue
            page = watched.goto(path)
            assert page.get_attribute("html", "lang") == language
            page.evaluate(OPENED)
            page.evaluate(source)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            faults += [
                (name, it["id"], [node["html"] for node in it["nodes"]][:3])
                for it in found["violations"]
            ]
            if page.evaluate(TOO_WIDE):
                faults.append((name, "too wide", [page.evaluate(TOO_WIDE)]))
        watched.is_clean()
    assert faults == []


def pressed(page: Any, key: str, language: int = 0) -> None:
    page.get_by_role("button", name=WORDS[key][language], exact=True).click()


@ON_BOTH
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_bulk_goes_through_two_persons(browser: Any, served: ServedConsole, script: bool) -> None:
    served.ground.sent.clear()
    maker = Watched(browser, served, "operator", java_script_enabled=script)
    second = Watched(browser, served, "approver", java_script_enabled=script)
    page = maker.goto("/worklists/unconfirmed")
    boxes = page.locator("tbody input[type=checkbox]")
    chosen = [boxes.nth(it).get_attribute("value") for it in range(2)]
    for number in range(2):
        boxes.nth(number).check()
    page.select_option("select[name=command]", "reissue")
    page.select_option("select[name=reason]", "incident")
    pressed(page, "act.go")
    assert "2 accounts" in page.inner_text("main")
    pressed(page, "order.propose")
    assert served.ground.sent == []
    where = page.url.removeprefix(served.address)
    other = second.goto("/proposals")
    other.locator(f"a[href='{where}']").first.click()
    pressed(other, "order.approve")
    assert [f"weibo:{it['account_id']}" for _, it in served.ground.sent] == chosen
    assert {(it["actor"], it["approved_by"]) for _, it in served.ground.sent} == {
        ("operator", "approver")
    }
    assert "0 of 1 partitions have read it" in maker.goto(where).inner_text("#progress")
    maker.is_clean()
    second.is_clean()


@ON_BOTH
def test_all_of_it_can_be_done_by_keyboard(browser: Any, served: ServedConsole) -> None:
    served.ground.sent.clear()
    watched = Watched(browser, served, "operator")
    page = watched.goto("/accounts/weibo:w1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    hold = page.get_by_role("link", name=WORDS["do.hold"][0], exact=True)
    hold.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/actions/controls*")
    page.focus("#reason")
    page.keyboard.type("a legal hold")
    page.focus("form.stack button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/proposals/*")
    page.get_by_role("button", name=WORDS["order.send"][0], exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#progress")
    ((topic, value),) = served.ground.sent
    assert (topic, value["command"], value["reason"]) == ("controls", "hold", "legal_hold")
    watched.is_clean()


def listening(served: ServedConsole, page: Any, count: int) -> None:
    """Wait until so many pages listen for news."""
    for _ in range(300):
        if served.console.news.open.total() == count:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{served.console.news.open.total()} pages listen")


@ON_BOTH
def test_a_page_loads_its_live_part_when_there_is_news_but_not_while_somebody_reads_in_it(
    browser: Any, served: ServedConsole
) -> None:
    ground: ConsoleGround = served.ground
    watched = Watched(browser, served, "viewer")
    page = watched.goto("/")
    before = page.inner_text("#live .age")
    listening(served, page, 1)
    ground.now += 21_000
    # The page's own policy forbids Playwright to wait in the page itself.
    for _ in range(300):
        if page.inner_text("#live .age") != before:
            break
        page.wait_for_timeout(100)
    after = page.inner_text("#live .age")
    assert after != before
    page.locator("#live a, #live summary").first.focus()
    ground.now += 21_000
    page.wait_for_timeout(1_500)
    assert page.inner_text("#live .age") == after
    watched.page.context.close()


@ON_BOTH
def test_who_is_signed_out_gets_no_more_news(browser: Any, served: ServedConsole) -> None:
    watched = Watched(browser, served, "numbers")
    page = watched.goto("/")
    listening(served, page, 1)
    other = served.ground.signed_in("numbers")
    other.post("/sign-out-everywhere", data={"guard": guard(other.get("/"))})
    listening(served, page, 0)
    page.context.close()


def test_the_view_is_chosen_without_script(browser: Any, served: ServedConsole) -> None:
    watched = Watched(browser, served, "viewer", java_script_enabled=False)
    page = watched.goto("/accounts/weibo:w1")
    page.select_option("select[name=language]", "zh")
    page.select_option("select[name=theme]", "dark")
    pressed(page, "view.take")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert WORDS["account.waits"][1] in page.inner_text("main")
    watched.is_clean()
