"""Both languages say the same things, and every closed word has a sentence."""

import re
from collections.abc import Mapping

import pytest

from schemas.enums import Answer, Change, Deferral, Event, Ground, Ignored, Outcome
from streams.core.lifecycle import Eligibility, Input, Invitation
from streams.core.model.timer import Timer
from streams.explain import en, vocabulary, zh
from streams.explain.explanation import SECTIONS
from streams.explain.nearest import Kind
from streams.explain.sandbox import DECISIVE
from streams.explain.sentences import LANGUAGES, length
from tests.explain.states import PAGE, page

HOLES = re.compile(r"\{(\w+)\}")


def test_both_languages_have_the_same_sentences_with_the_same_fillings() -> None:
    assert en.TEXTS.keys() == zh.TEXTS.keys()
    for key, text in en.TEXTS.items():
        assert set(HOLES.findall(text)) == set(HOLES.findall(zh.TEXTS[key])), key
    assert en.HEADINGS.keys() == zh.HEADINGS.keys() == set(SECTIONS)
    assert en.WORDS.keys() <= zh.WORDS.keys()


@pytest.mark.parametrize("texts", [en.TEXTS, zh.TEXTS], ids=LANGUAGES)
def test_every_word_of_a_closed_list_has_its_sentence(texts: dict[str, str]) -> None:
    assert {f"ground.{it}" for it in Deferral} <= texts.keys()
    assert {f"timer.{it}" for it in Timer} <= texts.keys()
    assert {f"life.{it.name}" for it in Invitation} <= texts.keys()
    for kind in (*Kind, f"{Kind.GRANT}_until"):
        assert f"change.{kind}" in texts
        assert f"change_to_nothing.{kind}" in texts


@pytest.mark.parametrize("words", [en.WORDS, zh.WORDS], ids=LANGUAGES)
def test_every_outcome_and_reason_to_ignore_is_a_word(words: dict[str, str]) -> None:
    assert words.keys() >= DECISIVE
    assert {f"ignored.{it}" for it in Ignored} <= words.keys()


@pytest.mark.parametrize("terms", [vocabulary.ENGLISH, vocabulary.CHINESE], ids=LANGUAGES)
def test_every_word_of_a_timeline_is_said_in_the_language(terms: Mapping[str, str]) -> None:
    states = {it.name for machine in (Eligibility, Invitation) for it in machine}
    wanted = {"eligibility", "invitation", *states}
    # The third machine's inputs are told by the event that they publish.
    of_throttles = {Input.APPLY, Input.REVIEW_DUE, Input.EXPIRY_DUE, Input.RELEASE}
    wanted |= {str(it) for it in Input if it not in of_throttles}
    wanted |= {f"reason.{it}" for it in Ground}
    wanted |= {f"word.{it}" for closed in (Change, Outcome, Answer) for it in closed}
    spoken = ("notice-receipts", "consent-answers", "account-changes", "controls")
    wanted |= {f"from.{it}" for it in spoken}
    assert terms.keys() == wanted


@pytest.mark.parametrize("words", [en.WORDS, zh.WORDS], ids=LANGUAGES)
def test_every_event_is_said_in_the_language(words: dict[str, str]) -> None:
    assert words.keys() >= set(Event)


def test_a_length_is_said_in_its_two_largest_units() -> None:
    assert length(90_061_000, "en") == "1 d 1 h"
    assert length(3_661_000, "zh") == "1 小时 1 分"
    assert length(999, "en") == "0 s"


@pytest.mark.slow
def test_the_page_of_states_is_what_is_said() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.explain.states --write"
