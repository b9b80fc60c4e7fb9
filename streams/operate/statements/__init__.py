"""The statement of reasons for people: rendered in Chinese and English from templates.

Only the event's machine-readable `statement` goes in, and only closed words, bands, times and ids
come out: there is no free text and no name. `FIELDS_OF_THE_DSA` says what each part is called in
the Transparency Database of the EU's Digital Services Act (article 17).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from schemas.events import ThrottleApplied
from schemas.statement import StatementOfReasons
from streams.operate.errors import UsageError
from streams.operate.statements.words import WORDS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")

FIELDS_OF_THE_DSA: dict[str, tuple[str, str]] = {
    "dsa.puid": ("puid", "the throttle's id; unique"),
    "dsa.decision_visibility": ("decision_visibility", "for surfaces of reach: demoted"),
    "dsa.decision_monetary": ("decision_monetary", "for surfaces of income: suspension or other"),
    "dsa.decision_ground": ("decision_ground", "the platform's terms, not illegal content"),
    "dsa.account_type": ("account_type", "null: not known here"),
    "dsa.source_type": ("source_type", "the platform's own initiative"),
    "ground": ("incompatible_content_ground", "policy, phase, line and notice"),
    "facts": ("decision_facts", "bands and closed words alone, as article 24(5) demands"),
    "restriction.effective_at": ("application_date", "when it begins"),
    "restriction.expires_at": (
        "end_date_visibility_restriction, end_date_monetary_restriction",
        "the end of each restriction",
    ),
    "automation.automated_detection": ("automated_detection", "the same words"),
    "automation.automated_decision": ("automated_decision", "the same words"),
    "redress": ("(article 17(3)(f), no field)", "what the owner can do"),
    "delivered_at, deadline_at, answer": ("(part of decision_facts)", "notice came first"),
}
"""Our field → the database's field, and how one becomes the other."""

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  plain text, and nothing in it is anybody's free text
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(event: ThrottleApplied, language: Language) -> str:
    """The statement of one restriction, as its owner may read it."""
    statement = event.statement
    words = WORDS[language]
    template = _environment.get_template(f"{language}.txt.jinja")
    return template.render(
        it=statement,
        event=event,
        word=lambda kind, value: words[kind][str(value)],
        time=lambda moment: _time(moment, language),
    )


def read(text: str | bytes) -> ThrottleApplied:
    """An event of a restriction from its JSON; UsageError says what is wrong with it."""
    try:
        return ThrottleApplied.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "it"
        raise UsageError(
            f"this is no throttle.applied with a statement: {where}: {fault['msg']}"
        ) from error


def schema() -> dict[str, Any]:
    """The JSON Schema of the statement, as published."""
    return StatementOfReasons.model_json_schema()


def _time(moment: datetime, language: Language) -> str:
    at = moment.astimezone(UTC)
    if language == "zh":
        return f"{at:%Y}年{at.month}月{at.day}日 {at:%H:%M:%S}（UTC）"
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"
