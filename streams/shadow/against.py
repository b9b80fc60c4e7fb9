"""Compares what shadow published with a backtest of the same period, and says why they may differ.

The backtest is a report of `byline backtest … --json` (deploy/backtest.md has its form). Its period
is from its first reading to the instant at which its clock stopped. A possible reason is named if
it is a fact of these two: another policy, readings from before the index begins, words (records of
owners and operators). The counts cannot say which of them really made the difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from schemas.enums import Mode
from streams.core.model.instants import rfc3339
from streams.index import tables
from streams.index.fresh import Fresh
from streams.index.history import history, of_index
from streams.operate.audit.records import millis
from streams.operate.errors import UsageError
from streams.operate.lines import read_bytes
from streams.shadow.said import counted, invited, said

FORM = "byline-backtest/1"
NOT_REACHED = "the index does not reach to the end of the backtest: shadow's numbers may rise"
STEPS = {
    "invited": "invitation.issued",
    "projected as delivered": "invitation.delivered",
    "cancelled": "invitation.cancelled",
    "expired": "invitation.expired",
    "restrictions begun": "throttle.applied",
    "restrictions ended": "throttle.lifted",
}
"""Name of a count → the event that is counted, in shadow only."""


class _ComparedPolicy(msgspec.Struct):
    platform: str
    version: int
    digest: str
    mode: str
    policy: str
    funnel: list[tuple[str, str, str, str, int]]
    invited_accounts: int
    restricted: list[tuple[str, str, str, int]]


class _History(msgspec.Struct):
    now: str
    start: str | None = msgspec.field(default=None, name="from")


class _Carried(msgspec.Struct):
    first: str
    unknown_labels: dict[str, list[Any]] = msgspec.field(default_factory=dict)
    left_out: dict[str, int] = msgspec.field(default_factory=dict)
    gaps: dict[str, list[Any]] = msgspec.field(default_factory=dict)


class BacktestReport(msgspec.Struct):
    """The parts of a backtest's report that are used here."""

    form: str
    history: _History
    carried: _Carried
    policies: list[_ComparedPolicy]


@dataclass(slots=True)
class Compared:
    """The comparison of one policy in the backtest with shadow.

    `start`, `end`: the period (ms, without its end). `rows`: name, count of shadow, count of the
    backtest. `reaches`: the index has all of the period. `why`: possible reasons of a difference,
    as sentences.
    """

    policy: str
    start: int
    end: int
    rows: list[tuple[str, int, int]] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    reaches: bool = True

    @property
    def differs(self) -> bool:
        """Whether any count differs."""
        return any(one != other for _, one, other in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Returns the comparison as JSON of `byline shadow report --json`."""
        return {
            "policy": self.policy,
            "from": rfc3339(self.start),
            "to": rfc3339(self.end),
            "differs": self.differs,
            "index_reaches_to_the_end": self.reaches,
            "counts": [
                {"what": what, "shadow": one, "backtest": other, "difference": one - other}
                for what, one, other in self.rows
            ],
            "why": self.why,
        }


def read(path: Path) -> BacktestReport:
    """Reads a backtest's report from a file. Raises UsageError if it is none."""
    try:
        found = msgspec.json.decode(read_bytes(path), type=BacktestReport)
    except OSError as error:
        raise UsageError(f"--backtest {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--backtest {path} is no report of `byline backtest … --json {path.name}`: {error}"
        ) from None
    if found.form != FORM:
        raise UsageError(f"--backtest {path} has the form {found.form}; this version reads {FORM}")
    return found


def against(
    connection: Connection, fresh: Fresh, platform: str, report: BacktestReport
) -> list[Compared]:
    """Compares each policy of the platform in the report with shadow in the report's period."""
    mine = [it for it in report.policies if it.platform == platform]
    return [_compared(connection, fresh, report, it) for it in mine]


def _compared(
    connection: Connection, fresh: Fresh, report: BacktestReport, policy: _ComparedPolicy
) -> Compared:
    start = millis(report.history.start or report.carried.first)
    # The period includes the instant at which the backtest's clock stopped.
    end = millis(report.history.now) + 1
    found = Compared(policy.policy, start, end)
    events = counted(connection, policy.platform, start, end)
    told = dict.fromkeys(STEPS.values(), 0)
    for mode, _, _, event, count in policy.funnel:
        if mode == Mode.SHADOW and event in told:
            told[event] += count
    if policy.mode == Mode.SHADOW:
        accounts = invited(connection, policy.platform, start, end)
        found.rows.append(("accounts invited", accounts, policy.invited_accounts))
    found.rows += [(name, events[event], told[event]) for name, event in STEPS.items()]
    now = said(connection, policy.platform, start, end).surfaces
    would: dict[str, int] = {}
    for surface, _, mode, count in policy.restricted:
        if mode == Mode.SHADOW:
            would[surface] = would.get(surface, 0) + count
    for surface in sorted({*would, *now}):
        one = now.get(surface, {}).get(Mode.SHADOW, (0, 0))[1]
        if one or surface in would:
            found.rows.append((f"restricted at the end: {surface}", one, would.get(surface, 0)))
    found.reaches = fresh.as_of is not None and fresh.as_of >= found.end - 1
    if not found.reaches:
        found.why = [NOT_REACHED]
    if found.differs:
        found.why = list(_grounds(connection, report, policy, found))
    return found


def _grounds(
    connection: Connection,
    report: BacktestReport,
    policy: _ComparedPolicy,
    found: Compared,
) -> Iterable[str]:
    """Yields facts that may cause the difference, those with the widest effect first."""
    yield from _of_policies(connection, policy, found)
    if not found.reaches:
        yield NOT_REACHED
    begins = _begins(connection)
    if begins is None or begins > found.start:
        since = "nothing" if begins is None else f"nothing before {rfc3339(begins)[:19]}Z"
        yield f"the index has {since}, and the backtest begins at {rfc3339(found.start)[:19]}Z"
    if _known_before(connection, policy.platform, found.start):
        yield (
            "the backtest knows nothing before it begins: who was invited already, or over the"
            " line for a while, is invited anew or later there"
        )
    yield from _of_data(report, policy.platform)
    spoken = _words(connection, policy.platform, found.start, found.end)
    if spoken:
        named = ", ".join(f"{count:,} {topic}" for topic, count in sorted(spoken.items()))
        yield (
            f"in that time people said something ({named}): a backtest knows it only from --answers"
        )
    yield (
        "a worker decides when a record entered and its timers ran, with a share of each cap a"
        " partition; a backtest at each row's own time, with each cap whole"
    )


def _of_policies(connection: Connection, policy: _ComparedPolicy, found: Compared) -> Iterable[str]:
    lines, texts = of_index(connection)
    ran = []
    for it in history(lines, texts, policy.platform):
        until = None if it.until is None else millis(it.until)
        if millis(it.since) < found.end and (until is None or until > found.start):
            ran.append(it)
    if policy.mode == Mode.ENFORCE:
        yield (
            "the backtest is of a policy in enforce: what it would do is not in shadow, and is not"
            " counted here"
        )
    if [it.digest for it in ran] != [policy.digest]:
        named = ", ".join(f"version {it.version} ({it.digest[:12]}, {it.mode})" for it in ran)
        yield (
            f"the backtest is of version {policy.version} ({policy.digest[:12]}), and what ran was"
            f" {named or 'not known'}"
        )


def _of_data(report: BacktestReport, platform: str) -> Iterable[str]:
    carried = report.carried
    unknown = len(carried.unknown_labels.get(platform, ()))
    if unknown:
        yield f"the backtest's data have {unknown:,} labels that the policy does not know"
    left = sum(carried.left_out.values())
    if left:
        yield f"{left:,} rows of the backtest's data were left out"
    gaps = len(carried.gaps.get(platform, ()))
    if gaps:
        yield f"the backtest's data have {gaps:,} stretches of days without a reading"


def _begins(connection: Connection) -> int | None:
    """Returns the time (ms) of the oldest record of the decision log in the index, or None."""
    firsts = (
        connection.scalar(select(func.min(it.c.now))) for it in (tables.log, tables.decisions)
    )
    return min((int(it) for it in firsts if it is not None), default=None)


def _known_before(connection: Connection, platform: str, start: int) -> bool:
    decisions = tables.decisions
    mine = select(decisions.c.now).where(decisions.c.platform == platform, decisions.c.now < start)
    return connection.execute(mine.limit(1)).first() is not None


def _words(connection: Connection, platform: str, start: int, end: int) -> Mapping[str, int]:
    """Counts by topic the words on accounts of the platform, and the switches, in a period (ms)."""
    words = tables.words
    mine = words.c.account.startswith(f"{platform}:", autoescape=True)
    statement = (
        select(words.c.topic, func.count())
        .where(
            mine | words.c.account.is_(None),
            words.c.entered_at >= start,
            words.c.entered_at < end,
        )
        .group_by(words.c.topic)
    )
    return {str(topic): int(count) for topic, count in connection.execute(statement)}
