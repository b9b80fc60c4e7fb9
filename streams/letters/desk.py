"""Shows and settles dead letters, for callers without an event loop: the commands and the console.

Each call opens its own connections to Kafka, and raises OperateError where that is not possible.
"""

import asyncio
from typing import Any

from streams.letters import settle
from streams.letters.masked import masked
from streams.letters.origins import fetch
from streams.letters.producer import redrive_producer
from streams.letters.reading import origin_of, read_letters
from streams.operate.clients import consumer
from streams.operate.errors import UsageError
from streams.settings import Settings

WORK = {"redrive": settle.redrive, "dismiss": settle.dismiss}
"""By action (redrive, dismiss), the function that performs it on dead letters."""


class LetterDesk:
    """Shows and settles the letters of one application."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def shown(self, place: str) -> dict[str, Any]:
        """Returns a refused record, masked. Raises UsageError if no dead letter speaks of it."""

        async def run() -> dict[str, Any]:
            async with consumer(self._settings) as client:
                letter = (await read_letters(client, self._settings)).get(origin_of(place))
                if letter is None:
                    raise UsageError(f"{place}: no dead letter speaks of it")
                return masked(await anext(fetch(client, self._settings, [letter])))

        return asyncio.run(run())

    def settle(self, word: str, order: settle.SettlementOrder, *, dry: bool) -> settle.Done:
        """Settles letters, each once however often it is asked; `dry`: only counts."""

        async def run() -> settle.Done:
            if dry:
                async with consumer(self._settings) as client:
                    return await WORK[word](client, self._settings, order, None)
            # The producer starts first: it fences off an earlier one, so what is read is final.
            async with (
                redrive_producer(self._settings) as producer,
                consumer(self._settings) as client,
            ):
                return await WORK[word](client, self._settings, order, producer)

        return asyncio.run(run())
