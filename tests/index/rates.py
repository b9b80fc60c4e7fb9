"""The rate over the last million records, and an explanation's time, on an index of its full size.

    python -m tests.index.rates --database sqlite --folder /tmp/rates
    python -m tests.index.rates --database postgresql --folder /tmp/rates

First an index of ten million decisions of a million accounts is made (tests/index/grown.py). The
insert of more such rows from memory is timed, as the limit. Then a Kafka on the same cores holds a
million records of random ones of these accounts, and `byline index` reads them: its rate. Then
`byline index --follow --serve` follows a steady stream, and random accounts are asked of it over
HTTP, all pages cold at first; then of `byline explain`. Each step prints one line of JSON and adds
it to `results.jsonl` in the folder. A run that is broken off goes on with the index that it made.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text

from streams.index import schema
from streams.index.database import open_engine, url_of
from streams.index.projection import project
from streams.index.rows import Rows
from streams.index.writer import Writer
from streams.local.kafka import KafkaCluster
from streams.operate.topics import names_of
from streams.settings import SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.index import grown
from tests.index.asking import asked_over_http, percentiles, serving
from tests.index.pace import BATCH, indexed, produce, producer_of, put
from tests.support.postgresql import Server

TUNED = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "maintenance_work_mem": "1GB",
}
"""What a person sets who knows that the index writes all day; the rest is as the package has it."""


class RateResults:
    """One line for each step: printed, and kept in the folder."""

    def __init__(self, folder: Path, about: dict[str, object]) -> None:
        self._path, self._about = folder / "results.jsonl", about

    def tell(self, step: str, **found: object) -> None:
        """Add a step."""
        line = {**self._about, "step": step, **found, "load": round(os.getloadavg()[0], 1)}
        print(json.dumps(line), flush=True)
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def forget_pages() -> bool:
    """All that the kernel has cached of files; False where we may not."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n")
    except OSError:
        return False
    return True


def made(
    folder: Path, settings: SettingsWithoutPolicies, options: argparse.Namespace
) -> tuple[float, int]:
    """Make the index, unless an earlier run did; returns the seconds, and its newest time (ms)."""
    mark = folder / f"{options.database}.made"
    began = time.monotonic()
    engine = open_engine(url_of(settings), make=True)
    schema.bring_up(engine, 0)
    if mark.exists():
        grown.reset(engine)
        return 0.0, int(mark.read_text())
    engine.dispose()
    quick = engine
    if options.database == "sqlite":
        quick = create_engine(url_of(settings))
        event.listen(quick, "connect", _without_a_journal)
    newest = int(time.time() * 1000)
    grown.grow(quick, options.accounts, options.seed, newest)
    if options.database == "postgresql":
        with quick.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    quick.dispose()
    mark.write_text(str(newest))
    return time.monotonic() - began, newest


def _without_a_journal(connection: object, _: object) -> None:
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-1000000"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


def bare(engine: Engine, options: argparse.Namespace, newest: int) -> tuple[int, float]:
    """Records a second of rows from memory, in transactions of the indexer's size."""
    writer, rows, batches = Writer(engine), Rows(), []
    offsets: dict[tuple[str, int], int] = {}
    count = 0
    for it in grown.going_on(options.accounts, options.bare, options.seed + 1, newest):
        place, count = (it.topic, it.partition), count + 1
        at = offsets[place] = offsets.get(place, grown.BARE - 1) + 1
        project(it._replace(offset=at), rows, "byline.")
        if count % BATCH == 0:
            batches.append(rows)
            rows = Rows()
    began = time.monotonic()
    for rows in batches:
        writer.write(rows, {}, {"as_of": None, "behind": 0, "written_at": 0})
    return len(batches) * BATCH, time.monotonic() - began


@contextmanager
def streaming(
    settings: SettingsWithoutPolicies, options: argparse.Namespace, newest: int
) -> Iterator[list[int]]:
    """So many records a second into the topics; yields how many went, in a list."""
    names, producer = names_of(settings), producer_of(settings)
    stop, count = threading.Event(), [0]

    def run() -> None:
        began = time.monotonic()
        going_on = grown.going_on(options.accounts, options.rate * 900, options.seed + 3, newest)
        for it in going_on:
            put(producer, names, it)
            count[0] += 1
            ahead = count[0] / options.rate - (time.monotonic() - began)
            if count[0] % 100 == 0 and stop.wait(max(0.0, ahead)):
                break
        producer.flush(60)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()


def explained(environment: dict[str, str], accounts: list[str]) -> list[float]:
    """Milliseconds of `byline explain`, its start among them."""
    took = []
    for it in accounts:
        began = time.monotonic()
        command = [sys.executable, "-m", "streams", "explain", f"weibo:{it}", "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        took.append((time.monotonic() - began) * 1000)
        assert json.loads(done.stdout)["timeline"]
    return sorted(took)


def run(options: argparse.Namespace) -> None:
    """All steps."""
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    about = {"database": options.database, "accounts": options.accounts, "seed": options.seed}
    results = RateResults(folder, about)
    with ExitStack() as stack:
        server = None
        given: dict[str, object] = {"data_dir": folder / "data"}
        if options.database == "postgresql":
            server = stack.enter_context(Server(folder / "postgresql", TUNED))
            given["database"] = server.url
        settings = SettingsWithoutPolicies(**given)  # type: ignore[arg-type]
        seconds, newest = made(folder, settings, options)
        if seconds:
            results.tell("made", seconds=round(seconds))
        if options.only_make:
            return
        engine = open_engine(url_of(settings))
        count, took = bare(engine, options, newest)
        results.tell("bare insert", records=count, records_a_second=round(count / took))
        engine.dispose()
        cluster = stack.enter_context(KafkaCluster(folder / "kafka"))
        stack.callback(shutil.rmtree, folder / "kafka", ignore_errors=True)
        settings = SettingsWithoutPolicies(
            **given,
            kafka_bootstrap_servers=cluster.bootstrap,  # type: ignore[arg-type]
        )
        environment = {
            **os.environ,
            variable("kafka_bootstrap_servers"): cluster.bootstrap,
            **{variable(name): str(it) for name, it in given.items()},
        }
        create = [sys.executable, "-m", "streams", "topics", "create", "--partitions"]
        subprocess.run([*create, str(grown.PARTITIONS)], env=environment, check=True, stdout=2)
        going_on = grown.going_on(options.accounts, options.last, options.seed + 2, newest)
        count = produce(settings, going_on)
        forget_pages()
        seconds, processor = indexed(settings, environment)
        results.tell(
            "index",
            records=count,
            records_a_second=round(count / seconds),
            processor_us_a_record=round(processor * 1e6 / count, 1),
        )
        if server is not None:
            server.stop("fast")
        cold = forget_pages()
        if server is not None:
            server.start()
        people = [f"{it[3]}" for it in grown.names(options.accounts, options.seed)]
        chosen = random.Random(options.seed).sample(people, options.asked + options.commands)
        with (
            serving(environment, folder) as (port, token),
            streaming(settings, options, newest) as sent,
        ):
            began = time.monotonic()
            took_ms = asyncio.run(asked_over_http(port, token, chosen[: options.asked]))
            rate = sent[0] / (time.monotonic() - began)
            results.tell(
                *("explained over HTTP",),
                asked=len(took_ms),
                records_a_second_meanwhile=round(rate),
                cold=cold,
                **percentiles(took_ms),
            )
            alone = explained(environment, chosen[options.asked :])
            results.tell("byline explain", asked=len(alone), **percentiles(alone))


def main() -> None:
    """Print one line of JSON for each step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--folder", required=True, help="not below a private one")
    parser.add_argument("--accounts", type=int, default=1_000_000, help="of ten decisions each")
    parser.add_argument("--last", type=int, default=1_000_000, help="records read from Kafka")
    parser.add_argument("--bare", type=int, default=300_000, help="records of the bare insert")
    parser.add_argument("--rate", type=int, default=1_000, help="records a second meanwhile")
    parser.add_argument("--asked", type=int, default=1_000, help="accounts, over HTTP")
    parser.add_argument("--commands", type=int, default=20, help="accounts, by the command")
    parser.add_argument("--only-make", action="store_true", help="make the index, and end")
    parser.add_argument("--seed", type=int, default=15)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
