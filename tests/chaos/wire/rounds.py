"""A round: topics of its own, writers that come through the proxy, faults by a seed, a verdict.

Rounds are numbered and independent, so that a run can be continued by seed and number.
"""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.chaos.wire.faults import WireChance
from tests.chaos.wire.node import Proxied
from tests.chaos.wire.oracle import judge
from tests.chaos.wire.proxy import Proxy, ProxyFaults

TREE = Path(__file__).resolve().parents[3]
WRITER = Path(__file__).with_name("writer.py")
GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WirePlan:
    """What a round is made of. `code`: the tree whose engine is judged; `sender`: its own, or
    `aiokafka` for the one that aiokafka ships; `version`: of transactions, `first` or (where the
    code knows it) `second`. Small batches make several produce requests of a
    transaction."""

    seed: str
    count: int = 1_000
    partitions: int = 8
    least: int = 1
    most: int = 12
    batch_bytes: int = 700
    timeout_seconds: float = 0.8
    transaction_seconds: float = 8.0
    limit_seconds: float = 1_200.0
    late_repeats: bool = True
    sender: str = "shipped"
    version: str = "second"
    code: Path = TREE

    def settings(self) -> dict[str, Any]:
        """For the writers and the results: all but where the code lies."""
        return {key: value for key, value in asdict(self).items() if key != "code"}


@dataclass(slots=True)
class RoundOutcome:
    """What happened in a round."""

    seconds: float = 0.0
    touched: dict[str, dict[str, int]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    """Producers that ended, by exit code."""
    causes: dict[str, int] = field(default_factory=dict)
    asked_again: int = 0
    records: int = 0
    violations: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the results."""
        return asdict(self)


async def perform(
    kafka: Proxied, plan: WirePlan, faults: ProxyFaults | None = None
) -> RoundOutcome:
    """Run the round on a started Kafka; `faults` instead of those that the seed draws."""
    began = time.monotonic()
    name = f"wire-{re.sub(r'[^A-Za-z0-9-]', '-', plan.seed)}-{os.getpid()}-{time.time_ns()}"
    topics = f"{name}.inputs", f"{name}.outputs", f"{name}-counts-changelog"
    await _make_topics(kafka.cluster.bootstrap, topics, plan.partitions)
    drawn = WireChance(plan.seed, plan.timeout_seconds, late_repeats=plan.late_repeats)
    folder = Path(tempfile.mkdtemp(prefix="wire-"))
    try:
        proxy = Proxy(kafka.proxy_port, kafka.listener_port, faults or drawn)
        async with proxy:
            told = await _write(kafka, plan, name, topics, folder)
            proxy.faults = None
            await proxy.release_all()
            # What was let go last is given the time to do its worst.
            await asyncio.sleep(0.5)
        arguments = (kafka.cluster.bootstrap, f"{name}", topics, plan.partitions, plan.count)
        verdict = await asyncio.to_thread(judge, *arguments)
        return RoundOutcome(
            seconds=round(time.monotonic() - began, 1),
            touched=proxy.touched,
            passed=dict(proxy.passed),
            versions=dict(proxy.versions),
            ended=told,
            causes=_causes((folder / "log").read_text(errors="replace")),
            asked_again=len(proxy.asked_again),
            records=verdict.records,
            violations=verdict.violations,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _make_topics(bootstrap: str, topics: tuple[str, ...], partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics])
    finally:
        await admin.close()


async def _write(
    kafka: Proxied, plan: WirePlan, name: str, topics: tuple[str, str, str], folder: Path
) -> dict[str, int]:
    """Let the writers do their inputs; how they ended."""
    (folder / "log").touch()
    settings = {
        "application_id": name,
        "bootstrap": kafka.bootstrap,
        "data_dir": str(folder / "data"),
        "log": str(folder / "log"),
        "stop": str(folder / "stop"),
        "inputs": topics[0],
        "outputs": topics[1],
        **plan.settings(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WRITER),
        json.dumps(settings),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(plan.code)},
        cwd=folder,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), plan.limit_seconds)
    except TimeoutError:
        (folder / "stop").touch()
        out, _ = await asyncio.wait_for(process.communicate(), GRACE_SECONDS)
    told: dict[str, int] = json.loads(out)
    return told


def _causes(log: str) -> dict[str, int]:
    """Last words of the producers that ended, without what differs from one to the next."""
    lines = re.findall(r"^worker stops \(\d+\): (?:partition \d+: )?(.*)$", log, re.MULTILINE)
    return dict(Counter(re.sub(r"\d+(\.\d+)?", "N", line)[:160] for line in lines))
