"""The accounts, policies and timers of a partition, and the evaluation of one account."""
