"""Byline under fire: real workers and brokers, faults at random and at named points, an oracle."""
