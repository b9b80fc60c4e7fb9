"""Dead letters and their way back, on a real Kafka: no name is shown, each is sent once."""

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from schemas.records import Settlement
from streams.settings import Settings
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.index.poured import topics
from tests.letters.refused import AT, CANARIES, answer, broken, poured, records_of
from tests.operate.recording import Tape
from tests.support import processes

__all__ = ["byline", "clean_environment", "on_kafka"]
pytestmark = pytest.mark.kafka
SAID = ("--actor", "op.1", "--reason", "error_correction")
MEND = f"""{sys.executable} -c "import json, sys; it = json.load(sys.stdin);\
 it['occurred_at'] = '{AT}'; print(json.dumps(it))" """


@pytest.fixture
def refusing(on_kafka: Settings) -> Settings:
    topics(on_kafka)
    return on_kafka


def test_letters_are_listed_and_shown_without_what_may_be_a_name(
    refusing: Settings, byline: Byline
) -> None:
    tape = Tape()
    for canary in CANARIES:
        tape.put("consent-answers", "weibo:a1", answer("a1", invitation_id=canary, note=canary))
        tape.put("consent-answers", "weibo:a1", answer(canary, **{canary: {"more": [canary]}}))
        tape.put("consent-answers", "weibo:a1", answer("a1", name=canary))
        tape.put("consent-answers", f"weibo:{canary}", answer("a1"))
        tape.put("consent-answers", "weibo:a1", canary.encode())
    poured(refusing, tape)
    count = 5 * len(CANARIES)
    assert f"{count} dead letters" in byline("dead-letters", "list").out
    found = json.loads(byline("dead-letters", "list", "--json").out)
    assert len(found) == count
    assert {it["topic"] for it in found} == {"consent-answers"}
    said = [byline("dead-letters", "list").out]
    for it in found:
        for option in ((), ("--json",)):
            answered = byline("dead-letters", "show", it["record"], *option)
            assert answered.code == 0, answered.err
            said.append(answered.out + answered.err)
    for canary in CANARIES:
        assert not [text for text in said if canary in text or json.dumps(canary)[1:-1] in text]
    shown = json.loads(byline("dead-letters", "show", "consent-answers[0]@0", "--json").out)
    assert shown["value"]["answer"] == "granted"
    assert shown["value"]["invitation_id"] == "masked, 2 characters"
    assert shown["value"]["unknown field 1"] == "masked, 2 characters"
    only = byline("dead-letters", "list", "--refused-for", "name_field", "--json")
    assert len(json.loads(only.out)) == len(CANARIES)


def test_what_is_sent_again_is_marked_and_sent_no_second_time(
    refusing: Settings, byline: Byline
) -> None:
    poured(refusing, broken(5))
    again = ("dead-letters", "redrive", *SAID, "--topic", "consent-answers")
    unmended = byline(*again, "--yes")
    assert unmended.code == 1
    assert "5 stay: it would be refused again: missing_field" in unmended.err
    dry = byline(*again, "--through", MEND)
    assert (dry.code, "5 would be sent again" in dry.out) == (0, True), dry.err
    assert len(records_of(refusing, "consent-answers")) == 5, "a dry run sends nothing"
    done = byline(*again, "--through", MEND, "--yes")
    assert "5 sent again, 0 were settled before" in done.out, done.err
    sent = records_of(refusing, "consent-answers")
    assert Counter(it["account_id"] for _, it in sent) == {f"a{number}": 2 for number in range(5)}
    assert all(key.decode() == f"weibo:{it['account_id']}" for key, it in sent)  # type: ignore[union-attr]
    marks = [it for _, it in records_of(refusing, "dead-letters") if "settled" in it]
    assert len(marks) == 5
    for it in marks:
        mark = Settlement.model_validate(it)
        assert (mark.settled, mark.actor, mark.changed) == ("redriven", "op.1", True)
    assert "0 sent again, 5 were settled before" in byline(*again, "--through", MEND, "--yes").out
    assert "0 dead letters" in byline("dead-letters", "list").out
    read = json.loads(byline("dead-letters", "list", "--settled", "--json").out)
    assert {it["settled"] for it in read} == {"redriven"}
    assert byline("index").code == 0
    for options in ((), ("--settled",), ("--settled", "--refused-for", "missing_field")):
        listed = ("dead-letters", "list", "--json", *options)
        indexed, kafka = (json.loads(byline(*listed, *it).out) for it in ((), ("--kafka",)))
        assert indexed == kafka, options
    assert "from the index as of" in byline("dead-letters", "list").err
    one = byline("dead-letters", "redrive", "consent-answers[0]@0", *SAID, "--yes")
    assert one.code == 2
    assert "settled already (redriven)" in one.err


def test_what_cannot_be_mended_is_dismissed_and_only_once(
    refusing: Settings, byline: Byline
) -> None:
    tape = broken(1)
    tape.put("consent-answers", "weibo:b1", b"nonsense").unreadable("controls", 3)
    tape.put("follower-counts", "weibo:é", None)
    poured(refusing, tape)
    left = byline("dead-letters", "redrive", "--all", *SAID, "--yes", "--json")
    why = {it["record"].partition("[")[0]: it["why"] for it in json.loads(left.out)["left"]}
    assert "its batch cannot be unpacked" in why["controls"]
    assert byline("dead-letters", "dismiss", *SAID).code == 2, (
        "nothing is dismissed by an oversight"
    )
    count = len(json.loads(byline("dead-letters", "list", "--json").out))
    done = byline("dead-letters", "dismiss", "--all", *SAID, "--yes")
    assert f"{count} dismissed, 0 were settled before" in done.out
    assert "switch refusals-settled on" in done.out
    again = byline("dead-letters", "dismiss", "--all", *SAID, "--yes")
    assert f"0 dismissed, {count} were settled before" in again.out


def test_a_key_that_is_anothers_goes_by_the_value_only_when_that_is_said(
    refusing: Settings, byline: Byline
) -> None:
    tape = Tape()
    tape.put("consent-answers", "weibo:other", answer("a1"))
    poured(refusing, tape)
    again = ("dead-letters", "redrive", "--all", *SAID, "--yes")
    assert "--key-from-value goes by the value" in byline(*again).err
    assert "1 sent again" in byline(*again, "--key-from-value").out
    assert [key for key, _ in records_of(refusing, "consent-answers")][-1] in (
        b"weibo:a1",
        b"weibo:other",
    )


def test_what_may_be_of_a_platform_is_listed_and_told_with_it(
    refusing: Settings, byline: Byline
) -> None:
    tape = broken(2)
    tape.put("consent-answers", f"weibo:{CANARIES[0]}", answer("a1"))
    tape.put("consent-answers", "douyin:a1", answer("a1"))
    poured(refusing, tape)
    mine = {f"consent-answers[0]@{number}": "weibo" for number in range(2)}
    unknown = {"consent-answers[0]@2": None}
    assert byline("index").code == 0
    for kafka in ((), ("--kafka",)):
        listed = ("dead-letters", "list", "--platform", "weibo", *kafka)
        found = json.loads(byline(*listed, "--json").out)
        assert {it["record"]: it["platform"] for it in found} == {**mine, **unknown}
        said = byline(*listed).out
        assert "1 of them are of unknown platform: they may be of weibo" in said
    of_weibo = ("dead-letters", "dismiss", "--platform", "weibo", *SAID)
    dry = byline(*of_weibo, "--with-unknown")
    assert "3 would be dismissed" in dry.out
    assert "of unknown platform" not in dry.err
    done = byline(*of_weibo, "--yes")
    assert "2 dismissed" in done.out
    assert "1 more are of unknown platform, and may be of weibo: --with-unknown" in done.err
    ended = ("switch", "refusals-settled", "on", "--scope", "weibo", "--actor", "op.1")
    open_ones = "nobody has seen to 0 refused records of weibo, and to 1 whose platform is not"
    for dry_run in (("--dry-run",), ()):
        assert open_ones in byline(*ended, "--reason", "incident", *dry_run).err
    assert "1 dismissed" in byline(*of_weibo, "--with-unknown", "--yes").out
    assert "nobody has seen to" not in byline(*ended, "--reason", "incident").err
    alone = byline("dead-letters", "dismiss", "--all", "--with-unknown", *SAID)
    assert (alone.code, "--with-unknown goes with --platform" in alone.err) == (2, True)


def test_a_program_that_answers_for_another_account_is_told(
    refusing: Settings, byline: Byline
) -> None:
    poured(refusing, broken(3))
    other = MEND.replace("print", "it['account_id'] = 'mended'; print")
    again = ("dead-letters", "redrive", "--all", *SAID, "--through", other)
    said = byline(*again)
    assert "3 got another key: --through answered with the record of another account" in said.err
    assert len(json.loads(byline(*again, "--json").out)["moved"]) == 3
    assert "another key" not in byline(*again[:-1], MEND).err


def test_killed_at_random_each_is_sent_once_and_none_is_lost(
    refusing: Settings, byline: Byline
) -> None:
    count, chance = 1_500, random.Random(11)
    poured(refusing, broken(count))
    mend = Path(refusing.data_dir) / "mend"
    mend.write_text(f'#!/bin/sh\nsed \'s/"answer"/"occurred_at": "{AT}", "answer"/\'\n')
    mend.chmod(0o755)
    command = ["dead-letters", "redrive", "--all", *SAID, "--through", str(mend), "--yes"]
    log = Path(refusing.data_dir) / "log"
    for _ in range(5):
        process = processes.start(command, os.environ, log)
        time.sleep(chance.uniform(0.5, 4.0))
        process.kill()
        process.wait(30)
    last = processes.run(command, os.environ, timeout=240)
    assert last.returncode == 0, last.stderr
    sent = Counter(it["account_id"] for _, it in records_of(refusing, "consent-answers"))
    assert set(sent.values()) == {2}, "the refused one, and one more"
    assert len(sent) == count
    marks = Counter(
        it["offset"] for _, it in records_of(refusing, "dead-letters") if "settled" in it
    )
    assert set(marks.values()) == {1}
    assert len(marks) == count
