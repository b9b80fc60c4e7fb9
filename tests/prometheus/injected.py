"""The fault that each alert was shown, and how the fault ended, in words for the table."""

from collections.abc import Mapping

INJECTED: Mapping[str, str] = {
    # The service
    "BylineWorkersMissing": "kill -9 of the worker; then a new start",
    "BylineWorkerRestarts": "kill -9 and a new start, again and again; then an hour passes",
    "BylineTransactionsSlow": "the broker is frozen for 2 s, again and again;"
    " then it is left alone",
    "BylineKafkaAway": "kill -9 of the broker; then it is started again",
    "BylinePartitionsNotRunning": "the worker's disk is wiped, and the broker frozen while it"
    " restores; then it is thawed",
    "BylineClusterChanged": "the partitions of all inputs are doubled; then the worker is started"
    " with `BYLINE_PARTITIONS`",
    "BylineLag": "kill -9 of the broker; it is started again after five minutes",
    "BylineNoProgress": "a producer leaves a transaction open; then it aborts it",
    "BylineTopicBlocked": "the same",
    "BylineDeadlinesOverdue": "kill -9 of the broker before a deadline; it is started again five"
    " minutes after it",
    "BylineClockAgainstBroker": "a worker whose Python's clock is 8 s behind; then one with the"
    " right time",
    "BylineReadingsSilent": "no reading for six hours; then one",
    "BylineFlapping": "one account falls below the line 12,000 times and more; then an hour passes",
    "BylineIndexSilent": "nobody indexes; then somebody does",
    "BylineConsoleSilent": "kill -9 of the console; then a new start",
    "BylineErrorResponses": "the console's index is of another version; then of its own, and"
    " fifteen minutes pass",
    "BylineSignInsRefused": "60 wrong tokens and more; then fifteen minutes pass",
    # The programme
    "BylineNoticesNotDelivered": "25 invitations, and the notifier is silent; then it speaks",
    "BylineAnswersSilent": "105 notices delivered, no answer; then one",
    "BylineNoticesUnconfirmed": "25 invitations, and the notifier is silent; then it speaks",
    "BylineUndeliverable": "the notifier says that all bounced; then six hours pass",
    "BylineCapReached": "three owners over the line, a cap of one; then an hour passes",
    "BylinePoliciesMixed": "a second worker has the next version of the policies; then it"
    " is stopped",
    "BylineUnacknowledged": "a lift that no system acknowledges; then one does",
    "BylineSystemSilent": "the same",
    # Protection
    "BylineAuditBreach": "a decision is written a second time; then the audit begins behind it",
    "BylineAuditorSilent": "nobody audits; then somebody does",
    "BylineRefusalGuardTripped": "receipts that are no JSON; then `refusals_settled`",
    "BylineDeadLetters": "receipts that are no JSON; then fifteen minutes pass",
    "BylineNameField": "a label with `real_name`; then an hour passes",
    "BylineUnclearWords": "a garbled withdrawal of one who agreed; then an hour passes",
    "BylineGuardTripped": "all notices bounced; then the guard's window of 10 s passes",
    "BylineSwitchOn": "a switch is on for a day; then it is off",
}
