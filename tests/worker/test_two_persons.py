"""Two people behind what is heavy: a policy in enforce, and the same word on many accounts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.commands import audited, byline
from tests.worker.crowd import Crowd, instant
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka

ALICE = '{actor: desk-1, at: "2026-01-05T10:00:00+08:00"}'
BRUNO = '{actor: desk-2, at: "2026-01-05T11:00:00+08:00"}'
AGAIN = '{actor: desk-1, at: "2026-01-06T10:00:00+08:00"}'
TWO = f"{ALICE}, {BRUNO}"
ASKED = {"BYLINE_REQUIRE_APPROVALS": "true"}
WHO = ("--actor", "desk-1", "--reason", "incident")


@pytest.mark.parametrize("approvals", ["", ALICE, f"{ALICE}, {AGAIN}"], ids=["none", "one", "same"])
def test_a_policy_in_enforce_with_less_than_two_actors_does_not_start(
    approvals: str, make_estate: Callable[..., Estate]
) -> None:
    text = policy("weibo", approvals=approvals)
    estate = make_estate({"weibo": text}, **ASKED)
    ended = byline(estate, "worker")
    assert ended.returncode == 2
    line = 1 + text.splitlines().index(f"approvals: [{approvals}]")
    said = f"{estate.policies / 'weibo.yaml'}:{line}: approvals: enforce needs the approval of two"
    assert said in ended.stderr
    assert "add approvals: [{actor, at}, …]" in ended.stderr
    assert estate.read(["policies", "decisions"]) == [], "nothing was touched"


def test_with_two_different_actors_it_runs(make_estate: Callable[..., Estate]) -> None:
    estate = make_estate({"weibo": policy("weibo", approvals=TWO)}, **ASKED).start(1)
    Crowd(estate).crosses()
    assert [event["event"] for event in estate.wait_for(1)["weibo:a0"]] == ["invitation.issued"]


def test_in_shadow_nobody_is_asked(make_estate: Callable[..., Estate]) -> None:
    estate = make_estate({"weibo": policy("weibo", mode="shadow")}, **ASKED).start(1)
    Crowd(estate).crosses()
    assert estate.wait_for(2)["weibo:a0"][0]["mode"] == "shadow"


def test_a_bulk_that_protects_nobody_of_one_actor_is_refused_and_touches_nothing(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo", approvals=TWO)}, **ASKED).start(1)
    crowd = Crowd(estate)
    crowd.crosses()
    estate.wait_for(1)
    before = kept(estate, "weibo:a0")
    crowd.say("controls", "a0", **bulk("c1", "reissue"))
    crowd.say("controls", "a0", **bulk("c1", "reissue"), approved_by="desk-1")
    estate.drain()
    letters = estate.read(["dead-letters"])
    assert [letter.json["reason"] for letter in letters] == ["not_approved", "not_approved"]
    assert {letter.key for letter in letters} == {b"weibo:a0"}
    assert kept(estate, "weibo:a0") == before
    assert len(estate.read()) == 1, "the invitation alone"
    crowd.say("controls", "a0", **bulk("c1", "reissue"), approved_by="desk-2")
    said = [(event["event"], event["reason"]) for event in estate.wait_for(2)["weibo:a0"]]
    assert said[1:] == [("invitation.issued", "reissued")]
    assert kept(estate, "weibo:a0") != before
    crowd.say("controls", "a0", **bulk("c2", "lift"))
    said = [(event["event"], event["reason"]) for event in estate.wait_for(3)["weibo:a0"]]
    assert said[2:] == [("invitation.cancelled", "operator")], "what protects needs no second word"
    assert audited(estate) == []


def bulk(control_id: str, command: str) -> dict[str, Any]:
    """A control that belongs to a bulk."""
    return {
        "control_id": control_id,
        "command": command,
        "actor": "desk-1",
        "bulk_id": "b1",
        "reason": "error_correction",
        "issued_at": utc_now(),
    }


def kept(estate: Estate, key: str) -> bytes | None:
    """The state of an account, as its changelog has it last."""
    changelog = f"{estate.names.application_id}-accounts-changelog"
    return {record.key: record.value for record in estate.read([changelog])}.get(key.encode())


@pytest.mark.slow
def test_a_bulk_is_counted_held_and_taken_back(
    make_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    """Held, nobody's silence counts; taken back, the clocks go on where they stood."""
    rule = policy("weibo", window="PT20S", approvals=TWO)
    estate = make_estate({"weibo": rule}, **ASKED).start(2)
    names = [f"a{number}" for number in range(12)]
    spoken_of, taken_back, free = names[0], names[1:8], names[8:]
    file = tmp_path / "accounts.txt"
    file.write_text("".join(f"weibo:{name}\n" for name in names[:8]), encoding="utf-8")
    held = ("control", "bulk", str(file), "--command", "hold", "--bulk-id", "b7", *WHO)
    two = ("--approved-by", "desk-2")
    assert "8 would be sent" in byline(estate, *held).stdout
    assert estate.read(["controls"]) == [], "so far it was only counted"

    deadlines = delivered(estate, len(names))
    assert "8 sent, bulk id b7" in byline(estate, *held, "--yes").stdout
    assert time.time() < min(deadlines.values()), "the machine is too slow for this window"
    assert byline(estate, "control", "hold", f"weibo:{spoken_of}", *WHO).returncode == 0
    time.sleep(max(0.0, max(deadlines.values()) - time.time()))
    said = 2 * len(names) + 3 * len(free)
    estate.wait_for(said)
    time.sleep(2)
    told = words(estate)
    assert {told[name] for name in free} == {"expired applied applied"}
    assert {told[name] for name in (spoken_of, *taken_back)} == {""}, "silence does not count"

    assert "not_approved" in byline(estate, "control", "undo", "b7", *WHO, "--yes").stdout
    back = byline(estate, "control", "undo", "b7", *WHO, *two, "--yes", "--json")
    assert json.loads(back.stdout)["count"] == 7
    assert json.loads(back.stdout)["left"] == [[f"weibo:{spoken_of}", "hold was said since"]]
    estate.wait_for(said + len(taken_back))
    time.sleep(max(0.0, max(stood_still(estate, taken_back)) - time.time()))
    estate.wait_for(said + 4 * len(taken_back))
    told = words(estate)
    assert {told[name] for name in taken_back} == {"extended expired applied applied"}
    assert told[spoken_of] == ""
    assert audited(estate) == []


def delivered(estate: Estate, count: int) -> dict[str, float]:
    """So many accounts cross and are told; their deadlines."""
    crowd = Crowd(estate)
    deadlines: dict[str, float] = {}
    with estate.follow("invitations") as next_record:
        for _ in range(count):
            crowd.crosses()
        while len(deadlines) < count:
            event = crowd.hears(next_record(10.0))
            assert event is not None, f"{len(deadlines)} are delivered"
            if event["event"] == "invitation.delivered":
                deadlines[event["account_id"]] = instant(event["deadline_at"])
    return deadlines


def stood_still(estate: Estate, names: list[str]) -> list[float]:
    """Each deadline was moved by just the pause: from the word of its hold to the entry of its
    unhold; where to.
    """
    spans: dict[str, list[float]] = {}
    for record in estate.read(["controls"]):
        begins = record.json["command"] == "hold"
        at = instant(record.json["issued_at"]) if begins else record.entered_at
        spans.setdefault(record.json["account_id"], []).append(at)
    ends, events = [], estate.events()
    for name in names:
        before, after = (instant(event["deadline_at"]) for event in events[f"weibo:{name}"][1:3])
        assert after - before == pytest.approx(spans[name][1] - spans[name][0], abs=1e-4)
        ends.append(after)
    return ends


def words(estate: Estate) -> dict[str, str]:
    """What was said of each account after it was told."""
    return {
        key.split(":")[1]: " ".join(event["event"].split(".")[1] for event in own[2:])
        for key, own in estate.events().items()
    }
