"""Two orders on dead letters at once: one waits for the other, or says in plain words to go on."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.letters.desk import LetterDesk
from streams.letters.producer import TakenOverError, in_transaction, redrive_producer
from streams.letters.reading import Filter
from streams.letters.settle import SettlementOrder
from streams.settings import Settings
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.core.given import START
from tests.index.poured import topics
from tests.letters.refused import broken, poured

__all__ = ["Byline", "byline", "clean_environment", "on_kafka"]
pytestmark = pytest.mark.kafka


def test_who_was_overtaken_is_told_so_in_plain_words(on_kafka: Settings) -> None:
    topics(on_kafka)
    record = (f"{on_kafka.topic_prefix}dead-letters", 0, b"weibo:a1", b"{}")

    async def run() -> None:
        async with redrive_producer(on_kafka) as first, redrive_producer(on_kafka) as second:
            with pytest.raises(TakenOverError, match="do it again"):
                await in_transaction(first, [record])
            await in_transaction(second, [record])

    asyncio.run(run())


def test_in_one_console_the_second_order_waits(on_kafka: Settings) -> None:
    topics(on_kafka)
    poured(on_kafka, broken(30))
    desk = LetterDesk(on_kafka)
    order = SettlementOrder("op.1", "incident", Filter(), START, again=True)
    with ThreadPoolExecutor(3) as together:
        done = list(together.map(lambda _: desk.settle("dismiss", order, dry=False), range(3)))
    assert sorted((it.settled, it.before) for it in done) == [(0, 30), (0, 30), (30, 0)]
