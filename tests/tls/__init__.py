"""A Kafka as it stands in production, TLS, SCRAM and ACLs, for tests: made anew, gone with them."""
