"""Workers in small: `python writer.py '{…}'` keeps one for each partition, started again at 70.

Each life is a process of its own (a fork, so that the imports are there) and does what a worker's
partition does: initialise the shipped producer, recover the shipped stores from their changelog,
read the position, then commit transaction after transaction by the shipped Committer. The inputs
are thought: input n of a partition is the number n, its output says so, so that what a
read_committed consumer sees must be 0, 1, 2, … up to the position, once each.

Nothing of `tests` is imported: PYTHONPATH chooses the code that is judged, this one or 0.1.0.
"""

import asyncio
import contextlib
import ctypes
import importlib
import inspect
import json
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop
from aiokafka.producer.sender import Sender

from streams.engine.config import EngineConfig
from streams.engine.failpoints import Failpoints
from streams.engine.processor import StoreSpec
from streams.engine.producer import TransactionalProducer
from streams.engine.recovery import recover
from streams.engine.stores import DiskMemory, PartitionStores
from streams.engine.transaction import Committer


def _named(*names: str) -> Any:
    """The first of these that the engine has, each `module.name`; the later ones are of 0.1.0."""
    for name in names:
        module, _, attribute = name.rpartition(".")
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(f"streams.engine.{module}"), attribute)
    raise ImportError(f"the engine has none of {', '.join(names)}")


Checkpoint = _named("checkpoint.Checkpoint", "position.Position")
FORMAT = _named("checkpoint.FORMAT", "position.FORMAT")
decode_checkpoint = _named("checkpoint.decode_checkpoint", "position.decode_position")
encode_checkpoint = _named("checkpoint.encode_checkpoint", "position.encode_position")
end_on = _named("process_exit.end_on", "fatal.end_on")
PendingWrites = _named("transaction.PendingWrites", "transaction.Overlay")

KEYS = 20
SPECS = (StoreSpec("counts", in_memory=True),)
PR_SET_PDEATHSIG = 1
DONE = 0
AGAIN = 70
MOST_LIVES = 1_000


class WriterLife:
    """One life of one partition's writer."""

    def __init__(self, settings: dict[str, Any], partition: int, number: int) -> None:
        self.settings, self.partition = settings, partition
        self.config = EngineConfig(
            application_id=settings["application_id"],
            bootstrap_servers=settings["bootstrap"],
            data_dir=Path(settings["data_dir"]),
            session_timeout_seconds=min(10.0, settings["timeout_seconds"]),
            heartbeat_interval_seconds=min(2.0, settings["timeout_seconds"] / 4),
            request_timeout_seconds=settings["timeout_seconds"],
            transaction_timeout_seconds=settings["transaction_seconds"],
            max_batch_bytes=settings["batch_bytes"],
        )
        self.draw = random.Random(f"{settings['seed']}:{partition}:{number}")

    async def run(self) -> None:
        """Until the inputs are done; any error ends the process as it ends a worker."""
        try:
            await self._run()
        except BaseException as error:
            end_on(error, f"partition {self.partition}")

    async def _run(self) -> None:
        producer = TransactionalProducer(self.config, self.partition)
        if self.settings["sender"] == "aiokafka":
            producer._sender.__class__ = Sender
        if self.settings["version"] == "first":
            producer._sender._second_version = _first
        async with asyncio.timeout(self.config.broker_wait_seconds):
            await producer.start()
        path = self.config.data_dir / str(self.partition)
        stores = PartitionStores(path, SPECS, "wire", DiskMemory.of(2**20, 2**20))
        # 0.1.0 checks no ends of changelogs.
        ends = ({},) if len(inspect.signature(recover).parameters) > 4 else ()
        await recover(self.config, stores, SPECS, self.partition, *ends)
        raw = stores.meta.position
        next_ = decode_checkpoint(raw).next[self.settings["inputs"]] if raw is not None else 0
        committer = Committer(
            producer,
            stores,
            self.partition,
            self.config.application_id,
            {"counts": self.config.changelog("counts")},
            Failpoints(""),
            self.config.max_batch_bytes,
        )
        pending = PendingWrites(stores, ("counts",), self.partition)
        while self._wanted(next_):
            next_ = await self._transaction(committer, pending, next_)
        await producer.stop()

    async def _transaction(self, committer: Committer, pending: Any, next_: int) -> int:
        end = min(self.settings["count"], next_ + self._many())
        for number in range(next_, end):
            key = b"k%d" % (number % KEYS)
            pending.put("counts", key, b"%d" % (int(pending.get("counts", key) or b"0") + number))
            value = b"%d %d %d" % (number, next_, end)
            pending.send(self.settings["outputs"], key, value, (("pad", b"." * 100),))
        now = int(time.time() * 1000)
        where = Checkpoint(FORMAT, self.settings["partitions"], now, {self.settings["inputs"]: end})
        async with asyncio.timeout(self.config.transaction_timeout_seconds):
            offsets = {self.settings["inputs"]: end}
            await committer.commit(pending, encode_checkpoint(where), offsets, now)
        pending.clear()
        return end

    def _wanted(self, next_: int) -> bool:
        return next_ < self.settings["count"] and not Path(self.settings["stop"]).exists()

    def _many(self) -> int:
        return self.draw.randint(self.settings["least"], self.settings["most"])


def _tie() -> None:
    """Let the kernel end this process with its parent, even when that goes by kill -9."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _first() -> bool:
    """As on a cluster that has not agreed on the second version of transactions."""
    return False


def start(settings: dict[str, Any], partition: int, number: int) -> int:
    """Begin a life; its process id."""
    pid = os.fork()
    if pid:
        return pid
    _tie()
    log = os.open(settings["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.CRITICAL)
    code = AGAIN
    with contextlib.suppress(BaseException):
        uvloop.run(WriterLife(settings, partition, number).run())
        code = DONE
    os._exit(code)


def main() -> int:
    """Keep a writer for each partition until all are done; tell the exits as JSON, by code."""
    _tie()
    settings = json.loads(sys.argv[1])
    numbers: Counter[int] = Counter()
    living: dict[int, int] = {}
    exits: Counter[int] = Counter()
    for partition in range(settings["partitions"]):
        living[start(settings, partition, 0)] = partition
    while living:
        pid, status = os.wait()
        partition = living.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        exits[code] += 1
        if code == AGAIN and numbers[partition] < MOST_LIVES:
            numbers[partition] += 1
            living[start(settings, partition, numbers[partition])] = partition
        elif code != DONE:
            # A writer that cannot live, or one ended by a signal: the rest is not worth the wait.
            break
    for pid in living:
        os.kill(pid, 9)
    print(json.dumps({str(code): count for code, count in exits.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
