"""Steps and expected events that many storylines share.

The durations are those of `streams/local/demo/policies.py`: window 5 s, one reminder 2 s before the
deadline, review after 3 s, end of a restriction after 6 s. Times are seconds of the demo's day.
"""

from schemas.enums import Answer, Event
from streams.local.demo.script import At, On, Send, Step, delivered, label, reading, says

ISSUED = Event.INVITATION_ISSUED
DELIVERED = Event.INVITATION_DELIVERED
APPLIED = Event.THROTTLE_APPLIED
GRANTED = Event.CONSENT_GRANTED

INVITED = ("issued:over_line", "delivered:receipt")
REMINDED, RENEWED = "reminded:reminder?", "renewed:review?"
"""Optional, because Byline leaves them out if the deadline or the end has already passed."""
PAUSED = "extended:pause?"
"""On Baidu, where answers are paused for a while; optional, because the invitation may come later.
"""
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
    """Returns the steps of an account that gets a covered label and a reading at `at`."""
    return (Step(At(at), label()), Step(At(at), reading(followers)))


def then(event: Event, after: float, send: Send, nth: int = 1) -> Step:
    """Returns a step that sends an input `after` seconds after the `nth` event of a type."""
    return Step(On(event, after, nth), send)


def grants(after: float = 0.6, nth: int = 1) -> Step:
    """Returns the step of an owner who agrees `after` seconds after the delivery."""
    return then(DELIVERED, after, says(Answer.GRANTED), nth)


def pausable(expected: tuple[str, ...]) -> tuple[str, ...]:
    """Adds an optional extension around each reminder, for a platform with a pause of answers."""
    return tuple(
        token
        for one in expected
        for token in ((REMINDED, PAUSED, REMINDED) if one == REMINDED else (one,))
    )
