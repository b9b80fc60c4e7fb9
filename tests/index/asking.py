"""Asks `byline index --follow --serve` about accounts over HTTP, one after the other."""

import hashlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from streams.settings_checks import variable

TOKEN = "a token"
READY_SECONDS = 120.0


@contextmanager
def serving(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[int, str]]:
    """The process as a person starts it; yields its port, and a token that may ask."""
    roles, said = folder / "roles", folder / "said"
    roles.write_text(f"{hashlib.sha256(TOKEN.encode()).hexdigest()} desk.1 accounts,numbers\n")
    command = [sys.executable, "-m", "streams", "index", "--follow", "--serve", "--port", "0"]
    with said.open("w") as output:
        process = subprocess.Popen(
            command,
            env={**environment, variable("roles_file"): str(roles), "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + READY_SECONDS
        while (found := re.search(r"http://[^:]+:(\d+)/v1", said.read_text())) is None:
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.05)
        yield int(found[1]), TOKEN
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def asked_over_http(port: int, token: str, accounts: Sequence[str]) -> list[float]:
    """Milliseconds of each explanation, sorted."""
    took = []
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as client:
        for it in accounts:
            began = time.monotonic()
            async with client.get(f"/v1/accounts/weibo:{it}") as answer:
                told = await answer.json()
            took.append((time.monotonic() - began) * 1000)
            assert told["timeline"], told
            assert told["nearest"], told
    return sorted(took)


def percentiles(took: Sequence[float]) -> dict[str, float]:
    """Of sorted milliseconds the 50th, 95th and 99th percentile, and the most."""
    found = {f"p{it}_ms": round(took[len(took) * it // 100], 1) for it in (50, 95, 99)}
    return {**found, "most_ms": round(took[-1], 1)}
