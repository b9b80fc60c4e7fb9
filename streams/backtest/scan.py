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
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from streams.backtest.beside import beside
from streams.backtest.carried import Carried
from streams.backtest.expressions import (
    among,
    by_platform,
    day,
    fault,
    good_id,
    known_cause,
    milliseconds,
    quoted,
    usable,
    within,
)
from streams.backtest.inputs import ScannedInput, inputs
from streams.backtest.labels import count_labels, last_stated, state_labels
from streams.backtest.progress import Progress, silent, watched
from streams.backtest.resting import AHEAD
from streams.core.model.instants import DAY

if TYPE_CHECKING:
    import duckdb

EXACT_ROWS = 5_000_000
"""Up to so many rows accounts are counted exactly, beyond it about (HyperLogLog, 2 to 3 %)."""
FROM_PERCENT = 80
"""From this share of a line on, in per cent, an account counts as near it."""


class Floors(NamedTuple):
    """The lowest floor and the lowest line of all policies of the run, by platform."""

    floor: Mapping[str, int]
    line: Mapping[str, int]


class Scan:
    """Queries on the view `readings` of a connection, and perhaps `labels` and `words`.

    `has_category`, `has_cause`: readings have a column of labels, of causes. `span`: first instant
    and end (ms, excluded) of the rows to take; None: no limit. `latest`: rows that entered after it
    (ms) are of the future, and are refused. `without_offset`: as Carried has it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        floors: Floors,
        *,
        has_category: bool,
        has_cause: bool,
        has_labels: bool,
        has_words: bool,
        latest: int,
        without_offset: int = 0,
        span: tuple[int | None, int | None] = (None, None),
        tell: Progress = silent,
    ) -> None:
        self._connection, self._tell = connection, tell
        ((self._all,),) = connection.execute("SELECT count(*) FROM readings").fetchall()
        self.floors = floors
        self._has_category, self._has_labels = has_category, has_labels
        self._has_words = has_words
        self._span, self._latest, self._without_offset = span, latest, without_offset
        described = connection.execute("DESCRIBE SELECT entered_raw FROM readings").fetchall()
        self._kind = str(described[0][1])
        self._known = among("platform", list(floors.floor))
        self._usable_anywhere = usable(self._kind, latest)
        if has_cause and _has_unknown_causes(connection):
            self._usable_anywhere = f"({self._usable_anywhere} AND {known_cause()})"
        self._usable = f"({self._known} AND {self._usable_anywhere})"
        self._words_within = (
            f"{within('entered', 'BIGINT', span)} AND entered <= {latest} AND {self._known}"
        )
        self._sound_within = within("entered_raw", self._kind, span)
        self._own = "true"
        self._uncounted: str | None = None
        """The query that counts the accounts, if `carried` left that to `counting`."""

    def carried(self, *, everybody: bool = False) -> Carried:
        """Counts all rows by platform, day and fault, and the accounts unless `counting` does it.

        Makes the table `highest`: accounts with their highest reading. Many rows are grouped by
        account only where they are near a line or above the floor, unless `everybody` is wanted.
        """
        found = Carried(without_offset=self._without_offset)
        self._days(found)
        found.exact = self._all <= EXACT_ROWS
        grouped = found.exact or everybody
        known = self.sound() if len(self.floors.floor) == 1 else self._other_sound()
        wanted = f"{self.sound()} GROUP BY ALL" if grouped else f"{known} AND {_near(self.floors)}"
        with self._watched("looks for the accounts that matter"):
            self._connection.execute(
                "CREATE TEMP TABLE highest AS SELECT platform, account_id, max(followers) AS"
                f" highest FROM readings WHERE {wanted}"
            )
        self._refuse_ids(found)
        if grouped:
            counted = "SELECT platform, count(*) FROM highest GROUP BY ALL"
            found.accounts = self._of_all(self._connection.execute(counted).fetchall())
        else:
            self._uncounted = (
                "SELECT platform, approx_count_distinct(account_id) FROM readings"
                f" WHERE {self._nearly_sound(found)} GROUP BY platform"
            )
        return found

    @contextmanager
    def counting(self, found: Carried) -> Iterator[None]:
        """Counts the accounts of many rows while the block runs, on a second connection.

        That reads the id of every row, and nobody but the report waits for it. An error in the
        block, or a Ctrl-C, ends the count.
        """
        if self._uncounted is None:
            yield
            return
        with beside(self._connection, self._uncounted) as counted:
            yield
            found.accounts = self._of_all(counted())

    def _watched(self, what: str) -> AbstractContextManager[None]:
        return watched(self._connection, self._tell, what, self._all)

    def _of_all(self, counted: list[tuple[str, int]]) -> int:
        counts = dict(counted)
        return sum(counts.get(name, 0) for name in self.floors.floor)

    def _days(self, found: Carried) -> None:
        """Counts the usable rows by platform and day, then what is wrong with the others."""
        # Groups of numbers cost less than groups of texts.
        names = f"ENUM({', '.join(map(quoted, self.floors.floor))})"
        with self._watched("counts the readings by day"):
            rows = self._connection.execute(
                f"SELECT name::VARCHAR AS platform, day, count FROM (SELECT try_cast(platform AS"
                f" {names}) AS name, {day(self._kind)} AS day, count(*) AS count FROM readings"
                f" WHERE {self.sound()} GROUP BY ALL) ORDER BY ALL"
            ).fetchall()
        for platform, number, count in rows:
            found.sound += count
            found.days.setdefault(platform, {})[number] = count
        self._first_and_last(found)
        # A row without a readable time may be of the span.
        there = f"FROM readings WHERE ({self._sound_within} OR entered_raw IS NULL)"
        ((found.rows,),) = self._connection.execute(f"SELECT count(*) {there}").fetchall()
        if found.rows > found.sound:
            wrong = self._connection.execute(
                f"SELECT {fault(list(self.floors.floor), self._latest)} AS fault, count(*) {there}"
                f" AND {self._usable} IS NOT TRUE GROUP BY ALL"
            )
            found.refused = Counter(dict(wrong.fetchall()))

    def _first_and_last(self, found: Carried, but: str = "") -> None:
        """Notes when the first and the last usable row entered. `but`: a join that leaves out rows.

        DuckDB passes over whole blocks of other days. An extreme of each group costs more.
        """
        days = [number for counts in found.days.values() for number in counts]
        found.first = found.last = None
        if days:
            found.first = self._outermost("min", (None, (min(days) + 1) * DAY), but)
            # DuckDB's division rounds towards zero, so a day before 1970 may be the one after it.
            found.last = self._outermost("max", ((max(days) - 1) * DAY, None), but)

    def _refuse_ids(self, found: Carried) -> None:
        """Takes accounts whose id no worker accepts out of `highest`, with their rows in `found`.

        Of many rows only the accounts near a line or above the floor are looked at.
        """
        odd = f"SELECT platform, account_id FROM highest WHERE NOT {good_id()}"
        ((count,),) = self._connection.execute(f"SELECT count(*) FROM ({odd})").fetchall()
        if not count:
            return
        joined = f"JOIN ({odd}) USING (platform, account_id)"
        rows = self._connection.execute(
            f"SELECT platform, {day(self._kind)} AS day, count(*) FROM readings"
            f" SEMI {joined} WHERE {self.sound()} GROUP BY ALL"
        ).fetchall()
        for platform, number, count in rows:
            found.sound -= count
            found.refused["bad_id"] += count
            days = found.days[platform]
            days[number] -= count
            if not days[number]:
                del days[number]
        found.days = {name: days for name, days in found.days.items() if days}
        self._first_and_last(found, f"ANTI {joined}")
        self._connection.execute(f"DELETE FROM highest WHERE NOT {good_id()}")

    def _outermost(self, which: str, span: tuple[int | None, int | None], but: str) -> int:
        """Returns the first or last entry (ms) of the usable rows; `span` leaves out other days."""
        outermost = milliseconds(f"{which}(entered_raw)", self._kind)
        ((found,),) = self._connection.execute(
            f"SELECT {outermost} FROM readings {but} WHERE {self.sound()}"
            f" AND {within('entered_raw', self._kind, span)}"
        ).fetchall()
        return int(found)

    def sound(self) -> str:
        """Returns the SQL condition of usable readings in the span."""
        return f"{self._usable} AND {self._sound_within}"

    def _other_sound(self) -> str:
        return f"{self._usable_anywhere} AND {self._sound_within}"

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
        words = f"UNION SELECT platform, account_id FROM words WHERE {self._words_within}"
        words = words if self._has_words else ""
        self._connection.execute(
            f"CREATE TEMP TABLE kept AS SELECT * FROM (SELECT platform, account_id FROM highest"
            f" WHERE {high} {words})"
            f" WHERE {self._known} AND {good_id()}"
        )
        if self._has_labels:
            state_labels(self._connection, list(self.floors.floor), self._span, self._latest, found)
        words_within = self._words_within if self._has_words else None
        last = last_stated(self._connection, words_within, in_file=self._has_labels)
        if shard is not None:
            self._keep_shard(*shard)
        ((found.kept_accounts,),) = self._connection.execute("SELECT count(*) FROM kept").fetchall()
        self._rows(found)
        ((found.kept_rows, ahead),) = self._connection.execute(
            f"SELECT count(*), count_if(seen_at >= entered + {AHEAD}) FROM rows"
        ).fetchall()
        # If the core refuses readings, the guard counts the good ones too, so none may be left out.
        found.may_rest = not ahead and not everybody
        count_labels(
            self._connection, found, in_readings=self._has_category, in_file=self._has_labels
        )
        if self._has_words:
            counted = f"SELECT topic, count(*) FROM words WHERE {self._words_within} GROUP BY topic"
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
        entered, seen = (milliseconds(it, self._kind) for it in ("entered_raw", "seen_raw"))
        with self._watched("takes their readings"):
            self._connection.execute(
                f"CREATE TEMP TABLE rows AS SELECT {entered} AS entered, row, {seen} AS seen_at,"
                f" platform, account_id, followers, cause{more} FROM (SELECT row, entered_raw,"
                f" seen_raw, platform, account_id, followers, cause{more} FROM readings"
                f" SEMI JOIN {kept} WHERE {wanted}) ORDER BY entered, row"
            )

    def _keep_shard(self, number: int, count: int) -> None:
        """Keeps only accounts whose key lies in partition `number` of a topic of `count`."""

        # Only shards need it, and it brings all of aiokafka.
        from streams.operate.send import partition_of

        def home(key: str) -> int:
            return partition_of(key.encode(), count)

        self._connection.create_function("home", home, ["VARCHAR"], "INTEGER")
        self._own = f"home(platform || ':' || account_id) = {number}"
        self._connection.execute(f"DELETE FROM kept WHERE NOT {self._own}")

    def inputs(self) -> Iterator[list[ScannedInput]]:
        """Returns the inputs of the accounts that matter, in order, some thousands at a time."""
        words = f"{self._words_within} AND {self._own}" if self._has_words else None
        more = {"in_readings": self._has_category, "in_file": self._has_labels}
        return inputs(self._connection, words=words, **more)


def _has_unknown_causes(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether some reading has a cause that no worker accepts.

    One look at that column costs less than a condition in each scan.
    """
    query = f"SELECT 1 FROM readings WHERE NOT {known_cause()} LIMIT 1"
    return connection.execute(query).fetchone() is not None


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
