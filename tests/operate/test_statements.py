"""The statement of reasons in two languages: complete, no raw counts, the law's fields."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import export
from schemas.export import STATEMENT
from schemas.statement import (
    Automation,
    Band,
    DsaFields,
    Redress,
    Restriction,
    StatementOfReasons,
)
from schemas.words import Field, LabelSource, Level, Surface
from streams.operate.errors import UsageError
from streams.operate.statements import LANGUAGES, Language, read, render
from streams.operate.statements.dsa import FIELDS_OF_THE_DSA, NOT_FILLED
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


formats = FormatChecker()


@formats.checks("date-time", raises=ValueError)
def rfc3339(text: object) -> bool:
    """An instant with an offset, as RFC 3339 wants it."""
    return isinstance(text, str) and "T" in text and datetime.fromisoformat(text).tzinfo is not None


def published() -> Draft202012Validator:
    """The schema as it lies among the generated files."""
    return Draft202012Validator(json.loads(export.read()[STATEMENT]), format_checker=formats)


def test_the_published_schema_takes_each_statement_of_a_history(
    events: list[dict[str, Any]],
) -> None:
    for event in events:
        published().validate(event["statement"])
        published().validate(json.loads(read(json.dumps(event)).statement.model_dump_json()))


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        ("facts", {"followers": 1501}),
        ("facts", {"field": "astrology"}),
        ("restriction", {"effective_at": "tomorrow"}),
        ("restriction", {"expires_at": "2024-01-01T00:00:00"}),
        ("automation", {"automated_decision": "No"}),
    ],
)
def test_the_published_schema_refuses(
    events: list[dict[str, Any]], part: str, broken: dict[str, Any]
) -> None:
    said = json.loads(json.dumps(events[0]["statement"]))
    said[part].update(broken)
    assert not published().is_valid(said)


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
    named = {part for key in FIELDS_OF_THE_DSA for part in words(key)}
    assert {name.partition(".")[0] for name in named} == set(StatementOfReasons.model_fields)
    for name, part in (
        ("dsa", DsaFields),
        ("automation", Automation),
        ("restriction", Restriction),
    ):
        assert {it for it in named if it.startswith(name)} == {
            f"{name}.{field}" for field in part.model_fields
        }


def test_no_field_of_the_database_is_both_filled_and_left() -> None:
    filled = [field for theirs, _ in FIELDS_OF_THE_DSA.values() for field in words(theirs)]
    left = [field for key in NOT_FILLED for field in words(key)]
    assert not set(filled) & set(left)
    assert len(set(left)) == len(left)


def test_the_page_says_what_the_mapping_says() -> None:
    page = (Path(__file__).parents[2] / "deploy" / "statement-of-reasons.md").read_text()
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    ours = [[key, theirs, how.replace("`", "")] for key, (theirs, how) in FIELDS_OF_THE_DSA.items()]
    left = [[key, why.replace("`", "")] for key, why in NOT_FILLED.items()]
    assert [row for row in rows if len(row) == 3][1:] == ours
    assert [row for row in rows if len(row) == 2][1:] == left
    assert len(page.splitlines()) <= 60


def words(key: str) -> list[str]:
    """The fields that a row names."""
    return [word for it in key.split(",") if (word := it.strip()) != "–"]


def test_another_event_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match=r"this is no throttle\.applied with a statement"):
        read(b'{"event": "throttle.lifted"}')
