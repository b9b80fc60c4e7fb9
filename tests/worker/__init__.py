"""The whole worker as a process, on a real Kafka and real input."""
