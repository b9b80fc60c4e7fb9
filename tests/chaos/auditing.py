"""The shipped auditor, held to every run: `byline audit` and `byline audit --chain`."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.chaos.grounds import POLICIES, ROOT, Site

LIMIT_SECONDS = 900


def audit(site: Site, counts: dict[str, int]) -> list[str]:
    """What the auditor finds in the topics, in its own words; empty when nothing is wrong."""
    judged = _ask(site)
    counts["events audited"] = judged["events"]
    breaches = [
        f"invariant {one['invariant']}, {one['breach']}: {one['account']} at {one['at']}:"
        f" {one['detail']} {' '.join(one['records'])}"
        for one in judged["breaches"]
    ]
    chained = _ask(site, "--chain")
    counts["chained records verified"] = chained["records"]
    return breaches + [f"chain: {one}" for one in chained["breaks"]]


def _ask(site: Site, *more: str) -> dict[str, Any]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("BYLINE")}
    environment |= {
        "BYLINE_KAFKA_BOOTSTRAP_SERVERS": site.kafka.bootstrap,
        "BYLINE_POLICIES": str(POLICIES),
    }
    done = subprocess.run(
        [sys.executable, "-m", "streams", "audit", "--json", *more],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=LIMIT_SECONDS,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"byline audit ended with {done.returncode}: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
