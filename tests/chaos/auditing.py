"""The shipped judges, held to every run: `byline audit`, `audit --chain` and `byline replay`."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.chaos.grounds import POLICIES, ROOT, ChaosSite

LIMIT_SECONDS = 900


def audit(site: ChaosSite, counts: dict[str, int]) -> list[str]:
    """What the auditor finds in the topics, in its own words; empty when nothing is wrong."""
    judged = _ask(site, "audit")
    counts["events audited"] = judged["events"]
    breaches = [
        f"invariant {one['invariant']}, {one['breach']}: {one['account']} at {one['at']}:"
        f" {one['detail']} {' '.join(one['records'])}"
        for one in judged["breaches"]
    ]
    chained = _ask(site, "audit", "--chain")
    counts["chained records verified"] = chained["records"]
    return breaches + [f"chain: {one}" for one in chained["breaks"]]


def replay(site: ChaosSite, counts: dict[str, int]) -> list[str]:
    """What the replay of the topics has otherwise; empty when every byte is as it was written."""
    found = _ask(site, "replay")
    counts["events replayed from the topics"] = sum(it["events"] for it in found["partitions"])
    wrong = [it["difference"] or it["missing"] for it in found["partitions"]]
    return [str(one) for one in (*wrong, found["switches"], found["hidden"]) if one is not None]


def _ask(site: ChaosSite, *words: str) -> dict[str, Any]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("BYLINE")}
    environment |= {
        "BYLINE_KAFKA_BOOTSTRAP_SERVERS": site.kafka.bootstrap,
        "BYLINE_POLICIES": str(POLICIES),
    }
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=LIMIT_SECONDS,
    )
    if not done.stdout:
        raise RuntimeError(f"byline {words[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
