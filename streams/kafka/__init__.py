"""Reads Kafka: turns fetched bytes into records, for the worker and all commands alike.

codecs.py bounds what a batch may unpack to, batches.py reads a batch whatever its headers hold,
stretches.py takes what was fetched, consumer.py is the client that everything in Byline reads with.
"""
