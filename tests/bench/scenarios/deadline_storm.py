"""100,000 windows end at one instant, caps raised, while ordinary inputs go on."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streams.core.model.ids import invitation_id
from tests.bench.arithmetic import latencies
from tests.bench.data import Row, accounts_in, reading_row
from tests.bench.options import Options
from tests.bench.results import BenchRun
from tests.bench.site import POLICIES, Site
from tests.bench.stage import APPLIED, DELIVERED, ISSUED, BenchStage, combined, failure
from tests.bench.traffic import BenchTraffic, now_text, waits
from tests.bench.watch import judge

DEADLINES = 100_000
LEAD_SECONDS, LEAD_LEAST_SECONDS = 75.0, 20.0
BEFORE_SECONDS, AFTER_SECONDS = 8.0, 3.0
RATE, PROBES_PER_SECOND = 1_000.0, 50.0
MOST_SECONDS = 150.0


def run(site: Site, options: Options) -> Iterator[BenchRun]:
    """All due at once: how long until the last restriction is out, and what others notice."""
    for round_ in range(options.rounds):
        try:
            figures = _one(site, options)
        except (TimeoutError, RuntimeError) as error:
            figures = failure(error)
        yield BenchRun("deadline-storm", "100,000 deadlines at once", "byline", round_, figures)


def _policies(folder: Path, due_at: float) -> Path:
    """The bench's policy with a window that ends for everybody at one instant."""
    text = (POLICIES / "weibo.yaml").read_text()
    moment = datetime.fromtimestamp(due_at, UTC).isoformat(timespec="seconds")
    text = text.replace("answer_window: P30D", "answer_window: PT1S")
    text = text.replace("+08:00}", f"+08:00, answer_by: {moment}}}")
    folder.mkdir(parents=True)
    (folder / "weibo.yaml").write_text(text)
    return folder


def _receipts(accounts: Sequence[str]) -> Iterator[Row]:
    at = now_text()
    for account in accounts:
        named = invitation_id("weibo", account, "enforce", 1)
        value = (
            f'{{"platform":"weibo","account_id":"{account}","invitation_id":"{named}",'
            f'"outcome":"delivered","occurred_at":"{at}"}}'
        )
        yield f"weibo:{account}".encode(), value.encode()


def _one(site: Site, options: Options) -> dict[str, Any]:
    accounts = [f"a{number}" for number in range(options.count(DEADLINES, 200))]
    probes = accounts_in("probe", int(PROBES_PER_SECOND * MOST_SECONDS), 8)
    lead = max(LEAD_LEAST_SECONDS, LEAD_SECONDS * min(1.0, options.scale))
    due_at = float(int(time.time() + lead))
    policies = _policies(site.folder / site.fresh("deadlines-policy"), due_at)
    watched = ("invitations", "throttles")
    with BenchStage(site, "deadlines", policies=policies, watched=watched) as stage:
        _invite(stage, accounts, probes)
        spare = due_at - BEFORE_SECONDS - time.time()
        if spare < 0:
            raise TimeoutError(f"the preparation took {-spare:.0f} s too long: LEAD_SECONDS")
        time.sleep(spare)
        traffic = BenchTraffic(
            site,
            stage.data,
            probes,
            rate=RATE,
            probes_per_second=PROBES_PER_SECOND,
            seconds=MOST_SECONDS,
        ).start()
        time.sleep(max(0.0, due_at - time.time()))
        figures = _storm(stage, accounts, due_at)
        time.sleep(AFTER_SECONDS)
        traffic.stop()
        stage.watch.wait_for(len(accounts) + len(traffic.sent), 10, ISSUED)
        stage.watch.settle()
        seen = stage.watch.first_seen(ISSUED)
        over = due_at + figures["seconds"]
        quiet = waits(traffic.sent, seen, due_at - BEFORE_SECONDS + 2, due_at)
        keys = {f"weibo:{account}" for account in accounts}
        return {
            "load_before": stage.load_before,
            "began_at": due_at,
            "deadlines": len(accounts),
            **figures,
            "quiet_p99_ms": latencies(quiet).get("p99_ms"),
            **latencies(waits(traffic.sent, seen, due_at, over)),
            "rss_mb": round(stage.worker.high_water_mb(), 1),
            "verdict": combined(
                judge(stage.watch.keys(ISSUED), keys | traffic.sent.keys()),
                judge(stage.watch.keys(APPLIED), keys),
            ),
        }


def _invite(stage: BenchStage, accounts: Sequence[str], probes: Sequence[str]) -> None:
    """Everybody invited and told, the probes ready to be."""
    stage.cover([*accounts, *probes])
    at = "2025-01-02T00:00:00Z"
    stage.load("follower-counts", (reading_row(name, 1_500_000, at) for name in accounts))
    stage.start()
    stage.drained()
    if not stage.watch.wait_for(len(accounts), 30, ISSUED):
        raise TimeoutError("not all were invited")
    stage.load("notice-receipts", _receipts(accounts))
    if not stage.watch.wait_for(len(accounts), MOST_SECONDS, DELIVERED):
        raise TimeoutError("not all notices were taken up")


def _storm(stage: BenchStage, accounts: Sequence[str], due_at: float) -> dict[str, Any]:
    """From the instant on: when was the last one out, and what did the worker do?"""
    worker = stage.worker
    names = ("byline_transactions_total", "byline_transaction_seconds_sum")
    before, cpu = [worker.metric(name) for name in names], worker.seconds()
    while stage.watch.count(APPLIED) < len(accounts):
        worker.require()
        if time.time() > due_at + MOST_SECONDS:
            raise TimeoutError(f"{stage.watch.count(APPLIED)} restrictions are out")
        time.sleep(0.1)
    out = sorted(at for key, at in stage.watch.first_seen(APPLIED).items())
    seconds, cpu = out[-1] - due_at, worker.seconds() - cpu
    transactions, in_them = (
        worker.metric(name) - former for name, former in zip(names, before, strict=True)
    )
    return {
        "seconds": round(seconds, 2),
        "first_seconds": round(out[0] - due_at, 2),
        "deadlines_per_second": round(len(accounts) / seconds),
        "cores": round(cpu / seconds, 2),
        "cpu_us": round(cpu * 1e6 / len(accounts), 1),
        "transactions": transactions,
        "transaction_ms": round(in_them / max(1.0, transactions) * 1000, 1),
    }
