"""The stable names of log lines, as in the field `event` of `LOG_FORMAT=json`.

A name stays when the sentence beside it changes, so alerts on logs should use it. The list is
closed: `deploy/log-events.md` is made from it, and a test holds it to the code.
"""

from collections.abc import Mapping

LIBRARY = "library"
"""The event of lines that a library logs, and of warnings."""
PRINTED = "printed"
"""The event of lines that something prints to stdout or stderr."""
LINES_LEFT_OUT = "lines_left_out"

LOG_EVENTS: Mapping[str, str] = {
    "assignment_left": "the group gave the assignment of an earlier start; the worker joins anew",
    "audit_breach": "the auditor found that an invariant does not hold",
    "batch_unreadable": "a batch of records cannot be unpacked; reading goes on behind it",
    "clock_ahead": "this machine's clock is ahead of the broker's; adverse events wait",
    "clock_behind": "the clock is behind a partition's last transaction; adverse events wait",
    "clock_ok": "this machine's clock agrees with the broker's again",
    "clock_unknown": "no broker told its time; the next commit asks again",
    "cluster_changed": "the cluster changed while the worker ran; adverse events wait",
    "disk_broken": "a partition's copy on disk is broken and is made anew",
    "disk_not_closed": "a partition's copy on disk was not closed cleanly",
    "disk_not_used": "a partition's copy on disk does not fit; the changelog is read instead",
    "disk_of_old_topics": "a partition's copy on disk is of a topic that was since made anew",
    "end_known": "the brokers say again where an input ends",
    "end_reachable": "an input that could not be read to its end is read on",
    "end_unknown": "the brokers do not say where an input ends; its timers wait",
    "end_unreachable": "an input cannot be read to its end; its timers wait",
    "ends_unknown": "a look at the ends of the inputs failed; the next one follows",
    "file_limit_low": "the limit of open files is too low for all partitions",
    "guard_reset": "a guard of a policy is reset: its window has passed quietly",
    "guard_tripped": "a guard of a policy is tripped; the platform's adverse events wait",
    "index_unreachable": "the index's database does not answer the read API",
    "inputs_lost": "inputs were deleted before they were read; reading goes on behind them",
    "inputs_refused": "how many inputs were refused, by reason and topic; once a minute",
    "instance_id_free": "the other worker with this INSTANCE_ID is gone; this one joins",
    "instance_id_taken": "INSTANCE_ID is in the group under another start; this one waits",
    "instance_id_twice": "another living worker has this INSTANCE_ID; this one stays out",
    "kafka_awaited": "no Kafka answers yet at the start",
    "kafka_away": "Kafka does not answer",
    "kafka_back": "Kafka answers again",
    "lag": "a topic has fallen behind, or further behind",
    "lag_over": "a topic has caught up",
    "leave_not_told": "the group could not be told that the worker leaves",
    LIBRARY: "a library's line, or a warning of Python",
    LINES_LEFT_OUT: "lines were not written: nobody read them in time, or the disk was full",
    "name_fields_refused": "refused inputs had a field that names a person; once a minute",
    "nobody_let_in": "the roles file of the console is wrong, so nobody is let in",
    "old_rows_kept": "what read API and console keep for a time only could not be deleted yet",
    "order_not_sent": "an order of the console could not be sent to Kafka; it can be sent again",
    "order_sent": "a person sent an order of the console",
    "page_failed": "a page of the worker's site, or of the console, could not be shown",
    "partition_ready": "a partition is restored and begins to process",
    "partitions_assigned": "the group gave the worker these partitions",
    "policy_taken_up": "a policy is new to the worker's partitions",
    PRINTED: "what something printed to stdout or stderr",
    "provider_unreachable": "the OpenID provider of the console does not answer, or not as one",
    "refetch": "fetched records did not join up; they are fetched again",
    "refusal_guard_reset": "the refusal guard of a platform is reset: refusals are settled",
    "refusal_guard_tripped": "the refusal guard of a platform is tripped; adverse events wait",
    "report_not_kept": "the end of a report that the console lets be worked out is not noted",
    "rescan": "readings and labels of a platform are read again from the beginning",
    "rescan_unneeded": "a rescan was stated, but nothing of the platform was left out",
    "settings_unread": "the brokers do not tell the settings of a changelog",
    "settings_of_kubernetes_ignored": "variables that Kubernetes sets look like settings",
    "sign_in_refused": "the console refused what an OpenID provider said of a sign-in",
    "state_damaged": "a partition's copy on disk is damaged; the next start makes it anew",
    "state_damaged_made_anew": "a partition's damaged copy on disk is made anew",
    "state_hidden": "an open transaction hides a partition's state; it is opened after that",
    "switch_off": "a switch is off again in all partitions of this worker",
    "switch_on": "a switch is on, and obeyed by all partitions of this worker",
    "topic_blocked": "a producer's open transaction hides an input's records",
    "topic_made_anew_not_accepted": "a topic was made anew; it is read, adverse events wait",
    "topic_unblocked": "no open transaction hides an input's records any more",
    "topics_seen": "the topics can be compared with those of the start again",
    "topics_unseen": "the brokers do not describe a topic; adverse events wait",
    "transaction_owner_unknown": "the brokers do not say whose an open transaction is",
    "uncaught_error": "an error that nobody handled ends the command",
    "worker_started": "a worker's site answers; it goes on to join its group",
    "worker_stops": "the last words of a worker that gives up",
}
"""What each event means, by name."""


def event(name: str) -> dict[str, str]:
    """Returns the argument `extra` of a log call, which names the line's event."""
    return {"event": name}
