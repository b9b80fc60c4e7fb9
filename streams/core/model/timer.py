"""The kinds of timers of an account, in the order in which those due at one instant act."""

from enum import StrEnum, unique


@unique
class Timer(StrEnum):
    """The kinds of timers; one that comes first here acts first."""

    HOLD = "hold-expires"
    LABEL = "label-expires"
    PHASE = "phase-starts"
    LEAVE = "leave-over"
    DWELL = "dwell-over"
    EXPIRY = "throttle-expires"
    CYCLE = "cycle-expires"
    REVIEW = "review-due"
    DEADLINE = "deadline"
    REISSUE = "reissue"
    REMINDER = "reminder"
    ISSUE = "issue"

    @property
    def rank(self) -> int:
        """The position in this enum, from 0."""
        return _RANKS[self]

    @property
    def adverse(self) -> bool:
        """Whether it leads to an adverse event.

        Such a timer acts only when the ends of the input topics were looked up after it was due.
        """
        return self in _ADVERSE

    @property
    def ends(self) -> bool:
        """Whether it ends, in the owner's favour, a state on which an adverse event depends."""
        return self in _ENDS


_ENDS = frozenset({Timer.LABEL, Timer.LEAVE, Timer.EXPIRY, Timer.CYCLE})
_ADVERSE = frozenset({Timer.REVIEW, Timer.DEADLINE, Timer.REISSUE, Timer.REMINDER, Timer.ISSUE})
_RANKS = {timer: rank for rank, timer in enumerate(Timer)}
