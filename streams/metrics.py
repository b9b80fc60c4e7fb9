"""The metrics of a worker for Prometheus, in a registry that the caller gives.

`SPECS` lists all of them with names, types, labels and meaning. Tests compare the list with the
`/metrics` page and the documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.process_metrics import show_process

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Spec:
    """The definition of a metric."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()


SPECS: tuple[Spec, ...] = (
    Spec("counter", "byline_inputs_total", "Input records read, by topic.", ("topic",)),
    Spec(
        "counter",
        "byline_stale_inputs_total",
        "Readings and labels older than the ones applied.",
        ("topic", "platform"),
    ),
    Spec(
        "counter",
        "byline_ignored_inputs_total",
        "Inputs that count for nothing, by reason.",
        ("topic", "reason"),
    ),
    Spec(
        "counter",
        "byline_times_replaced_total",
        "Words whose time was no credible one: before 2005 or more than five minutes ahead.",
        ("topic",),
    ),
    Spec(
        "counter",
        "byline_control_ids_reused_total",
        "Controls applied under the id of another one with another content.",
        ("platform",),
    ),
    Spec(
        "counter",
        "byline_unclear_words_total",
        "Words that cannot be read or do not fit, by topic; `consent`: while one is in force.",
        ("platform", "topic", "consent"),
    ),
    Spec(
        "counter",
        "byline_dead_letters_total",
        "Inputs refused, by topic and reason.",
        ("topic", "reason"),
    ),
    Spec(
        "counter",
        "byline_name_fields_total",
        "Inputs refused because they carried a field known to hold a person's name.",
        ("topic",),
    ),
    Spec(
        "counter",
        "byline_refusal_guard_trips_total",
        "Times the refusal guard of a platform tripped, by the topic and reason that did it.",
        ("platform", "topic", "reason"),
    ),
    Spec(
        "gauge",
        "byline_refusal_guard_tripped",
        "1 while a platform's adverse events wait until what was refused is settled.",
        ("platform",),
    ),
    Spec(
        "counter",
        "byline_events_total",
        "Events out: the funnel, by platform, event, reason and mode.",
        ("platform", "event", "reason", "mode"),
    ),
    Spec(
        "counter",
        "byline_deferrals_total",
        "Adverse events put off, by what they wait for.",
        ("platform", "event", "by"),
    ),
    Spec(
        "counter",
        "byline_eligibility_changes_total",
        "Changes of the eligibility of accounts, by the state that they led to.",
        ("platform", "to"),
    ),
    Spec(
        "counter",
        "byline_timer_evaluations_total",
        "Accounts evaluated because a timer was due.",
        ("platform",),
    ),
    Spec(
        "counter",
        "byline_guard_trips_total",
        "Times a guard of a policy tripped, or stayed tripped for another window.",
        ("platform", "guard"),
    ),
    Spec(
        "gauge",
        "byline_guard_tripped_seconds",
        "Seconds until a platform's guard resets, the longest of the partitions; 0: not tripped.",
        ("platform",),
    ),
    Spec(
        "gauge",
        "byline_guards_tripped",
        "Guards that hold a platform's adverse events back: of refusals, and of its policy.",
        ("platform",),
    ),
    Spec(
        "gauge",
        "byline_switch_on",
        "1 while a switch is on in any partition of this worker; scope: a platform, or * for all.",
        ("scope", "switch"),
    ),
    Spec(
        "gauge",
        "byline_unconfirmed_invitations",
        "Invitations without a receipt for longer than UNCONFIRMED_AFTER: is the notifier alive?",
        ("platform",),
    ),
    Spec("gauge", "byline_tracked_accounts", "Accounts whose state is kept.", ("platform",)),
    Spec("gauge", "byline_scheduled_accounts", "Accounts with a timer."),
    Spec("gauge", "byline_timers_overdue_seconds", "How long the earliest timer has been due."),
    Spec(
        "gauge",
        "byline_policy_info",
        "1 for the policy in force.",
        ("platform", "version", "digest"),
    ),
    Spec("gauge", "byline_partitions", "Partitions of this worker, by state.", ("state",)),
    Spec(
        "gauge",
        "byline_cluster_changed",
        "1 while adverse events wait: partitions were added under a worker, or a topic is unseen.",
    ),
    Spec(
        "gauge",
        "byline_blocked_inputs",
        "Inputs' partitions unread to their end for a minute: a transaction hangs, or no leader.",
    ),
    Spec("gauge", "byline_kafka_away_seconds", "How long Kafka has not answered; 0 while it does."),
    Spec(
        "gauge",
        "byline_blocked_topic",
        "1 while records of a topic are hidden behind an open transaction of another producer.",
        ("topic",),
    ),
    Spec(
        "gauge",
        "byline_open_transaction_seconds",
        "How long the transaction is open that hides records of a topic; gone when it ends.",
        ("topic", "producer_id"),
    ),
    Spec("gauge", "byline_lag_records", "Records behind the broker's ends of all inputs."),
    Spec("gauge", "byline_lag_seconds", "Age of the oldest unread record of all inputs."),
    Spec(
        "gauge",
        "byline_topic_lag_records",
        "Records behind the broker's end of an input, over the partitions of this worker.",
        ("topic",),
    ),
    Spec(
        "gauge",
        "byline_topic_lag_seconds",
        "Age of the oldest unread record of an input, hidden ones included.",
        ("topic",),
    ),
    Spec(
        "gauge",
        "byline_topic_position",
        "How far an input was read: the offsets to read next, summed over our partitions.",
        ("topic",),
    ),
    Spec(
        "gauge",
        "byline_newest_record_age_seconds",
        "Age, by this clock, of an input's newest record applied in the last minute; below 0: this"
        " clock is behind the broker's; absent: none was applied.",
        ("topic",),
    ),
    Spec("gauge", "byline_queued_records", "Records fetched and not yet applied."),
    Spec(
        "gauge",
        "byline_write_buffer_bytes",
        "Memory of the writes that RocksDB has not put into its files yet; it falls at each flush.",
    ),
    Spec("gauge", "byline_block_cache_bytes", "Memory of the blocks of RocksDB's files."),
    Spec("counter", "byline_transactions_total", "Transactions committed."),
    Spec("counter", "byline_state_changes_total", "Table changes committed."),
    Spec("counter", "byline_outputs_total", "Output records committed, all topics."),
    Spec("histogram", "byline_transaction_duration_seconds", "Time to commit a transaction."),
    Spec("histogram", "byline_batch_duration_seconds", "Time to apply a batch."),
    Spec("histogram", "byline_timer_delay_seconds", "How late timers acted."),
    Spec("histogram", "byline_recovery_duration_seconds", "Time to open a partition."),
    Spec("counter", "byline_recovered_records_total", "Changelog records read at opening."),
    Spec(
        "counter",
        "byline_refetches_total",
        "Batches fetched again, by reason: gap or tail.",
        ("reason",),
    ),
)

ALIASES: Mapping[str, str] = {
    "byline_refetches_total": "byline_healed_total",
    "byline_timer_evaluations_total": "byline_timers_total",
    "byline_guard_trips_total": "byline_guard_closed_total",
    "byline_guard_tripped_seconds": "byline_guard_closed_seconds",
    "byline_scheduled_accounts": "byline_waiting_accounts",
    "byline_transaction_duration_seconds": "byline_transaction_seconds",
    "byline_batch_duration_seconds": "byline_batch_seconds",
    "byline_recovery_duration_seconds": "byline_recovery_seconds",
}
"""Former names of metrics, by present name; both are exported, so that old dashboards still work.
"""

_COUNTED: Mapping[str, str] = {
    "inputs": "byline_inputs_total",
    "stale": "byline_stale_inputs_total",
    "ignored": "byline_ignored_inputs_total",
    "time_replaced": "byline_times_replaced_total",
    "control_id_reused": "byline_control_ids_reused_total",
    "unclear": "byline_unclear_words_total",
    "dead_letters": "byline_dead_letters_total",
    "refusals_tripped": "byline_refusal_guard_trips_total",
    "events": "byline_events_total",
    "deferred": "byline_deferrals_total",
    "eligibility": "byline_eligibility_changes_total",
    "timers": "byline_timer_evaluations_total",
    "guard_trips": "byline_guard_trips_total",
}
"""By the name under which the core counts, the metric."""


class Metrics:
    """All metrics of a worker in one registry; it implements the engine's `Observer`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        show_process(registry)
        self._all: dict[str, tuple[Counter | Gauge | Histogram, ...]] = {}
        self._only: dict[str, set[tuple[str, ...]]] = {}
        for spec in SPECS:
            names = [spec.name, *filter(None, [ALIASES.get(spec.name)])]
            self._all[spec.name] = tuple(self._made(spec, name) for name in names)

    def _made(self, spec: Spec, name: str) -> Counter | Gauge | Histogram:
        says = spec.help if name == spec.name else f"The former name of {spec.name}."
        if spec.kind == "counter":
            return Counter(name, says, spec.labels, registry=self.registry)
        if spec.kind == "gauge":
            return Gauge(name, says, spec.labels, registry=self.registry)
        buckets = SECONDS_BUCKETS
        return Histogram(name, says, spec.labels, registry=self.registry, buckets=buckets)

    def count(self, name: str, amount: float, *labels: str) -> None:
        """Adds to a counter of `SPECS`."""
        for metric in self._all[name]:
            assert isinstance(metric, Counter)
            (metric.labels(*labels) if labels else metric).inc(amount)

    def show(self, name: str, value: float, *labels: str) -> None:
        """Sets a gauge of `SPECS`."""
        for metric in self._all[name]:
            assert isinstance(metric, Gauge)
            (metric.labels(*labels) if labels else metric).set(value)

    def show_only(self, name: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets a gauge of `SPECS` for these label values, and removes its other series."""
        gone = self._only.get(name, set()) - values.keys()
        self._only[name] = set(values)
        for metric in self._all[name]:
            assert isinstance(metric, Gauge)
            for labels in gone:
                metric.remove(*labels)
            for labels, value in values.items():
                metric.labels(*labels).set(value)

    def observe(self, name: str, value: float) -> None:
        """Adds a measurement, in seconds, to a histogram of `SPECS`."""
        for metric in self._all[name]:
            assert isinstance(metric, Histogram)
            metric.observe(value)

    def add(self, counts: Mapping[tuple[str, ...], int]) -> None:
        """Adds what a partition of the core counted in a transaction (see step_effects.py)."""
        for (kind, *labels), amount in counts.items():
            self.count(_COUNTED[kind], amount, *labels)
            if kind == "dead_letters" and labels[1] == "name_field":
                self.count("byline_name_fields_total", amount, labels[0])

    # ---- the engine's observer -----------------------------------------------------------------

    def assigned(self, partitions: frozenset[int]) -> None:
        """Does nothing: the gauge `byline_partitions` is set from the engine's status."""

    def recovered(self, partition: int, records: int, seconds: float) -> None:
        """Counts the restore of a partition."""
        self.count("byline_recovered_records_total", records)
        self.observe("byline_recovery_duration_seconds", seconds)

    def stepped(self, partition: int, topic_records: dict[str, int], seconds: float) -> None:
        """Measures an applied step."""
        self.observe("byline_batch_duration_seconds", seconds)

    def timers_run(self, partition: int, late_ms: int, seconds: float) -> None:
        """Measures how late a round of timers ran."""
        self.observe("byline_timer_delay_seconds", late_ms / 1000)

    def committed(self, partition: int, changes: int, outputs: int, seconds: float) -> None:
        """Counts a committed transaction."""
        self.count("byline_transactions_total", 1)
        self.count("byline_state_changes_total", changes)
        self.count("byline_outputs_total", outputs)
        self.observe("byline_transaction_duration_seconds", seconds)

    def refetched(self, partition: int, reason: str) -> None:
        """Counts a seek back because a batch was missing."""
        self.count("byline_refetches_total", 1, reason)
