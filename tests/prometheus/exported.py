"""The pages of a worker, the index, the auditor and the console, drawn without Kafka."""

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from schemas.enums import Mode
from streams.console.counting import NAMES as CONSOLE
from streams.console.counting import Counting
from streams.metric_series import first_series
from streams.metrics import SPECS, Metrics
from streams.operate.audit.service import AuditMetrics as AuditMetrics
from streams.serve.metrics import ANSWERS, NAMES, answers_of
from streams.serve.openapi import ROUTES
from tests.core.given import policy

PROCESS = (
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
)


def _begun() -> Metrics:
    metrics = Metrics(CollectorRegistry())
    for name, labels in first_series([policy(mode=Mode.SHADOW)]):
        metrics.count(name, 0, *labels)
    return metrics


def from_start() -> list[Sample]:
    """What each of the four shows of its counters before anything has happened."""
    read, auditor = CollectorRegistry(), CollectorRegistry()
    answers_of(read, ROUTES)
    AuditMetrics(auditor)
    console = Counting()
    console.begin("/")
    registries = (_begun().registry, read, auditor, console.registry)
    return [
        sample
        for registry in registries
        for family in registry.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    ]


def worker_page() -> str:
    """A worker's page from its start, with every metric of the list shown once."""
    metrics = _begun()
    for spec in SPECS:
        values = [f"{label}-1" for label in spec.labels]
        if spec.kind == "counter":
            metrics.count(spec.name, 1, *values)
        elif spec.kind == "gauge":
            metrics.show(spec.name, 1, *values)
        else:
            metrics.observe(spec.name, 0.2)
    return generate_latest(metrics.registry).decode()


def auditor_page() -> str:
    """A followed audit's page, once it has read all."""
    registry = CollectorRegistry()
    AuditMetrics(registry).caught_up(1_700_000_000.0)
    return generate_latest(registry).decode()


def exported() -> set[str]:
    """Every name that one of the four shows, in a query's form."""
    samples = {
        sample.name
        for page in (worker_page(), auditor_page())
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    return samples | NAMES.keys() | CONSOLE.keys() | {ANSWERS}


def kept(folder: Path, name: str, page: str) -> Path:
    """The page in a file."""
    file = folder / f"{name}.txt"
    file.write_text(page)
    return file
