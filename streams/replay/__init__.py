"""Replay: recorded inputs and the decision log through the core, and what comes out compared.

`following.py` leads the core along the steps of one partition's log. `written.py` holds what it
sends to what stands in the topics. `elsewhere.py` does the same on another number of partitions.
`partition.py` puts them together for one partition, `recorded.py` and `whole.py` for Kafka.
"""
