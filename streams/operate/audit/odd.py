"""Reads what others wrote without ever failing: odd bytes, deep JSON, strange numbers."""

import json
from typing import Any

BAD = object()
"""No JSON at all."""
OPEN = object()
"""JSON that reputable parsers treat differently: too deep, half a character, an endless number."""
DEEPEST = 100


def parse(raw: bytes) -> Any:
    """A JSON value, or BAD, or OPEN."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return BAD
    try:
        value = _decode(text)
    except RecursionError:
        return OPEN
    except ValueError as error:
        endless = "Exceeds the limit" in str(error)
        return OPEN if endless or text.startswith("\ufeff") else BAD
    # Half a character can only come as an escape, and depth takes brackets.
    doubtful = "\\u" in text or text.count("[") + text.count("{") > DEEPEST
    return OPEN if doubtful and _strange(value) else value


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_decode = json.JSONDecoder(parse_constant=_no_number).decode


def _strange(value: Any) -> bool:
    """Whether a value is nested too deep, or holds half of a character."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        texts = [it for it in level if isinstance(it, str)]
        texts += [key for it in level if isinstance(it, dict) for key in it]
        if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
            return True
        level = [
            each
            for it in level
            if isinstance(it, dict | list)
            for each in (it.values() if isinstance(it, dict) else it)
        ]
        if not level:
            return False
    return True


def mapping(raw: bytes | None) -> dict[str, Any]:
    """A JSON object; empty when there is none."""
    value = parse(raw or b"")
    return value if isinstance(value, dict) else {}


def text(raw: bytes | None) -> str:
    """Bytes as text, whatever they are."""
    return (raw or b"").decode(errors="replace")
