"""The columns of a topic's records, in the types of Parquet.

Columns become Arrow's soon, so that few records are Python objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.inputs import InputName
from streams.backtest.columns import INSTALL
from streams.backtest.refusing import Removed
from streams.core.inputs.decode import DecodedCategoryChange, DecodedFollowerCount
from streams.core.model.ports import Records
from streams.operate.errors import UsageError

ROWS_A_GROUP = 100_000
"""How many rows are Python objects at most, and make a row group of Parquet."""


class TopicColumns:
    """The columns of a topic's records. `rows`: how many they are."""

    def __init__(self, more: Mapping[str, Any]) -> None:
        import pyarrow

        self.rows = 0
        self._moment = pyarrow.timestamp("us", "UTC")
        whole, text = pyarrow.int64(), pyarrow.string()
        kinds = {"entered_at": whole, "observed_at": whole, "platform": text, "account_id": text}
        self._schema = pyarrow.schema(list({**kinds, **more}.items()))
        self._lists: list[list[Any]] = [[] for _ in self._schema]
        self._groups: list[Any] = []

    def add(self, records: Records, values: list[Any]) -> None:
        """Takes records with their values."""
        entered, seen, platforms, accounts, *more = self._lists
        entered += [it.timestamp for it in records]
        seen += [it.observed_at for it in values]
        platforms += [it.platform for it in values]
        accounts += [it.account_id for it in values]
        self._add_more(values, more)
        self._added(len(values))

    def _add_more(self, values: list[Any], more: list[list[Any]]) -> None:
        raise NotImplementedError

    def _added(self, count: int) -> None:
        self.rows += count
        if len(self._lists[0]) >= ROWS_A_GROUP:
            self._group()

    def _group(self) -> None:
        """Makes Arrow's columns of the lists."""
        import pyarrow

        arrays = [
            self._instants(values)
            if it.name in ("observed_at", "valid_until")
            else pyarrow.array(values, it.type)
            for it, values in zip(self._schema, self._lists, strict=True)
        ]
        self._groups.append(pyarrow.record_batch(arrays, schema=self._schema))
        self._lists = [[] for _ in self._schema]

    def _instants(self, moments: list[Any]) -> Any:
        """Returns milliseconds since 1970, rounded down, of moments with an offset or None."""
        import pyarrow
        from pyarrow import compute

        exact = pyarrow.array(moments, self._moment)
        floored = compute.floor_temporal(exact, unit="millisecond")
        return floored.cast(pyarrow.timestamp("ms", "UTC")).cast(pyarrow.int64())

    def taken(self) -> bytes:
        """Returns all rows as a Parquet file, and forgets them."""
        import pyarrow
        from pyarrow import parquet

        if self._lists[0]:
            self._group()
        table = pyarrow.Table.from_batches(self._groups, self._schema)
        self.rows, self._groups = 0, []
        buffer = pyarrow.BufferOutputStream()
        parquet.write_table(
            table,
            buffer,
            compression="zstd",
            row_group_size=ROWS_A_GROUP,
            use_dictionary=["platform", self._schema.names[-1], self._schema.names[-2]],
        )
        found: bytes = buffer.getvalue().to_pybytes()
        return found


class CountColumns(TopicColumns):
    """The columns of readings."""

    def __init__(self) -> None:
        import pyarrow

        super().__init__({"followers": pyarrow.int64(), "cause": pyarrow.string()})

    def _add_more(self, values: list[DecodedFollowerCount], more: list[list[Any]]) -> None:
        followers, causes = more
        followers += [it.followers for it in values]
        causes += [it.cause for it in values]


class LabelColumns(TopicColumns):
    """The columns of labels."""

    def __init__(self) -> None:
        import pyarrow

        whole, text = pyarrow.int64(), pyarrow.string()
        super().__init__({"category": text, "source": text, "valid_until": whole})

    def _add_more(
        self, values: list[DecodedCategoryChange | Removed], more: list[list[Any]]
    ) -> None:
        categories, sources, ends = more
        categories += [it.category for it in values]
        sources += [it.source for it in values]
        ends += [it.valid_until for it in values]


def columns_of(name: InputName) -> Any:
    """Returns empty columns of a topic. Raises UsageError if pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401 - the columns are Arrow's
    except ImportError:
        raise UsageError(INSTALL) from None
    return CountColumns() if name == "follower-counts" else LabelColumns()
