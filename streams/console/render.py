"""Makes pages of templates. Everything that a template shows is escaped, without an exception."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from schemas.inputs import TIME_PATTERN
from streams.console import zones
from streams.console.sessions import guard_of
from streams.console.site import PageRequest
from streams.console.view import THEMES
from streams.console.words import told
from streams.explain.sentences import At, Language, Sentence, length
from streams.policies.faults import InvalidValue
from streams.policies.scalars import parse_duration, parse_instant
from streams.serve.roles import Role

_FOLDER = Path(__file__).parent / "templates"

NAVIGATION = (
    ("/", "nav.overview", Role.NUMBERS),
    ("/accounts", "nav.accounts", Role.ACCOUNTS),
    ("/worklists/pending", "nav.worklists", Role.ACCOUNTS),
    ("/dead-letters", "nav.letters", Role.ACCOUNTS),
    ("/proposals", "nav.proposals", Role.ACCOUNTS),
    ("/actions/switches", "nav.switches", Role.OPERATOR),
    ("/policies", "nav.policies", Role.NUMBERS),
    ("/reports", "nav.reports", Role.NUMBERS),
    ("/accesses", "nav.accesses", Role.AUDITOR),
)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["code"] = code
    return made


def code(text: str) -> Markup:
    """Writes a sentence with its commands, which are between backticks, as code."""
    parts = [escape(it) for it in text.split("`")]
    marked = [it if number % 2 == 0 else f"<code>{it}</code>" for number, it in enumerate(parts)]
    return Markup("").join(Markup(it) for it in marked)  # noqa: S704  each part is escaped above


def sentence(said: Sentence, language: str, zone: str) -> str:
    """Writes a sentence of an explanation, its times in the person's zone."""
    values = {name: _zoned(value, zone) for name, value in said.says.items()}
    return Sentence(said.key, values).text("zh" if language == "zh" else "en")


def _zoned(value: Any, zone: str) -> Any:
    return zones.moment(value.ms, zone) if isinstance(value, At) else value


def _time(ms: int | None, zone: str) -> Markup:
    """Writes an instant (ms) as an element that is not broken into lines."""
    return Markup("–") if ms is None else Markup("<time>{}</time>").format(zones.moment(ms, zone))


def plain(value: object, language: Language, zone: str) -> str:
    """Writes a value for a person: times in the zone, ISO 8601 durations in words, all else as is.

    A list with commas is written part by part.
    """
    return ", ".join(_part(it, language, zone) for it in str(value).split(", "))


def _part(text: str, language: Language, zone: str) -> str:
    try:
        if re.fullmatch(TIME_PATTERN, text):
            return zones.moment(parse_instant(text), zone)
        return length(parse_duration(text), language) if text.startswith("P") else text
    except InvalidValue:
        return text


def page(
    asked: PageRequest, template: str, values: Mapping[str, Any], *, status: int = 200
) -> HTMLResponse:
    """Makes the page of a template for one request."""
    view = asked.view
    known = {
        "asked": asked,
        "view": view,
        "themes": THEMES,
        "zones": zones.ZONES,
        "guard": guard_of(asked.console.key, asked.session or asked.visit),
        "visiting": False,
        "navigation": [it for it in NAVIGATION if asked.has(it[2])],
        "path": asked.request.url.path,
        "here": f"{asked.request.url.path}?{asked.request.url.query}".rstrip("?"),
        "t": lambda key, **says: told(view.language, key, **says),
        "at": lambda ms: "–" if ms is None else zones.moment(ms, view.zone),
        "when": lambda ms: _time(ms, view.zone),
        "ago": lambda ms: length(max(0, asked.now - ms), view.language),
        "span": lambda ms: "–" if ms is None else length(max(0, ms), view.language),
        "plain": lambda value: plain(value, view.language, view.zone),
        "says": {},
        "sentence": lambda said: sentence(said, view.language, view.zone),
        "operator": asked.has(Role.OPERATOR),
        "approver": asked.has(Role.APPROVER),
        "auditor": asked.has(Role.AUDITOR),
    }
    text = _environment().get_template(template).render({**known, **values})
    return HTMLResponse(text, status_code=status)
