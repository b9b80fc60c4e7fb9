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
    CYCLE = "cycle-expires"
    REVIEW = "review-due"
    DEADLINE = "deadline"
    REISSUE = "reissue"
    REMINDER = "reminder"
    ISSUE = "issue"

    @property
    def rank(self) -> int:
        """The place in this list."""
        return _RANKS[self]

    @property
    def adverse(self) -> bool:
        """Whether it leads to something adverse. Then it waits for a look at the topics."""
        return self in _ADVERSE

    @property
    def ends(self) -> bool:
        """Whether it ends in the owner's favour what an adverse event would go on from."""
        return self in _ENDS


_ENDS = frozenset({Timer.LABEL, Timer.LEAVE, Timer.EXPIRY, Timer.CYCLE})
_ADVERSE = frozenset({Timer.REVIEW, Timer.DEADLINE, Timer.REISSUE, Timer.REMINDER, Timer.ISSUE})
_RANKS = {timer: rank for rank, timer in enumerate(Timer)}
