"""Shows and settles dead letters, for callers without an event loop: the commands and the console.

Each call opens its own connections to Kafka, and raises OperateError where that is not possible.
"""

import asyncio
from contextlib import nullcontext
from threading import Lock
from typing import Any

from schemas.topics import DEAD_LETTERS
from streams.letters import settle
from streams.letters.masked import masked
from streams.letters.origins import fetch
from streams.letters.producer import redrive_producer
from streams.letters.reading import NoLetterError, origin_of, read_letters
from streams.operate.acl import Permission, permissions
from streams.operate.clients import consumer
from streams.operate.role_rights import refuse_lacking, refuse_lacking_on
from streams.settings import Settings

WORK = {"redrive": settle.redrive, "dismiss": settle.dismiss}
"""By action (redrive, dismiss), the function that performs it on dead letters."""


class LetterDesk:
    """Shows and settles the letters of one application."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._one = Lock()

    def shown(self, place: str) -> dict[str, Any]:
        """Returns a refused record, masked. Raises NoLetterError if no dead letter speaks of it."""

        async def run() -> dict[str, Any]:
            async with consumer(self._settings) as client:
                letter = (await read_letters(client, self._settings)).get(origin_of(place))
                if letter is None:
                    raise NoLetterError(f"{place}: no dead letter speaks of it")
                topics = {self._settings.topic_prefix + letter.origin.topic} if letter.named else ()
                await refuse_lacking_on(client._client, topics, ("Read",))
                return masked(await anext(fetch(client, self._settings, [letter])))

        return asyncio.run(run())

    def settle(self, word: str, order: settle.SettlementOrder, *, dry: bool) -> settle.Done:
        """Settles letters, each once however often it is asked; `dry`: only counts.

        One order goes at a time here. Raises TakenOverError if another program's began meanwhile.
        """

        async def run() -> settle.Done:
            if dry:
                async with consumer(self._settings) as client:
                    return await WORK[word](client, self._settings, order, None)
            # A right that is missing would show in the middle of a transaction.
            await refuse_lacking(self._settings, _marks(self._settings))
            # The producer starts first: it fences off an earlier one, so what is read is final.
            async with (
                redrive_producer(self._settings) as producer,
                consumer(self._settings) as client,
            ):
                return await WORK[word](client, self._settings, order, producer)

        with nullcontext() if dry else self._one:
            return asyncio.run(run())


def _marks(settings: Settings) -> list[Permission]:
    """Returns the redriver's rights to mark letters; those on inputs are asked by letter."""
    letters = settings.topic_prefix + DEAD_LETTERS.name
    return [
        it
        for it in permissions(settings)
        if it.role == "redriver" and (it.kind == "transactional-id" or it.name == letters)
    ]
