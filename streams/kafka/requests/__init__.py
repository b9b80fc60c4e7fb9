"""Requests that aiokafka does not ship, or ships in older versions only, by what they are about.

Fields as in https://kafka.apache.org/protocol.
"""
