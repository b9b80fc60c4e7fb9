"""What many storylines share: the notifier's receipt, the owner's yes, what follows from silence.

Lines, dwell and windows are those of `streams/local/demo/policies.py`: window 5 s, one reminder 2 s
before the deadline, review after 3 s, end after 6 s. Times are seconds of the demo's day.
"""

from schemas.enums import Answer, Event
from streams.local.demo.script import At, On, Send, Step, delivered, label, reading, says

ISSUED = Event.INVITATION_ISSUED
DELIVERED = Event.INVITATION_DELIVERED
APPLIED = Event.THROTTLE_APPLIED
GRANTED = Event.CONSENT_GRANTED

INVITED = ("issued:over_line", "delivered:receipt")
REMINDED, RENEWED = "reminded:reminder?", "renewed:review?"
"""Byline leaves these out when it comes so late that the deadline or the end has passed."""
PAUSED = "extended:pause?"
"""On Baidu, whose answers are paused for a while: an invitation may be open then, or not yet."""
NOTIFIED = (*INVITED, REMINDED)
SILENT = (*NOTIFIED, "expired:no_answer", "applied:no_answer")
RESTRICTED = (*SILENT, RENEWED)
REFUSED = (*NOTIFIED, "declined:answer", "expired:declined", "applied:declined")
AGREED = (*NOTIFIED, "granted:answer")
LATE = (RENEWED, "granted:late", "lifted:granted")
ENDED = (RENEWED, "lifted:ended")
PROJECTED = (
    "issued:over_line",
    "delivered:projected",
    REMINDED,
    "expired:no_answer",
    "applied:no_answer",
    *ENDED,
)

RECEIPT = Step(On(ISSUED), delivered())


def crossing(at: float, followers: int) -> tuple[Step, ...]:
    """A labelled account reads so many followers."""
    return (Step(At(at), label()), Step(At(at), reading(followers)))


def then(event: Event, after: float, send: Send, nth: int = 1) -> Step:
    """An input that follows an event."""
    return Step(On(event, after, nth), send)


def grants(after: float = 0.6, nth: int = 1) -> Step:
    """The owner agrees a moment after the notice."""
    return then(DELIVERED, after, says(Answer.GRANTED), nth)


def pausable(expected: tuple[str, ...]) -> tuple[str, ...]:
    """The same on a platform whose answers are paused: wherever a reminder may be."""
    return tuple(
        token
        for one in expected
        for token in ((REMINDED, PAUSED, REMINDED) if one == REMINDED else (one,))
    )
