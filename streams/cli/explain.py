"""`byline explain`: explains the state of one account."""

import asyncio
import re
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from schemas.enums import ACCOUNT_ID_PATTERN, PLATFORM_PATTERN
from streams.cli.output import AsJson, echo, echo_error, echo_json, settings
from streams.cli.source import FromKafka, index_engine, now_ms
from streams.core.model.instants import rfc3339
from streams.explain.explanation import HEADINGS, Explanation, explain
from streams.explain.gather import from_index, from_kafka
from streams.explain.material import Material
from streams.explain.sentences import Language
from streams.operate.errors import EndHiddenError, UsageError
from streams.settings import Settings

TOLD_EVERY_SECONDS = 2.0
_ACCOUNT = f"{PLATFORM_PATTERN[1:-1]}:{ACCOUNT_ID_PATTERN[1:-1]}"


class Lang(StrEnum):
    """The languages of an explanation."""

    EN = "en"
    ZH = "zh"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(name="explain")(explain_account)


def explain_account(
    account: Annotated[str, typer.Argument(help="PLATFORM:ACCOUNT")],
    lang: Annotated[Lang, typer.Option(help="Its language.")] = Lang.EN,
    kafka: FromKafka = False,
    as_json: AsJson = False,
) -> None:
    """Explain an account: its state, what it waits for, who can end that, and what happened.

    It reads the index if there is one, else Kafka. Each sentence names the records that prove it:
    topic, partition, offset.
    """
    if re.fullmatch(_ACCOUNT, account) is None:
        raise UsageError(f"{account} is no account: write platform:account_id, as in weibo:a1")
    chosen = settings(without_policies=True)
    material = _material(chosen, account, kafka)
    told = explain(material, now_ms())
    language: Language = "zh" if lang is Lang.ZH else "en"
    if as_json:
        echo_json(told.as_dict(language))
    else:
        for line in printed(told, language):
            echo(line)
    if material.hidden:
        raise EndHiddenError(material.hidden)


def _material(chosen: Settings, account: str, kafka: bool) -> Material:
    with index_engine(chosen, kafka) as engine:
        if engine is not None:
            return from_index(engine, account, chosen.partitions)
    return asyncio.run(from_kafka(chosen, account, _Progress()))


class _Progress:
    """Prints every few seconds how far reading has come."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, read: int, of: int) -> None:
        if time.monotonic() - self._told >= TOLD_EVERY_SECONDS:
            self._told = time.monotonic()
            echo_error(f"reading the topics: {read:,} of {of:,} records")


def printed(told: Explanation, language: Language) -> Iterator[str]:
    """Yields the lines that the command prints."""
    yield told.account
    yield told.source.text(language)
    for name, sentences in told.sections.items():
        if not sentences:
            continue
        yield ""
        yield HEADINGS[language][name]
        for it in sentences:
            at = "" if it.at is None else f"{_second(it.at)}  "
            places = f"  [{' '.join(map(str, it.places))}]" if it.places else ""
            yield f"  {at}{it.text(language)}{places}"


def _second(at: int) -> str:
    return rfc3339(at)[:19] + "Z"
