"""The independent auditor: reads the topics alone and knows none of the core's code.

`records` what is fed in, what a breach is, the closed list of breaches · `intake` inputs that count
· `terms` what a policy promised · `lineup` puts a partition's records in the order of its log ·
`life` what is known of an account · `people` what inputs do to it · `event_checks`,
`invitations`, `consents`, `throttles`, `overdue` the checks · `partition`, `auditor` the whole ·
`chain` the hash chain · `reading` Kafka · `service` metrics.

It imports `schemas` and nothing else of ours; import-linter holds that.
"""
