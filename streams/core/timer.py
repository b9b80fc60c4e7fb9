"""The timers of an account, in the order in which those due at one instant act."""

from enum import StrEnum, unique


@unique
class Timer(StrEnum):
    """What an account can wait for."""

    HOLD = "hold-expires"
    LABEL = "label-expires"
    PHASE = "phase-starts"
    LEAVE = "leave-over"
    DWELL = "dwell-over"
    EXPIRY = "throttle-expires"
    REVIEW = "review-due"
    DEADLINE = "deadline"
    REISSUE = "reissue"
    REMINDER = "reminder"
    ISSUE = "issue"

    @property
    def rank(self) -> int:
        """The place in this list."""
        return _RANKS[self]


_RANKS = {timer: rank for rank, timer in enumerate(Timer)}
