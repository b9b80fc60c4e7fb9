"""Which rows matter, found by columns, and those rows in the order of time.

An account matters if one of its readings is at or above the lowest floor of its platform's
policies, or if there is a word on it (answer, receipt, control, account change). Labels select
nobody. Of every other account the core would drop each reading and remember nothing but a label,
so nothing that it decides depends on them; a property test holds the two runs to one another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.enums import ACCOUNT_ID_PATTERN, Cause
from schemas.inputs import InputName
from streams.backtest.columns import fault, quoted, usable
from streams.core.partition import ORDER
from streams.lives.partition import SimulatedRecord
from streams.operate.send import partition_of

if TYPE_CHECKING:
    import duckdb

CHUNK = 20_000
"""Rows that are taken out of DuckDB at a time."""
EXACT_ROWS = 5_000_000
"""Of up to so many rows accounts are counted exactly, of more about (HyperLogLog, 2 to 3 %)."""
_DAY = 86_400_000


class Floors(NamedTuple):
    """By platform the lowest floor and the lowest line of all policies of the run."""

    floor: Mapping[str, int]
    line: Mapping[str, int]


@dataclass
class Carried:
    """What the data can carry: the first line of every report."""

    rows: int = 0
    sound: int = 0
    accounts: int = 0
    exact: bool = True
    kept_accounts: int = 0
    kept_rows: int = 0
    first: int | None = None
    last: int | None = None
    refused: Counter[str] = field(default_factory=Counter)
    days: dict[str, dict[int, int]] = field(default_factory=dict)
    """By platform and UTC day (days since 1970) the sound readings."""
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    """By platform and label the accounts kept that once had it."""
    words: Counter[str] = field(default_factory=Counter)

    def gaps(self, platform: str) -> list[tuple[int, int]]:
        """The days without any reading between the first and the last: first and last of each."""
        known = sorted(self.days.get(platform, {}))
        return [(before + 1, after - 1) for before, after in pairwise(known) if after - before > 1]


class Scan:
    """The views `readings`, and perhaps `labels` and `words`, of a connection.

    `span`: the first instant taken and the first not taken any more (milliseconds, or None).
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        floors: Floors,
        *,
        has_category: bool,
        has_labels: bool,
        has_words: bool,
        span: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._connection = connection
        self.floors = floors
        self._has_category, self._has_labels = has_category, has_labels
        self._has_words = has_words
        start, end = span
        bounds = [] if start is None else [f"entered >= {start}"]
        bounds += [] if end is None else [f"entered < {end}"]
        self._within = " AND ".join(bounds) or "true"
        self._own = "true"

    def carried(self) -> Carried:
        """One pass over all rows: how many, of whom, when, and what is wrong with the others."""
        found = Carried()
        names = ", ".join(map(quoted, self.floors.floor))
        (total,) = self._connection.execute("SELECT count(*) FROM readings").fetchall()[0]
        found.exact = total <= EXACT_ROWS
        distinct = "count(DISTINCT {})" if found.exact else "approx_count_distinct({})"
        rows = self._connection.execute(
            f"SELECT platform, {fault(names)} AS fault, entered // {_DAY} AS day, count(*),"
            f" min(entered), max(entered) FROM readings WHERE {self._within}"
            " GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for platform, wrong, day, count, first, last in rows:
            found.rows += count
            if wrong is not None:
                found.refused[wrong] += count
                continue
            found.sound += count
            found.days.setdefault(platform, {})[day] = count
            found.first = first if found.first is None else min(found.first, first)
            found.last = last if found.last is None else max(found.last, last)
        accounts = self._connection.execute(
            f"SELECT {distinct.format('account_id')} FROM readings"
            f" WHERE {self.sound()} GROUP BY platform"
        ).fetchall()
        found.accounts = sum(count for (count,) in accounts)
        return found

    def sound(self) -> str:
        """The condition under which a reading is taken at all."""
        return f"{usable(list(self.floors.floor))} AND {self._within}"

    def keep(
        self, found: Carried, *, everybody: bool = False, shard: tuple[int, int] | None = None
    ) -> int | None:
        """Notes the accounts that matter; `everybody`: all of them, to compare.

        `shard`: of so many shards only the accounts of that one. Returns the last instant of a word
        or a stated label, of all shards.
        """
        cases = " ".join(
            f"WHEN {quoted(name)} THEN {floor}" for name, floor in self.floors.floor.items()
        )
        high = "true" if everybody else f"followers >= CASE platform {cases} END"
        words = "UNION SELECT platform, account_id FROM words" if self._has_words else ""
        self._connection.execute(
            f"CREATE TEMP TABLE kept AS SELECT * FROM (SELECT DISTINCT platform, account_id FROM"
            f" readings WHERE {self.sound()} AND {high} {words})"
            f" WHERE regexp_full_match(account_id, {quoted(ACCOUNT_ID_PATTERN[1:-1])})"
        )
        last = self._last_stated()
        if shard is not None:
            self._keep_shard(*shard)
        ((found.kept_accounts,),) = self._connection.execute("SELECT count(*) FROM kept").fetchall()
        more = ", category" if self._has_category else ""
        self._connection.execute(
            f"CREATE TEMP TABLE rows AS SELECT entered, row, seen_at, platform, account_id,"
            f" followers, cause{more} FROM readings SEMI JOIN kept USING (platform, account_id)"
            f" WHERE {self.sound()} ORDER BY entered, row"
        )
        ((found.kept_rows,),) = self._connection.execute("SELECT count(*) FROM rows").fetchall()
        self._labels(found)
        if self._has_words:
            counted = "SELECT topic, count(*) FROM words GROUP BY topic"
            found.words = Counter(dict(self._connection.execute(counted).fetchall()))
        return last

    def _last_stated(self) -> int | None:
        sources = [f"SELECT entered FROM words WHERE {self._within}"] * self._has_words
        sources += [
            "SELECT entered FROM labels SEMI JOIN kept USING (platform, account_id)"
            f" WHERE {self._within}"
        ] * self._has_labels
        if not sources:
            return None
        query = f"SELECT max(entered) FROM ({' UNION ALL '.join(sources)})"
        ((last,),) = self._connection.execute(query).fetchall()
        return None if last is None else int(last)

    def _keep_shard(self, number: int, count: int) -> None:
        """Of the accounts kept, those whose keys a topic of `count` partitions has in `number`."""

        def home(key: str) -> int:
            return partition_of(key.encode(), count)

        self._connection.create_function("home", home, ["VARCHAR"], "INTEGER")
        self._own = f"home(platform || ':' || account_id) = {number}"
        self._connection.execute(f"DELETE FROM kept WHERE NOT {self._own}")

    def _labels(self, found: Carried) -> None:
        sources = ["SELECT platform, account_id, category FROM rows"] * self._has_category
        sources += [
            "SELECT platform, account_id, category FROM labels"
            " SEMI JOIN kept USING (platform, account_id)"
        ] * self._has_labels
        if not sources:
            return
        rows = self._connection.execute(
            "SELECT platform, category, count(DISTINCT account_id) FROM"
            f" ({' UNION ALL '.join(sources)}) WHERE category <> '' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for platform, category, count in rows:
            found.labels.setdefault(platform, Counter())[category] = count

    # ---- rows in order -------------------------------------------------------------------------

    def inputs(self) -> Iterator[tuple[int, InputName, str, SimulatedRecord]]:
        """The inputs of the accounts kept: instant, topic, platform, record; in order of time.

        At one instant by topic in the contract's order, within a topic by row.
        """
        parts = [self._counts()]
        if self._has_category:
            parts.append(self._changed_labels())
        if self._has_labels:
            parts.append(self._stated_labels())
        if self._has_words:
            parts.append(
                f"SELECT entered, topic_number AS topic, row, platform, account_id, encode(value)"
                f" AS value FROM words WHERE {self._within} AND {self._own}"
            )
        query = f"{' UNION ALL '.join(parts)} ORDER BY entered, topic, row"
        reader = self._connection.sql(query).to_arrow_reader(CHUNK)
        for batch in reader:
            columns: list[list[Any]] = [column.to_pylist() for column in batch.columns]
            for at, topic, row, platform, account, value in zip(*columns, strict=True):
                key = f"{platform}:{account}".encode()
                yield at, ORDER[topic], platform, SimulatedRecord(row, at, key, value)

    def _counts(self) -> str:
        """Readings as the JSON values that a topic would carry; ids need no escaping."""
        causes = ", ".join(quoted(str(cause)) for cause in Cause)
        return (
            f"SELECT entered, {ORDER.index('follower-counts')} AS topic, row, platform, account_id,"
            ' encode(\'{"platform":"\' || platform || \'","account_id":"\' || account_id ||'
            ' \'","followers":\' || followers || \',"observed_at":"\' || '
            f"{_wire('seen_at')} || '\"' || CASE WHEN cause IN ({causes}) THEN"
            " ',\"cause\":\"' || cause || '\"' ELSE '' END || '}') AS value FROM rows"
        )

    def _changed_labels(self) -> str:
        """A label where a reading's differs from the one before; an empty one removes it."""
        before = "lag(category) OVER (PARTITION BY platform, account_id ORDER BY entered, row)"
        return (
            f"SELECT entered, {ORDER.index('category-changes')} AS topic, row, platform,"
            " account_id, CASE WHEN now_there = '' THEN NULL ELSE encode('{\"platform\":\"'"
            " || platform ||"
            ' \'","account_id":"\' || account_id || \'","category":\' || to_json(now_there) ||'
            f" ',\"observed_at\":\"' || {_wire('seen_at')} || '\"}}') END AS value FROM (SELECT *,"
            f" coalesce(category, '') AS now_there, coalesce({before}, '') AS was_there FROM rows)"
            " WHERE now_there <> was_there"
        )

    def _stated_labels(self) -> str:
        """Labels of a file of their own."""
        return (
            f"SELECT entered, {ORDER.index('category-changes')} AS topic, row, platform,"
            " account_id, CASE WHEN coalesce(category, '') = '' THEN NULL ELSE"
            ' encode(\'{"platform":"\''
            ' || platform || \'","account_id":"\' || account_id || \'","category":\' ||'
            f" to_json(category) || ',\"observed_at\":\"' || {_wire('seen_at')} || '\"' ||"
            " CASE WHEN source IS NULL THEN '' ELSE ',\"source\":' || to_json(source) END ||"
            " CASE WHEN valid_until IS NULL THEN '' ELSE ',\"valid_until\":\"' ||"
            f" {_wire('valid_until::BIGINT')} || '\"' END || '}}') END AS value FROM labels"
            f" SEMI JOIN kept USING (platform, account_id) WHERE entered IS NOT NULL"
            f" AND {self._within}"
        )


def _wire(column: str) -> str:
    return f"strftime(make_timestamp({column} * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')"
