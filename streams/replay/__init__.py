"""Replay: runs the core on recorded inputs as the decision log says, and compares its output.

`following.py` runs the core along the steps of one partition's log. `written.py` compares what the
core sends with the topics. `elsewhere.py` runs the same inputs on another number of partitions.
`partition.py` puts these together for one partition, `recorded.py` reads a partition from Kafka,
`whole.py` replays all partitions. `records.py` has errors, sources and differences, `tables.py`
state in memory.

A step is a batch of inputs, or a round of timers, inside a transaction of the log.
"""
