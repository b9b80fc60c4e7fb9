"""The history of policies: which version ran when, in how many partitions, approved by whom."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from streams.core.model.instants import milliseconds, rfc3339
from streams.index import tables
from streams.policies.texts import fits


class TakenUp(NamedTuple):
    """A `policies` record of the decision log: from `now` (ms) on a partition works under them.

    `policies`: by platform, as `version:digest`.
    """

    partition: int
    now: int
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a platform's policy.

    `since`, `until`: when the first partition began to work under it, and when the last one stopped
    (RFC 3339); None while it runs. `running`: how many partitions work under it now. `approvals`:
    actor and time.
    """

    platform: str
    version: int
    digest: str
    mode: str
    since: str
    until: str | None
    running: int
    approvals: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns the version as JSON of `byline policy history --json`."""
        return asdict(self)


class _Log(msgspec.Struct):
    now: datetime
    policies: dict[str, str]


class _Text(msgspec.Struct):
    mode: str
    approvals: list[tuple[str, int]]


_log = msgspec.json.Decoder(_Log)
_text = msgspec.json.Decoder(_Text)


def taken_up(partition: int, raw: bytes) -> TakenUp:
    """Parses a `policies` record of the decision log. Raises MsgspecError if it is none."""
    try:
        it = _log.decode(raw)
    except UnicodeDecodeError as error:
        # Of text that is not UTF-8 msgspec lets Python's own error through.
        raise msgspec.DecodeError(str(error)) from error
    return TakenUp(partition, milliseconds(it.now), it.policies)


def history(
    lines: Iterable[TakenUp], texts: Mapping[str, bytes], platform: str | None = None
) -> list[Version]:
    """Returns every version that was ever in force, by platform and time.

    `lines`: the `policies` records, those of each partition in order. `texts`: the canonical
    policies by digest. `platform`: only this one.
    """
    spans: dict[tuple[str, str], list[list[int | None]]] = {}
    present: dict[tuple[str, int], str] = {}
    for line in lines:
        for name, text in line.policies.items():
            known = present.get((name, line.partition))
            if known == text:
                continue
            if known is not None:
                _end(spans[name, known], line.now)
            present[name, line.partition] = text
            spans.setdefault((name, text), []).append([line.now, None])
        gone = [it for it in present if it[1] == line.partition and it[0] not in line.policies]
        for it in gone:
            _end(spans[it[0], present.pop(it)], line.now)
    found = [_version(name, text, times, texts) for (name, text), times in spans.items()]
    found.sort(key=lambda it: (it.platform, it.since, it.version))
    return [it for it in found if platform is None or it.platform == platform]


def _end(times: list[list[int | None]], now: int) -> None:
    """Ends the oldest open span of a version: one partition stopped working under it at `now` (ms).

    `times`: start and end of each partition's span. It does not matter which one is ended: only
    the first start, the last end and the number of open spans are used.
    """
    open_ = next(it for it in times if it[1] is None)
    open_[1] = now


def _version(
    platform: str, text: str, times: list[list[int | None]], texts: Mapping[str, bytes]
) -> Version:
    number, _, digest = text.partition(":")
    read = _read(texts.get(digest), digest)
    running = sum(end is None for _, end in times)
    ends = [end for _, end in times if end is not None]
    return Version(
        platform,
        int(number),
        digest,
        "unknown" if read is None else read.mode,
        rfc3339(min(start for start, _ in times if start is not None)),
        None if running else rfc3339(max(ends)),
        running,
        () if read is None else tuple((actor, rfc3339(at)) for actor, at in read.approvals),
    )


def _read(raw: bytes | None, digest: str) -> _Text | None:
    """Returns what a text says; None if there is none, or another than the one of its digest."""
    try:
        return _text.decode(raw) if raw is not None and fits(digest, raw) else None
    except (msgspec.MsgspecError, ValueError):
        return None


def of_index(connection: Connection) -> tuple[list[TakenUp], dict[str, bytes]]:
    """Reads from the index the `policies` records of the log, and the policy texts by digest."""
    log, policies = tables.log, tables.policies
    mine = select(log).where(log.c.kind == "policies").order_by(log.c.partition, log.c.offset)
    lines = [taken_up(it.partition, it.value.encode()) for it in connection.execute(mine)]
    known = connection.execute(select(policies.c.digest, policies.c.value))
    return lines, {it.digest: it.value.encode() for it in known}
