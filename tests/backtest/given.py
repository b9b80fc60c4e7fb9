"""Histories in files, and backtests of them."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streams.backtest.answers import AnswerModel
from streams.backtest.progress import Progress
from streams.backtest.run import Asked, Backtest, run
from streams.core.model.instants import rfc3339
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, PLATFORM, START
from tests.core.given import policy as base_policy

FINANCE, UNKNOWN, EXEMPT = "财经", "钓鱼", "日常生活"
NOBODY_ANSWERS = AnswerModel()
COLUMNS = ("observed_at", "platform", "account_id", "followers", "category")


class ReadingRow(NamedTuple):
    """A reading; `at` in milliseconds after the start of the histories."""

    at: int
    account: str
    followers: int
    label: str = FINANCE
    platform: str = PLATFORM

    def line(self) -> tuple[str, str, str, int, str]:
        """As it stands in a file."""
        return rfc3339(START + self.at), self.platform, self.account, self.followers, self.label


def rising(account: str, *, days: int = 12, step: int = HOUR * 6) -> list[ReadingRow]:
    """An account that is over the line of 1,000 from the second reading on."""
    counts = [500] + [1500] * (days * DAY // step)
    return [ReadingRow(number * step, account, count) for number, count in enumerate(counts)]


def policy(**changes: Any) -> Policy:
    """In enforce: a line of 1,000, a floor of 900, a dwell of an hour, three days to answer."""
    return base_policy(**changes)


def csv_file(path: Path, rows: Iterable[ReadingRow]) -> Path:
    """A CSV file, gzipped if its name says so."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.line() for row in rows)
    raw = text.getvalue().encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def json_file(path: Path, values: Iterable[Any]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(it, ensure_ascii=False) + "\n" for it in values))
    return path


def parquet_file(path: Path, rows: Sequence[ReadingRow]) -> Path:
    """A Parquet file."""
    import pyarrow
    from pyarrow import parquet

    columns = list(zip(*(row.line() for row in rows), strict=True))
    parquet.write_table(pyarrow.table(dict(zip(COLUMNS, columns, strict=True))), path)
    return path


def label(account: str, at: int, **more: Any) -> dict[str, Any]:
    """A label as JSON, `at` milliseconds after START."""
    said = {"platform": PLATFORM, "account_id": account, "category": FINANCE}
    return said | {"observed_at": rfc3339(START + at)} | more


class SaidWord(NamedTuple):
    """An output: which policy's, topic, key, value."""

    policy: str
    topic: str
    key: bytes | None
    value: bytes | None


def backtested(
    tmp_path: Path,
    readings: Path,
    *policies: Policy,
    progress: Progress | None = None,
    **asked: Any,
) -> tuple[Backtest, list[SaidWord]]:
    """A backtest and everything that its core sent."""
    said: list[SaidWord] = []
    named = [(f"p{number}", one) for number, one in enumerate(policies or (policy(),))]
    if "words" not in asked:
        asked.setdefault("model", NOBODY_ANSWERS)
    found = run(
        Asked(named, str(readings), **asked),
        tmp_path / "work",
        progress,
        watch=lambda *one: said.append(SaidWord(*one)),
    )
    return found, said


def events(said: Iterable[SaidWord]) -> list[SaidWord]:
    """The events among what was sent."""
    return [it for it in said if it.topic not in ("decisions", "dead-letters", "switches")]


def words_of(said: Iterable[SaidWord]) -> list[str]:
    """Events in short: `a1 invitation.issued over_line`, in the order in which they went out."""
    found = []
    for it in events(said):
        event = msgspec.json.decode(it.value or b"")
        surface = f" {event['surface']}" if "surface" in event else ""
        found.append(f"{event['account_id']} {event['event']}{surface} {event['reason']}")
    return found


def decisions(said: Iterable[SaidWord]) -> list[dict[str, Any]]:
    """Decisions on accounts, without their place in the chain."""
    found = [msgspec.json.decode(it.value or b"") for it in said if it.topic == "decisions"]
    chained = ("number", "previous", "hash")
    return [
        {name: it[name] for name in it if name not in chained}
        for it in found
        if it["kind"] == "decision"
    ]
