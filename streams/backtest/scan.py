"""Selects the rows that matter with DuckDB, and yields them in the order of time.

A floor is the follower count below which a worker drops readings of accounts that it does not know.
An account matters if one of its readings is at or above the lowest floor of its platform's
policies, or if there is a word on it (answer, receipt, control, account change); a label alone does
not count. Of every other account the core would drop each reading and store at most a label, so no
decision depends on it; a property test compares runs with and without these accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.enums import ACCOUNT_ID_PATTERN, Cause
from schemas.inputs import InputName
from streams.backtest.columns import (
    among,
    constant,
    day,
    fault,
    milliseconds,
    quoted,
    usable,
)
from streams.backtest.resting import AHEAD, RestingReading
from streams.core.model.instants import DAY
from streams.core.partition import ORDER
from streams.lives.partition import SimulatedRecord

if TYPE_CHECKING:
    import duckdb

CHUNK = 5_000
"""How many rows are fetched from DuckDB at a time."""
EXACT_ROWS = 5_000_000
"""Up to so many rows accounts are counted exactly, beyond it about (HyperLogLog, 2 to 3 %)."""
FROM_PERCENT = 80
"""From this share of a line on, in per cent, an account counts as near it."""


ScannedInput = tuple[int, str, RestingReading | tuple[InputName, SimulatedRecord]]
"""Instant (ms), platform, and a reading, or the topic and record of a label or word."""


class Floors(NamedTuple):
    """The lowest floor and the lowest line of all policies of the run, by platform."""

    floor: Mapping[str, int]
    line: Mapping[str, int]


@dataclass
class Carried:
    """What the data contain, for the first line of every report.

    `sound`: usable readings. `refused`: the other rows, by fault. `accounts`: those with a usable
    reading, counted exactly if `exact`. `kept_accounts`, `kept_rows`: those that matter, and their
    readings. `may_rest`: readings that change nothing need not be applied (resting.py). `first`,
    `last`: entry of the first and last usable reading (ms).
    """

    rows: int = 0
    sound: int = 0
    accounts: int = 0
    exact: bool = True
    kept_accounts: int = 0
    kept_rows: int = 0
    may_rest: bool = False
    first: int | None = None
    last: int | None = None
    refused: Counter[str] = field(default_factory=Counter)
    days: dict[str, dict[int, int]] = field(default_factory=dict)
    """Number of usable readings, by platform and UTC day (days since 1970)."""
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    """Number of accounts that matter and once had a label, by platform and label."""
    words: Counter[str] = field(default_factory=Counter)

    def gaps(self, platform: str) -> list[tuple[int, int]]:
        """Returns the first and last day of each gap: days without any reading of the platform."""
        known = sorted(self.days.get(platform, {}))
        return [(before + 1, after - 1) for before, after in pairwise(known) if after - before > 1]


class Scan:
    """Queries on the view `readings` of a connection, and perhaps `labels` and `words`.

    `has_category`: readings have a column of labels. `span`: first instant and end (ms, excluded)
    of the rows to take; None: no limit.
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
        self._within = _within("entered", "BIGINT", span)
        described = connection.execute("SELECT typeof(entered_raw) FROM readings LIMIT 1")
        self._kind = str((described.fetchone() or ("BIGINT",))[0])
        self._known = among("platform", list(floors.floor))
        self._usable = f"({self._known} AND {usable(self._kind)})"
        self._sound_within = _within("entered_raw", self._kind, span)
        self._own = "true"

    def carried(self, *, everybody: bool = False) -> Carried:
        """Counts all rows by platform, day and fault, and the accounts.

        Makes the table `highest`: accounts with their highest reading. Many rows are grouped by
        account only where they are near a line or above the floor, unless `everybody` is wanted.
        """
        found = Carried()
        self._days(found)
        ((total,),) = self._connection.execute("SELECT count(*) FROM readings").fetchall()
        found.exact = total <= EXACT_ROWS
        grouped = found.exact or everybody
        known = self.sound() if len(self.floors.floor) == 1 else self._other_sound()
        wanted = f"{self.sound()} GROUP BY ALL" if grouped else f"{known} AND {_near(self.floors)}"
        self._connection.execute(
            "CREATE TEMP TABLE highest AS SELECT platform, account_id, max(followers) AS highest"
            f" FROM readings WHERE {wanted}"
        )
        counted = "SELECT platform, count(*) FROM highest GROUP BY ALL"
        if not grouped:
            counted = (
                "SELECT platform, approx_count_distinct(account_id) FROM readings"
                f" WHERE {self._nearly_sound(found)} GROUP BY platform"
            )
        counts = dict(self._connection.execute(counted).fetchall())
        found.accounts = sum(counts.get(name, 0) for name in self.floors.floor)
        return found

    def _days(self, found: Carried) -> None:
        """Counts the usable rows by platform and day, then what is wrong with the others."""
        # Groups of numbers cost less than groups of texts.
        names = f"ENUM({', '.join(map(quoted, self.floors.floor))})"
        rows = self._connection.execute(
            f"SELECT name::VARCHAR AS platform, day, count FROM (SELECT try_cast(platform AS"
            f" {names}) AS name, {day(self._kind)} AS day, count(*) AS count FROM readings"
            f" WHERE {self.sound()} GROUP BY ALL) ORDER BY ALL"
        ).fetchall()
        for platform, number, count in rows:
            found.sound += count
            found.days.setdefault(platform, {})[number] = count
        if rows:
            numbers = [number for _, number, _ in rows]
            found.first = self._outermost("min", (None, (min(numbers) + 1) * DAY))
            # DuckDB's division rounds towards zero, so a day before 1970 may be the one after it.
            found.last = self._outermost("max", ((max(numbers) - 1) * DAY, None))
        within = f"FROM readings WHERE {self._sound_within}"
        ((found.rows,),) = self._connection.execute(f"SELECT count(*) {within}").fetchall()
        if found.rows > found.sound:
            names = ", ".join(map(quoted, self.floors.floor))
            wrong = self._connection.execute(
                f"SELECT {fault(names)} AS fault, count(*) {within} AND {self._usable} IS NOT TRUE"
                " GROUP BY ALL"
            )
            found.refused = Counter(dict(wrong.fetchall()))

    def _outermost(self, which: str, span: tuple[int | None, int | None]) -> int:
        """Returns the first or last entry (ms) of the usable rows; `span` leaves out other days.

        DuckDB passes over whole blocks of other days. An extreme of each group costs more.
        """
        outermost = milliseconds(f"{which}(entered_raw)", self._kind)
        ((found,),) = self._connection.execute(
            f"SELECT {outermost} FROM readings WHERE {self.sound()}"
            f" AND {_within('entered_raw', self._kind, span)}"
        ).fetchall()
        return int(found)

    def sound(self) -> str:
        """Returns the SQL condition of usable readings in the span."""
        return f"{self._usable} AND {self._sound_within}"

    def _other_sound(self) -> str:
        return f"{usable(self._kind)} AND {self._sound_within}"

    def _nearly_sound(self, found: Carried) -> str:
        """Returns `sound`, without a look at platforms where nearly all are known."""
        few = len(self.floors.floor) == 1 or found.sound * 2 < found.rows
        return self.sound() if few else self._other_sound()

    def keep(
        self, found: Carried, *, everybody: bool = False, shard: tuple[int, int] | None = None
    ) -> int | None:
        """Selects the accounts that matter, with their rows, and counts them in `found`.

        Call `carried` before.

        `everybody`: select all accounts, for comparison. `shard`: (number, count); only the
        accounts of this shard. Returns when (ms) the last label or answer of any shard entered.
        """
        high = "true" if everybody else f"highest >= {by_platform(self.floors.floor)}"
        words = "UNION SELECT platform, account_id FROM words" if self._has_words else ""
        self._connection.execute(
            f"CREATE TEMP TABLE kept AS SELECT * FROM (SELECT platform, account_id FROM highest"
            f" WHERE {high} {words})"
            f" WHERE {self._known}"
            f" AND regexp_full_match(account_id, {quoted(ACCOUNT_ID_PATTERN[1:-1])})"
        )
        last = self._last_stated()
        if shard is not None:
            self._keep_shard(*shard)
        ((found.kept_accounts,),) = self._connection.execute("SELECT count(*) FROM kept").fetchall()
        self._rows(found)
        ((found.kept_rows, ahead),) = self._connection.execute(
            f"SELECT count(*), count_if(seen_at >= entered + {AHEAD}) FROM rows"
        ).fetchall()
        # If the core refuses readings, the guard counts the good ones too, so none may be left out.
        found.may_rest = not ahead and not everybody
        self._labels(found)
        if self._has_words:
            counted = "SELECT topic, count(*) FROM words GROUP BY topic"
            found.words = Counter(dict(self._connection.execute(counted).fetchall()))
        return last

    def _rows(self, found: Carried) -> None:
        """Makes the table `rows`: the usable readings in the span of the accounts that matter."""
        more = ", category" if self._has_category else ""
        # A comparison of one text costs less than one of two.
        names = list(self.floors.floor)
        kept = "kept USING (platform, account_id)"
        if len(names) == 1:
            kept = "kept USING (account_id)"
        # The accounts have known platforms; times are converted after the join, for fewer rows.
        wanted = self._nearly_sound(found)
        self._connection.execute(
            f"CREATE TEMP TABLE rows AS SELECT {milliseconds('entered_raw', self._kind)} AS"
            f" entered, row, {milliseconds('seen_raw', self._kind)} AS seen_at, platform,"
            f" account_id, followers, cause{more} FROM (SELECT row, entered_raw, seen_raw,"
            f" platform, account_id, followers, cause{more} FROM readings SEMI JOIN {kept}"
            f" WHERE {wanted}) ORDER BY entered, row"
        )

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
        """Keeps only accounts whose key lies in partition `number` of a topic of `count`."""

        # Only shards need it, and it brings all of aiokafka.
        from streams.operate.send import partition_of

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

    def inputs(self) -> Iterator[list[ScannedInput]]:
        """Returns the inputs of the accounts that matter, some thousands at a time.

        They are in order of time; at one instant by topic in the contract's order, then by row.
        """
        parts = [self._counts()]
        if self._has_category:
            parts.append(_changed_labels())
        if self._has_labels:
            parts.append(self._stated_labels())
        if self._has_words:
            parts.append(
                f"SELECT entered, topic_number AS topic, row, platform, account_id, encode(value)"
                f" AS value FROM words WHERE {self._within} AND {self._own}"
            )
        query = f"{' UNION ALL BY NAME '.join(parts)} ORDER BY entered, topic, row"
        wanted = "entered, platform, topic, row, account_id, value, followers, seen_at, cause"
        reader = self._connection.sql(f"SELECT {wanted} FROM ({query})").to_arrow_reader(CHUNK)
        return map(_inputs_of, reader)

    def _counts(self) -> str:
        """Returns SQL of the readings; causes that are not known are left out."""
        causes = ", ".join(quoted(str(cause)) for cause in Cause)
        return (
            f"SELECT entered, {ORDER.index('follower-counts')} AS topic, row, platform, account_id,"
            f" NULL::BLOB AS value, followers, seen_at, CASE WHEN cause IN ({causes}) THEN cause"
            " END AS cause FROM rows"
        )

    def _stated_labels(self) -> str:
        """Returns SQL that makes JSON values of the labels in a separate file."""
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


def _inputs_of(batch: Any) -> list[ScannedInput]:
    """Returns the inputs of an Arrow batch with the columns that `Scan.inputs` selects."""
    entered, platforms, topics, rows, accounts, values, *more = (
        column.to_pylist() for column in batch.columns
    )
    readings = map(RestingReading, rows, accounts, *more)
    found: list[ScannedInput] = list(zip(entered, platforms, readings, strict=True))
    counts = ORDER.index("follower-counts")
    for place, topic in enumerate(topics):
        if topic != counts:
            at, platform, _ = found[place]
            key = f"{platform}:{accounts[place]}".encode()
            record = SimulatedRecord(rows[place], at, key, values[place])
            found[place] = at, platform, (ORDER[topic], record)
    return found


def _near(floors: Floors) -> str:
    """Returns the SQL condition and groups of accounts above the floor or near the line.

    The lowest of all is a plain comparison, by which DuckDB passes over whole blocks. What depends
    on the platform is compared by account, and refuses platforms that are not known.
    """
    least = {
        name: min(floor, floors.line[name] * FROM_PERCENT // 100)
        for name, floor in floors.floor.items()
    }
    return (
        f"followers >= {min(least.values())} GROUP BY ALL"
        f" HAVING max(followers) >= {by_platform(least)}"
    )


def _changed_labels() -> str:
    """Returns SQL that makes a label of each reading whose label differs from the one before.

    An empty label becomes a tombstone.
    """
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


def _within(column: str, kind: str, span: tuple[int | None, int | None]) -> str:
    """Returns the SQL condition of the rows in the span; `kind`: the column's type."""
    start, end = span
    bounds = [] if start is None else [f"{column} >= {constant(kind, start)}"]
    bounds += [] if end is None else [f"{column} < {constant(kind, end)}"]
    return " AND ".join(bounds) or "true"


def by_platform(numbers: Mapping[str, int]) -> str:
    """Returns the SQL expression of a number that depends on the platform."""
    if len(numbers) == 1:
        return str(*numbers.values())
    cases = " ".join(f"WHEN {quoted(name)} THEN {number}" for name, number in numbers.items())
    return f"CASE platform {cases} END"


def _wire(column: str) -> str:
    return f"strftime(make_timestamp({column} * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')"
