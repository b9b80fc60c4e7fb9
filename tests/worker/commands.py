"""The shipped command line beside an estate: any command, and the auditor's word on its topics."""

import json
import subprocess
import sys
from typing import Any

from tests.support import processes
from tests.worker.harness import ROOT, Estate

LIMIT_SECONDS = 120


def byline(
    estate: Estate, *words: str, text: str = "", limit: float = LIMIT_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a command with the estate's settings; `text` is its standard input."""
    if estate.code == ROOT:
        return processes.run(words, estate.environment, text, limit)
    return subprocess.run(
        [sys.executable, "-m", "streams", *words],
        env=estate.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=limit,
        cwd=estate.code,
    )


def started(estate: Estate, *words: str, **settings: str) -> subprocess.Popen[str]:
    """The same, left running beside the test; `settings` are laid over the estate's."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams", *words],
        env={**estate.environment, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=estate.code,
    )


def audited(estate: Estate) -> list[str]:
    """What `byline audit` and `byline audit --chain` find in the topics; nothing is wrong with [].

    An auditor that judged nothing has proved nothing, so that is a finding as well.
    """
    written = len(estate.read())
    judged, chained = _audit(estate), _audit(estate, "--chain")
    breaches = [
        f"{one['breach']}: {one['account']} at {one['at']}: {one['detail']}"
        f" {' '.join(one['records'])}"
        for one in judged["breaches"]
    ]
    breaks = [f"chain: {one}" for one in chained["breaks"]]
    if judged["events"] < written:
        breaches.append(f"{judged['events']} events were judged, {written} had been written")
    if not chained["records"]:
        breaks.append("chain: no record was read")
    return breaches + breaks


def _audit(estate: Estate, *more: str) -> dict[str, Any]:
    done = byline(estate, "audit", "--json", *more)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["ok"] is (done.returncode == 0)
    return found
