"""The independent auditor: reads the topics alone and knows none of the core's code.

Records: `records` what is fed in and what a breach is · `rules` the closed list of breaches · `odd`
reads any bytes · `replay_order` and `happened` put a partition's records in the order of its log ·
`reading` Kafka · `chain` the hash chain.
What is known: `account_state` an account · `partition` · `terms` what a policy promised · `words`
which word is the newest · `switch_log` and `switches` · `guard` the refusal guard · `unclear`.
What inputs do: `inputs` each one · `refusals` whether it is refused · `apply_inputs`, `controls`,
`receipts`, `facts` by kind · `dues` what has to follow at once, `overdue` some time ·
`first_edition` and `intake` for logs of the contract's first edition.
The checks: `event_checks`, `doubts`, `invitations`, `consents`, `throttles`, `caps` on events,
`logbook` on the log · `judging` and `auditor` the whole · `service` metrics.

It imports `schemas`, and of ours the reader of Kafka alone; import-linter holds that.
"""
