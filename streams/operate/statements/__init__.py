"""Renders the statement of reasons of a restriction for people, in Chinese and English.

The input is the machine-readable `statement` of a `throttle.applied` event; the text has only words
of closed lists, bands, times and ids, no free text and no name. The statement's JSON Schema is
`schemas/generated/statement-of-reasons.v1.json`; `dsa` says what each part is called in the
Transparency Database of the EU's Digital Services Act (article 17).

Times are written in the time zone of the policy (that of `from` of the cycle's phase), with the
offset; in events they are UTC.
"""

from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from schemas.events import ThrottleApplied
from streams.core.model.policy import SHANGHAI_OFFSET_MINUTES, Policy
from streams.operate.errors import UsageError
from streams.operate.statements.words import WORDS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@cache
def _templates() -> Any:
    # Every command, also the worker, imports this module, but only a rendered statement needs
    # Jinja: so it is imported late.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  plain text, and nothing in it is anybody's free text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def zone_of(policy: Policy | None, phase: str) -> timezone:
    """Returns the time zone in which a policy writes the start of a phase.

    For an unknown phase it is that of the policy's first phase, without a policy that of China.
    """
    phases = () if policy is None else policy.phases
    named = [it for it in phases if it.name == phase] or [*phases]
    minutes = named[0].utc_offset_minutes if named else SHANGHAI_OFFSET_MINUTES
    return timezone(timedelta(minutes=minutes))


def render(event: ThrottleApplied, language: Language, zone: timezone | None = None) -> str:
    """Renders the statement of one restriction for the account's owner; `zone` None is China's."""
    told_in = zone or zone_of(None, "")
    statement = event.statement
    words = WORDS[language]
    template = _templates().get_template(f"{language}.txt.jinja")
    text: str = template.render(
        it=statement,
        event=event,
        word=lambda kind, value: words[kind][str(value)],
        time=lambda moment: _time(moment.astimezone(told_in), language),
        count=lambda number: count_words(number, language),
    )
    return text


def read(text: str | bytes) -> ThrottleApplied:
    """Parses a `throttle.applied` event. Raises UsageError, which says what is wrong with it."""
    try:
        return ThrottleApplied.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "it"
        raise UsageError(
            f"this is no throttle.applied with a statement: {where}: {fault['msg']}"
        ) from None


def count_words(number: int, language: Language) -> str:
    """Writes a follower number as people say it: 50万, 1.5 million; exact, never rounded."""
    if language == "zh":
        return f"{_decimal(number, 10_000)}万" if number >= 10_000 else str(number)
    if number >= 1_000_000 and number % 100_000 == 0:
        return f"{_decimal(number, 1_000_000)} million"
    return f"{number:,}"


def _decimal(number: int, unit: int) -> str:
    """Writes the number in units, with as many decimals as it needs to be exact."""
    whole, rest = divmod(number, unit)
    decimals = str(unit + rest)[1:].rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def _time(at: datetime, language: Language) -> str:
    offset = f"{at:%z}"
    zone = f"UTC{offset[:3]}:{offset[3:5]}"
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日 {at:%H:%M:%S}（{zone}）"
    return f"{at.day} {at:%B} {at.year}, {at:%H:%M:%S} ({zone})"
