"""What each long-lived command shows of its own process at `/metrics`."""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics


def show_process(registry: CollectorRegistry) -> None:
    """Shows memory, CPU, open files and the start of this process, which tells that it crashes.

    No counter of the process has a `_created` series beside it then: it would double each page, and
    Prometheus reckons rises without it.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    ProcessCollector(registry=registry)
