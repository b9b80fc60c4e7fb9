"""Where partitions were added, commands look for an account where the workers keep it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from schemas.topics import TOPICS
from streams.cli.status import _print_live
from streams.operate.live import Lag, Live, Member
from streams.operate.send import in_use, partition_of
from streams.operate.topics import create, names_of
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline


def test_an_account_lies_where_it_lay_under_the_old_number() -> None:
    key, old = b"weibo:open", Settings(partitions=4)
    assert in_use(Settings(), 8) == 8
    assert in_use(old, 8) == 4
    assert in_use(old, 2) == 2
    assert partition_of(key, in_use(old, 8)) != partition_of(key, 8)


def test_records_in_partitions_that_nobody_reads_are_told_apart_from_a_worker_that_is_missing(
    capsys,  # type: ignore[no-untyped-def]
) -> None:
    members = (Member("w1", "host", (0, 1)),)
    seen = Live("Stable", members, (Lag(0, 0, None), Lag(1, 0, None)), (Lag(2, 5, None),))
    _print_live(seen, "", 0)
    said = capsys.readouterr().out
    assert "Nobody reads partitions 2, which were added later: `byline cluster reroute`" in said
    assert "without a worker" not in said


@pytest.mark.kafka
def test_a_switch_does_not_wait_for_partitions_that_no_worker_reads(
    on_kafka: Settings,
    byline: Byline,
    worker: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def grown() -> None:
        await create(on_kafka, 2, 1)
        keyed = [names_of(on_kafka).of(topic) for topic in TOPICS if not topic.single]
        client = AIOKafkaAdminClient(bootstrap_servers=on_kafka.kafka_bootstrap_servers)
        await client.start()
        try:
            await client.create_partitions(dict.fromkeys(keyed, NewPartitions(total_count=4)))
            async with asyncio.timeout(20):
                while {len(it["partitions"]) for it in await client.describe_topics(keyed)} != {4}:
                    await asyncio.sleep(0.1)
        finally:
            await client.close()

    asyncio.run(grown())
    monkeypatch.setenv(variable("partitions"), "2")
    worker()
    turn = ("switch", "adverse-off", "on", "--scope", "weibo", "--actor", "op.1")
    done = byline(*turn, "--reason", "incident", "--wait", "--within-seconds", "20", "--json")
    assert done.code == 0, done.err
    obeyed = json.loads(done.out)["obeyed"]
    assert (obeyed["partitions"], obeyed["waiting"]) == (2, [])
