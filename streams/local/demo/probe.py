"""How the workers are: `/readyz` and `/metrics`, asked as a scraper would."""

import asyncio
import http.client
import re

from streams.local.demo.tally import Worker
from streams.local.probe import HOST

TIMEOUT_SECONDS = 1.0
EVERY_SECONDS = 0.5
SAMPLE = re.compile(r"^(?P<name>byline_\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[-+.\deE]+)$")


def get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a page of a worker; status 0 when nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def samples(page: bytes) -> list[tuple[str, str, float]]:
    """Name, labels and value of our own metrics on a page of Prometheus text."""
    found = []
    for line in page.decode(errors="replace").splitlines():
        match = SAMPLE.match(line)
        if match:
            found.append((match["name"], match["labels"] or "", float(match["value"])))
    return found


async def look_at(worker: Worker) -> None:
    """Bring what is known of a worker up to date."""
    status, _ = await asyncio.to_thread(get, worker.port, "/readyz")
    worker.ready = status == 200
    _, page = await asyncio.to_thread(get, worker.port, "/metrics")
    lags = [value for name, _, value in samples(page) if name.endswith("_lag_records")]
    worker.lag = int(sum(lags)) if lags else None


async def watch_workers(workers: list[Worker]) -> None:
    """Look at all workers, again and again, until cancelled."""
    while True:
        await asyncio.gather(*(look_at(worker) for worker in workers))
        await asyncio.sleep(EVERY_SECONDS)
