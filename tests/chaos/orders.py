"""Without the log: does each account show an outcome that the contract permits in any order?"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from schemas.enums import Refused
from tests.chaos.book import Book
from tests.chaos.comparing import (
    LEEWAY,
    PASSING,
    interesting,
    invitation_ids,
    latest_read,
    refused_places,
)
from tests.chaos.grounds import PREFIX
from tests.chaos.sending import QUIET_PLATFORM
from tests.oracle.chaos_oracle import (
    Outcome,
    Tolerance,
    TooManyOutcomesError,
    _begin,
    allowed,
    outcome,
    sent,
)
from tests.oracle.policy import OraclePolicy
from tests.oracle.records import OracleRecord, partition_of

LATENESS = timedelta(seconds=120)
"""How late a worker may be anyhow."""
RACE = timedelta(seconds=10)
MOST_WAYS, MOST_ACCOUNTS, MOST_INPUTS = 400, 150, 9


def check_orders(
    book: Book, known: Mapping[str, OraclePolicy], end: datetime, counts: dict[str, int]
) -> list[str]:
    """Accounts whose events are none of the permitted outcomes. `counts`: what was looked at."""
    refused = refused_places(book)
    # A cluster that changed holds everything back, and only the log tells.
    changed = {one.partition for one in book.all(["decisions"]) if _notes_change(one)}
    keys = (
        key
        for key in interesting(book, refused, known)
        if key.startswith(QUIET_PLATFORM)
        and partition_of(key.encode(), book.partitions) not in changed
    )
    # A sample, the same each time, for every account costs a walk through all its orders.
    worth = set(sorted(keys, key=lambda key: sha256(key.encode()).digest())[:MOST_ACCOUNTS])
    own = [one for one in book.inputs if one.key is not None and one.key.decode() in worth]
    places = {(PREFIX + name, *where): Refused(why) for (name, *where), why in refused.items()}
    ids = invitation_ids(book.outputs)
    seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in book.outputs:
        value = json.loads(record.value or b"")
        seen[f"{value['platform']}:{value['account_id']}"].append(value)
    late = latest_read(book)
    counts["latest read of an input, seconds"] = round(late.total_seconds())
    tolerance = Tolerance(max(LATENESS, late + LEEWAY), RACE, MOST_WAYS)
    breaches = []
    tally: Counter[str] = Counter()
    for key, history in sent(own, known, prefix=PREFIX, refused=places).items():
        if len(history) > MOST_INPUTS:
            tally["accounts with too many orders"] += 1
            continue
        found = outcome(sorted(seen.get(key, []), key=lambda one: one["sequence"]))
        try:
            life = _begin(key, known, ids)
            # A cool-down counts from a decision, and that may have been late.
            life.patient = True
            permitted = allowed(life, history, end, tolerance)
        except TooManyOutcomesError:
            tally["accounts with too many orders"] += 1
            continue
        tally["accounts in any order"] += 1
        if _lasting(found) not in set(map(_lasting, permitted)):
            breaches.append(f"{key}: saw {found}, which is none of {len(permitted)} outcomes")
    counts.update(tally)
    return breaches


def _notes_change(record: OracleRecord) -> bool:
    return record.key == b"#transaction" and b'"cluster_changed"' in (record.value or b"")


def _lasting(seen: Outcome) -> Outcome:
    """Without reminders and renewals: of those a late worker sends fewer."""
    live, shadow = (tuple(one for one in part if one[0] not in PASSING) for part in seen)
    return live, shadow
