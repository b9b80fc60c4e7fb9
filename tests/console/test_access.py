"""Who may what: the whole matrix, made from the table of routes; and each guard, without which one
of these tests fails."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, select
from starlette.testclient import TestClient

from schemas.enums import Command, Switch
from streams.console import sessions
from streams.console.attempts import MOST_OF_PEER
from streams.console.cookies import VISIT
from streams.console.pages import account
from streams.core.model.instants import HOUR, SECOND
from streams.index import tables
from streams.index.database import open_engine, reading
from streams.letters.desk import WORK
from streams.serve.roles import token_key
from tests.console.given import GATEWAY, PROXY, STATED, TOKENS, ConsoleGround, guard
from tests.console.matrix import ALL, MATRIX, PLACES
from tests.operate.recording import Tape

QUICK = ("operator", "auditor")
"""Whom `sh tests/run.sh --quick` asks as well; with nobody they have each kind of row."""
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ALL if name not in QUICK]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def bound(ground: ConsoleGround) -> set[tuple[str, str]]:
    """Every method and path that the application answers."""
    listed: list[Any] = [*ground.app.routes]
    return {(method, it.path) for it in listed for method in it.methods}


def filled_path(path: str) -> str:
    for place, text in PLACES.items():
        path = path.replace(place, text)
    return path


def test_every_route_has_a_row_and_every_row_a_route(ground: ConsoleGround) -> None:
    assert {it for it in bound(ground) if it[0] != "HEAD"} == {*MATRIX}


@pytest.mark.parametrize("name", [None, *QUICK, *SLOW])
def test_the_whole_matrix(ground: ConsoleGround, name: str | None) -> None:
    def come() -> TestClient:
        return ground.browser() if name is None else ground.signed_in(name)

    browser = come()
    for path in sorted({it[1] for it in MATRIX}):
        for method in METHODS:
            data = None
            if method == "POST":
                data = {"guard": guard(browser.get("/sign-in")), "token": TOKENS["viewer"]}
            answer = browser.request(method, filled_path(path), data=data)
            row = MATRIX.get(("GET" if method == "HEAD" else method, path))
            what = (name, method, path, answer.status_code)
            if row is None:
                assert answer.status_code == 405, what
            elif (name or "*") in row:
                assert answer.status_code in (200, 303, 400, 404), what
                assert answer.headers.get("location", "").startswith("/sign-in?") is False, what
            elif name is None and method != "POST":
                assert answer.headers["location"].startswith("/sign-in?next="), what
            else:
                assert answer.status_code == (401 if name is None else 403), what
            if method == "POST" and "sign-" in path:
                browser = come()


def test_every_answer_has_the_headers_of_security(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    paths = ["/", "/accounts/weibo:a5", "/nowhere", "/static/console.css", "/accesses"]
    for path in paths:
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin", "else browsers send Origin: null"
        assert "frame-ancestors 'none'" in policy
    assert browser.get("/accounts/weibo:a5").headers["cache-control"] == "no-store"


def test_pages_have_no_style_and_no_script_of_their_own(ground: ConsoleGround) -> None:
    browser = ground.signed_in("auditor")
    for _, path in MATRIX:
        text = browser.get(filled_path(path)).text
        if "<!doctype html>" in text:
            assert " style=" not in text
            assert "<style" not in text
            assert " onclick" not in text
            assert text.count("<script ") == text.count('<script src="/static/') == 2
            assert "//" not in text.replace("http-equiv", "").split("<body")[0].split("doctype")[1]


def test_a_post_without_the_token_of_its_form_changes_nothing(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    other = guard(ground.signed_in("viewer").get("/sign-in"))
    for form in ({}, {"guard": ""}, {"guard": "0" * 64}, {"guard": other}):
        assert browser.post("/sign-out", data=form).status_code in (400, 403)
    good = {"guard": guard(browser.get("/sign-in"))}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9468"):
        foreign = browser.post("/sign-out", data=good, headers={"Origin": origin})
        assert foreign.status_code == 403, origin
    assert browser.post("/sign-out", json=good).status_code == 400
    assert browser.get("/").status_code == 200, "still signed in"
    assert browser.post("/sign-out", data=good).status_code == 303
    assert browser.get("/").status_code == 303


def test_a_session_is_new_at_sign_in_and_no_cookie_can_be_made_up(ground: ConsoleGround) -> None:
    browser = ground.browser()
    page = browser.get("/sign-in")
    before = browser.cookies[VISIT]
    browser.post("/sign-in", data={"guard": guard(page), "token": TOKENS["viewer"]})
    after = browser.cookies[sessions.COOKIE]
    assert before.split(".")[0] != after.split(".")[0], "an id from before is nobody's"
    for forged in (before, after[:-2] + "xx", after.split(".")[0], "x", ""):
        thief = ground.browser()
        thief.cookies.set(sessions.COOKIE, forged)
        thief.cookies.set(VISIT, after)
        assert thief.get("/").status_code == 303
    cookie = browser.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_a_session_ends_when_idle_after_hours_and_when_revoked(ground: ConsoleGround) -> None:
    idle, long, gone = (ground.signed_in("viewer") for _ in range(3))
    kept = gone.cookies[sessions.COOKIE]
    gone.post("/sign-out", data={"guard": guard(gone.get("/sign-in"))})
    again = ground.browser()
    again.cookies.set(sessions.COOKIE, kept)
    assert again.get("/").status_code == 303, "a cookie from before the end counts no more"
    ground.now += sessions.IDLE_SECONDS * SECOND
    assert long.get("/").status_code == 200
    ground.now += SECOND
    assert idle.get("/").status_code == 303
    for _ in range(20):
        ground.now += HOUR // 2
        last = long.get("/").status_code
    assert last == 303, "used all the time, it ends after LONGEST_MS"


def test_signing_out_everywhere_ends_every_session_of_the_person_alone(
    ground: ConsoleGround,
) -> None:
    one, two, other = (ground.signed_in(it) for it in ("viewer", "viewer", "auditor"))
    one.post("/sign-out-everywhere", data={"guard": guard(one.get("/"))})
    assert [it.get("/").status_code for it in (one, two, other)] == [303, 303, 200]


def test_who_is_taken_out_of_the_roles_file_is_signed_out(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    del ground.roles[token_key(TOKENS["viewer"])]
    assert browser.get("/").status_code == 303


def test_a_token_counts_at_this_machine_alone(ground: ConsoleGround) -> None:
    for host in ("192.168.1.9", "::ffff:192.168.1.9", PROXY, "nonsense"):
        browser = ground.browser(host)
        form = {"guard": guard(browser.get("/sign-in")), "token": TOKENS["viewer"]}
        assert browser.post("/sign-in", data=form).status_code == 403, host
        assert browser.get("/").status_code == 303


def test_a_token_counts_from_the_peers_that_were_named(ground: ConsoleGround) -> None:
    for host, status in ((GATEWAY, 303), ("172.30.99.2", 403)):
        browser = ground.browser(host)
        form = {"guard": guard(browser.get("/sign-in")), "token": TOKENS["viewer"]}
        assert browser.post("/sign-in", data=form).status_code == status, host


def test_a_name_is_taken_from_the_proxies_alone(ground: ConsoleGround) -> None:
    stated = {"X-Forwarded-User": STATED}
    assert ground.browser(PROXY, **stated).get("/").status_code == 200
    for host in ("127.0.0.1", "10.9.8.6", "10.9.8.70"):
        assert ground.browser(host, **stated).get("/").status_code == 303, host
    stranger = ground.browser(PROXY, **{"X-Forwarded-User": "other@example.org"})
    assert stranger.get("/").status_code == 303
    told = stranger.get("/sign-in").text
    assert "user:" in told
    assert "other@example.org" not in told
    assert ground.browser(PROXY).get("/").status_code == 303


def test_a_session_of_the_proxy_counts_with_its_word_alone(ground: ConsoleGround) -> None:
    stated = {"X-Forwarded-User": STATED}
    there = ground.browser(PROXY, **stated)
    assert there.get("/").status_code == 200
    for host, headers in (("127.0.0.1", {}), (PROXY, {}), ("10.0.0.1", stated)):
        thief = ground.browser(host, **headers)
        thief.cookies.update(there.cookies)
        assert thief.get("/").status_code == 303, host
    by_token = ground.signed_in("auditor")
    here = ground.browser(PROXY, **stated)
    here.cookies.update(by_token.cookies)
    assert here.get("/accesses").status_code == 403, "whom the proxy states, not whose cookie"


def test_nothing_of_the_name_that_the_proxy_states_is_kept(ground: ConsoleGround) -> None:
    ground.browser(PROXY, **{"X-Forwarded-User": STATED}).get("/accounts/weibo:a5")
    with reading(ground.engine) as connection:
        for table in tables.metadata.sorted_tables:
            assert STATED not in str(connection.execute(select(table)).all())
    seen = written(ground)
    assert seen == [("viewer.9", "console /accounts/{account}", "weibo:a5")]


def written(ground: ConsoleGround) -> list[tuple[Any, ...]]:
    table = tables.accesses
    with reading(ground.engine) as connection:
        rows = connection.execute(select(table).order_by(table.c.id))
        return [(it.actor, it.what, it.account) for it in rows]


def test_too_many_wrong_tokens_are_refused_for_a_while(ground: ConsoleGround) -> None:
    browser = ground.browser()
    form = {"guard": guard(browser.get("/sign-in")), "token": "wrong"}
    answers = [browser.post("/sign-in", data=form).status_code for _ in range(MOST_OF_PEER + 1)]
    assert answers == [403] * MOST_OF_PEER + [429]
    form["token"] = TOKENS["viewer"]
    assert browser.post("/sign-in", data=form).status_code == 429, "also the right one"
    ground.now += 5 * 60 * SECOND + 1
    assert browser.post("/sign-in", data=form).status_code == 303


def test_answers_faults_and_refused_sign_ins_are_counted_and_no_account_is_named(
    ground: ConsoleGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(metric: str) -> float:
        page = ground.browser().get("/metrics").text
        assert "weibo" not in page
        return float(re.findall(rf"^{re.escape(metric)} (\S+)$", page, re.M)[0])

    faults = 'byline_console_answers_total{route="/accounts/{account}",status="5xx"}'
    assert counted(faults) == 0.0, "a first fault has to be an increase"
    browser = ground.signed_in("viewer")
    browser.get("/accounts/weibo:a5")
    assert counted(faults.replace("5xx", "2xx")) == 1.0
    monkeypatch.setattr(account, "explain", None)
    assert browser.get("/accounts/weibo:a5").status_code == 500
    assert counted(faults) == 1.0
    stranger = ground.browser()
    form = {"guard": guard(stranger.get("/sign-in")), "token": "wrong"}
    for _ in range(MOST_OF_PEER + 2):
        stranger.post("/sign-in", data=form)
    assert counted("byline_console_refused_sign_ins_total") == MOST_OF_PEER + 2


def test_each_order_that_there_is_is_counted_from_the_start(ground: ConsoleGround) -> None:
    page = ground.browser().get("/metrics").text
    words = re.findall(r'^byline_console_orders_total\{word="(\w+)"\} 0\.0$', page, re.M)
    assert sorted(words) == sorted([*Command, *Switch, *WORK])


def test_who_looked_at_which_account_is_written_down_before_the_page(ground: ConsoleGround) -> None:
    browser = ground.signed_in("accounts")
    for path in ("/accounts/weibo:a5", "/worklists/pending", "/accounts?q=weibo:a5", "/accesses"):
        browser.get(path)
    assert written(ground) == [
        ("accounts", "console /accounts/{account}", "weibo:a5"),
        ("accounts", "console /worklists/pending", None),
        ("accounts", "console /accounts", "weibo:a5"),
    ]
    shown = ground.signed_in("auditor").get("/accesses").text
    assert "weibo:a5" in shown


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(ground: ConsoleGround, target: str) -> None:
    browser = ground.browser()
    page = browser.get("/sign-in", params={"next": target})
    form = {"guard": guard(page), "token": TOKENS["viewer"], "next": target}
    assert browser.post("/sign-in", data=form).headers["location"] == "/"


def test_a_session_id_is_in_no_table(ground: ConsoleGround) -> None:
    browser: TestClient = ground.signed_in("viewer")
    id_ = browser.cookies[sessions.COOKIE].rsplit(".", 2)[0]
    with reading(ground.engine) as connection:
        rows = connection.execute(select(tables.sessions)).all()
    assert rows
    assert id_ not in str(rows)


@pytest.mark.parametrize("typed", ["张三", "weibo:张三", "weibo:" + "a" * 65, "weibo:a5%00", "%00"])
def test_what_is_no_account_is_written_nowhere(ground: ConsoleGround, typed: str) -> None:
    """A person may type a name where an account belongs."""
    viewer = ground.signed_in("viewer")
    assert viewer.get(f"/accounts/{typed}").status_code == 400
    viewer.get("/accounts", params={"q": typed})
    with reading(ground.engine) as connection:
        for table in tables.metadata.sorted_tables:
            assert "张三" not in str(connection.execute(select(table)).all()), table.name
    assert all(account is None for _, _, account in written(ground))


def test_without_its_database_the_console_says_that_it_lives_but_is_not_ready(
    tape: Tape, tmp_path: Path
) -> None:
    away = open_engine(URL.create("sqlite", database=str(tmp_path / "gone" / "index.sqlite")))
    browser = ConsoleGround(away, tape.now, tmp_path).browser()
    assert browser.get("/healthz").status_code == 200
    assert browser.get("/static/console.css").status_code == 200
    answer = browser.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False})
    assert browser.get("/").status_code == 503
