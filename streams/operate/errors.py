"""Errors of an operator's command, with the exit code, and who has to act on each.

OperateError           the command was not carried out
├── UsageError         wrong or contradictory arguments (2): the caller
├── NoRightError       Kafka does not allow this principal something (2): whoever grants rights
├── EndHiddenError     an open transaction hides a topic's end (2): whoever can end it
├── UnreadableStateError
│                      no worker wrote this state (2): whoever may write to the changelog
└── KafkaAbsentError   no broker answers, or it refuses the login (2): cluster or settings
"""


class OperateError(Exception):
    """The command was not carried out; the message says what to do."""


class UsageError(OperateError):
    """The arguments ask for something that does not exist, or contradict what is there."""


class NoRightError(OperateError):
    """Kafka does not allow this principal something. `what` names the missing right."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: `byline topics acl` says what each role needs")


class KafkaAbsentError(OperateError):
    """Kafka does not answer, or refuses the login."""


class EndHiddenError(OperateError):
    """A topic cannot be read to its end, because a producer's open transaction hides the rest."""


class UnreadableStateError(OperateError):
    """A record of the changelog is no state that a worker of this version writes.

    `place`: its topic, partition and offset.
    """

    def __init__(self, place: str, error: Exception) -> None:
        super().__init__(
            f"{place}: no worker of this version wrote this state ({error}). Is this `byline` older"
            " than the workers? If not, somebody else may write to the topic: `byline topics acl`"
            " says who needs to"
        )
