"""Exactly once on Faust and aiokafka; knows Kafka, and nothing of invitations. Map: DESIGN.md.

What runs: `processor` what the engine asks of the code it runs · `config` its settings ·
`faust_app` the Faust app · `worker` what the partition tasks of one process share.
From Kafka: `transport`, `fetching` from the consumer's thread · `fetch_queues`, `input_queue` what
waits to be applied · `broadcast` the topic that every partition reads whole.
Whose partition: `assignment`, `assignor`, `membership`.
One partition: `partition_task` its task · `commit_policy` when it commits · `high_watermarks`,
`clock` when timers may act.
To Kafka: `transaction` one batch, one transaction · `producer`, `sender` what is sent for it.
State: `restore`, `recovery` · `stores`, `disk_faults`, `disk_reading` on disk · `checkpoint`,
`notes` how far a partition has been read.
The cluster: `preflight`, `rights` before the start · `continuity`, `acceptance` whether the state
belongs to it · `cluster_watch`, `reach_watch`, `lag` while the worker lives.
Trouble: `watchdog` what would stall in silence · `process_exit` the one way out · `failpoints` for
tests · `libraries`, `library_log` what is used of aiokafka and Faust · `observer` what is reported.
"""
