"""The pages for producers, notifiers, consumers and enforcing systems say what is so.

The programs in them are run by tests/worker/test_examples.py.
"""

import re
from pathlib import Path

import pytest

from schemas.cures import CURES
from schemas.enums import AckOutcome, Event, Failure, Refused
from schemas.events import CLOUDEVENT_HEADERS, EVENT_TOPIC
from schemas.inputs import NoticeReceipt, ThrottleAck
from tests.contracts import corpus
from tests.contracts.test_validators import both

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PAGES = {
    name: (DEPLOY / f"{name}.md").read_text()
    for name in ("producers", "notifiers", "consumers", "enforcing-systems")
}
EXAMPLES = sorted((DEPLOY / "examples").iterdir())
QUOTED = re.compile(r"^`(examples/[A-Za-z_.]+)`:\n\n```[a-z]+\n(.*?)^```$", re.M | re.S)


def rows(page: str, heading: str) -> list[str]:
    """The first cells of the first table below a heading."""
    below = PAGES[page].split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^|]*)` \|", below, re.M)


def test_every_program_stands_whole_in_one_page() -> None:
    quoted = [pair for text in PAGES.values() for pair in QUOTED.findall(text)]
    assert sorted(quoted) == [(f"examples/{it.name}", it.read_text()) for it in EXAMPLES]


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_each_page(page: str) -> None:
    assert f"`deploy/{page}.md`" in (ROOT / "README.md").read_text()


def test_each_reason_of_a_refusal_has_its_cure() -> None:
    assert rows("producers", "What is refused, and why") == [str(it) for it in Refused]


def test_the_cure_in_a_dead_letter_leads_to_a_heading_and_agrees_with_it() -> None:
    cure = CURES[Refused.WRONG_PARTITION]
    assert cure.endswith("deploy/producers.md, The partitioner")
    below = PAGES["producers"].split("\n## The partitioner\n")[1].split("\n## ")[0]
    for setting in re.findall(r"partitioner=\w+|kafka\.\w+\{\}|Partitioners\.\w+", cure):
        assert setting in below


def test_what_a_schema_cannot_say_is_what_the_corpus_lists() -> None:
    below = PAGES["producers"].split("\n## What a schema cannot say\n")[1]
    assert re.findall(r"^\| (.*) \|$", below, re.M)[1:] == list(corpus.DIFFERENCES.values())
    assert f"a corpus of {len(both()):,} values" in below


def test_every_event_of_the_notifier_is_told_and_its_receipt_has_every_field() -> None:
    told = re.findall(r"`(invitation\.\w+)`", PAGES["notifiers"].split("## The receipt")[0])
    assert {Event(it) for it in told} == {it for it in Event if EVENT_TOPIC[it] == "invitations"}
    below = PAGES["notifiers"].split("## The receipt")[1]
    for word in (*NoticeReceipt.model_fields, *Failure):
        assert f"`{word}`" in below


def test_every_event_of_an_enforcing_system_is_told_and_its_ack_has_every_field() -> None:
    page = PAGES["enforcing-systems"]
    told = re.findall(r"^\| `(throttle\.\w+)` \|", page, re.M)
    assert {Event(it) for it in told} == {it for it in Event if EVENT_TOPIC[it] == "throttles"}
    below = page.split("## Acknowledgements")[1]
    for word in (*ThrottleAck.model_fields, *AckOutcome):
        assert f"`{word}`" in below


def test_consumers_are_told_every_header_and_every_event() -> None:
    page = PAGES["consumers"]
    for header in CLOUDEVENT_HEADERS:
        assert f"`{header}`" in page
    for event in Event:
        assert event.split(".")[1] in page
