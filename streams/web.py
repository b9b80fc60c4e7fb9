"""What a worker says of itself over HTTP: `/metrics`, `/healthz`, `/readyz`."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.engine.observer import EngineStatus
from streams.metrics import Metrics


class HealthSite:
    """The worker's own little site.

    `refresh` brings the gauges up to date before they are shown.
    """

    def __init__(
        self,
        metrics: Metrics,
        status: Callable[[], EngineStatus],
        refresh: Callable[[], None],
    ) -> None:
        self._metrics = metrics
        self._status = status
        self._refresh = refresh
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self._show_metrics),
                web.get("/healthz", self._show_health),
                web.get("/readyz", self._show_readiness),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show_metrics(self, _: web.Request) -> web.Response:
        self._refresh()
        body = generate_latest(self._metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _show_health(self, _: web.Request) -> web.Response:
        """Alive: the event loop answers. Whatever is worse ends the process."""
        return web.json_response({"status": "alive"})

    async def _show_readiness(self, _: web.Request) -> web.Response:
        """200 when every partition of this worker is processing, else 503; with what it has.

        `cluster_changed` says why adverse events wait; favourable ones flow, so it is still ready.
        """
        status = self._status()
        body = {
            "ready": status.ready,
            "assignment_settled": status.assignment_settled,
            "stopping": status.stopping,
            "generation": status.generation,
            "cluster_changed": status.cluster_changed,
            "blocked": list(status.blocked),
            "ousted": status.ousted,
            "kafka_away_seconds": round(status.away_seconds, 1),
            "partitions": [
                {
                    "partition": part.partition,
                    "state": part.state,
                    "lag": part.lag,
                    "queued_records": part.queued_records,
                    "recovered_records": part.recovered_records,
                    "last_commit_at": part.last_commit_at,
                    "next_due_at": part.next_due_at,
                }
                for part in status.parts
            ],
        }
        return web.json_response(body, status=200 if status.ready else 503)
