"""Signing in by an OpenID provider that forges whatever a test wants."""

import hashlib
import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from streams.console import oidc, sessions
from streams.console.cookies import SIGN_IN, VISIT
from streams.core.model.instants import HOUR, SECOND
from streams.index import tables
from streams.index.database import reading
from streams.serve.roles import Who, held, oidc_key
from streams.settings import SettingsError, load
from streams.settings_checks import variable
from tests.cli.conftest import clean_environment
from tests.console.forging import CLIENT, SHARED, STRANGE, ForgedProvider, serving
from tests.console.given import ConsoleGround
from tests.console.provided import ADDRESS, begun, far_browser, nobody_is_in, with_provider

__all__ = ["clean_environment"]


@pytest.fixture
def forged(ground: ConsoleGround) -> Iterator[ForgedProvider]:
    with serving(ForgedProvider(ground.now)) as provider:
        yield provider


@pytest.fixture
def desk(ground: ConsoleGround, forged: ForgedProvider) -> ConsoleGround:
    return with_provider(ground, forged.address)


def back(browser: TestClient, forged: ForgedProvider, **other: str) -> Any:
    """A whole sign-in: the answer to the browser that comes back; `other`: parameters instead."""
    address = begun(browser)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state, **other}
    return browser.get("/sign-in/done", params=said)


def test_a_person_signs_in_and_is_the_actor_of_the_claim(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    browser = far_browser(desk)
    assert "/sign-in/provider?next=" in browser.get("/sign-in?next=/accounts").text
    visit = browser.cookies[f"__Host-{VISIT}"]
    address = begun(browser, "/accounts/weibo:a5?lang=zh")
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    done = browser.get("/sign-in/done", params=said)
    assert done.status_code == 200, done.text
    assert done.headers["refresh"] == "0;url=/accounts/weibo:a5?lang=zh"
    assert "Signed in as desk.7" in done.text
    session = browser.cookies[f"__Host-{sessions.COOKIE}"]
    assert session.split(".")[0] != visit.split(".")[0], "a new id"
    page = browser.get("/accounts/weibo:a5")
    assert page.status_code == 200
    assert browser.get("/actions/controls").status_code == 200, "the role of the file"
    with reading(desk.engine) as connection:
        rows = connection.execute(select(tables.accesses.c.actor)).all()
    assert {it.actor for it in rows} == {"desk.7"}
    del desk.roles[oidc_key("desk.7")]
    assert nobody_is_in(browser)


def test_nothing_of_the_person_but_the_actor_is_kept_or_logged(
    desk: ConsoleGround, forged: ForgedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = far_browser(desk)
    shown = back(browser, forged).text
    forged.claims = {"sub": "somebody@example.org"}
    shown += back(far_browser(desk), forged).text
    forged.claims = {"nonce": "张三"}
    shown += back(far_browser(desk), forged).text
    shown += caplog.text + browser.get("/metrics").text
    with reading(desk.engine) as connection:
        for table in tables.metadata.sorted_tables:
            shown += str(connection.execute(select(table)).all())
    for secret in ("somebody@", "张三", "the-access-token", "secret-of-provider", "eyJ"):
        assert secret not in shown, secret


def test_cookies_are_secure_and_only_that_of_the_beginning_comes_back_from_another_site(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    browser = far_browser(desk)
    there = browser.get("/sign-in/provider")
    (text,) = [it for it in there.headers.get_list("set-cookie") if it.startswith(SIGN_IN)]
    cookie = SimpleCookie(text)[SIGN_IN]
    assert (cookie["samesite"], cookie["path"], cookie["max-age"]) == ("lax", "/sign-in", "600")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    done = back(far_browser(desk), forged)
    (session,) = [it for it in done.headers.get_list("set-cookie") if sessions.COOKIE in it]
    assert "SameSite=strict" in session
    assert "Secure" in session
    (ended,) = [it for it in done.headers.get_list("set-cookie") if SIGN_IN in it]
    assert "Max-Age=0" in ended


@pytest.mark.parametrize("state", ["", "x" * 43, "状态"])
def test_another_state_signs_nobody_in_and_asks_the_provider_nothing(
    desk: ConsoleGround, forged: ForgedProvider, state: str
) -> None:
    browser = far_browser(desk)
    answer = back(browser, forged, state=state)
    assert answer.status_code == 403
    assert "not begun in this browser" in answer.text
    assert "/token" not in forged.asked
    assert nobody_is_in(browser)


def test_the_address_of_another_browser_signs_nobody_in(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    """Else who is tricked into opening it would act under the attacker's session."""
    address = begun(far_browser(desk))
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    victim = far_browser(desk)
    assert victim.get("/sign-in/done", params=said).status_code == 403
    begun(victim)
    assert victim.get("/sign-in/done", params=said).status_code == 403
    assert nobody_is_in(victim)


def test_a_code_is_answered_once_and_only_for_ten_minutes(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    browser = far_browser(desk)
    address = begun(browser)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    kept = browser.cookies[SIGN_IN]
    assert browser.get("/sign-in/done", params=said).status_code == 200
    again = far_browser(desk)
    assert again.get("/sign-in/done", params=said).status_code == 403, "the cookie is gone"
    again.cookies.set(SIGN_IN, kept, path="/sign-in")
    before = [*forged.asked]
    replayed = again.get("/sign-in/done", params=said)
    assert (replayed.status_code, "was answered before" in replayed.text) == (403, True)
    assert forged.asked == before, "it counts here, whatever the provider takes twice"
    late = far_browser(desk)
    address = begun(late)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    desk.now += 601 * SECOND
    forged.now = desk.now
    said = {"code": forged.signs_in(address), "state": state}
    answer = late.get("/sign-in/done", params=said)
    assert (answer.status_code, "took over ten minutes" in answer.text) == (403, True)
    assert nobody_is_in(late)


def test_another_console_on_the_database_knows_that_an_answer_was_used_up(
    desk: ConsoleGround, forged: ForgedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forged, "codes", KeptCodes())
    browser = far_browser(desk)
    address = begun(browser)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    kept = browser.cookies[SIGN_IN]
    assert browser.get("/sign-in/done", params={"error": "x", "state": state}).status_code == 403
    with_provider(desk, forged.address)
    for number in range(2):
        thief = far_browser(desk)
        thief.cookies.set(SIGN_IN, kept, path="/sign-in")
        desk.now = forged.now = desk.now + SECOND * number * 599
        assert thief.get("/sign-in/done", params=said).status_code == 403
        assert nobody_is_in(thief)
        assert back(far_browser(desk), forged).status_code == 200, "one that is over is deleted"
    with reading(desk.engine) as connection:
        used = connection.execute(select(tables.sessions).where(tables.sessions.c.holder == ""))
        assert all(it.revoked_at is not None for it in used)


class KeptCodes(dict[str, dict[str, str]]):
    """The codes of a provider that takes each as often as it comes."""

    def pop(self, code: str, *_: Any) -> Any:
        return self.get(code)


def test_an_answer_without_a_code_asks_the_provider_nothing(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    browser = far_browser(desk)
    answer = back(browser, forged, code="")
    assert (answer.status_code, "<code>code</code>" in answer.text) == (403, True)
    assert "/token" not in forged.asked


def test_signing_in_ends_the_session_that_the_browser_had(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    """The provider's answer comes without its cookie: that is strict."""
    browser, thief = far_browser(desk), far_browser(desk)
    assert back(browser, forged).status_code == 200
    thief.cookies.update(browser.cookies)
    assert not nobody_is_in(thief)
    address = begun(browser)
    name = f"__Host-{sessions.COOKIE}"
    browser.cookies.delete(name)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    assert browser.get("/sign-in/done", params=said).status_code == 200
    assert not nobody_is_in(browser)
    assert nobody_is_in(thief)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another nonce": ({"claims": {"nonce": "x" * 43}}, "nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "nonce"),
    "another issuer": ({"claims": {"iss": "https://login.example.org"}}, "iss"),
    "no issuer": ({"claims": {"iss": None}}, "iss"),
    "another audience": ({"claims": {"aud": "another-client"}}, "aud"),
    "no audience": ({"claims": {"aud": None}}, "aud"),
    "another party": ({"claims": {"aud": [CLIENT, "other"], "azp": "other"}}, "azp"),
    "two audiences": ({"claims": {"aud": [CLIENT, "other"]}}, "azp"),
    "no expiry": ({"claims": {"exp": None}}, "exp"),
    "no time": ({"claims": {"iat": None}}, "iat"),
    "another access token": ({"claims": {"at_hash": "AAAA"}}, "at_hash"),
    "another key": ({"key": STRANGE}, "signature"),
    "an unknown key": ({"key": STRANGE, "kid": "k9"}, "signature"),
    "a key that both know": ({"key": SHARED, "alg": "HS256"}, "alg"),
    "no signature": ({"alg": "none"}, "alg"),
    "no token": ({"token": "nonsense"}, "form"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_an_id_token_that_does_not_hold_signs_nobody_in(
    desk: ConsoleGround, forged: ForgedProvider, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    said, why = WRONG[fault]
    for name, value in said.items():
        setattr(forged, name, value)
    browser = far_browser(desk)
    answer = back(browser, forged)
    assert (answer.status_code, f"<code>{why}</code>" in answer.text) == (403, True), answer.text
    assert "BYLINE_OIDC_" in answer.text, "what to do"
    assert nobody_is_in(browser)
    assert [it.event for it in caplog.records if hasattr(it, "event")] == ["sign_in_refused"]


def test_an_expired_token_signs_nobody_in_but_a_clock_may_be_a_minute_off(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    for seconds, status in ((-59, 200), (-61, 403)):
        forged.claims = {"exp": desk.now // 1000 + seconds}
        answer = back(far_browser(desk), forged)
        assert answer.status_code == status, seconds
    assert "<code>exp</code>" in answer.text


def test_a_token_without_the_name_of_its_key_is_held_to_the_key_that_there_is(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    forged.kid = None
    assert back(far_browser(desk), forged).status_code == 200
    forged.key = STRANGE
    assert back(far_browser(desk), forged).status_code == 403


def test_the_issuer_beside_the_code_has_to_be_the_provider(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    """RFC 9207: else another provider's answer could be passed on to this one."""
    assert back(far_browser(desk), forged, iss=forged.address).status_code == 200
    assert back(far_browser(desk), forged, iss="https://evil.example").status_code == 403
    assert "/token" not in forged.asked[-1:]


def test_keys_are_kept_for_an_hour_and_asked_for_again_for_an_unknown_one(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    for _ in range(3):
        assert back(far_browser(desk), forged).status_code == 200
    assert [forged.asked.count(it) for it in ("/keys", "/token")] == [1, 3]
    forged.kid, forged.key = "k9", STRANGE
    desk.now += oidc.KEYS_AGAIN_MS
    for _ in range(3):
        assert back(far_browser(desk), forged).status_code == 403
    assert forged.asked.count("/keys") == 2, "nobody makes the console ask more often"


def test_who_has_no_role_is_told_which_line_to_ask_for(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    forged.claims = {"sub": "desk.8"}
    browser = far_browser(desk)
    answer = back(browser, forged)
    assert (answer.status_code, "oidc  desk.8  ROLE" in answer.text) == (403, True)
    assert nobody_is_in(browser)


@pytest.mark.parametrize(
    "sub", ["somebody@example.org", "张三", "a" * 65, "auth0|5f7c", "a b", "a\n"]
)
def test_a_claim_that_fits_no_actor_is_refused_with_what_to_do(
    desk: ConsoleGround, forged: ForgedProvider, sub: str
) -> None:
    forged.claims = {"sub": sub}
    desk.roles[oidc_key(sub)] = Who(sub, held(["operator"]))
    browser = far_browser(desk)
    answer = back(browser, forged)
    assert answer.status_code == 403
    assert "BYLINE_OIDC_ACTORS_FILE" in answer.text
    assert hashlib.sha256(sub.encode()).hexdigest() in answer.text
    assert nobody_is_in(browser)


def test_a_mapping_file_gives_the_actor_and_alone_counts(
    desk: ConsoleGround, forged: ForgedProvider, tmp_path: Path
) -> None:
    file = tmp_path / "actors"
    address = "somebody@example.org"
    file.write_text(f"# people\n{hashlib.sha256(address.encode()).hexdigest()}  desk.7\n")
    with_provider(desk, forged.address, oidc_claim="email", oidc_actors_file=file)
    assert "Signed in as desk.7" in back(far_browser(desk), forged).text
    # Who may choose this claim cannot choose to be desk.7.
    forged.claims = {"email": "desk.7"}
    answer = back(far_browser(desk), forged)
    assert (answer.status_code, "has no id for you" in answer.text) == (403, True)
    forged.claims = {"email": None}
    assert "has no text <code>email</code>" in back(far_browser(desk), forged).text
    forged.claims = {"email": ["desk.7"]}
    assert back(far_browser(desk), forged).status_code == 403
    file.write_text("nonsense\n")
    forged.claims = {}
    assert back(far_browser(desk), forged).status_code == 503


def test_a_provider_that_does_not_answer_or_lies_about_itself_is_told(
    desk: ConsoleGround, forged: ForgedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = far_browser(desk)
    forged.away = True
    for _ in range(5):
        answer = browser.get("/sign-in/provider")
        assert (answer.status_code, "does not answer" in answer.text) == (503, True)
    assert len(forged.asked) == 1, "who waits for it holds a thread of the pages"
    forged.away = False
    assert browser.get("/sign-in/provider").status_code == 503
    desk.now += oidc.AWAY_MS
    assert browser.get("/sign-in/provider").status_code == 303
    for said in (
        {"issuer": "https://login.example.org"},
        {"authorization_endpoint": "http://login.example.org/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        forged.described = said
        desk.now += HOUR
        assert browser.get("/sign-in/provider").status_code == 503, said
    forged.described = {"token_endpoint": "http://login.example.org/token"}
    desk.now += HOUR
    forged.now = desk.now
    assert back(browser, forged).status_code == 503
    assert {it.event for it in caplog.records if hasattr(it, "event")} == {"provider_unreachable"}


def test_what_the_provider_refuses_is_told_without_its_words(
    desk: ConsoleGround, forged: ForgedProvider
) -> None:
    for error, shown in (("access_denied", "access_denied"), ("<b>张三", "error")):
        answer = back(far_browser(desk), forged, error=error, error_description="张三")
        assert answer.status_code == 403
        assert f"<code>{shown}</code>" in answer.text
        assert "张三" not in answer.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/sign-out", "/a\nb"])
def test_signing_in_by_a_provider_leads_nowhere_else(
    desk: ConsoleGround, forged: ForgedProvider, target: str
) -> None:
    browser = far_browser(desk)
    address = begun(browser, target)
    (state,) = parse_qs(urlsplit(address).query)["state"]
    said = {"code": forged.signs_in(address), "state": state}
    assert browser.get("/sign-in/done", params=said).headers["refresh"] == "0;url=/"


def test_without_a_provider_there_is_no_such_sign_in(ground: ConsoleGround) -> None:
    for path in ("/sign-in/provider", "/sign-in/done"):
        assert ground.browser().get(path).status_code == 404


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"oidc_client_id": None}, "BYLINE_OIDC_CLIENT_ID: missing"),
        ({"console_address": None}, "BYLINE_CONSOLE_ADDRESS: missing"),
        ({"oidc_issuer": "http://login.example.org"}, "BYLINE_OIDC_ISSUER: give an https://"),
        ({"console_address": "http://console.example.org"}, "BYLINE_CONSOLE_ADDRESS: give an"),
        ({"oidc_claim": "email"}, "BYLINE_OIDC_CLAIM: email names a person"),
        ({"oidc_claim": "preferred_username"}, "a person may choose it"),
        ({"oidc_scope": "email"}, "BYLINE_OIDC_SCOPE: openid has to be among"),
        ({"oidc_client_secret": "a", "oidc_client_secret_file": "b"}, "give the secret or a file"),
        ({"oidc_client_secret_file": "/nowhere"}, "BYLINE_OIDC_CLIENT_SECRET_FILE"),
        ({"oidc_issuer": None}, "BYLINE_OIDC_CLIENT_ID: of no use"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    given: dict[str, str | None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {
        "oidc_issuer": "https://login.example.org",
        "oidc_client_id": CLIENT,
        "console_address": ADDRESS,
    }
    for field, value in {**whole, **given}.items():
        if value is not None:
            monkeypatch.setenv(variable(field), value)
    with pytest.raises(SettingsError, match=re.escape(says)):
        load()
