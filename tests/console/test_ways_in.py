"""By which way a request comes, and what its answer leaves in the browser: what a second pass from
outside found (ATTACK.md), each as a test.
"""

from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from streams.console import sessions
from streams.console.app import make_app
from streams.console.attempts import MOST_OF_PEER
from streams.console.cookies import VISIT
from streams.console.role_file import RoleFile
from streams.core.model.instants import SECOND
from streams.serve.roles import Who, held, token_key, user_key
from tests.console.given import GATEWAY, PROXY, STATED, TOKENS, ConsoleGround, digest, guard
from tests.console.provided import ADDRESS, nobody_is_in
from tests.console.served import ServedConsole, chromium

NAME = ADDRESS.removeprefix("https://")
POLLED = {"HX-Request": "true"}
STATES = {"X-Forwarded-User": STATED}


def addressed(ground: ConsoleGround, **settings: Any) -> ConsoleGround:
    """The ground's console with these settings."""
    said = ground.console.settings.model_copy(update=settings)
    ground.console = replace(ground.console, settings=said)
    ground.app = make_app(ground.console)
    return ground


def left_by(answer: Any) -> set[str]:
    """The names of the cookies that an answer puts into the browser."""
    return {it.partition("=")[0] for it in answer.headers.get_list("set-cookie")}


def entered(browser: TestClient, token: str, **headers: str) -> int:
    """The status of an attempt to sign in with a token."""
    page = browser.get("/sign-in", headers=headers)
    found = guard(page) if "guard" in page.text else ""
    form = {"guard": found, "token": token}
    return browser.post("/sign-in", data=form, headers=headers).status_code


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/accounts?q=weibo"),
        ("GET", "/sign-in"),
        ("GET", "/sign-in/provider"),
        ("GET", "/sign-in/done"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/static/console.css"),
        ("GET", "/nowhere"),
        ("PUT", "/"),
        ("POST", "/sign-in"),
        ("POST", "/sign-out"),
        ("POST", "/view"),
    ],
)
def test_a_request_without_the_sessions_cookie_takes_no_session_out_of_the_browser(
    ground: ConsoleGround, method: str, path: str
) -> None:
    """So a navigation from another site comes: the session's cookie is strict."""
    data = {"guard": "x"} if method == "POST" else None
    answer = ground.browser().request(method, path, data=data)
    assert sessions.COOKIE not in left_by(answer)
    expected = {VISIT} if (method, path) == ("GET", "/sign-in") else set()
    assert left_by(answer) == expected


def test_no_page_of_nobody_but_the_sign_in_has_a_form(ground: ConsoleGround) -> None:
    """A form has a guard, and a guard needs a cookie."""
    browser = ground.browser()
    for path in ("/nowhere", "/sign-in/done"):
        page = browser.get(path)
        assert page.status_code == 404
        assert "<form" not in page.text
    page = browser.get("/sign-in")
    form = {"guard": guard(page), "language": "zh"}
    answer = browser.post("/view", data=form)
    assert (answer.status_code, left_by(answer)) == (303, {"byline_view"})


def test_a_sign_in_form_of_another_tab_goes_on_working(ground: ConsoleGround) -> None:
    browser = ground.browser()
    first = guard(browser.get("/sign-in"))
    browser.get("/sign-in")
    browser.post("/sign-in", data={"guard": first, "token": TOKENS["viewer"]})
    assert browser.get("/").status_code == 200
    again = {"guard": first, "token": TOKENS["auditor"]}
    assert browser.post("/sign-in", data=again).status_code == 303, "its visit goes on"
    assert browser.get("/accesses").status_code == 200
    assert browser.post("/sign-out", data={"guard": first}).status_code == 403, "no order by it"


def test_a_stated_person_keeps_his_session_when_a_link_leads_him_here(
    ground: ConsoleGround,
) -> None:
    browser = ground.browser(PROXY, **STATES)
    page = browser.get("/")
    (text,) = page.headers.get_list("set-cookie")
    assert SimpleCookie(text)[sessions.COOKIE]["samesite"] == "lax", "a link brings it"
    foreign = ground.browser(PROXY, **STATES)
    for path in ("/view", "/sign-out"):
        posted = foreign.post(path, data={"guard": "x"})
        assert (posted.status_code, left_by(posted)) == (403, set()), "a form does not bring it"
    assert browser.post("/view", data={"guard": guard(page)}).status_code == 303


def leads_from_elsewhere(page: Any, method: str, target: str) -> None:
    """A form of another site sends the browser here."""

    def there(asked: Any) -> None:
        text = f'<form method="{method}" action="{target}"><button>Go</button></form>'
        asked.fulfill(body=text, content_type="text/html")

    page.route("http://elsewhere.example/", there)
    page.goto("http://elsewhere.example/")
    page.click("button")
    page.wait_for_url(lambda url: "elsewhere" not in url)
    page.unroute("http://elsewhere.example/")


@pytest.mark.part("browser")
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_link_or_a_form_of_another_site_signs_nobody_out(tmp_path: Path, script: bool) -> None:
    with ServedConsole(tmp_path) as served, chromium() as made:
        page = made.new_context(java_script_enabled=script).new_page()
        served.sign_in(page, "viewer")
        for path, method in (("/accounts", "get"), ("/healthz", "get"), ("/sign-out", "post")):
            leads_from_elsewhere(page, method, f"{served.address}{path}")
            if path == "/accounts":
                page.wait_for_url(f"{served.address}/accounts*")
                assert "Signed in as viewer" in page.inner_text("header"), "the link leads there"
            page.goto(f"{served.address}/accounts")
            assert "Signed in as viewer" in page.inner_text("header"), path
        page.context.clear_cookies()
        leads_from_elsewhere(page, "get", f"{served.address}/accounts")
        page.wait_for_url(f"{served.address}/sign-in?next=/accounts*")
        page.fill("#token", TOKENS["viewer"])
        page.press("#token", "Enter")
        page.wait_for_url(f"{served.address}/accounts*")


def test_what_a_page_asks_for_by_itself_does_not_keep_an_idle_session(
    ground: ConsoleGround,
) -> None:
    for headers, path, last in (({}, "/", 200), (POLLED, "/", 401), ({}, "/live", 303)):
        browser = ground.signed_in("viewer")
        for _ in range(4):
            ground.now += sessions.IDLE_SECONDS * SECOND // 3
            answer = browser.get(path, headers=headers)
        if path != "/live":
            assert answer.status_code == last, (headers, path)
        assert browser.get("/").status_code == (200 if last == 200 else 303), (headers, path)


def test_a_page_that_asks_by_itself_for_nobody_leads_to_the_sign_in(ground: ConsoleGround) -> None:
    """Else the part that is asked for anew would vanish from the page."""
    answer = ground.browser().get("/accounts/weibo:a5?lang=zh", headers=POLLED)
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=/accounts/weibo%3Aa5%3Flang%3Dzh"


def test_a_session_whose_line_was_taken_out_does_not_come_back_with_it(
    ground: ConsoleGround,
) -> None:
    browser, other = ground.signed_in("viewer"), ground.signed_in("operator")
    line = ground.roles.pop(token_key(TOKENS["viewer"]))
    assert nobody_is_in(browser)
    ground.roles[token_key(TOKENS["viewer"])] = line
    assert nobody_is_in(browser)
    assert not nobody_is_in(other)


def test_a_stream_of_news_ends_the_session_of_who_was_taken_out(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    line, looks = ground.roles[token_key(TOKENS["viewer"])], []

    def roles() -> dict[str, Who]:
        looks.append(len(looks))
        if len(looks) > 1:  # The first look is that of the request.
            ground.roles.pop(token_key(TOKENS["viewer"]), None)
        return ground.roles

    app, ground.app = ground.app, make_app(replace(ground.console, roles=roles))
    listening = ground.browser()
    listening.cookies.update(browser.cookies)
    assert "event: over" in listening.get("/live").text
    ground.app, ground.roles[token_key(TOKENS["viewer"])] = app, line
    assert nobody_is_in(browser)


def test_a_roles_file_that_cannot_be_used_ends_no_session(
    ground: ConsoleGround, tmp_path: Path
) -> None:
    path = tmp_path / "roles"
    line = f"{digest('x')} desk.1 viewer\n"
    path.write_text(line)
    ground.console = replace(ground.console, roles=RoleFile(path))
    ground.app = make_app(ground.console)
    browser = ground.browser()
    assert entered(browser, "x") == 303
    for spoiled in ("nonsense", "", None):
        path.unlink() if spoiled is None else path.write_text(spoiled)
        assert nobody_is_in(browser)
        path.write_text(f"{line}# mended after {spoiled}\n")
        assert not nobody_is_in(browser), spoiled


def test_signing_in_again_ends_the_session_before(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    thief = ground.browser()
    thief.cookies.update(browser.cookies)
    assert not nobody_is_in(thief)
    assert entered(browser, TOKENS["auditor"]) == 303
    assert browser.get("/accesses").status_code == 200
    assert nobody_is_in(thief)


FORWARDING = {
    "Forwarded": "for=203.0.113.5",
    "X-Forwarded-For": "203.0.113.5",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": NAME,
    "X-Forwarded-User": STATED,
    "X-Real-IP": "203.0.113.5",
    "Via": "1.1 ingress",
}


@pytest.mark.parametrize("header", FORWARDING)
@pytest.mark.parametrize("host", ["127.0.0.1", GATEWAY])
def test_a_token_that_was_passed_on_signs_nobody_in(
    ground: ConsoleGround, host: str, header: str
) -> None:
    browser = ground.browser(host)
    page = browser.get("/sign-in", headers={header: FORWARDING[header]})
    assert 'name="token"' not in page.text
    assert "passes requests on" in page.text, "why"
    form = {"guard": guard(page), "token": TOKENS["operator"]}
    answer = browser.post("/sign-in", data=form, headers={header: FORWARDING[header]})
    assert (answer.status_code, "passes requests on" in answer.text) == (403, True)
    assert nobody_is_in(browser)
    assert browser.post("/sign-in", data=form).status_code == 303, "and directly it does"


def test_a_token_signs_nobody_in_under_the_consoles_address_but_directly_it_does(
    ground: ConsoleGround,
) -> None:
    addressed(ground, console_address=ADDRESS)
    through = TestClient(ground.app, ADDRESS, client=("127.0.0.1", 50_000), follow_redirects=False)
    for _ in range(MOST_OF_PEER + 1):
        assert entered(through, "wrong") == 403
    assert entered(through, TOKENS["operator"]) == 403
    assert nobody_is_in(through)
    for name in ("127.0.0.1:9467", "localhost:19467", "[::1]:9467", "localhost", "LOCALHOST:1"):
        assert entered(ground.browser(), TOKENS["operator"], host=name) == 303, name


def test_a_token_signs_in_under_an_address_of_this_machine(ground: ConsoleGround) -> None:
    addressed(ground, console_address="http://127.0.0.1:9467")
    assert entered(ground.browser(), TOKENS["operator"]) == 303


@pytest.mark.parametrize(
    "name",
    ["evil.example:9467", "evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.2",
     "127.1", "0.0.0.0:9467", "[::2]", "", "127.0.0.1:9467@evil.example", "localhost:x",
     NAME, "evil.example:127.0.0.1"],
)  # fmt: skip
def test_a_name_that_is_not_the_consoles_is_answered_nothing(
    ground: ConsoleGround, name: str
) -> None:
    """A page could let its own name lead to this machine, and read what the console answers."""
    browser = ground.signed_in("viewer")
    for path in ("/", "/sign-in", "/accounts?q=weibo", "/live"):
        answer = browser.get(path, headers={"Host": name})
        assert (answer.status_code, "BYLINE_CONSOLE_ADDRESS" in answer.text) == (421, True), path
        assert "Signed in" not in answer.text
        assert left_by(answer) == set()
    page = ground.browser().get("/nowhere", headers={"Host": name})
    assert page.status_code == 404
    form = {"guard": guard(ground.browser().get("/sign-in")), "token": "wrong"}
    for _ in range(MOST_OF_PEER + 1):
        wrong = ground.browser().post("/sign-in", data=form, headers={"Host": name})
        assert wrong.status_code == 421
    assert entered(ground.browser(), TOKENS["viewer"]) == 303, "nobody was locked out"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/console.css"])
def test_probes_are_answered_under_every_name(ground: ConsoleGround, path: str) -> None:
    addressed(ground, http_host="0.0.0.0", console_address=ADDRESS)
    for name in ("10.42.0.17:9467", "console:9467", ""):
        assert ground.browser().get(path, headers={"Host": name}).status_code == 200


def test_the_names_are_those_of_this_machine_the_listener_and_the_address(
    ground: ConsoleGround,
) -> None:
    def status(name: str, host: str = "127.0.0.1") -> int:
        return ground.browser(host).get("/sign-in", headers={"Host": name}).status_code

    addressed(ground, http_host="10.0.0.5", console_address=f"{ADDRESS}/")
    for name in ("127.0.0.1:1", "localhost:9", "[::1]:9467", "10.0.0.5:9467", NAME, NAME.upper()):
        assert status(name) == 200, name
    assert status("10.0.0.6:9467") == 421
    for listener, name in (("::1", "[::1]"), ("fd00::5", "[fd00::5]:9467"), ("desk", "desk:9467")):
        addressed(ground, http_host=listener)
        assert status(name) == 200
    addressed(ground, http_host="0.0.0.0")
    assert status("0.0.0.0:9467") == 421


def test_a_proxy_may_pass_any_name_on_unless_the_address_is_known(ground: ConsoleGround) -> None:
    def status(name: str) -> int:
        return ground.browser(PROXY, **STATES).get("/", headers={"Host": name}).status_code

    assert status("console.internal") == 200
    addressed(ground, console_address=ADDRESS)
    assert status("console.internal") == 421
    assert status(NAME) == 200


def test_an_origin_of_another_scheme_than_the_address_is_foreign(ground: ConsoleGround) -> None:
    addressed(ground, console_address=ADDRESS)
    browser = TestClient(ground.app, ADDRESS, client=("203.0.113.9", 1), follow_redirects=False)
    form = {"guard": guard(browser.get("/sign-in"))}
    for origin, status in ((f"http://{NAME}", 403), (f"https://{NAME}:444", 403), (ADDRESS, 303)):
        answer = browser.post("/view", data=form, headers={"Origin": origin})
        assert answer.status_code == status, origin


@pytest.mark.parametrize(
    ("said", "secure"),
    [("https", True), ("https, http", True), ("HTTPS,http", True), ("http, https", False)],
)
def test_the_first_proxy_says_whether_the_browser_came_over_tls(
    ground: ConsoleGround, said: str, secure: bool
) -> None:
    answer = ground.browser(PROXY, **STATES, **{"X-Forwarded-Proto": said}).get("/")
    assert ("Secure" in answer.headers["set-cookie"]) is secure


@pytest.mark.parametrize("name", ["张三@example.org", "josé"])
def test_a_name_beyond_ascii_is_read_as_the_proxy_writes_it(
    ground: ConsoleGround, name: str
) -> None:
    ground.roles[user_key(name)] = Who("desk.8", held(["viewer"]))
    browser = ground.browser(PROXY)
    headers = [(b"X-Forwarded-User", name.encode())]
    assert browser.get("/", headers=headers).status_code == 200  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sent", "name"),
    [("josé".encode(), "josé"), ("josé".encode("latin-1"), None), ("Ã©".encode(), "Ã©")],
)
def test_a_name_that_is_no_utf8_is_nobodys(
    ground: ConsoleGround, sent: bytes, name: str | None
) -> None:
    """Read in another way, one name could be sent so that it reads as another's."""
    headers = Headers(raw=[(b"x-forwarded-user", sent)])
    assert ground.console.peers.stated(PROXY, headers) == name


def test_who_may_see_accounts_alone_lands_on_them(ground: ConsoleGround) -> None:
    browser = ground.signed_in("accounts")
    there = browser.get("/")
    assert (there.status_code, there.headers["location"]) == (303, "/accounts")
    assert browser.get("/accounts").status_code == 200
