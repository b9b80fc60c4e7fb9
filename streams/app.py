"""The composition root: builds the Faust app of a worker and connects the core to the engine."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from schemas.topics import POLICIES, TopicNames
from streams import logs
from streams.core.model.policy import Policy
from streams.engine.faust_app import EngineApp, build, run
from streams.engine.process_exit import last_acts, spawn
from streams.engine.worker import SPANS_SECONDS
from streams.gauges import follow, refresh
from streams.instance import Instance, claim
from streams.kafka.columns import available
from streams.log_events import event
from streams.metric_series import first_series
from streams.metrics import Metrics
from streams.news import News
from streams.operate.audit.reading import MissingTopicsError
from streams.operate.errors import KafkaAbsentError, OperateError
from streams.operate.published import published, shared_versions
from streams.operate.topics import kept_too_short
from streams.policies import load_policies
from streams.policies.scalars import nearest, parse_duration
from streams.processor import BylineProcessor
from streams.settings import (
    Settings,
    SettingsError,
    injected_names,
    kafka_client_kwargs,
)
from streams.settings_checks import id_key
from streams.stop_worker import ExitCode, StopWorker
from streams.traces import Traces, TracesUnavailableError, open_traces
from streams.web import HealthSite
from streams.worker_config import engine_config

_log = logging.getLogger("streams.app")


async def publish_policies(
    settings: Settings, names: TopicNames, policies: Mapping[str, Policy]
) -> None:
    """Writes each policy's canonical JSON, under its digest, to the topic of policies."""
    producer = AIOKafkaProducer(enable_idempotence=True, **kafka_client_kwargs(settings))
    await producer.start()
    try:
        for policy in policies.values():
            await producer.send_and_wait(
                names.of(POLICIES), policy.canonical, key=policy.digest.encode()
            )
    finally:
        await producer.stop()


async def refuse_short_retention(settings: Settings) -> None:
    """Checks that the decision log is kept long enough (PIPL art. 56).

    Raises:
        StopWorker: the topic's retention is too short.
    """
    faults = [str(fault) for fault in await kept_too_short(settings)]
    if faults:
        advice = "mend it with kafka-configs or `byline topics apply`, then start the worker"
        raise StopWorker(f"{'; '.join(faults)}: {advice}", ExitCode.PERSON)


async def refuse_shared_versions(settings: Settings, policies: Mapping[str, Policy]) -> None:
    """Checks that no two notices of a platform share a version, former policies included.

    Raises:
        StopWorker: two notices share one.
    """
    faults = shared_versions(await published(settings), policies)
    if faults:
        raise StopWorker("; ".join(faults), ExitCode.PERSON)


def rescanned(settings: Settings, policies: Collection[str]) -> frozenset[str]:
    """Returns the platforms for which the operator allows a rescan (BYLINE_RESCAN).

    A rescan reads readings and labels again from the beginning.

    Raises:
        SettingsError: a platform has no policy.
    """
    named = frozenset(settings.rescan.split(",")) if settings.rescan else frozenset()
    faults = []
    for name in sorted(named.difference(policies)):
        near = nearest(name, policies)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(policies)}"
        faults.append(f"BYLINE_RESCAN (--rescan): there is no policy of {name!r}; {hint}")
    if faults:
        raise SettingsError(faults)
    return named


def create_app(settings: Settings) -> EngineApp:
    """Makes a worker that is ready to run: loads the policies, and claims a folder and a port.

    Raises:
        PolicyFaults: a policy file is wrong.
        SettingsError: `rescan` names a platform without a policy.
        InstanceError: no folder or port is free.
    """
    policies = load_policies(
        settings.policies,
        require_approvals=settings.require_approvals,
        now=int(time.time() * 1000),
    )
    rescan = rescanned(settings, policies)
    instance = claim(settings)
    names = TopicNames(settings.topic_prefix, settings.application_id)
    metrics = _metrics(policies)
    news = News()
    approvals, key = settings.require_approvals, id_key(settings)
    columns = available() and not settings.pure_python
    processor = BylineProcessor(
        policies, names, metrics, approvals, rescan, news, key, columns=columns
    )
    traces = _traces(settings, instance)
    app = build(engine_config(settings, instance), processor, metrics, traces)
    app.byline_instance = instance
    unconfirmed_after = parse_duration(settings.unconfirmed_after)

    def bring_up_to_date() -> None:
        engine = app.engine
        refresh(metrics, engine.status(), processor, engine.clock.now(), unconfirmed_after)

    site = HealthSite(metrics, app.engine.status, bring_up_to_date)

    following: list[asyncio.Task[None]] = []

    async def serve() -> None:
        await site.start(settings.http_host, instance.http_port)
        following.append(spawn(follow(news, app, processor), "looking for news"))
        _log.info(
            "worker %s: http://%s:%d/metrics, %d policies, data in %s, readings by the %s code",
            instance.instance_id,
            settings.http_host,
            instance.http_port,
            len(policies),
            instance.folder,
            "compiled" if columns else "pure",
            extra=event("worker_started"),
        )

    app.early, app.prepare = serve, partial(_prepare, settings, names, policies)

    @app.on_before_shutdown.connect  # type: ignore[untyped-decorator]
    async def leave(app: Any, **kwargs: Any) -> None:
        for task in following:
            task.cancel()
        await site.stop()

    return app


def _traces(settings: Settings, instance: Instance) -> Traces | None:
    """Opens the traces that the settings ask for. At a crash the last of them are sent too.

    Raises:
        SettingsError: the extra `otel` is not installed.
    """
    endpoint = settings.traces_endpoint
    if endpoint is None:
        return None
    ratio, name = settings.traces_sample_ratio, settings.application_id
    try:
        traces = open_traces(endpoint, ratio, name, instance.instance_id, version("byline"))
    except TracesUnavailableError as error:
        raise SettingsError([f"BYLINE_TRACES_ENDPOINT: {error}"]) from error
    last_acts.append(partial(traces.close, SPANS_SECONDS))
    return traces


def _metrics(policies: Mapping[str, Policy]) -> Metrics:
    """Returns metrics in which the counters of these policies are there, at zero."""
    metrics = Metrics(CollectorRegistry())
    for name, labels in first_series(policies.values()):
        metrics.count(name, 0, *labels)
    for policy in policies.values():
        metrics.show(
            "byline_policy_info", 1, policy.platform, str(policy.version), policy.digest[:12]
        )
    return metrics


async def _prepare(settings: Settings, names: TopicNames, policies: Mapping[str, Policy]) -> None:
    """Checks topics and policy versions against Kafka, and publishes the policies.

    Raises:
        StopWorker: something is missing or does not fit, or no Kafka answers.
    """
    try:
        await refuse_short_retention(settings)
        await refuse_shared_versions(settings, policies)
        await publish_policies(settings, names, policies)
    except MissingTopicsError as error:
        raise StopWorker(f"{error}: `byline topics create` makes them", ExitCode.PERSON) from error
    except KafkaAbsentError as error:
        raise StopWorker(str(error), ExitCode.RESTART) from error
    except OperateError as error:
        raise StopWorker(str(error), ExitCode.PERSON) from error


def run_worker(settings: Settings) -> int:
    """Runs a worker until it is told to stop. Returns the exit code (engine/faust_app.py)."""
    logs.configure(settings.log_level, settings.log_format)
    if ignored := injected_names():
        _log.debug(
            "ignored, Kubernetes has set them: %s",
            ", ".join(ignored),
            extra=event("settings_of_kubernetes_ignored"),
        )
    asyncio.set_event_loop(None)
    return run(create_app(settings))
