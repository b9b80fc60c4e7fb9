"""Deletes what the read API and the console keep for a time only, at their start and every hour.

That is the log of who asked about which account, and evidence, which names accounts.
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Engine

from streams.index import kept
from streams.index.database import writing
from streams.index.errors import DatabaseAway, IndexFault
from streams.log_events import event
from streams.policies.scalars import parse_duration
from streams.serve import access
from streams.settings import Settings

EVERY_SECONDS = 3_600.0
_log = logging.getLogger("streams.serve")


def delete_expired(engine: Engine, settings: Settings, now: int) -> None:
    """Deletes what is too old at `now` (ms). Raises DatabaseAway and IndexFault."""
    access.forget(engine, now - parse_duration(settings.access_retention))
    with writing(engine) as connection:
        kept.forget(connection, now)


async def keep_deleting(engine: Engine, settings: Settings, clock: Callable[[], int]) -> None:
    """Deletes every hour what is too old then, until it is cancelled. `clock`: the time in ms.

    A database that is away meanwhile is asked again an hour later; the log says so.
    """
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await asyncio.to_thread(delete_expired, engine, settings, clock())
        except (DatabaseAway, IndexFault) as error:
            _log.warning("what is too old is still there: %s", error, extra=event("old_rows_kept"))
