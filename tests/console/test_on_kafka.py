"""What a person does on a page, to its effect in Kafka and back: a control, a switch, a bulk, dead
letters; and what becomes of it when console, worker and indexer are killed in the middle.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import pytest
from sqlalchemy import select, update

from streams.console.proposals import State
from streams.index import tables
from streams.index.database import reading, writing
from tests.conftest import RunningKafka
from tests.console.beside import Owners, StandingConsole, console_estate
from tests.console.given import guard
from tests.worker.commands import audited
from tests.worker.harness import utc_now

pytestmark = pytest.mark.kafka
OBEYED = "All partitions have read it"
ASKED = {"BYLINE_REQUIRE_APPROVALS": "true"}


@pytest.fixture(scope="module")
def standing(
    kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandingConsole]:
    """A console where a second person is required, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("console")
    estate = console_estate(kafka, folder, **ASKED)
    made = StandingConsole(estate)
    try:
        estate.start(1)
        yield made.start()
        assert audited(estate) == []
    finally:
        made.end()
        estate.stop()


@pytest.fixture
def owners(standing: StandingConsole) -> Owners:
    return Owners(standing.estate)


def test_a_restricted_owner_is_freed_from_the_page(
    standing: StandingConsole, owners: Owners
) -> None:
    account = "weibo:r1"
    owners.cross(account)
    owners.are_told(account)
    browser = standing.browser("desk.1")
    browser.until(f"/accounts/{account}", "a restriction begins, recommend-feed")
    path = browser.prepare("controls", command="lift", account=account, reason="owner_request")
    shown = browser.page(path)
    assert "1 accounts, 1 known to the workers: 1 with an open invitation, 1 restricted" in shown
    assert "It cannot be taken back" in shown
    assert owners.controls(account) == [], "so far it was only counted"
    browser.press(path, "send")
    browser.until(path, OBEYED)
    (control,) = owners.controls(account)
    assert (control["command"], control["actor"], control["account_id"]) == ("lift", "desk.1", "r1")
    freed = [("throttle.lifted", "operator")] * 2
    assert owners.said(account)[-2:] == freed
    browser.until(f"/accounts/{account}", "a restriction ends, tips", "An operator (desk.1) says")
    browser.press(path, "undo", 409)
    browser.press(path, "send", 409)
    assert len(owners.controls(account)) == 1


def test_a_hold_stops_the_clock_and_its_undoing_starts_it_again(
    standing: StandingConsole, owners: Owners
) -> None:
    account = "douyin:h1"
    owners.cross(account)
    owners.are_told(account)
    browser = standing.browser("desk.1")
    browser.until(f"/accounts/{account}", "left to answer")
    path = browser.prepare("controls", command="hold", account=account, reason="legal_hold")
    browser.press(path, "send")
    browser.until(path, OBEYED)
    browser.until(f"/accounts/{account}", "The clock stands still")
    back = browser.press(path, "undo")
    assert "1 accounts" in browser.page(back)
    browser.press(back, "send")
    browser.until(back, OBEYED)
    page = browser.until(f"/accounts/{account}", "left to answer", "the deadline moves later")
    assert "The clock stands still" not in page
    assert owners.said(account)[-1] == ("invitation.extended", "pause")


def test_a_switch_holds_on_every_partition_until_it_is_turned_back(
    standing: StandingConsole, owners: Owners
) -> None:
    browser = standing.browser("desk.1")
    form = {"switch": "invitations_off", "scope": "douyin", "on": "on", "reason": "incident"}
    path = browser.prepare("switches", **form)
    browser.press(path, "send")
    browser.until(path, OBEYED)
    assert "invitations_off" in browser.until("/", "4 / 4")
    owners.cross("douyin:s1")
    assert owners.said("douyin:s1") == []
    browser.until("/accounts/douyin:s1", "invitations_off")
    back = browser.press(path, "undo")
    browser.press(back, "send")
    browser.until(back, OBEYED)
    browser.until("/accounts/douyin:s1", "an invitation is issued")
    switches = [it.json for it in standing.estate.read(["switches"])]
    assert [(it["on"], it["actor"]) for it in switches] == [(True, "desk.1"), (False, "desk.1")]


def test_a_bulk_that_protects_nobody_is_sent_by_the_second_person(
    standing: StandingConsole, owners: Owners
) -> None:
    accounts = [f"douyin:b{number}" for number in range(1, 7)]
    owners.cross(*accounts)
    maker, second = standing.browser("desk.1"), standing.browser("desk.2")
    maker.until(f"/accounts/{accounts[-1]}", "an invitation is issued")
    form = {"command": "reissue", "account": " ".join(accounts), "reason": "error_correction"}
    path = maker.prepare("controls", **form)
    assert "6 accounts, 6 known to the workers: 6 with an open invitation" in maker.page(path)
    maker.press(path, "send")
    assert owners.controls(*accounts) == [], "one person alone sends nothing"
    maker.press(path, "approve", 403)
    assert path in second.page("/proposals")
    second.press(path, "approve")
    second.until(path, OBEYED)
    sent = owners.controls(*accounts)
    assert {(it["actor"], it["approved_by"]) for it in sent} == {("desk.1", "desk.2")}
    assert len({it["bulk_id"] for it in sent}) == 1
    for account in accounts:
        assert owners.said(account) == [
            ("invitation.issued", "over_line"),
            ("invitation.issued", "reissued"),
        ]
    maker.until(f"/accounts/{accounts[-1]}", "An operator (desk.1) says", "sent again")


def test_a_bulk_of_holds_is_taken_back_by_two_but_where_somebody_spoke_since(
    standing: StandingConsole, owners: Owners
) -> None:
    accounts = [f"douyin:k{number}" for number in range(1, 5)]
    owners.cross(*accounts)
    owners.are_told(*accounts)
    maker, second = standing.browser("desk.1"), standing.browser("desk.2")
    maker.until(f"/accounts/{accounts[-1]}", "left to answer")
    form = {"command": "hold", "account": " ".join(accounts), "reason": "incident"}
    path = maker.prepare("controls", **form)
    maker.press(path, "send")
    maker.until(path, OBEYED)
    again = {"command": "hold", "account": accounts[0], "reason": "legal_hold"}
    once = maker.prepare("controls", **again)
    maker.press(once, "send")
    maker.until(once, OBEYED)
    back = maker.press(path, "undo")
    page = maker.page(back)
    assert "3 accounts" in page
    assert "1 are left alone: hold was said since" in page
    maker.press(back, "send")
    second.press(back, "approve")
    second.until(back, OBEYED)
    for account in accounts[1:]:
        assert owners.said(account)[-1] == ("invitation.extended", "pause")
    assert owners.said(accounts[0])[-1][0] == "invitation.delivered"
    second.until(f"/accounts/{accounts[0]}", "The clock stands still")


def test_a_refused_hold_is_shown_masked_mended_by_its_key_and_sent_again(
    standing: StandingConsole, owners: Owners
) -> None:
    account = "douyin:l1"
    owners.cross(account)
    owners.are_told(account)
    said = {"platform": "douyin", "account_id": "l1", "control_id": "l1-1", "command": "hold"}
    said |= {"actor": "desk.9", "reason": "legal_hold", "issued_at": utc_now()}
    standing.estate.put("controls", said, key="douyin:another")
    standing.estate.put("controls", {**said, "command": "harm"}, key=account)
    standing.estate.drain()
    browser = standing.browser("desk.1")
    page = browser.until("/dead-letters", "key_mismatch", "wrong_type")
    (place,) = places(page, "key_mismatch")
    (bad,) = places(page, "wrong_type")
    shown = standing.browser("desk.3").page(f"/dead-letters/{place}")
    assert "douyin:another" in shown
    assert "legal_hold" in shown
    assert "nobody has settled it" in shown
    browser.until("/", "refusals")

    path = browser.settle(place, bad, work="redrive")
    page = browser.page(path)
    assert "2 letters: 0 would be settled" in page
    assert "its key is another" in page
    path = browser.settle(place, work="redrive", rekey="1")
    assert "1 letters: 1 would be settled" in browser.page(path)
    browser.press(path, "send")
    browser.press(path, "send", 409)
    browser.until(path, "1 of 1 are shown as settled")
    assert owners.controls(account).count(said) == 2, "refused once, and sent again once"
    browser.until(f"/accounts/{account}", "The clock stands still")
    path = browser.settle(bad, work="dismiss")
    browser.press(path, "send")
    browser.until(f"/dead-letters/{bad}", "dismissed, by desk.1")
    assert places(browser.page("/dead-letters"), "key_mismatch") == []
    form = {"switch": "refusals_settled", "scope": "douyin", "on": "on", "reason": "incident"}
    path = browser.prepare("switches", **form)
    browser.press(path, "send")
    browser.until(path, OBEYED)
    assert standing.estate.read(["switches"])[-1].json["actor"] == "desk.1"


def places(page: str, reason: str) -> list[str]:
    """The letters of a page that were refused for a reason and can be chosen."""
    rows = re.findall(r"<tr>.*?</tr>", page, flags=re.S)
    found = (re.search(r'name="place" value="([^"]+)"', it) for it in rows if f">{reason}<" in it)
    return [it[1] for it in found if it is not None]


def test_killed_in_the_middle_of_a_bulk_each_word_counts_once(
    standing: StandingConsole, owners: Owners, kafka: RunningKafka
) -> None:
    """Before Kafka has it, and after Kafka has it but before the console has noted that."""
    accounts = [f"douyin:x{number}" for number in range(40)]
    owners.cross(*accounts[:2])
    browser = standing.browser("desk.1")
    form = {"command": "hold", "account": " ".join(accounts), "reason": "incident"}
    path = browser.prepare("controls", **form)
    kafka.cluster.freeze()
    try:
        with ThreadPoolExecutor(1) as pool, suppress(httpx2.TransportError):
            pressed = pool.submit(browser.press, path, "send")
            standing.until(lambda: state_of(standing, path) is State.SENDING, "it is being sent")
            standing.console.kill()
            standing.index.kill()
            standing.estate.workers[0].kill()
            pressed.result()
    finally:
        kafka.cluster.thaw()
    standing.start_console()
    assert "It is not known whether Kafka has it" in browser.page(path)
    standing.estate.workers[0].start()
    browser.press_again(path)
    assert "of 4 partitions" in browser.page(path), "the index is still away"
    standing.start_index()
    browser.until(path, OBEYED)
    sent = owners.controls(*accounts)
    assert len(sent) == len({it["control_id"] for it in sent}) == len(accounts)

    with writing(standing.engine()) as connection:
        mine = tables.proposals.c.id == path.rpartition("/")[2]
        connection.execute(update(tables.proposals).where(mine).values(state=State.SENDING.value))
    standing.console.kill()
    standing.start_console()
    browser.press(path, "send")
    browser.until(path, OBEYED)
    standing.estate.drain()
    for account in accounts:
        first, second = owners.controls(account)
        assert first == second, "the same record once more"


def state_of(standing: StandingConsole, path: str) -> State:
    """The state of an order, from the index's database."""
    mine = tables.proposals.c.id == path.rpartition("/")[2]
    with reading(standing.engine()) as connection:
        return State(connection.scalars(select(tables.proposals.c.state).where(mine)).one())


def test_an_auditor_gathers_evidence_and_everybody_sees_shadow_and_roll_out(
    standing: StandingConsole, owners: Owners
) -> None:
    account = "weibo:e1"
    owners.cross(account)
    owners.are_told(account)
    browser, where = standing.browser("desk.4"), "/reports/evidence"
    form = {"guard": guard(browser.client.get(where)), "from": "", "to": "", "platform": "weibo"}
    assert browser.client.post(where, data=form).status_code == 303
    page = browser.until(where, "everything holds", "decisions")
    (name,) = re.findall(rf'href="{where}/([0-9a-f]{{32}})"', page)
    told = browser.client.get(f"{where}/{name}").json()
    assert told["sound"]
    assert told["decisions"] > 0
    assert {it["decided_anew"] for it in told["samples"]} == {"same"}
    viewer = standing.browser("desk.3")
    for path, said in (("/policies/shadow", "Nothing of"), ("/policies/rollout", "is the only")):
        form = {"guard": guard(viewer.client.get(path)), "platform": "weibo"}
        assert viewer.client.post(path, data=form).status_code == 303
        viewer.until(path, "desk.3 asked for it", said)
