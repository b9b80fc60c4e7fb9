"""The dashboard *service*: does it run and keep up?"""

from tests.prometheus.dashboards.panel import Board, Panel

WORKER = 'job="byline-worker"'
STARTED = f"process_start_time_seconds{{{WORKER}}}"


def _quantile(metric: str) -> str:
    rates = f"sum by (le) (rate({metric}_bucket[$__rate_interval]))"
    return f"histogram_quantile(0.99, {rates})"


SERVICE = Board(
    "service",
    "Lag, rates, transactions and memory of the workers; how fresh the index and the auditor are.",
    {
        "Keeping up": [
            Panel(
                "Lag by topic, in time",
                "s",
                {"{{topic}}": "topic:byline_topic_lag_seconds:max"},
                "The age of the oldest record that nobody has read. Alert: BylineLag.",
            ),
            Panel(
                "Lag by topic, in records",
                "short",
                {"{{topic}}": "sum by (topic) (byline_topic_lag_records)"},
                "Records behind the broker's ends, hidden ones included. Alert: BylineNoProgress.",
            ),
            Panel(
                "Blocked topics",
                "short",
                {
                    "{{topic}}": "max by (topic) (byline_blocked_topic)",
                    "inputs of {{instance}}": "max by (instance) (byline_blocked_inputs)",
                },
                "1: an open transaction of another producer hides records. `byline topics blocked`"
                " names it. Alert: BylineTopicBlocked.",
            ),
            Panel(
                "Inputs",
                "cps",
                {"{{topic}}": "topic:byline_inputs:rate5m"},
                "Records read a second, by topic. Alert where no reading comes in:"
                " BylineReadingsSilent.",
            ),
            Panel(
                "Overdue timers",
                "s",
                {
                    "earliest of {{instance}}": "max by (instance) (byline_timers_overdue_seconds)",
                    "p99 of delays": _quantile("byline_timer_delay_seconds"),
                },
                "How long the earliest deadline has been due. Alert: BylineDeadlinesOverdue.",
            ),
            Panel(
                "Age of the newest record",
                "s",
                {"{{instance}}": "min by (instance) (byline_newest_record_age_seconds)"},
                "This clock against the broker's: below 0, it is behind. Alert:"
                " BylineClockAgainstBroker.",
            ),
        ],
        "Transactions": [
            Panel(
                "Transactions",
                "cps",
                {"committed": "job:byline_transactions:rate5m"},
                "Committed a second, all workers.",
            ),
            Panel(
                "Time to commit and to apply",
                "s",
                {
                    "commit, p99": "job:byline_transaction_duration_seconds:p99_5m",
                    "apply a batch, p99": _quantile("byline_batch_duration_seconds"),
                },
                "Alert: BylineTransactionsSlow.",
            ),
            Panel(
                "Written",
                "cps",
                {
                    "outputs": "sum(rate(byline_outputs_total[$__rate_interval]))",
                    "table changes": "sum(rate(byline_state_changes_total[$__rate_interval]))",
                    "fetched again, {{reason}}": "sum by (reason)"
                    " (rate(byline_refetches_total[$__rate_interval]))",
                },
                "Records and table changes a second, in the same transactions.",
            ),
        ],
        "Processes": [
            Panel(
                "Workers",
                "short",
                {
                    "up": f"sum(up{{{WORKER}}})",
                    "wanted": "byline:workers_wanted",
                    "starts in an hour": f"sum(changes({STARTED}[1h]))",
                },
                "Alerts: BylineWorkersMissing, BylineWorkerRestarts.",
            ),
            Panel(
                "Partitions by state",
                "short",
                {"{{state}}": "sum by (state) (byline_partitions)"},
                "Alert: BylinePartitionsNotRunning.",
            ),
            Panel(
                "Memory",
                "bytes",
                {
                    "{{job}} {{instance}}": 'process_resident_memory_bytes{job=~"byline-.*"}',
                    "write buffers of {{instance}}": "byline_write_buffer_bytes",
                },
                "Resident memory of each process; RocksDB's write buffers rise and fall in it.",
            ),
            Panel(
                "CPU",
                "percentunit",
                {
                    "{{job}} {{instance}}": "rate(process_cpu_seconds_total"
                    '{job=~"byline-.*"}[$__rate_interval])'
                },
                "Cores in use.",
            ),
            Panel(
                "Kafka away",
                "s",
                {"{{instance}}": "byline_kafka_away_seconds"},
                "How long Kafka has not answered. Alert: BylineKafkaAway.",
            ),
            Panel(
                "How old is what they say",
                "s",
                {
                    "index": "time() - max(byline_index_as_of_timestamp_seconds)",
                    "auditor": "time() - max(byline_audit_as_of_timestamp_seconds)",
                },
                "Alerts: BylineIndexSilent, BylineAuditorSilent.",
            ),
        ],
    },
)
