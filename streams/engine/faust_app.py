"""Builds and runs the Faust app around the engine.

Faust provides the worker, the group with its co-partitioning assignor, the agents and the signals.
The only agent here routes batches to the partition tasks.
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
from streams.engine.spans import Spans
from streams.engine.transport import BatchTransport
from streams.engine.worker import Engine
from streams.stop_worker import ExitCode


class BatchSchema(Schema):  # type: ignore[misc]
    """A schema that passes batches on unchanged."""

    def compile(self, app: Any, **kwargs: Any) -> Any:
        """Returns a decoder that passes the message's value on."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode


class EngineBoot(BootStrategy):  # type: ignore[misc]
    """Starts no Faust producer, because the partitions' own transactions write everything."""

    enable_kafka_producer = False


class EngineWorker(faust.Worker):  # type: ignore[misc]
    """Faust's worker without its sleep of a second before it closes the loop."""

    async def _sentinel_task(self) -> None:
        await asyncio.sleep(0)


class EngineApp(faust.App):  # type: ignore[misc]
    """A Faust app that processes data with the engine. `engine.status()` returns its health."""

    BootStrategy = EngineBoot
    engine: Engine
    early: Callable[[], Awaitable[None]] | None = None
    """Awaited first, before Kafka must be reachable: a worker that waits for Kafka is alive."""
    prepare: Callable[[], Awaitable[None]] | None = None
    """Awaited after the checks of the cluster, before the worker joins its group."""

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    async def on_start(self) -> None:
        """Checks the cluster and starts the engine, before the consumer joins the group."""
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
        """Stops the engine, which commits while the consumer is still a member of the group."""
        await self.engine.stop()
        await super().on_stop()


def choose_loop(config: EngineConfig) -> None:
    """Sets the event loop policy: uvloop, but the standard loop if Kafka is reached over TLS.

    On uvloop 0.23 the close of a TLS connection to Kafka often waits 30 s (6 of 9 times, 0 of 9 on
    the standard loop), so that partitions take half a minute to open.
    """
    over_tls = str(config.security.get("security_protocol", "")).endswith("SSL")
    asyncio.set_event_loop_policy(None if over_tls else uvloop.EventLoopPolicy())


def build(
    config: EngineConfig,
    processor: Processor,
    observer: Observer | None = None,
    spans: Spans | None = None,
) -> EngineApp:
    """Makes the app, ready for `run` or for `faust -A module worker`.

    The caller may add views, tasks and services before it runs. It sets the process's event loop
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
        # Faust distinguishes members by this URL when it distributes partitions.
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
    app.engine = Engine(config, processor, observer or NoObserver(), spans)
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
    """Runs the worker until SIGTERM or SIGINT. Returns the exit code.

    It is 0 for a clean stop, 70 for a crash inside Faust. An error in the engine does not return:
    it ends the process at once, with the code of the `StopWorker` or with 70 (process_exit.py).
    With `loglevel` None the logging configuration is not changed.
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
