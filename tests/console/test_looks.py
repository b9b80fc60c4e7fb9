"""Who looked: whoever learns of an account has a line in the log with it, by whichever page."""

import re

import pytest

from streams.console.pages.looks import MAX_ACCOUNTS
from streams.index import tables
from streams.index.database import writing
from streams.serve.access import POLL_MS
from tests.console.given import ConsoleGround, guard
from tests.console.test_access import written
from tests.console.test_actions import prepared, pressed
from tests.core.given import MINUTE

PATH = "console /accounts/{account}"


def looked(ground: ConsoleGround, account: str) -> list[str]:
    """The pages by which somebody looked at an account."""
    return [what for _, what, its in written(ground) if its == account]


def test_a_preview_is_a_look_at_each_of_its_accounts(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, command="lift", reason="test", account="weibo:a3 weibo:a5")
    for account in ("weibo:a3", "weibo:a5"):
        assert looked(ground, account) == ["console /actions/{what}"]
    browser.get(path)
    assert looked(ground, "weibo:a5")[1:] == [f"console {path}"]


def test_another_person_who_opens_a_sent_order_looked_at_its_accounts(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, command="hold", reason="test", account="weibo:a5")
    viewer = ground.signed_in("viewer")
    assert viewer.get(path).status_code == 404
    assert ("viewer", f"console {path}", "weibo:a5") not in written(ground), "he saw nothing"
    pressed(browser, path, "send")
    assert viewer.get(path).status_code == 200
    assert ("viewer", f"console {path}", "weibo:a5") in written(ground)


def test_a_way_back_that_is_refused_is_a_look_as_well(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    path = prepared(browser, command="hold", reason="test", account="weibo:a5")
    pressed(browser, path, "send")
    pressed(browser, path, "undo")
    assert looked(ground, "weibo:a5")[-1] == "console /proposals/{id}/undo"


def test_a_search_is_a_look_at_what_it_lists_and_at_whom_it_was_for(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    listed = re.findall(r'href="/accounts/(weibo:a\d+)"', browser.get("/accounts?q=weibo:a").text)
    assert listed
    for account in listed:
        assert looked(ground, account) == ["console /accounts"]
    browser.get("/accounts?q=weibo:nobody-there")
    assert looked(ground, "weibo:nobody-there") == ["console /accounts"], "that is an answer too"
    browser.get("/accounts?q=a5")
    assert looked(ground, "weibo:a5") == ["console /accounts"] * 2, "without its platform"


def test_of_a_list_it_is_written_which_one_and_what_was_chosen(ground: ConsoleGround) -> None:
    browser = ground.signed_in("viewer")
    for path in ("/worklists/pending?platform=weibo&within=72&page=1", "/dead-letters?show=all"):
        browser.get(path)
    browser.get("/worklists/pending?platform=Zhang+San&within=x&page=x")
    browser.get("/dead-letters?topic=Zhang&reason=bad_id&platform=Zhang")
    assert [what for _, what, _ in written(ground)] == [
        "console /worklists/pending weibo 72h page 2",
        "console /dead-letters all",
        "console /worklists/pending",
        "console /dead-letters bad_id",
    ]


@pytest.mark.parametrize("named", ["张三", "weibo:张三", "name@example.org"])
def test_what_is_no_account_in_an_order_is_written_nowhere(
    ground: ConsoleGround, named: str
) -> None:
    browser = ground.signed_in("operator")
    form = {"guard": guard(browser.get("/actions/controls")), "account": named}
    browser.post("/actions/controls", data={**form, "command": "hold", "reason": "test"})
    assert named not in str(written(ground))


def test_an_order_on_as_many_as_there_may_be_is_one_insert(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    many = " ".join(f"weibo:n{it}" for it in range(MAX_ACCOUNTS))
    form = {"guard": guard(browser.get("/actions/controls")), "command": "hold", "reason": "test"}
    browser.post("/actions/controls", data={**form, "account": many})
    assert len(written(ground)) == MAX_ACCOUNTS + 1
    browser.post("/actions/controls", data={**form, "account": f"{many} weibo:more"})
    assert len(written(ground)) == MAX_ACCOUNTS + 2, "it is refused: nobody learned anything"


def test_a_page_that_asks_by_itself_is_one_look_for_a_while(ground: ConsoleGround) -> None:
    browser, poll = ground.signed_in("viewer"), {"HX-Request": "true"}
    browser.get("/accounts/weibo:a5", headers=poll)
    assert looked(ground, "weibo:a5") == [PATH], "nobody hides a look by saying it is none"
    for _ in range(3):
        ground.now += MINUTE
        browser.get("/accounts/weibo:a5", headers=poll)
    assert looked(ground, "weibo:a5") == [PATH]
    browser.get("/accounts/weibo:a3", headers=poll)
    ground.signed_in("auditor").get("/accounts/weibo:a5", headers=poll)
    assert len(written(ground)) == 3, "another account, another person"
    browser.get("/accounts/weibo:a5")
    assert len(looked(ground, "weibo:a5")) == 3, "a person who asks again looks again"
    ground.now += POLL_MS
    browser.get("/accounts/weibo:a5", headers=poll)
    assert len(looked(ground, "weibo:a5")) == 4


def test_without_its_line_there_is_no_preview(ground: ConsoleGround) -> None:
    browser = ground.signed_in("operator")
    form = {"guard": guard(browser.get("/actions/controls")), "account": "weibo:a5"}
    with writing(ground.engine) as connection:
        tables.accesses.drop(connection)
    answer = browser.post("/actions/controls", data={**form, "command": "hold", "reason": "test"})
    assert answer.status_code >= 500
