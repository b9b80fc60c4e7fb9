"""Kafka requests that aiokafka lacks, or has in older versions only; one module per subject.

Fields as in https://kafka.apache.org/protocol.
"""
