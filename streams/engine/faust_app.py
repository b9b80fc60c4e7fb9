"""The Faust app around the engine, and running it.

Faust gives the worker, the group with its co-partitioning assignor, the agents and the signals; the
one agent here only routes batches to the partition tasks.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import faust
import uvloop
from faust.app.base import BootStrategy
from faust.serializers.schemas import Schema

from streams.engine.assignor import FixedAssignor
from streams.engine.config import EngineConfig
from streams.engine.libraries import check_libraries
from streams.engine.observer import NoObserver, Observer
from streams.engine.process_exit import end_on
from streams.engine.processor import Processor
from streams.engine.transport import BatchTransport
from streams.engine.worker import Engine
from streams.stop_worker import ExitCode


class BatchSchema(Schema):  # type: ignore[misc]
    """A schema that hands batches on as they are."""

    def compile(self, app: Any, **kwargs: Any) -> Any:
        """A decoder that decodes nothing."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode


class EngineBoot(BootStrategy):  # type: ignore[misc]
    """Starts no producer of Faust. The partitions' transactions write everything."""

    enable_kafka_producer = False


class EngineWorker(faust.Worker):  # type: ignore[misc]
    """Faust's worker, but it does not sleep for a second before it closes the loop."""

    async def _sentinel_task(self) -> None:
        await asyncio.sleep(0)


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app whose data path is the engine's. `engine.status()` tells its health."""

    BootStrategy = EngineBoot
    engine: Engine
    early: Callable[[], Awaitable[None]] | None = None
    """Awaited first of all, before there is a broker: a worker that waits for one is alive."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Awaited once the cluster has been checked, before the worker joins its group."""

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    async def on_start(self) -> None:
        """Check the cluster before anything joins the group."""
        try:
            if self.early is not None:
                await self.early()
            check_libraries()
            await self.engine.start()
            if self.prepare is not None:
                await self.prepare()
        except Exception as error:
            end_on(error, "starting")
        await super().on_start()

    async def on_stop(self) -> None:
        """Commit what has been applied while the consumer is still a member."""
        await self.engine.stop()
        await super().on_stop()


def choose_loop(config: EngineConfig) -> None:
    """Choose uvloop, but the standard loop over TLS.

    Closing a TLS connection to Kafka on uvloop 0.23 often waits 30 s (6 of 9), never on the
    standard loop (0 of 9): partitions open in half a minute, and takeovers time out.
    """
    over_tls = str(config.security.get("security_protocol", "")).endswith("SSL")
    asyncio.set_event_loop_policy(None if over_tls else uvloop.EventLoopPolicy())


def build(
    config: EngineConfig, processor: Processor, observer: Observer | None = None
) -> EngineApp:
    """The app, ready for `run` or for `faust -A module worker`.

    Views, tasks and services may be added to it before it runs. It chooses the process's event loop
    policy.
    """
    choose_loop(config)
    faust_dir = config.data_dir / "faust"
    faust_dir.mkdir(parents=True, exist_ok=True)
    request_seconds = config.request_timeout_seconds
    app = EngineApp(
        config.application_id,
        broker=[f"kafka://{server}" for server in config.servers],
        datadir=str(faust_dir),
        broker_client_id=config.application_id,
        broker_request_timeout=request_seconds,
        broker_session_timeout=config.session_timeout_seconds,
        broker_heartbeat_interval=config.heartbeat_interval_seconds,
        broker_rebalance_timeout=config.rebalance_timeout_seconds,
        broker_commit_interval=3600.0,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=64,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=1,
        # Faust tells members apart by it when it distributes partitions.
        canonical_url=f"http://{config.instance_id or f'{socket.gethostname()}-{os.getpid()}'}",
        web_enabled=config.web_enabled,
        web_stats_enabled=False,
        web_graph_enabled=False,
        web_router_enabled=False,
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        PartitionAssignor=FixedAssignor,
        Worker=EngineWorker,
    )
    app.engine = Engine(config, processor, observer or NoObserver())
    engine = app.engine
    batches = app.topic(*processor.spec.topics, schema=BatchSchema(), acks=False, internal=False)

    @app.agent(batches, name="route")  # type: ignore[untyped-decorator]
    async def route(stream: Any) -> None:
        try:
            async for poll in stream:
                for fetched in poll:
                    engine.route(fetched)
        except Exception as error:
            end_on(error, "routing")

    return app


def run(app: EngineApp, loglevel: str | None = None) -> int:
    """Run the worker until SIGTERM or SIGINT; the exit code.

    0 for a clean stop, 70 when something crashed inside Faust. What goes wrong in the engine does
    not come back here: the process ends with the code of the `StopWorker`, or with 70 for all else
    (see process_exit.py). With `loglevel` None logging is left as it is.
    """
    worker = app.Worker(
        loglevel=loglevel or "info",
        override_logging=loglevel is not None,
        redirect_stdouts=False,
        quiet=True,
        stdout=sys.__stdout__,
        stderr=sys.__stderr__,
    )
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as finished:
        return ExitCode.RESTART if finished.code else 0
    return 0
