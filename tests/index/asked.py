"""How soon an account is explained: `python -m tests.index.asked --records 1000000`.

The index is filled from memory with lives as tests.index.pace plays them. Then random accounts are
asked of the read API over HTTP, while a writer adds records at a fixed rate. The first question of
an account finds its pages cold as far as SQLite's cache is smaller than the index. Prints one line
of JSON: 50th, 95th and 99th percentile in milliseconds.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import Engine

from streams.index.projection import project
from streams.index.rows import Rows
from streams.index.writer import Position, Writer
from streams.operate.audit.records import Record
from streams.serve.api import make_app
from streams.serve.roles import Role, Who
from tests.core.given import DAY, HOUR
from tests.index.filled import empty
from tests.index.pace import BATCH, PARTITIONS, played

TOKEN = "token"
ROLES = {hashlib.sha256(TOKEN.encode()).hexdigest(): Who("desk.1", frozenset(Role))}


class Filling:
    """Writes records in batches, each with its place in its partition."""

    def __init__(self, engine: Engine) -> None:
        self._writer = Writer(engine)
        self._offsets: dict[tuple[str, int], int] = {}
        self.accounts: set[str] = set()
        self.written = 0

    def write(self, records: list[Record]) -> None:
        """One transaction."""
        rows, moved = Rows(), dict[tuple[str, int], Position]()
        for it in records:
            place = (it.topic, it.partition)
            offset = self._offsets[place] = self._offsets.get(place, -1) + 1
            project(it._replace(offset=offset), rows, "byline.")
            moved[place] = Position(offset + 1, offset, it.timestamp)
            if it.key is not None and it.key.startswith(b"weibo:u"):
                self.accounts.add(it.key.decode())
        self._writer.begin(dict.fromkeys(moved, 0))
        now = int(time.time() * 1000)
        self._writer.write(rows, moved, {"as_of": now, "behind": 0, "written_at": now})
        self.written += len(records)


def batches(records: Iterator[Record], size: int) -> Iterator[list[Record]]:
    """So many records at a time."""
    part: list[Record] = []
    for it in records:
        part.append(it)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def going_on(filling: Filling, rate: int, stopping: threading.Event) -> None:
    """More accounts live, at so many records a second."""
    more = (it._replace(key=_other(it.key), value=_other(it.value)) for it in played(rate * 600))
    for part in batches(more, max(1, rate // 2)):
        began = time.monotonic()
        filling.write(part)
        if stopping.wait(max(0.0, 0.5 - (time.monotonic() - began))):
            return


def _other(value: bytes | None) -> bytes | None:
    return None if value is None else value.replace(b'"u', b'"v').replace(b"weibo:u", b"weibo:v")


async def asked(engine: Engine, accounts: list[str], now: int) -> list[float]:
    """Milliseconds of each answer."""
    app = make_app(engine, ROLES, lambda: now, DAY, HOUR, "0")
    took = []
    async with TestClient(TestServer(app)) as client:
        for it in accounts:
            began = time.monotonic()
            headers = {"Authorization": f"Bearer {TOKEN}"}
            answer = await client.get(f"/v1/accounts/{it}", headers=headers)
            told = await answer.json()
            took.append((time.monotonic() - began) * 1000)
            assert told["timeline"], told
    return sorted(took)


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        engine = empty(Path(name))
        filling = Filling(engine)
        began = time.monotonic()
        last = 0
        for part in batches(played(options.records), BATCH):
            last = part[-1].timestamp
            filling.write(part)
        filled = time.monotonic() - began
        chosen = random.Random(options.seed).sample(sorted(filling.accounts), options.accounts)
        size = sum(it.stat().st_size for it in Path(name).glob("index.sqlite*"))
        before = filling.written
        stopping = threading.Event()
        writer = threading.Thread(target=going_on, args=(filling, options.rate, stopping))
        writer.start()
        began = time.monotonic()
        took = asyncio.run(asked(engine, chosen, last + DAY))
        seconds = time.monotonic() - began
        stopping.set()
        writer.join()
        found = {
            "records": before,
            "accounts": len(filling.accounts),
            "partitions": PARTITIONS,
            "megabytes": size >> 20,
            "filled_seconds": round(filled),
            "asked": len(took),
            "records_a_second_meanwhile": round((filling.written - before) / seconds),
            **{f"p{it}_ms": round(took[len(took) * it // 100], 1) for it in (50, 95, 99)},
            "load": round(os.getloadavg()[0], 1),
            "seed": options.seed,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
