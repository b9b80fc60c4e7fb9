"""Output records: the decision log with its hash chain, and events in their wire format."""
