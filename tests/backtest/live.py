"""A backtest of the topics that live workers have read, for comparison with what they sent."""

import asyncio
from collections import defaultdict
from pathlib import Path

import msgspec

from schemas.inputs import InputName
from streams.backtest.cache import Cache
from streams.backtest.progress import silent
from streams.backtest.recording import record
from streams.backtest.run import Asked, run
from streams.operate.clients import consumer
from streams.policies import load_policy
from streams.processor import partitioner
from streams.settings import Settings
from tests.worker.harness import Estate

RECORDED: tuple[InputName, ...] = ("follower-counts", "category-changes")


def backtest_of(estate: Estate, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Invitation events by key, as (event, reason), of a backtest with the estate's policies.

    Nobody answers and nothing is delivered, as where no notifier runs.
    """
    places = asyncio.run(_recorded(estate, folder / "cache"))
    files = sorted(estate.policies.glob("*.yaml"))
    events: dict[str, list[tuple[str, str]]] = defaultdict(list)

    def watch(_: str, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic == "invitations":
            event = msgspec.json.decode(value or b"")
            events[(key or b"").decode()].append((event["event"], event["reason"]))

    readings, labels = (str(places[name] / "*.parquet") for name in RECORDED)
    asked = Asked([(it.name, load_policy(it)) for it in files], readings, labels=labels)
    run(asked, folder / "work", watch=watch)
    return dict(events)


async def _recorded(estate: Estate, folder: Path) -> dict[str, Path]:
    settings = Settings(kafka_bootstrap_servers=estate.bootstrap, topic_prefix=estate.names.prefix)
    cache = Cache(folder)
    async with consumer(settings) as client:
        return {
            name: await record(
                client, estate.names.prefix + name, name, cache, silent, partitioner=partitioner
            )
            for name in RECORDED
        }
