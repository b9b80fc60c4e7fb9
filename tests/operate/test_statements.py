"""The statement of reasons in two languages: complete, no raw counts, the law's fields."""

import json
import re
from typing import Any, get_args

import jsonschema
import pytest

from schemas.statement import Band, Redress, StatementOfReasons
from schemas.words import Field, LabelSource, Level, Surface
from streams.operate.errors import UsageError
from streams.operate.statements import FIELDS_OF_THE_DSA, LANGUAGES, Language, read, render, schema
from streams.operate.statements.words import WORDS
from tests.operate.recording import clean


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [it for it in clean().events if it["event"] == "throttle.applied"]


def test_every_restriction_of_a_history_is_explained_in_both_languages(
    events: list[dict[str, Any]],
) -> None:
    for event in events:
        for language in LANGUAGES:
            text = render(read(json.dumps(event)), language)
            assert event["throttle_id"] in text
            assert event["policy_digest"] in text
            assert "1501" not in text, "a raw count"


def test_chinese_and_english_say_what_and_why_and_what_to_do(events: list[dict[str, Any]]) -> None:
    silent = next(it for it in events if it["reason"] == "no_answer" and it["surface"] == "tips")
    chinese, english = (render(read(json.dumps(silent)), it) for it in LANGUAGES)
    for words in ("打赏收入", "暂停", "不足10万", "财经", "未收到您的答复", "自动化", "申诉"):
        assert words in chinese
    for words in ("tips", "switched off", "under 100,000", "finance", "no answer", "appeal"):
        assert words in english
    assert not re.search(r"[a-z]+_[a-z]+|None", english.replace("weibo-notice", ""))


def test_the_published_schema_takes_each_statement_and_refuses_a_raw_count(
    events: list[dict[str, Any]],
) -> None:
    published = schema()
    for event in events:
        jsonschema.validate(event["statement"], published)
    broken = json.loads(json.dumps(events[0]["statement"]))
    broken["facts"]["followers"] = 1501
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, published)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_closed_word_has_its_translation(language: Language) -> None:
    words = WORDS[language]
    assert set(words["surface"]) == set(Surface)
    assert set(words["level"]) == set(Level)
    assert set(words["field"]) == set(Field)
    assert set(words["source"]) == set(LabelSource)
    assert set(words["band"]) == set(get_args(Band))
    assert set(words["redress"]) == set(get_args(Redress))


def test_every_part_of_the_statement_has_its_place_in_the_database() -> None:
    named = {word.strip().split(".")[0] for key in FIELDS_OF_THE_DSA for word in key.split(",")}
    assert named == set(StatementOfReasons.model_fields)


def test_another_event_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match=r"this is no throttle\.applied with a statement"):
        read(b'{"event": "throttle.lifted"}')
