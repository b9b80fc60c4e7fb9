"""What the pages show: what the commands say, in both languages, and never anything unescaped."""

import html
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, update
from starlette.testclient import TestClient

from streams.console import render, zones
from streams.console.app import make_app
from streams.console.news import PageNews
from streams.console.words import WORDS
from streams.core.model.instants import DAY, HOUR
from streams.core.model.policy import Policy
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.index import sums, tables
from streams.index.database import reading, writing
from streams.index.history import history, of_index
from streams.index.retention import forget
from streams.index.states import POSITION
from streams.lives.telling import text as words
from streams.lives.verdict import compare
from tests.console.given import ConsoleGround, guard
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS, Tape

TEMPLATES = Path("streams/console/templates")


def plain(text: str) -> str:
    """The text of a page, without its marks."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text)))


def test_the_page_of_an_account_says_what_explain_says(ground: ConsoleGround) -> None:
    text = plain(ground.signed_in("viewer").get("/accounts/weibo:a5").text)
    found = explain(from_index(ground.engine, "weibo:a5"), ground.now)
    for name in ("now", "waits", "deferrals", "terms", "nearest"):
        for it in found.sections[name]:
            first = it.text("en").replace("`", "").split(" on 20")[0].split(" since 20")[0]
            assert first.split(": 20")[0] in text, it.text("en")
    place = found.sections["timeline"][-1].places[0]
    assert f"{place.topic}[{place.partition}]@{place.offset}" in text


def test_times_are_in_the_zone_that_the_person_chose(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    assert "+08:00" in browser.get("/accounts/weibo:a5").text
    form = {"guard": guard(browser.get("/")), "language": "zh", "theme": "dark"}
    browser.post("/view", data={**form, "zone": "UTC", "next": "/accounts/weibo:a5"})
    page = browser.get("/accounts/weibo:a5").text
    # A statement of reasons keeps the zone of its policy, as the owner reads it.
    assert "+08:00" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.S)
    assert "+00:00" in page
    assert '<html lang="zh" data-theme="dark">' in page
    assert WORDS["account.waits"][1] in page


def test_a_browser_in_chinese_is_answered_in_chinese(ground: ConsoleGround) -> None:
    page = ground.browser(**{"Accept-Language": "zh-CN,zh;q=0.9"}).get("/sign-in").text
    assert WORDS["sign_in.title"][1] in page


@pytest.mark.slow
def test_every_recorded_account_has_its_page_in_both_languages(
    ground: ConsoleGround, tape: Tape
) -> None:
    browser = ground.signed_in("viewer")
    form = {"guard": guard(browser.get("/")), "theme": "auto", "zone": "UTC"}
    for language in ("en", "zh"):
        browser.post("/view", data={**form, "language": language})
        for number in range(1, 16):
            page = browser.get(f"/accounts/weibo:a{number}")
            assert page.status_code == 200, number
            for kind in ("inputs", "refused", "decisions", "events", "acks", "nonsense"):
                assert browser.get(f"/accounts/weibo:a{number}?kind={kind}").status_code == 200


def test_the_statement_of_reasons_is_there_in_both_languages(ground: ConsoleGround) -> None:
    page = plain(ground.signed_in("viewer").get("/accounts/weibo:a5").text)
    assert "recommend-feed" in page
    assert "理由" in page


def test_search_finds_by_key_beginning_and_bare_id(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")

    def asked(text: str):
        return browser.get("/accounts", params={"q": text})

    assert asked("weibo:a5").headers["location"] == "/accounts/weibo:a5"
    found = re.findall(r'href="/accounts/(weibo:[^"]+)"', asked("a1").text)
    assert found == sorted(["weibo:a1", *(f"weibo:a1{it}" for it in range(6))])
    assert re.findall(r'href="/accounts/(weibo:[^"]+)"', asked("a15").text) == ["weibo:a15"]
    assert "No account begins with" in asked("weibo:zz").text
    for hostile in ("<b>x</b>", "weibo:%", "weibo:_", "' OR 1=1 --", "张三"):
        text = asked(hostile).text
        assert WORDS["search.fault"][0] in text or "No account begins" in text, hostile
        assert "<b>x" not in text
    assert "No account begins with" in asked("weibo:~").text


def test_an_account_that_nobody_knows_is_said_to_be_unknown(ground: ConsoleGround) -> None:
    answer = ground.signed_in("viewer").get("/accounts/weibo:nobody-knows")
    assert answer.status_code == 200
    assert "Nothing is kept of weibo:nobody-knows" in plain(answer.text)
    assert ground.signed_in("viewer").get("/accounts/nonsense").status_code == 400


def test_a_clock_that_stands_still_is_drawn_with_its_stretches(tmp_path: Path) -> None:
    recorded = Tape()
    for name in ("k1", "k2"):
        recorded.label("财经", name).reads(2000, name).wait(2 * 3_600_000).receipt(account=name)
    recorded.wait(DAY).control("hold", "k1").wait(DAY).control("unhold", "k1").wait(3_600_000)
    recorded.control("hold", "k2").wait(3_600_000).reads(1, "nobody")
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("viewer")
    went_on, still = (browser.get(f"/accounts/weibo:{it}").text for it in ("k1", "k2"))
    assert went_on.count('class="stop"') == still.count('class="stop"') == 1
    assert "left to answer" in went_on
    assert "The clock stands still" in still
    assert "not before" in still


def test_lists_are_sorted_filtered_and_say_what_to_do_when_empty(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    shown = browser.get("/worklists/unconfirmed?by=account&down=1").text
    found = re.findall(r'<td><a href="/accounts/(weibo:[^"]+)"', shown)
    assert found == sorted(found, reverse=True) != []
    assert "There is no such page" in browser.get("/worklists/mine").text
    for name in ("undeliverable", "unclear", "appeals", "pending", "unacknowledged"):
        page = browser.get(f"/worklists/{name}").text
        assert "<td>" in page or html.escape(WORDS[f"list.none.{name}"][0]) in page, name


def test_numbers_policies_and_reports_are_shown(ground: ConsoleGround) -> None:
    browser = ground.signed_in("numbers")
    ground_days = browser.get("/?days=30").text
    assert "<svg" in ground_days or "Nothing happened" in ground_days
    assert browser.get("/?mode=shadow").status_code == 200
    listed = browser.get("/policies").text
    digest = re.search(r'/policies/([0-9a-f]{64})"', listed)[1]
    shown = browser.get(f"/policies/{digest}").text
    assert "answer_window" in shown
    report = "/reports?from=2023-12-01&to=2025-01-01"
    assert "consent.granted" in browser.get(report).text
    for form in ("json", "csv", "markdown", "html"):
        file = browser.get(f"{report.replace('?', '/download?')}&as={form}")
        assert file.headers["content-disposition"].startswith("attachment")
    assert browser.get("/reports?from=x").status_code == 400
    assert browser.get("/reports?from=2024-01-02&to=2024-01-01").status_code == 400


def test_what_a_policy_changed_is_shown(tmp_path: Path) -> None:
    recorded = RECORDINGS["stricter"]()
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("viewer")
    digests = re.findall(r'/policies/([0-9a-f]{64})"', browser.get("/policies").text)
    assert len(digests) == 3
    pages = [browser.get(f"/policies/{it}").text for it in digests]
    assert sum("answer_window" in it and "stricter" in it for it in pages) >= 1
    assert sum("No version ran before it" in it for it in pages) == 1


def test_two_versions_are_compared_with_the_smallest_examples(tmp_path: Path) -> None:
    recorded = RECORDINGS["stricter"]()
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("numbers")
    with reading(there.engine) as connection:
        versions = history(*of_index(connection))
        _, texts = of_index(connection)
    one, _, other = (it.digest for it in versions)
    text = plain(browser.get(f"/policies/{other}?with={one}").text)
    answers = compare(*(msgspec.json.decode(texts[it], type=Policy) for it in (one, other)))
    for it in answers:
        assert f"{it.question}{WORDS[f'lives.{it.verdict}'][0]}" in text
    lines = "".join(words(answers))
    assert "milder for" in lines
    assert re.sub(r"\s", "", lines) in re.sub(r"\s", "", text)
    assert "Compare leads accounts" in browser.get(f"/policies/{other}").text
    assert browser.get(f"/policies/{other}?with={'0' * 64}").status_code == 404


def test_old_data_is_marked_with_its_age(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    assert 'class="age"' in browser.get("/accounts/weibo:a5").text
    ground.now += 20 * 60_000
    page = browser.get("/accounts/weibo:a5").text
    assert 'class="age late"' in page
    assert "20 min ago" in page


def test_what_is_hostile_is_escaped_in_every_field(ground: ConsoleGround, tape: Tape) -> None:
    """Every text of every table becomes a mark-up of its own; no page lets it through."""
    evil = "<img src=x onerror=alert(1)>\"'"
    kept = {
        ("events", "topic"), ("events", "account"), ("events", "event"), ("events", "value"),
        ("decisions", "account"), ("decisions", "cause"), ("decisions", "transitions"),
        ("decisions", "deferrals"), ("decisions", "facts"), ("words", "topic"),
        ("words", "account"), ("words", "value"), ("letters", "account"), ("letters", "platform"),
        ("acks", "account"), ("log", "kind"), ("log", "value"), ("policies", "digest"),
        ("policies", "value"), ("states", "key"), ("cycles", "account"), ("cycles", "mode"),
        ("positions", "topic"), ("events", "mode"), ("events", "platform"),
        ("decisions", "platform"), ("decisions", "ignored"), ("sessions", "digest"),
        ("sessions", "holder"),
    }  # fmt: skip
    viewer = ground.signed_in("auditor")
    viewer.get("/accounts/weibo:a5")
    with writing(ground.engine) as connection:
        for table in tables.metadata.sorted_tables:
            for column in table.columns:
                if (table.name, column.name) in kept or column.primary_key:
                    continue
                if "TEXT" in str(column.type) or "VARCHAR" in str(column.type):
                    connection.execute(update(table).values({column.name: evil}))
        sums.recount(connection)
    paths = ["/", "/?days=30", "/accounts?q=weibo:a", "/policies", "/reports?from=2023-12-01"]
    paths += ["/dead-letters?show=all", "/accesses", "/worklists/unconfirmed"]
    paths += [f"/accounts/weibo:a{number}" for number in range(1, 16)]
    seen = 0
    for path in paths:
        answer = viewer.get(path)
        assert answer.status_code == 200, path
        assert "<img" not in answer.text, path
        seen += html.escape(evil, quote=False) in answer.text.replace("&#34;", '"').replace(
            "&#39;", "'"
        )
    assert seen >= 5, "the texts were shown"
    for path in (f"/accounts?q={evil}", f"/accesses?actor={evil}", f"/worklists/{evil}"):
        assert "<img" not in viewer.get(path).text


def test_every_word_of_the_templates_is_there_in_both_languages_and_none_is_spare() -> None:
    text = "".join(it.read_text() for it in TEMPLATES.glob("*.html"))
    named = set(re.findall(r"\bt\(\s*['\"]([a-z_.]+[a-z_])['\"]", text))
    begun = tuple(re.findall(r"\bt\(\s*['\"]([a-z_.]+\.)['\"] ~", text))
    sources = "".join(it.read_text() for it in Path("streams/console").rglob("*.py"))
    assert named <= WORDS.keys(), named - WORDS.keys()
    spare = {
        key
        for key in WORDS
        if key not in named and not key.startswith(begun) and (sources + text).count(f'"{key}"') < 2
    }
    assert not spare, spare
    for key, (english, chinese) in WORDS.items():
        assert re.findall(r"{\w+}", english).sort() == re.findall(r"{\w+}", chinese).sort(), key
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", chinese)), key
        assert english != chinese or not english.isascii(), key


@pytest.mark.parametrize("path", ["/nowhere", "/accounts/weibo:a5/x"])
def test_a_page_that_is_not_there_says_so(ground: ConsoleGround, path: str) -> None:
    answer = ground.signed_in("viewer").get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_news_are_told_to_who_may_see_the_page_until_he_may_not(ground: ConsoleGround) -> None:
    browser = ground.signed_in("numbers")
    said = browser.get("/live")
    assert said.headers["content-type"].startswith("text/event-stream")
    assert "news" not in said.text, "nothing was read since"
    news = ground.console.news
    news.open["others"] = news.most
    assert browser.get("/live").status_code == 503
    news.open.clear()
    news.open["numbers"] = news.most_of_person
    assert browser.get("/live").status_code == 503, "one person takes no place of others"
    assert ground.signed_in("viewer").get("/live").status_code == 200
    news.open.clear()
    assert browser.get("/live").status_code == 200
    assert news.open.total() == 0


def test_news_are_told_when_the_index_has_read_more(ground: ConsoleGround) -> None:
    browser = ground.signed_in("numbers")
    started, looks = ground.now, iter(range(100))
    positions = tables.positions

    def clock() -> int:
        step = next(looks)
        if step == 4:
            with writing(ground.engine) as connection:
                more = positions.c.next_offset + 1
                connection.execute(update(positions).values(next_offset=more))
        return started + step * 2_500

    told = make_app(replace(ground.console, clock=clock, news=PageNews(pause_seconds=0, looks=6)))
    other = TestClient(told, "http://127.0.0.1:9467", client=("127.0.0.1", 50_000))
    other.cookies.update(browser.cookies)
    assert other.get("/live").text.count("event: news") == 1


def test_what_changed_today_is_on_the_overview(tmp_path: Path) -> None:
    recorded = Tape().label("财经", "w1").reads(2_000, "w1")
    recorded.switch("invitations_off", True).wait(60_000).reads(1, "nobody")
    there = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    browser = there.signed_in("numbers")
    text = plain(browser.get("/").text)
    assert "invitations_off turned on for" in text
    assert "No worker has written anything yet" in text
    row = {"partition": 0, "key": POSITION, "offset": 9_999, "watched": False}
    row |= {"written_at": there.now - 5_000, "value": b'{"next":{}}'}
    with writing(there.engine) as connection:
        connection.execute(insert(tables.states), row)
    text = plain(browser.get("/").text)
    assert "The workers wrote 5 s ago; the quietest of their partitions (1) 5 s ago" in text


def test_a_clock_that_stands_still_has_no_day_on_which_it_ends(tmp_path: Path) -> None:
    """Its bar ends where it would end if it went on now, and no deadline is due."""
    tape = Tape().label("财经", "w1").reads(2_000, "w1").wait(2 * HOUR).receipt(account="w1")
    tape.wait(24 * HOUR).control("hold", "w1").wait(30 * HOUR).reads(1, "nobody")
    there = ConsoleGround(filled(tmp_path, tape), tape.now, tmp_path)
    text = plain(there.signed_in("viewer").get("/accounts/weibo:w1").text)
    ends = zones.moment(tape.now + 48 * HOUR, zones.DEFAULT_ZONE)
    assert f"if it went on now: {ends}" in text
    assert "2 d will be left when it goes on" in text
    assert "deadline acts" not in text
    tape.control("unhold", "w1").wait(1_000).reads(1, "nobody")
    later = tmp_path / "later"
    later.mkdir()
    there = ConsoleGround(filled(later, tape), tape.now, later)
    text = plain(there.signed_in("viewer").get("/accounts/weibo:w1").text)
    assert f"Its deadline acts on {ends}" in text


def test_figures_of_a_report_have_names_and_units(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    for language, name in (("en", "Until delivered"), ("zh", "至送达")):
        form = {"guard": guard(browser.get("/")), "language": language, "theme": "auto"}
        browser.post("/view", data={**form, "zone": "UTC"})
        page = plain(browser.get("/reports?from=2023-12-01&to=2025-01-01").text)
        assert name in page
        assert re.search(r"\d\.\d %", page)
        assert not re.search(r"_ppm|_seconds", page)


def test_values_of_a_policy_are_said_in_words() -> None:
    assert render.plain("P7D", "en", "UTC") == "7 d"
    assert render.plain("P1D, PT6H", "zh", "UTC") == "1 天, 6 小时"
    assert render.plain("2023-12-02T00:00:00.000Z", "en", "Asia/Shanghai") == (
        "2023-12-02 08:00:00 +08:00"
    )
    for same in ("keep", "P", "Pxy", "tips: off, recommend-feed: limited", "2023-13-02T00:00:00Z"):
        assert render.plain(same, "en", "UTC") == same


def test_a_page_that_is_not_there_leaves_who_is_signed_in_his_ways(ground: ConsoleGround) -> None:
    for browser, knows in ((ground.signed_in("viewer"), True), (ground.browser(), False)):
        answer = browser.get("/nowhere")
        assert answer.status_code == 404
        assert ("Signed in as" in answer.text) is knows
        assert "Not found" in answer.text


def test_the_console_says_of_a_part_that_it_is_one(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    forget(ground.engine, {}, 7)
    page = browser.get("/").text
    assert "What is here is part" in page
    assert "no guard is tripped" not in page
    assert "Whether there is one now is not known" in page
    assert "not yet read all topics" in browser.get("/accounts/weibo:a5").text
    assert browser.get("/reports/download?as=csv").status_code == 503
