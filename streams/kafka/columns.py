"""Readings as columns: many records without a Python object for each. Compiled, and optional.

Nearly every reading is below its platform's floor and of an account that is not tracked. The worker
drops it without a trace, but decoding it and looking its key up takes most of a worker's time.
`_columns.pyx` does that for a whole Kafka batch in C. It takes only batches and readings in their
plainest form, and leaves all others to the pure code (batches.py, streams/core/inputs), which is
always there and gives the same result.

`sh deploy/compile.sh` builds it, for this checkout and for the wheels that are built from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from streams.kafka._columns import Columns, KeyFilter

try:
    from streams.kafka import _columns as compiled
except ImportError:
    compiled = None  # type: ignore[assignment]

BYTES_A_RECORD = 72
"""About the memory of a record in columns, besides its bytes; half of it may be room for more."""


def available() -> bool:
    """Whether the compiled part is installed."""
    return compiled is not None


def new_columns() -> Columns:
    """Returns empty columns: a sequence of records."""
    return compiled.Columns()


def new_key_filter(keys: int) -> KeyFilter:
    """Returns a filter for so many keys: a set that may hold others as well."""
    return compiled.KeyFilter(keys)


def are_columns(records: object) -> TypeGuard[Columns]:
    """Whether a sequence of records is columns."""
    return compiled is not None and type(records) is compiled.Columns
