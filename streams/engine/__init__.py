"""Exactly once on Faust and aiokafka; knows Kafka, and nothing of invitations. Map: DESIGN.md.

What runs: `processor` what the engine asks of the code it runs · `config` its settings · `chassis`
the Faust app · `worker` what the parts of one process share.
From Kafka: `transport`, `fetching` from the consumer's thread · `lanes`, `intake` what waits to be
applied · `broadcast` the topic that every partition reads whole.
Whose partition: `assignment`, `assignor`, `membership`.
One partition: `part` its task · `pace` when it commits · `ends`, `clock` when timers may act.
To Kafka: `transaction` one batch, one transaction · `producer`, `sender` what is sent for it.
State: `opening`, `recovery` · `stores`, `disk_faults`, `disk_reading` on disk · `position`, `notes`
how far a partition has been read.
The cluster: `preflight`, `rights` before the start · `continuity`, `acceptance` whether the state
belongs to it · `cluster_watch`, `reach_watch`, `lag` while the worker lives.
Trouble: `watchdog` what would stall in silence · `fatal` the one way out · `failpoints` for tests ·
`libraries`, `library_log` what is used of aiokafka and Faust · `observer` what is reported.
"""
