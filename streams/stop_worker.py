"""The one exception that ends a worker on purpose, for the engine and the core alike."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Who has to act before a worker can go on."""

    PERSON = 2
    """A person has to change something first: a policy, a topic, a setting, the state."""
    RESTART = 70
    """A restart may help."""


class StopWorker(Exception):
    """The worker will not go on: it commits nothing more, says `message` and exits.

    The message is for the operator: what is wrong, where, and what to do.
    """

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
