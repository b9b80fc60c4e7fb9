"""`python -m tests.cli.broken_estates`: `byline doctor` on estates that are broken in one way each.

On a real Kafka with TLS, SCRAM and ACLs, as a process. Exit 1 when a fault is not named, or another
look is not well beside it; `--write` puts the table into broken_estates.md.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiokafka.admin import NewTopic
from confluent_kafka import Producer

from schemas.topics import THROTTLE_ACKS
from streams.kafka.configs import set_topic_configs
from streams.operate.clients import admin_client
from streams.operate.topics import config_of, names_of
from streams.settings import Settings
from tests.cli.fault_ground import ROOT, FaultGround, ground, guarded
from tests.tls.cluster import ADMIN

TABLE = Path(__file__).with_name("broken_estates.md")
OPEN_SECONDS = 11
"""An open transaction is named from ten seconds on."""


@dataclass(frozen=True)
class BrokenEstate:
    """What is broken, for as long as `breaks` is open, and the look that has to say so.

    `words` are in what it found. `beside`: looks that cannot be well then either. `files`: the
    limit of open files.
    """

    name: str
    look: str
    words: str
    settings: Mapping[str, str] = field(default_factory=dict)
    breaks: Callable[[], AbstractContextManager[None]] = nullcontext
    arguments: tuple[str, ...] = ()
    user: str = ADMIN
    beside: tuple[str, ...] = ()
    files: int | None = None
    clock_seconds: float = 0.0


RUNNING = ("policies that run",)
"""What cannot be compared where the files cannot be read."""
NEED_KAFKA = (
    "rights",
    "topics",
    "state",
    "decision log",
    "clock",
    "open transactions",
    "policies that run",
)


def estates(on: FaultGround) -> Iterator[BrokenEstate]:
    """All of them."""
    plain = Settings(kafka_bootstrap_servers=on.kafka.plain)
    nobody = {"BYLINE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{on.ports['nobody']}"}
    yield BrokenEstate("no Kafka answers", "Kafka", "no Kafka answers", nobody, beside=NEED_KAFKA)
    wrong = {"BYLINE_KAFKA_SASL_PASSWORD": "of-yesterday"}
    yield BrokenEstate("wrong password", "Kafka", "refuses the login", wrong, beside=NEED_KAFKA)
    yield BrokenEstate(
        "a topic that may lose its time of entry",
        "topics",
        "message.timestamp.type is CreateTime",
        breaks=lambda: _configured(plain, "message.timestamp.type", "CreateTime", "LogAppendTime"),
    )
    yield BrokenEstate(
        "a topic is missing", "topics", "throttle-acks: missing", breaks=lambda: _remade(plain, 0)
    )
    yield BrokenEstate(
        "a topic of other partitions",
        "topics",
        "the number of partitions is 3, 2 is needed",
        breaks=lambda: _remade(plain, 3),
    )
    yield BrokenEstate(
        "rights are missing",
        "rights",
        "no right to Write byline.consents",
        breaks=lambda: _without_right(on),
        user="worker",
    )
    yield BrokenEstate(
        "a producer's transaction hangs",
        "open transactions",
        "has had a transaction open for",
        breaks=lambda: _hanging(on.kafka.plain),
    )
    for seconds, way in ((600.0, "ahead of"), (-600.0, "behind")):
        yield BrokenEstate(
            f"the clock is ten minutes {way.split()[0]}", "clock", way, clock_seconds=seconds
        )
    shut = on.policies_with("policies-with-a-fault")
    (shut / "weibo.yaml").write_text(
        (shut / "weibo.yaml").read_text().replace("exit_ratio: 0.", "exit_ratio: 1.")
    )
    yield BrokenEstate(
        "a fault in a policy file",
        "policies",
        "weibo.yaml:",
        {"BYLINE_POLICIES": str(shut)},
        beside=RUNNING,
    )
    yield BrokenEstate(
        "no folder of policies",
        "policies",
        "there is no such directory",
        {"BYLINE_POLICIES": "/nowhere"},
        beside=RUNNING,
    )
    open_to_all = on.folder / "open-to-all"
    open_to_all.mkdir(mode=0o755, exist_ok=True)
    yield BrokenEstate(
        "a data folder that others may read",
        "data folder",
        "has mode 0755",
        {"BYLINE_DATA_DIR": str(open_to_all)},
    )
    yield BrokenEstate(
        "too few open files", "open files", "at most 256 files may be open", files=256
    )
    page = f"http://127.0.0.1:{on.ports['nobody']}/metrics"
    yield BrokenEstate(
        "nobody audits", "last audit", "no auditor answers", arguments=("--auditor", page)
    )


@contextmanager
def _configured(settings: Settings, name: str, wrong: str, right: str) -> Iterator[None]:
    async def put(value: str) -> None:
        async with admin_client(settings) as client:
            assert await set_topic_configs(client, {"byline.controls": {name: value}}) == {}

    asyncio.run(put(wrong))
    time.sleep(1)
    yield
    asyncio.run(put(right))
    time.sleep(1)


@contextmanager
def _remade(settings: Settings, partitions: int) -> Iterator[None]:
    """The topic of acknowledgements with so many partitions, none for without it."""

    async def remake(count: int) -> None:
        topic = names_of(settings).of(THROTTLE_ACKS)
        async with admin_client(settings) as client:
            if topic in await client.list_topics():
                await client.delete_topics([topic])
            while topic in await client.list_topics():
                await asyncio.sleep(0.05)
            if count:
                wanted = NewTopic(topic, count, 1, topic_configs=config_of(THROTTLE_ACKS, 1))
                await client.create_topics([wanted])

    asyncio.run(remake(partitions))
    time.sleep(1)
    yield
    asyncio.run(remake(2))
    time.sleep(1)


@contextmanager
def _without_right(on: FaultGround) -> Iterator[None]:
    lacking = [
        replace(it, operations=("Write",))
        for it in on.rights
        if (it.role, it.name) == ("worker", "byline.consents")
    ]
    on.kafka.forbid(lacking)
    yield
    on.kafka.allow(lacking)


@contextmanager
def _hanging(bootstrap: str) -> Iterator[None]:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": "desk", "log_level": 0}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("byline.consent-answers", b"{", b"weibo:a", partition=1)
    producer.flush(20)
    time.sleep(OPEN_SECONDS)
    yield
    producer.abort_transaction(20)


SHIFTED = """\
import sys, time
true, by = time.time, float(sys.argv.pop(1))
time.time = lambda: true() + by
from streams.cli import main
main()
"""


def examined(on: FaultGround, it: BrokenEstate) -> tuple[int, float, dict[str, Any]]:
    """Exit code, seconds with Python's own start, and what `byline doctor --json` says."""
    words = ("doctor", "--json", "--within-seconds", "120", *it.arguments)
    command = [sys.executable, "-m", "streams", *words]
    if it.clock_seconds:
        command = [sys.executable, "-c", SHIFTED, str(it.clock_seconds), *words]
    limit = it.files

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    began = time.monotonic()
    done = subprocess.run(
        command,
        env={**on.environment(it.user, it.settings), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    try:
        said = json.loads(done.stdout)
    except ValueError:
        said = {"looks": [], "error": done.stderr[-500:]}
    return done.returncode, time.monotonic() - began, said


def _judged(it: BrokenEstate, code: int, said: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """What it found, what it says to do, and what is not as it has to be."""
    bad = [one for one in said["looks"] if one["verdict"] in ("wrong", "failed")]
    named = [one for one in bad if one["look"] == it.look and it.words in one["found"]]
    others = {one["look"] for one in bad} - {it.look, *it.beside}
    wrong = [] if code == 1 else [f"exit {code}: {said.get('error', '')}"]
    wrong += [f"{it.words!r} is not named: {bad}"] if not named else []
    wrong += [f"not well either: {', '.join(sorted(others))}"] if others else []
    found = named[0] if named else {"found": "", "what_to_do": ""}
    return found["found"], found["what_to_do"] or "", wrong


HEAD = """\
# `byline doctor` on broken estates

Written by `python -m tests.cli.broken_estates --write`: a real Kafka with TLS, SCRAM and ACLs, one
thing broken at a time, `byline doctor --json` as a process, and all mended again. Each ended with 1
and no other look was called wrong, but those that need what was broken. Seconds are with
Python's own start; up to {busy:.0f} processes shared a processor of the machine meanwhile.

| estate | look | what doctor found | what it says to do | exit | s |
|---|---|---|---|---|---|
"""


def main() -> int:
    """Tries all; prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.cli.broken_estates", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"into {TABLE.name}")
    given = parser.parse_args()
    rows, faults, busy = [], [], 1.0
    with (
        tempfile.TemporaryDirectory(prefix="byline-broken-") as name,
        guarded(Path(name) / "kafka") as kafka,
        ground(kafka, Path(name)) as on,
    ):
        (on.folder / "data").mkdir(mode=0o700)
        for it in (BrokenEstate("nothing is broken", "", ""), *estates(on)):
            with it.breaks():
                code, seconds, said = examined(on, it)
            busy = max(busy, os.getloadavg()[0] / (os.cpu_count() or 1))
            if not it.look:
                wrong = [] if code == 0 else [f"exit {code}: {said}"]
                found, cure = "nothing", "–"
            else:
                found, cure, wrong = _judged(it, code, said)
            cells = [it.name, it.look or "–", found, cure, str(code), f"{seconds:.1f}"]
            row = " | ".join(one.replace(str(on.folder), "…").replace("|", "\\|") for one in cells)
            rows.append(f"| {row} |")
            print(rows[-1], *wrong, sep="\n    ", flush=True)
            faults += [f"{it.name}: {one}" for one in wrong]
    if given.write:
        TABLE.write_text(HEAD.format(busy=busy) + "\n".join(rows) + "\n")
    print("\n".join(faults) or "each was named")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
