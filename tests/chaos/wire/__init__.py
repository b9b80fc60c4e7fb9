"""Faults on the wire: a proxy that knows the requests of a transaction, and its exact outcome."""
