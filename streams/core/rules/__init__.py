"""Decides what an input or the time changes on an account: conditions and effects, without I/O."""
