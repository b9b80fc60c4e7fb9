"""The exception that ends a worker on purpose, for the engine and the core."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of a worker, by who has to act before it can go on."""

    PERSON = 2
    """A person has to change something first: a policy, a topic, a setting, the state."""
    RESTART = 70
    """A restart may help."""


class StopWorker(Exception):
    """The worker must stop: it commits nothing more, logs `message` and exits with `exit_code`.

    The message tells the operator what is wrong, where, and what to do.
    """

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
