"""`python -m tests.chaos.cluster --json FILE`: each change, its table; exit 1 on a violation.

Changes are worked on several at a time on one broker, each with topics, workers and lives of its
own. Each is added to the file when it is done, so that a run can be continued; `--only` picks some.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from streams.local.kafka import KafkaCluster
from tests.chaos.cluster.changes import CHANGES, ChangeUnderFire
from tests.chaos.cluster.ends import AnsweredEnds
from tests.chaos.cluster.ground import ClusterGround, wait
from tests.chaos.cluster.judge import judge
from tests.chaos.cluster.table import table
from tests.support.zygote import Zygote

SETTLE_SECONDS = 18.0


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cluster", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the lives")
    parser.add_argument("--only", default="", help="changes whose name has this in it")
    parser.add_argument(
        "--at-once", type=int, default=3, help="changes that are worked on together"
    )
    parser.add_argument("--workers", type=int, default=2, help="of each change")
    parser.add_argument("--live", type=float, default=25.0, help="seconds of life before a change")
    parser.add_argument("--after", type=float, default=30.0, help="seconds of life after it")
    parser.add_argument("--folder", type=Path, help="where logs and disks are left behind")
    parser.add_argument("--json", type=Path, help="where the results are kept")
    given = parser.parse_args()
    # Workers, lives and the broker end with the process that they are tied to.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    kept: dict[str, dict[str, Any]] = {}
    if given.json and given.json.exists():
        kept = json.loads(given.json.read_text())
    wanted = [
        one
        for one in CHANGES
        if given.only in one.name and "violations" not in kept.get(one.name, {})
    ]
    lock = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="changes-") as folder:
        root = given.folder or Path(folder)
        with KafkaCluster(root / "kafka") as kafka, ThreadPoolExecutor(given.at_once) as pool:
            zygote = Zygote()

            def work(number: int, change: ChangeUnderFire) -> None:
                name = f"c{given.seed}-{number}"
                try:
                    found = perform(change, kafka.bootstrap, zygote, root / name, name, given)
                except Exception:
                    found = {"failed": traceback.format_exc()}
                with lock:
                    kept[change.name] = found
                    print(change.name, json.dumps(found, ensure_ascii=False), flush=True)
                    if given.json:
                        text = json.dumps(kept, indent=1, ensure_ascii=False)
                        given.json.write_text(text + "\n")

            list(pool.map(lambda pair: work(*pair), enumerate(wanted)))
            zygote.close()
    print(table(kept))
    return 1 if any(one.get("violations", 1) for one in kept.values()) else 0


def perform(
    change: ChangeUnderFire, bootstrap: str, zygote: Zygote, folder: Path, name: str, given: Any
) -> dict[str, Any]:
    """Live, change, see what the workers do, lead out, live on, judge."""
    ground = ClusterGround(bootstrap, zygote, folder, name, given.seed, given.workers)
    found: dict[str, Any] = {
        name: getattr(given, name) for name in ("seed", "workers", "live", "after", "at_once")
    }
    found["load"] = round(os.getloadavg()[0], 1)
    try:
        ground.start()
        if ground.serving() is None:
            raise RuntimeError("the workers never served all partitions")
        ground.traffic.start()
        time.sleep(given.live)
        if change.between:
            ground.stop()
            change.strike(ground)
            began = time.monotonic()
            ground.start()
            found |= _noticed(change, ground, AnsweredEnds(ground.workers), began)
        else:
            ends, asked = AnsweredEnds(ground.workers), time.monotonic()
            ground.confirmed_at = None
            change.strike(ground)
            began = ground.confirmed_at or asked
            found["asked"] = round(began - asked, 1)
            found |= _noticed(change, ground, ends, began)
        _again(change, ground, found)
        change.lead_out(ground)
        ground.start()
        found["back"] = _back(ground)
        if change.settle is not None:
            change.settle(ground)
            found["back"] = _back(ground)
        time.sleep(given.after)
        ground.traffic.stop()
        # What is open runs out, and nobody says anything more.
        time.sleep(SETTLE_SECONDS)
        until = time.time()
        ground.stop()
        breaches = judge(ground.listener.events, ground.sender.said, until)
        if change.whole:
            breaches["audit"] = _audited(ground)
        found |= {
            "inputs": ground.sender.sent,
            "events": len(ground.listener.events),
            "notes": ground.notes,
            "lives": ground.traffic.lives_begun,
            "breaches": {what: own[:10] for what, own in breaches.items() if own},
            "violations": sum(map(len, breaches.values())),
        }
        return found
    finally:
        ground.close()


def _back(ground: ClusterGround) -> float:
    """How long until every partition is served again."""
    seconds = ground.serving()
    if seconds is None:
        logs = [worker.log_path.read_text(errors="replace")[-1500:] for worker in ground.workers]
        raise RuntimeError("the workers did not come back:\n" + "\n----\n".join(logs))
    return round(seconds, 1)


def _noticed(
    change: ChangeUnderFire, ground: ClusterGround, ends: AnsweredEnds, began: float
) -> dict[str, Any]:
    """What the first of the workers did, and when all had done so.

    `began`: when the broker had made the change, or the workers were started after it.
    """
    if change.stays:
        ends.close()

        def held() -> bool:
            return all(worker.ready().get("cluster_changed") for worker in ground.workers)

        seen = wait(held, 30)
        seconds = round(time.monotonic() - began, 1)
        words = ground.workers[0].ready().get("cluster_changed")
        return {"seconds": seconds, "exit": "stays up" if seen else "nothing", "words": words}
    ended = wait(lambda: ends.last_at is not None, 60)
    ends.close()
    seconds = round(max(0.0, (ends.last_at or time.monotonic()) - began), 1)
    codes = sorted({str(worker.code) for worker in ground.workers})
    return {
        "seconds": seconds,
        "exit": ", ".join(codes) if ended else "nothing",
        "words": ground.workers[0].last_words,
    }


def _again(change: ChangeUnderFire, ground: ClusterGround, found: dict[str, Any]) -> None:
    """An ordinary restart, without the way out."""
    if change.between:
        return
    ground.stop()
    began = time.monotonic()
    ground.start()
    ended = wait(lambda: all(worker.code is not None for worker in ground.workers), 60)
    codes = sorted({str(worker.code) for worker in ground.workers})
    found["restart"] = {
        "seconds": round(time.monotonic() - began, 1),
        "exit": ", ".join(codes) if ended else "nothing",
        "words": ground.workers[0].last_words,
    }
    ground.stop()


def _audited(ground: ClusterGround) -> list[str]:
    breaches = []
    for more in ((), ("--chain",)):
        done = ground.byline("audit", "--json", *more)
        if done.returncode not in (0, 1):
            breaches.append(f"byline audit ended with {done.returncode}: {done.stderr[-500:]}")
            continue
        told = json.loads(done.stdout)
        breaches += [json.dumps(one) for one in told.get("breaches", ())]
        breaches += [json.dumps(one) for one in told.get("breaks", ())]
    return breaches


if __name__ == "__main__":
    sys.exit(main())
