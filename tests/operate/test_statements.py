"""The statement of reasons in two languages: complete, no raw counts, the law's fields."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import export
from schemas.enums import Field, LabelSource, Level, Surface
from schemas.export import STATEMENT
from schemas.statement import (
    Automation,
    Band,
    DsaFields,
    Redress,
    Restriction,
    StatementOfReasons,
)
from streams.core.model.policy import Phase
from streams.operate.errors import UsageError
from streams.operate.statements import LANGUAGES, Language, count_words, read, render, zone_of
from streams.operate.statements.dsa import FIELDS_OF_THE_DSA, NOT_FILLED
from streams.operate.statements.words import WORDS
from streams.policies import load_policy
from tests.core.given import policy
from tests.operate.recording import clean
from tests.policies.given import HERE, written

GOOD_FILE = HERE / "good.yaml"
TOLD = {"deadline_at": "2023-12-31T15:59:59.000Z"}


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


def test_times_are_told_in_the_zone_of_the_policy_with_its_offset(
    events: list[dict[str, Any]],
) -> None:
    event = read(json.dumps({**events[0], "statement": {**events[0]["statement"], **TOLD}}))
    zone = zone_of(policy(phases=(Phase("first", 1000, 0, None, None, -210),)), "first")
    assert "Time to answer until: 31 December 2023, 23:59:59 (UTC+08:00)" in render(event, "en")
    assert "答复期限：2023年12月31日 23:59:59（UTC+08:00）" in render(event, "zh")
    assert "Time to answer until: 31 December 2023, 12:29:59 (UTC-03:30)" in render(
        event, "en", zone
    )
    assert "（UTC）" not in render(event, "zh")


def test_the_zone_is_that_of_the_cycle_s_phase_else_the_first_one_s_else_china_s() -> None:
    phases = (Phase("a", 2000, 1, None, None, 540), Phase("b", 1000, 2, None, None, 0))
    two = policy(phases=phases)
    zones = [zone_of(two, "b"), zone_of(two, "gone"), zone_of(None, "a")]
    assert [str(zone) for zone in zones] == ["UTC", "UTC+09:00", "UTC+08:00"]


def test_a_file_says_the_zone_and_the_digest_does_not_depend_on_it(tmp_path: Path) -> None:
    tokyo = load_policy(
        written(tmp_path, ("2023-10-31T00:00:00+08:00", "2023-10-31T01:00:00+09:00"))
    )
    assert [phase.utc_offset_minutes for phase in tokyo.phases] == [540, 480]
    assert tokyo == load_policy(GOOD_FILE)
    assert tokyo.digest == load_policy(GOOD_FILE).digest


def test_line_and_band_are_told_as_people_say_them(events: list[dict[str, Any]]) -> None:
    said = json.loads(json.dumps(events[0]))
    said["statement"]["ground"] |= {"line": 1_000_000, "exit_line": 950_000}
    said["statement"]["facts"]["followers_band"] = "1000000-4999999"
    chinese, english = (render(read(json.dumps(said)), it) for it in LANGUAGES)
    assert "邀请时粉丝数量：100万至500万\n作出决定时粉丝数量：不低于95万\n" in chinese
    assert "粉丝数量达到100万" in chinese
    assert "Followers when you were invited: 1 to 5 million\n" in english
    assert "Followers when this was decided: not below 950,000\n" in english
    assert "(1 million followers and more)" in english
    said["statement"]["ground"]["exit_line"] = None
    assert "not below" not in render(read(json.dumps(said)), "en")


@pytest.mark.parametrize(
    ("number", "chinese", "english"),
    [
        (900, "900", "900"),
        (10_000, "1万", "10,000"),
        (475_000, "47.5万", "475,000"),
        (500_001, "50.0001万", "500,001"),
        (1_500_000, "150万", "1.5 million"),
        (1_234_567, "123.4567万", "1,234,567"),
        (10**10, "1000000万", "10000 million"),
    ],
)
def test_a_number_of_a_rule_is_short_and_exact(number: int, chinese: str, english: str) -> None:
    assert (count_words(number, "zh"), count_words(number, "en")) == (chinese, english)


def test_a_statement_of_version_0_1_0_is_rendered_too(events: list[dict[str, Any]]) -> None:
    said = json.loads(json.dumps(events[0]))
    del said["statement"]["ground"]["exit_line"]
    for language in LANGUAGES:
        assert said["throttle_id"] in render(read(json.dumps(said)), language)


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
