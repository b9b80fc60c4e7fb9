"""Each action as a person takes it: clicked in a real browser, from the page by form and preview to
its record in Kafka, to the worker's decision, and back on the account's page and on Orders.

One worker, and two consoles: that on SQLite is used with JavaScript, that on PostgreSQL without.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from schemas.enums import Command, Switch
from streams.console.words import WORDS
from streams.index import tables
from streams.index.database import writing
from tests.conftest import RunningKafka
from tests.console.beside import Owners, StandingConsole, console_estate
from tests.console.clicked import ClickingPerson, Seat
from tests.console.served import chromium
from tests.support.postgresql import Server
from tests.worker.commands import audited
from tests.worker.harness import Estate, utc_now

pytestmark = [pytest.mark.kafka, pytest.mark.part("browser")]
STANDS, LATER = "The clock stands still", "the deadline moves later"
PAUSED = ("invitation.extended", "pause")
SHANGHAI = ZoneInfo("Asia/Shanghai")
UNTIL = (datetime.now(SHANGHAI) + timedelta(days=30)).replace(second=0, microsecond=0)
TOLD = ("extend", "other", "lift", "upheld", "hold", "brief", "appeal", "unclear")
"""Owners on douyin who were told, and have a week to answer."""
INVITED = (
    "reissue",
    *(f"{it}-{number}" for it in ("sent", "refused", "late") for number in (1, 2)),
)
"""Owners on douyin of whose notice there is no word."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def estate(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("clicked")
    made = console_estate(kafka, folder, BYLINE_REQUIRE_APPROVALS="true")
    try:
        yield made.start(1)
        assert audited(made) == []
    finally:
        made.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seat(request: pytest.FixtureRequest, estate: Estate, browser: Any) -> Iterator[Seat]:
    mark, folder = request.param, estate.folder / request.param
    folder.mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(Server()).url if mark == "postgresql" else None
        standing = StandingConsole(replace(estate, folder=folder), url)
        stack.callback(standing.end)
        owners = Owners(estate)
        told = [f"douyin:{it}-{mark}" for it in TOLD] + [f"weibo:freed-{mark}"]
        owners.cross(*told, *(f"douyin:{it}-{mark}" for it in INVITED))
        owners.are_told(*told)
        standing.start()
        script = mark == "sqlite"
        maker, second = (
            ClickingPerson(browser, standing, it, script) for it in ("desk.1", "desk.2")
        )
        maker.until(f"/accounts/douyin:unclear-{mark}", "left to answer")
        yield Seat(standing, owners, maker, second, mark)
        for it in (maker, second):
            it.page.context.close()


class OneClick(NamedTuple):
    """A command and its reason; what the worker's decision on it says, the event that it brings
    about, at once or by the next round of timers, and what the page then says.
    """

    command: Command
    reason: str
    ignored: str | None
    last: tuple[str, str]
    says: str


CANCELLED = "the invitation is cancelled"
CLICKS = {
    "reissue": OneClick(
        Command.REISSUE,
        "error_correction",
        "recorded",
        ("invitation.issued", "reissued"),
        "sent again",
    ),
    "lift": OneClick(
        Command.LIFT, "owner_request", None, ("invitation.cancelled", "operator"), CANCELLED
    ),
    "upheld": OneClick(
        Command.APPEAL_UPHELD, "appeal", None, ("invitation.cancelled", "appeal"), CANCELLED
    ),
}
"""By the name of the owner whom it concerns."""


@pytest.mark.parametrize("owner", CLICKS)
def test_a_command_from_an_accounts_page(seat: Seat, owner: str) -> None:
    account, maker, click = f"douyin:{owner}-{seat.mark}", seat.maker, CLICKS[owner]
    path = maker.begin(account, click.command, click.reason)
    shown = maker.page.inner_text("main")
    assert "1 accounts, 1 known to the workers: 1 with an open invitation" in shown
    assert "It cannot be taken back" in shown
    assert seat.owners.controls(account) == [], "so far it was only counted"
    assert maker.send() == path
    control = seat.newest(account)
    said = (control.json["command"], control.json["actor"], control.json["reason"])
    assert said == (click.command, "desk.1", click.reason)
    assert seat.decided(control)["ignored"] == click.ignored
    assert seat.owners.said(account)[-1] == click.last
    maker.until(f"/accounts/{account}", f"An operator (desk.1) says: {click.command}", click.says)
    row = maker.row(path)
    assert all(it in row for it in (click.command, account, "sent", "desk.1")), row


@pytest.mark.parametrize("way", ["usual", "other"])
def test_an_extension_moves_the_deadline_with_script_and_without(
    seat: Seat, browser: Any, way: str
) -> None:
    maker, account = seat.maker, f"douyin:extend-{seat.mark}"
    if way == "other":
        account = f"douyin:other-{seat.mark}"
        maker = ClickingPerson(browser, seat.standing, "desk.1", seat.mark != "sqlite")
    path = maker.begin(account, "extend", "operator_request", until=f"{UNTIL:%Y-%m-%dT%H:%M}")
    shown = f"{UNTIL:%Y-%m-%d %H:%M:%S} +08:00"
    assert shown in maker.page.inner_text("main")
    maker.send()
    control = seat.newest(account)
    assert datetime.fromisoformat(control.json["until"]) == UNTIL
    assert [it["event"] for it in seat.decided(control)["events"]] == ["invitation.extended"]
    last = seat.estate.events()[account][-1]
    assert (last["reason"], datetime.fromisoformat(last["deadline_at"])) == ("operator", UNTIL)
    maker.until(f"/accounts/{account}", LATER, shown)
    assert "extend" in maker.row(path)
    if way == "other":
        maker.page.context.close()


def test_a_hold_and_its_end_by_a_person_and_by_itself(seat: Seat) -> None:
    """A form takes no seconds, so the time of the second hold comes without one."""
    account, brief, maker = f"douyin:hold-{seat.mark}", f"douyin:brief-{seat.mark}", seat.maker
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    form = {"command": "hold", "account": brief, "reason": "incident"}
    maker.text(seat.standing.browser("desk.1").prepare("controls", **form, expires_at=str(ends)))
    maker.send()
    assert datetime.fromisoformat(seat.newest(brief).json["expires_at"]) == ends
    maker.until(f"/accounts/{brief}", "The hold ends by itself")

    maker.begin(account, "hold", "legal_hold")
    assert "It can be taken back" in maker.page.inner_text("main")
    maker.send()
    assert seat.decided(seat.newest(account))["ignored"] == "recorded"
    maker.until(f"/accounts/{account}", STANDS)
    path = maker.begin(account, "unhold", "legal_hold")
    assert "no hold is in force" not in maker.page.inner_text("main")
    maker.send()
    seat.decided(seat.newest(account))
    assert [it["command"] for it in seat.owners.controls(account)] == ["hold", "unhold"]
    maker.until(f"/accounts/{account}", "left to answer", LATER, without=[STANDS])
    assert seat.owners.said(account)[-1] == PAUSED
    assert "unhold" in maker.row(path)
    maker.begin(account, "unhold", "legal_hold")
    shown = maker.page.inner_text("main")
    assert "no hold is in force" in shown
    assert "it can affect none of them" in shown

    maker.until(f"/accounts/{brief}", "left to answer", LATER, without=[STANDS])
    assert seat.owners.said(brief)[-1] == PAUSED
    assert len(seat.owners.controls(brief)) == 1, "nobody said a second word"


def test_an_appeal_is_opened_stops_the_clock_and_is_rejected(seat: Seat) -> None:
    account, maker, name = f"douyin:appeal-{seat.mark}", seat.maker, "A-1"
    maker.begin(account, "appeal_opened", "appeal", appeal_id=name)
    maker.send()
    control = seat.newest(account)
    assert (control.json["command"], control.json["appeal_id"]) == ("appeal_opened", name)
    assert seat.decided(control)["ignored"] == "recorded"
    maker.until(f"/accounts/{account}", STANDS, "appeal: a verdict ends it")
    wrong = maker.choose("appeals", account, command="appeal_rejected")
    assert f"no such appeal is open (open: '{name}')" in maker.text(wrong)
    path = maker.choose("appeals", account, command="appeal_rejected", appeal_id=name)
    maker.send()
    control = seat.newest(account)
    assert (control.json["command"], control.json["appeal_id"]) == ("appeal_rejected", name)
    seat.decided(control)
    assert seat.owners.said(account)[-1] == PAUSED
    maker.until(f"/accounts/{account}", "left to answer", without=[STANDS])
    maker.until("/worklists/appeals", without=[account])
    assert "appeal_rejected" in maker.row(path)


def test_an_appeal_upheld_frees_who_is_restricted(seat: Seat) -> None:
    account, maker = f"weibo:freed-{seat.mark}", seat.maker
    maker.until(f"/accounts/{account}", "a restriction begins")
    maker.begin(account, "appeal_opened", "appeal")
    maker.send()
    path = maker.choose("appeals", account, command="appeal_upheld")
    assert "1 restricted" in maker.page.inner_text("main")
    maker.send()
    decided = seat.decided(seat.newest(account))
    freed = [("throttle.lifted", "appeal")] * 2
    assert [(it["event"], it["reason"]) for it in decided["events"]][:2] == freed
    assert [it for it in seat.owners.said(account) if it[0] == "throttle.lifted"] == freed
    maker.until(f"/accounts/{account}", "a restriction ends, tips", "says: appeal_upheld")
    maker.until("/worklists/appeals", without=[account])
    assert "appeal_upheld" in maker.row(path)


def test_an_unclear_word_is_settled_from_its_work_list(seat: Seat) -> None:
    account, maker = f"douyin:unclear-{seat.mark}", seat.maker
    said = {"platform": "douyin", "account_id": account.partition(":")[2], "control_id": "u-1"}
    said |= {"command": "harm", "actor": "desk.9", "reason": "test", "issued_at": utc_now()}
    seat.estate.put("controls", said)
    seat.estate.drain()
    maker.until(f"/accounts/{account}", STANDS, "A record of")
    path = maker.choose("unclear", account, command="settle")
    maker.send()
    control = seat.newest(account)
    assert control.json["command"] == "settle"
    seat.decided(control)
    assert seat.owners.said(account)[-1] == PAUSED
    maker.until(f"/accounts/{account}", "left to answer", without=[STANDS])
    maker.until("/worklists/unclear", without=[account])
    assert "settle" in maker.row(path)


def bulk(seat: Seat, name: str) -> tuple[list[str], str]:
    """Two owners whose notice is proposed to be sent again, and the path of the proposal."""
    accounts = [f"douyin:{name}-{number}-{seat.mark}" for number in (1, 2)]
    plain = seat.standing.browser("desk.1")
    form = {"command": "reissue", "account": " ".join(accounts), "reason": "incident"}
    path = plain.prepare("controls", **form)
    seat.maker.text(path)
    seat.maker.press("order.propose")
    assert "It waits for a second person" in seat.maker.text(path)
    assert WORDS["order.approve"][0] not in seat.maker.text(path)
    return accounts, path


def test_a_proposal_is_approved_by_the_second_person(seat: Seat) -> None:
    accounts, path = bulk(seat, "sent")
    assert "proposed" in seat.second.row(path)
    seat.second.text(path)
    seat.second.press("order.approve")
    seat.maker.until(path, "All partitions have read it")
    for account in accounts:
        control = seat.newest(account)
        assert (control.json["actor"], control.json["approved_by"]) == ("desk.1", "desk.2")
        assert seat.decided(control)["ignored"] == "recorded"
        assert seat.owners.said(account)[-1] == ("invitation.issued", "reissued")
    assert all(it in seat.maker.row(path) for it in ("reissue", "sent", "desk.1", "desk.2"))


def test_a_refused_proposal_sends_nothing(seat: Seat) -> None:
    accounts, path = bulk(seat, "refused")
    seat.second.text(path)
    seat.second.press("order.decline")
    assert "refused by the second person" in seat.second.page.inner_text("main")
    assert "refused by the second person" in seat.maker.row(path)
    seat.standing.browser("desk.2").press(path, "approve", 409)
    seat.standing.browser("desk.1").press(path, "send", 409)
    assert seat.owners.controls(*accounts) == []


def test_a_proposal_whose_time_is_over_sends_nothing(seat: Seat) -> None:
    """It counts for a day; the test lets the day pass in the database."""
    accounts, path = bulk(seat, "late")
    late = tables.proposals.c.id == path.rpartition("/")[2]
    with writing(seat.standing.engine()) as connection:
        past = int(time.time() * 1000) - 1
        connection.execute(update(tables.proposals).where(late).values(expires_at=past))
    for person in (seat.maker, seat.second):
        assert "Its time is over: nothing was sent" in person.text(path)
        assert person.page.locator("form[action^='/proposals/']").count() == 0
        assert "its time is over, nothing was sent" in person.row(path)
    seat.standing.browser("desk.2").press(path, "approve", 409)
    assert seat.owners.controls(*accounts) == []


class ClickedSwitch(NamedTuple):
    """On which platform a switch is thrown and how, what a page shows while it stands, and the
    event that follows when it is taken back, with the page's words for it.
    """

    platform: str
    on: bool
    shows: str
    then: tuple[str, str]
    says: str


ISSUED = (("invitation.issued", "over_line"), "an invitation is issued")
TURNED = {
    Switch.ADVERSE_OFF: ClickedSwitch("douyin", True, "adverse_off", *ISSUED),
    Switch.INVITATIONS_OFF: ClickedSwitch("douyin", True, "invitations_off", *ISSUED),
    Switch.THROTTLES_OFF: ClickedSwitch(
        "weibo", True, "throttles_off", ("throttle.applied", "no_answer"), "a restriction begins"
    ),
    Switch.ANSWERS_PAUSED: ClickedSwitch("douyin", True, STANDS, PAUSED, LATER),
    Switch.REFUSALS_SETTLED: ClickedSwitch("douyin", False, "refusals", *ISSUED),
}
"""`refusals_settled` is the only one that defers while it is off."""


def noted(seat: Seat, switch: Switch) -> Counter[bool]:
    """How many partitions decided that a switch is on, and that it is off."""
    found = (it.json for it in seat.estate.read(["decisions"]))
    return Counter(it["on"] for it in found if it["kind"] == "switch" and it["switch"] == switch)


@pytest.mark.parametrize("switch", list(Switch))
def test_a_switch_is_turned_seen_on_an_account_and_taken_back(seat: Seat, switch: Switch) -> None:
    turned, maker, owners = TURNED[switch], seat.maker, seat.owners
    account = f"{turned.platform}:{switch.replace('_', '-')}-{seat.mark}"
    if switch is Switch.ANSWERS_PAUSED:
        owners.cross(account)
        owners.are_told(account)
    before, known = len(seat.estate.read(["switches"])), noted(seat, switch)
    path = maker.begin_switch(switch, turned.platform, turned.on)
    assert "It can be taken back" in maker.page.inner_text("main")
    maker.send()
    if switch is not Switch.ANSWERS_PAUSED:
        owners.cross(account)
    if switch is Switch.THROTTLES_OFF:
        owners.are_told(account)
        time.sleep(2.2)
    maker.until(f"/accounts/{account}", turned.shows)
    kept = owners.said(account)
    assert turned.then not in kept
    maker.text(path)
    maker.press("order.undo")
    back = maker.path
    assert back != path
    maker.send()
    records = [it.json for it in seat.estate.read(["switches"])][before:]
    said = [(it["switch"], it["scope"], it["on"], it["actor"]) for it in records]
    assert said == [(switch, turned.platform, it, "desk.1") for it in (turned.on, not turned.on)]
    assert noted(seat, switch) - known == {True: 4, False: 4}, "every partition took note of both"
    maker.until(f"/accounts/{account}", turned.says, without=[STANDS])
    assert turned.then in owners.said(account)[len(kept) :]
    for it in (path, back):
        assert f"{switch} " in maker.row(it)
        assert turned.platform in maker.row(it)


def test_a_letter_is_sent_again_and_another_dismissed(seat: Seat) -> None:
    account, maker = f"douyin:letter-{seat.mark}", seat.maker
    said = {"platform": "douyin", "account_id": account.partition(":")[2], "control_id": "l-1"}
    said |= {"command": "hold", "actor": "desk.9", "reason": "legal_hold", "issued_at": utc_now()}
    seat.estate.put("controls", said, key=f"douyin:another-{seat.mark}")
    seat.estate.put("controls", {**said, "command": "harm"}, key=account)
    seat.estate.drain()
    maker.until("/dead-letters", "key_mismatch", "wrong_type")
    for reason, work in (("key_mismatch", "redrive"), ("wrong_type", "dismiss")):
        maker.until("/dead-letters", reason)
        box = maker.page.locator("input[name=place]")
        row = maker.page.locator("tr", has=box, has_text=reason).first
        row.locator("input[name=place]").check()
        maker.page.select_option("select[name=work]", work)
        maker.page.select_option("select[name=reason]", "incident")
        if work == "redrive":
            maker.page.check("input[name=rekey]")
        maker.press("act.go")
        path = maker.path
        assert "1 letters: 1 would be settled" in maker.page.inner_text("main")
        maker.press("order.send")
        maker.until(path, "1 of 1 are shown as settled")
    found = [it for it in seat.owners.controls(account) if it["command"] == "hold"]
    assert found == [said] * 2, "refused once, and sent again once"
    maker.until(f"/accounts/{account}", "An operator (desk.9) says: hold")
    # A refused word of nobody certain holds the platform's invitations back until this is said.
    maker.begin_switch(Switch.REFUSALS_SETTLED, "douyin", on=True)
    maker.send()
