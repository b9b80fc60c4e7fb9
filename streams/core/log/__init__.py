"""What is written down: the decision log with its chain, and events as they stand on the wire."""
