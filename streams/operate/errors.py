"""Errors of an operator's command, and who has to act on each.

OperateError
├── UsageError         the command cannot be meant that way: the caller's (exit 2)
├── NoRightError       Kafka does not allow this principal something: who grants rights (exit 2)
├── EndHiddenError     an open transaction hides a topic's end: who ends that transaction (exit 2)
└── KafkaAbsentError   no broker answers, or it refuses us: the cluster's or the settings' (exit 2)
"""


class OperateError(Exception):
    """The command was not carried out; the message says what to do."""


class UsageError(OperateError):
    """What was asked for does not exist or contradicts what is there."""


class NoRightError(OperateError):
    """Something is not allowed to this principal; `what` says what, the message how to mend it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: `byline topics acl` says what each role needs")


class KafkaAbsentError(OperateError):
    """Kafka does not answer, or does not let us in."""


class EndHiddenError(OperateError):
    """A topic cannot be read to its end: an open transaction of its producer hides the rest."""
