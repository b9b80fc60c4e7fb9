"""Byline's benchmark: the shipped worker beside its peers, same data, same broker, in turn."""
