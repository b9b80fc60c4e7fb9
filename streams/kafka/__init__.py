"""How Byline reads Kafka: one tolerant way from fetched bytes to records, for worker and verbs.

codecs.py bounds what a batch may unpack to, batches.py reads a batch whatever its headers hold,
stretches.py takes what was fetched, consumer.py is the client that everything in Byline reads with.
"""
