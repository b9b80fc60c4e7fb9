"""Poison day: what comes in from outside and is meant badly, or might as well be."""
