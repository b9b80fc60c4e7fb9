"""`byline audit --follow`: the auditor's own metrics, a closed list."""

import logging
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from streams.log_events import event
from streams.operate.audit.auditor import Auditor
from streams.operate.audit.records import Breach
from streams.operate.audit.rules import RULES
from streams.process_metrics import show_process

log = logging.getLogger(__name__)


class AuditMetrics:
    """The metrics of `byline audit --follow`. Alert on any rise of `byline_audit_breaches`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.breaches = Counter(
            "byline_audit_breaches",
            "Breaches of an invariant that the auditor found.",
            ("invariant", "breach"),
            registry=registry,
        )
        self.decisions = Gauge(
            "byline_audit_decisions", "Decisions that the auditor judged.", registry=registry
        )
        self.events = Gauge(
            "byline_audit_events", "Events that the auditor judged.", registry=registry
        )
        self.accounts = Gauge(
            "byline_audit_accounts", "Accounts that the auditor follows.", registry=registry
        )
        self.judged_at = Gauge(
            "byline_audit_judged_timestamp_seconds",
            "The instant up to which the slowest partition with decisions has been judged.",
            registry=registry,
        )
        # The gauge is registered with its first value: before that, it would show 1970 (0).
        self.as_of = Gauge(
            "byline_audit_as_of_timestamp_seconds",
            "All that the decision log held then has been read; absent until all was read once.",
            registry=None,
        )
        self._registry, self._caught_up = registry, False
        show_process(registry)
        for name, rule in RULES.items():
            self.breaches.labels(str(rule.invariant), name)

    def found(self, breaches: Sequence[Breach]) -> None:
        """Counts and logs each breach. The log line names records by place, never their content."""
        for breach in breaches:
            self.breaches.labels(str(breach.invariant), breach.name).inc()
            log.error(
                "breach of invariant %d: %s (%s)",
                breach.invariant,
                breach.name,
                ", ".join(breach.places),
                extra=event("audit_breach"),
            )

    def progress(self, auditor: Auditor) -> None:
        """Sets the gauges to how far the auditor has judged."""
        self.decisions.set(auditor.decisions_seen)
        self.events.set(auditor.events_seen)
        partitions = auditor.partitions.values()
        self.accounts.set(sum(len(partition.accounts) for partition in partitions))
        judged = [it.replay_order.last_now for it in partitions if it.replay_order.last_now]
        self.judged_at.set(min(judged, default=0) / 1000)

    def caught_up(self, instant: float) -> None:
        """Notes that everything that was in the log at an instant (seconds since 1970) was read."""
        self.as_of.set(instant)
        if not self._caught_up:
            self._registry.register(self.as_of)
            self._caught_up = True
