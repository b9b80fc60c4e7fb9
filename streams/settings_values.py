"""The types of setting values, each with the text that describes a valid value."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

SERVERS_PATTERN = r"^[A-Za-z0-9._\-\[\]:]+:\d{1,5}(\s*,\s*[A-Za-z0-9._\-\[\]:]+:\d{1,5})*$"
LENGTH_PATTERN = (
    r"P(?=.)([0-9]{1,4}W|([0-9]{1,5}D)?(T(?=.)([0-9]{1,6}H)?([0-9]{1,8}M)?([0-9]{1,9}S)?)?)"
)
URL_PATTERN = r"^https?://[^\s/@?#]+(/[^\s@]*)?$"
NAME_WORDS = "letters, digits and . _ - only, at most 100"


@dataclass(frozen=True)
class Expected:
    """The description of a valid value, for error messages."""

    words: str


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _length(value: str) -> str:
    if re.fullmatch(LENGTH_PATTERN, value) is None:
        raise ValueError("no duration")
    return value


Port = Annotated[int, Field(ge=1, le=65535), Expected("a port, from 1 to 65535")]
Seconds = Annotated[float, Field(gt=0, le=3600), Expected("a number of seconds, up to 3600")]
SessionSeconds = Annotated[float, Field(ge=6, le=30), Expected("a number of seconds, from 6 to 30")]
Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=100), Expected(NAME_WORDS)
]
OptionalName = Annotated[Name | None, Expected(NAME_WORDS)]
Prefix = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*$", max_length=100), Expected(NAME_WORDS)
]
Partitions = Annotated[
    Annotated[int, Field(ge=1, le=100_000)] | None,
    Expected("a number of partitions, from 1 to 100000"),
]
Servers = Annotated[
    str,
    StringConstraints(pattern=SERVERS_PATTERN),
    Expected("host:port, several separated by commas"),
]
Protocol = Annotated[
    Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
    BeforeValidator(_upper),
    Expected("PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
]
OptionalMechanism = Annotated[
    Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
    BeforeValidator(_upper),
    Expected("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
    Expected("debug, info, warning or error"),
]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(_lower), Expected("text or json")]
Length = Annotated[
    str,
    AfterValidator(_length),
    Expected("an ISO 8601 duration down to seconds, such as PT24H or P2D"),
]
OptionalUrl = Annotated[
    Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=500)] | None,
    Expected("an http:// or https:// URL without a user, such as http://localhost:4318/v1/traces"),
]
Ratio = Annotated[float, Field(ge=0, le=1), Expected("a share, from 0 to 1")]
Flag = Annotated[bool, Expected("true or false")]
