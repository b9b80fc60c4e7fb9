"""The statement of reasons for people: rendered in Chinese and English from templates.

Only the event's machine-readable `statement` goes in, and only closed words, bands, times and ids
come out: there is no free text and no name. Its JSON Schema is
`schemas/generated/statement-of-reasons.v1.json`; `dsa` says what each part is called in the
Transparency Database of the EU's Digital Services Act (article 17).
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from schemas.events import ThrottleApplied
from streams.operate.errors import UsageError
from streams.operate.statements.words import WORDS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@cache
def _templates() -> Any:
    # Every command imports this module, also the worker; only a statement needs the templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
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
    template = _templates().get_template(f"{language}.txt.jinja")
    text: str = template.render(
        it=statement,
        event=event,
        word=lambda kind, value: words[kind][str(value)],
        time=lambda moment: _time(moment, language),
    )
    return text


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


def _time(moment: datetime, language: Language) -> str:
    at = moment.astimezone(UTC)
    if language == "zh":
        return f"{at:%Y}年{at.month}月{at.day}日 {at:%H:%M:%S}（UTC）"
    return f"{at.day} {at:%B %Y, %H:%M:%S} UTC"
