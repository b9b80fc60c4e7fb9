"""Signing in by a real OpenID provider, which wants PKCE: by its own pages, and in a browser."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from streams.console import oidc
from streams.console.cookies import SIGN_IN
from streams.local.probe import free_port
from tests.console.given import ConsoleGround
from tests.console.provided import ADDRESS, begun, far_browser, nobody_is_in, with_provider
from tests.console.served import ServedConsole, chromium
from tests.support.parts import program

pytestmark = pytest.mark.part("oidc-provider")
HERE = Path(__file__).parent


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts the real provider for a redirect address; returns how it calls itself."""
    begun_ones: list[subprocess.Popen[bytes]] = []

    def start(redirect: str, host: str = "127.0.0.1", port: int = 0) -> str:
        port, log = port or free_port(), tmp_path / "provider.log"
        issuer = f"http://{host}:{port}"
        words = [program("oidc-provider"), HERE / "provider.mjs", issuer, redirect]
        with log.open("wb") as file:
            begun_ones.append(subprocess.Popen(words, stdout=file, stderr=file))
        deadline = time.monotonic() + 30
        while "listens at" not in log.read_text():
            assert begun_ones[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return issuer

    yield start
    for process in begun_ones:
        process.terminate()
        process.wait(10)


def person_signs_in(address: str, name: str) -> dict[str, str]:
    """A person at the provider's own pages; returns the parameters that the browser brings back."""
    with requests.Session() as browser:
        answer = browser.get(address, allow_redirects=True, timeout=10)
        for _ in range(4):
            action = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert action is not None, answer.text
            said = dict(re.findall(r'name="(\w+)"[^>]* value="(\w+)"', answer.text))
            if 'name="login"' in answer.text:
                said |= {"login": name, "password": "any"}
            place = urljoin(answer.url, action[1])
            answer = browser.post(place, data=said, allow_redirects=False, timeout=10)
            while answer.is_redirect:
                place = answer.headers["location"]
                if place.startswith(ADDRESS):
                    return {it: value[0] for it, value in parse_qs(urlsplit(place).query).items()}
                answer = browser.get(urljoin(answer.url, place), allow_redirects=False, timeout=10)
    raise AssertionError("the provider did not send the browser back")


def test_a_real_provider_that_wants_pkce_signs_a_person_in(
    ground: ConsoleGround, real: Callable[..., str]
) -> None:
    issuer = real(f"{ADDRESS}/sign-in/done")
    ground.now = int(time.time() * 1000)
    desk = with_provider(ground, issuer)
    browser = far_browser(desk)
    said = person_signs_in(begun(browser, "/accounts"), "desk.7")
    assert said["iss"] == issuer
    kept = browser.cookies[SIGN_IN]
    done = browser.get("/sign-in/done", params=said)
    assert done.status_code == 200, done.text
    assert "Signed in as desk.7" in done.text
    assert browser.get("/actions/controls").status_code == 200
    again = far_browser(desk)
    again.cookies.set(SIGN_IN, kept, path="/sign-in")
    replayed = again.get("/sign-in/done", params=said)
    assert (replayed.status_code, "was answered before" in replayed.text) == (403, True)
    stranger = far_browser(desk)
    answer = stranger.get("/sign-in/done", params=person_signs_in(begun(stranger), "desk.8"))
    assert (answer.status_code, "oidc  desk.8  ROLE" in answer.text) == (403, True)


def test_a_real_provider_refuses_another_verifier_and_a_beginning_without_pkce(
    ground: ConsoleGround, real: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = real(f"{ADDRESS}/sign-in/done")
    ground.now = int(time.time() * 1000)
    desk = with_provider(ground, issuer)
    browser = far_browser(desk)
    address = begun(browser)
    plain = re.sub(r"&code_challenge(_method)?=[^&]+", "", address)
    assert plain != address
    refused = requests.get(plain, allow_redirects=False, timeout=10)
    assert "error=invalid_request" in refused.headers["location"]
    said = person_signs_in(address, "desk.7")
    secret = oidc.BegunSignIn.secret

    def other(self: oidc.BegunSignIn, key: bytes, what: str) -> str:
        return "x" * 43 if what == "verifier" else secret(self, key, what)

    monkeypatch.setattr(oidc.BegunSignIn, "secret", other)
    answer = browser.get("/sign-in/done", params=said)
    assert (answer.status_code, "<code>code</code>" in answer.text) == (403, True)
    assert nobody_is_in(browser)


@pytest.mark.part("browser")
@pytest.mark.parametrize("script", [True, False], ids=["script", "plain"])
def test_a_browser_comes_back_from_another_site_to_the_page_that_it_wanted(
    tmp_path: Path, real: Callable[..., str], script: bool
) -> None:
    """The provider is another site here, from which a strict cookie does not come."""
    port = free_port()
    with ServedConsole(tmp_path, issuer=f"http://localhost:{port}") as served, chromium() as made:
        served.ground.now = int(time.time() * 1000)
        real(f"{served.address}/sign-in/done", "localhost", port)
        page = made.new_context(java_script_enabled=script).new_page()
        complaints: list[str] = []
        page.on("console", lambda it: complaints.append(it.text) if it.type == "error" else None)
        page.goto(f"{served.address}/accounts/weibo:w1")
        page.get_by_role("link", name="Sign in at localhost").click()
        page.fill("input[name=login]", "desk.7")
        page.fill("input[name=password]", "any")
        page.click("button[type=submit]")
        page.click("button[type=submit]")
        page.wait_for_url(f"{served.address}/accounts/weibo:w1")
        assert "Signed in as desk.7" in page.inner_text("header")
        cookies = {it["name"]: it["sameSite"] for it in page.context.cookies(served.address)}
        assert cookies["byline_console"] == "Strict"
        assert SIGN_IN not in cookies
        assert [it for it in complaints if served.address in it] == []
