"""The auditor is silent on what a sound core makes of words that come late, twice or crossed."""

import random

import pytest

from streams.operate.audit.auditor import audit
from streams.operate.audit.records import HOUR, MINUTE, iso
from tests.core.given import DAY
from tests.operate.recording import Tape, invited

AGO = (0, 0, 0, 1, 1000, HOUR, 3 * HOUR, DAY, 5 * DAY, 30 * DAY)
WAITS = (1, MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 12 * DAY)
COMMANDS = (
    *("hold", "hold", "unhold", "extend", "reissue", "lift"),
    *("appeal_opened", "appeal_rejected", "appeal_upheld"),
)
CHANGES = ("exempted", "exemption_ended", "closed", "reopened", "owner_changed")
SWITCHES = ("adverse_off", "answers_paused", "throttles_off")


def history(seed: int) -> Tape:
    """Two accounts, and some dozens of words about them at random instants of their own."""
    chance, tape = random.Random(seed), Tape()
    for account in ("a", "b"):
        invited(tape, account)
    for _ in range(chance.randint(10, 60)):
        say(chance, tape, chance.choice("ab"), tape.now - chance.choice(AGO))
    return tape.wait(DAY).sealed()


def say(chance: random.Random, tape: Tape, account: str, at: int) -> None:
    """One more word, or some time passes."""
    kinds = ("answer", "receipt", "control", "switch", "change", "reading", "label", "wait")
    match chance.choices(kinds, (30, 15, 17, 6, 4, 6, 4, 18))[0]:
        case "answer":
            notice = {"notice_version": chance.choice("12")} if chance.random() < 0.2 else {}
            word = chance.choice(("granted", "declined", "withdrawn"))
            tape.answer(word, account, at=at, **notice)
        case "receipt":
            outcome = chance.choice(("delivered", "delivered", "failed"))
            tape.receipt(outcome, account, cycle=chance.choice((1, 1, 2, 3)), at=at)
        case "control":
            control(chance, tape, account)
        case "switch":
            tape.switch(chance.choice(SWITCHES), chance.random() < 0.5)
        case "change":
            tape.change(chance.choice(CHANGES), account, at=at)
        case "reading":
            tape.reads(chance.choice((100, 2000, 3000)), account, at=at)
        case "label":
            tape.label(chance.choice(("财经", "财经", "日常生活")), account, at=at)
        case _:
            tape.wait(chance.choice(WAITS))


def control(chance: random.Random, tape: Tape, account: str) -> None:
    """An operator's word, also one whose clock is a little off."""
    command, more = chance.choice(COMMANDS), {}
    if command == "hold" and chance.random() < 0.7:
        more["expires_at"] = iso(tape.now + chance.choice((-HOUR, HOUR, DAY, 4 * DAY)))
    if command == "extend":
        more["until"] = iso(tape.now + chance.choice((DAY, 6 * DAY)))
    tape.control(command, account, at=tape.now - chance.choice((0, 0, HOUR, -4 * MINUTE)), **more)


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_history_of_a_sound_core_has_a_breach(first: int) -> None:
    for seed in range(first, first + 20):
        assert audit(history(seed).records()) == [], f"seed {seed}"
