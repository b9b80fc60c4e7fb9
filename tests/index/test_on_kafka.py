"""`byline index` beside a real Kafka: exactly once, through kill -9; one leads; other topics."""

import asyncio
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import URL, Engine, insert, select

from streams.index import tables
from streams.index.database import open_engine, reading, url_of, writing
from streams.local.kafka import KafkaCluster
from streams.operate.audit.records import Record
from streams.operate.send import partition_of
from streams.operate.topics import names_of
from streams.settings import Settings, SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.cli.conftest import Byline, byline, clean_environment, on_kafka
from tests.index.filled import contents
from tests.index.poured import PARTITIONS, pour, topics, two_lives
from tests.operate.conftest import until
from tests.support import processes
from tests.support.zygote import Child

__all__ = ["byline", "clean_environment", "on_kafka"]
pytestmark = pytest.mark.kafka
ROOMY = 60.0
KEY = b"weibo:a1"


def indexer(log: Path, *words: str, database: str | None = None) -> Child:
    """`byline index` as a process of its own; what it says is added to a file."""
    environment = {**os.environ, **({variable("database"): database} if database else {})}
    return processes.start(["index", *words], environment, log)


def at(path: Path) -> tuple[Engine, str]:
    """An index at a path of its own: the engine and the setting."""
    url = URL.create("sqlite", database=str(path))
    return open_engine(url), url.render_as_string()


def rows_of(engine: Engine) -> Any:
    """All rows from Kafka; positions without where reading began."""
    return contents(engine)


def test_each_record_is_a_row_once_and_a_rebuild_is_the_same(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records)
    done = byline("index")
    assert done.code == 0, done.err
    assert f"{len(records):,} records read" in done.out
    engine = open_engine(url_of(on_kafka))
    first = rows_of(engine)
    assert len(first["events"]) == sum(
        "invitations consents throttles".count(it.topic) for it in records
    )
    assert "0 records read" in byline("index").out
    assert rows_of(engine) == first
    with writing(engine) as connection:
        connection.execute(insert(tables.runs), {"at": 7, "what": "mine", "says": "stays"})
    assert byline("index", "--rebuild").code == 0
    assert rows_of(engine) == first
    with reading(engine) as connection:
        what = connection.scalars(select(tables.runs.c.what).order_by(tables.runs.c.id)).all()
    assert what == ["made", "mine", "rebuilt"]


def test_killed_at_random_it_is_what_one_from_nothing_is(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    topics(on_kafka)
    records = two_lives()
    chance, kills = random.Random(7), 6
    engine, killed = at(tmp_path / "killed.sqlite")
    for number in range(kills):
        pour(
            on_kafka, records[number * len(records) // kills : (number + 1) * len(records) // kills]
        )
        process = indexer(tmp_path / "log", "--follow", database=killed)
        time.sleep(chance.uniform(0.2, 2.2))
        process.kill()
        process.wait()
    assert indexer(tmp_path / "log", database=killed).wait(ROOMY) == 0
    whole, url = at(tmp_path / "whole.sqlite")
    assert indexer(tmp_path / "log", database=url).wait(ROOMY) == 0
    assert rows_of(engine) == rows_of(whole)


def test_the_second_indexer_waits_until_the_first_is_gone(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records[:100])
    first = indexer(tmp_path / "first", "--follow")
    engine = open_engine(url_of(on_kafka))
    until(lambda: _as_of(engine), ROOMY, "the first one has read all")
    said = tmp_path / "second"
    second = indexer(said, "--follow")
    waits = "another indexer writes to"
    until(lambda: said.exists() and waits in said.read_text(), ROOMY, "it waits and says so")
    first.kill()
    first.wait()
    pour(on_kafka, records[100:])
    until(lambda: _count(engine) == len(records), ROOMY, "the second one has read the rest")
    second.send_signal(signal.SIGTERM)
    assert second.wait(ROOMY) == 0


def _as_of(engine: Engine) -> int | None:
    try:
        with reading(engine) as connection:
            return connection.scalar(select(tables.freshness.c.as_of))
    except Exception:
        return None


def _count(engine: Engine) -> int:
    with reading(engine) as connection:
        return sum(connection.scalars(select(tables.positions.c.next_offset)).all())


def test_a_topic_that_was_made_anew_is_named(on_kafka: Settings, byline: Byline) -> None:
    topics(on_kafka)
    records = two_lives()
    pour(on_kafka, records)
    assert byline("index").code == 0
    name = names_of(on_kafka).prefix + "invitations"

    async def anew() -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=on_kafka.kafka_bootstrap_servers)
        await client.start()
        await client.delete_topics([name])
        await client.close()

    asyncio.run(anew())
    time.sleep(1)
    topics(on_kafka)
    done = byline("index")
    assert done.code == 2
    assert "invitations[0] ends at offset 0" in done.err
    assert "`byline index --rebuild`" in done.err
    pour(
        on_kafka,
        [it._replace(timestamp=it.timestamp + 1) for it in records if it.topic == "invitations"],
    )
    done = byline("index")
    assert done.code == 2
    assert "has another record at offset" in done.err
    assert byline("index", "--rebuild").code == 0


def test_an_account_is_explained_alike_with_an_index_and_without(
    on_kafka: Settings, byline: Byline
) -> None:
    topics(on_kafka)
    pour(on_kafka, two_lives())
    without = byline("explain", "weibo:a4", "--json")
    assert without.code == 0, without.err
    assert byline("index").code == 0
    told = byline("explain", "weibo:a4", "--json")
    found, other = json.loads(told.out), json.loads(without.out)
    assert found["source"]["says"] == "from_index"
    assert other["source"]["says"] == "from_kafka"
    for section in ("now", "deferrals", "terms", "timeline"):
        assert found[section] == other[section], section
    assert found["timeline"]
    assert all(it["records"] for name in ("now", "timeline") for it in found[name])
    chinese = byline("explain", "weibo:a4", "--lang", "zh")
    assert "现状" in chinese.out
    assert "throttles[0]@" in chinese.out


def test_state_that_nobody_can_read_is_no_state_that_is_not_there(
    on_kafka: Settings, byline: Byline
) -> None:
    """And it is in the way of no brake: what an order covers or changes is only not known."""
    topics(on_kafka)
    home = partition_of(KEY, PARTITIONS)
    forged = Record("accounts-changelog", home, 0, int(time.time() * 1000), KEY, b"\xc1")
    pour(on_kafka, [forged])
    explained = json.loads(byline("explain", KEY.decode(), "--json").out)
    assert explained["source"]["says"] == "from_kafka_unreadable"
    assert [it["says"] for it in explained["now"]] == ["unknown_unreadable"]
    beside = json.loads(byline("explain", "weibo:a2", "--json").out)
    assert beside["source"]["says"] == "from_kafka"
    for words in (("worklist", "pending"), ("status",)):
        done = byline(*words)
        assert done.code == 2
        assert f"changelog[{home}]@0: no worker of this version wrote this state" in done.err
    who = ("--reason", "test", "--actor", "op")
    brake = ("switch", "adverse-off", "on", "--scope", "weibo")
    for words in (brake, ("control", "hold", KEY.decode())):
        done = byline(*words, *who)
        assert (done.code, "is not known: accounts-changelog" in done.err) == (0, True)
    pour(on_kafka, [forged._replace(value=None)])  # What a later record has replaced is no matter.
    for words in (("worklist", "pending"), ("status",), (*brake, *who)):
        done = byline(*words)
        assert "accounts-changelog" not in done.err
        assert done.code != 2


def test_a_broker_that_goes_away_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byline: Byline
) -> None:
    with KafkaCluster(tmp_path / "kafka", brief=True) as cluster:
        given = {"kafka_bootstrap_servers": cluster.bootstrap, "data_dir": str(tmp_path / "data")}
        for name, value in given.items():
            monkeypatch.setenv(variable(name), value)
        settings = SettingsWithoutPolicies()
        topics(settings)
        records = two_lives()
        pour(settings, records[:200])
        engine = open_engine(url_of(settings))
        process = indexer(tmp_path / "log", "--follow")
        until(lambda: _as_of(engine), ROOMY, "all is read")
        cluster.kill()
        time.sleep(3)
        cluster.start_broker()
        pour(settings, records[200:])
        until(lambda: _count(engine) == len(records), 2 * ROOMY, "the rest is read")
        process.send_signal(signal.SIGTERM)
        assert process.wait(ROOMY) == 0
    done = byline("index")
    assert done.code == 2
    assert "no Kafka answers at" in done.err


def test_without_topics_it_says_what_to_do(on_kafka: Settings, byline: Byline) -> None:
    done = byline("index")
    assert done.code == 2
    assert "`byline topics create` makes them" in done.err
