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


class UnreadableStateStop(StopWorker):
    """A partition's state has a record that this version cannot decode."""


def unreadable_state(partition: int, what: str, error: Exception) -> UnreadableStateStop:
    """Makes the error for a record of a partition's state that this version cannot decode.

    `what`: what the record is of. Only workers write state: a newer version did, or somebody else
    wrote into a changelog. A restart reads the same again.
    """
    return UnreadableStateStop(
        f"the state of partition {partition} has a record of {what} that no worker of this version "
        f"wrote ({error}). If a newer version wrote it, start that one again. Else `byline cluster "
        "rebuild` makes the state anew, from the decision log and the inputs, and `byline topics "
        "acl` says who needs to write into the changelogs",
        ExitCode.PERSON,
    )
