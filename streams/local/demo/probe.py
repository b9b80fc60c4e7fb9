"""Asks the workers for `/readyz`, as Kubernetes would."""

import asyncio
import contextlib
import http.client
import json

from streams.local.demo.tally import Worker
from streams.local.probe import HOST

TIMEOUT_SECONDS = 1.0
EVERY_SECONDS = 0.5
READY = 200


def get(port: int, path: str) -> tuple[int, bytes]:
    """Returns status and body of a worker's page; status 0 if it does not answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


async def look_at(worker: Worker) -> None:
    """Updates a worker's readiness, partitions and lag from its `/readyz`."""
    status, page = await asyncio.to_thread(get, worker.port, "/readyz")
    worker.ready = status == READY
    with contextlib.suppress(ValueError, KeyError, TypeError):
        partitions = json.loads(page)["partitions"]
        worker.partitions = sorted(int(item["partition"]) for item in partitions)
        worker.lag = sum(int(item["lag"]) for item in partitions)


async def watch_workers(workers: list[Worker]) -> None:
    """Updates all workers every half second, until cancelled."""
    while True:
        await asyncio.gather(*(look_at(worker) for worker in workers))
        await asyncio.sleep(EVERY_SECONDS)
