"""The owner's word: a grant, a refusal, a withdrawal, and whether it belongs to the live cycle.

The newest word counts, also one that changed nothing; a withdrawal counts in every state.
"""

from schemas.words import Answer, Event, Mode
from streams.core import ids
from streams.core.account import Account, Cycle, Life
from streams.core.change import Change, Draft
from streams.core.clock import rfc3339
from streams.core.decode import SKEW, ConsentAnswer
from streams.core.invitation import Decided, delivery, ending, row_change
from streams.core.lifecycle import INVITATION, Input, Invitation, row_of
from streams.core.moment import Moment
from streams.core.throttle import release_all

_ANSWER_INPUT = {
    Answer.GRANTED: Input.GRANTED,
    Answer.DECLINED: Input.DECLINED,
    Answer.WITHDRAWN: Input.WITHDRAWN,
}


def decide_answer(account: Account, moment: Moment, answer: ConsentAnswer) -> Decided:
    """The owner's word on the live cycle; nobody answers a shadow notice.

    The newest word counts, also when it changed nothing: an older one that arrives later does not
    undo it. A withdrawal counts so in every state, whatever it names (domain D4).
    """
    life = account.live
    word = _heard(account, answer.occurred_ms, answer.answer)
    word = word or _meant_for_another(moment, life, answer)
    if word is not None:
        return word
    account.answered = _joined(account.answered, answer.occurred_ms, answer.answer)
    input_ = _ANSWER_INPUT[answer.answer]
    if life.cycle is None or row_of(life.state, input_) is None:
        return "recorded"
    return _answered(life, moment, input_, answer.occurred_ms)


def _heard(account: Account, occurred_at: int, said: Answer) -> str | None:
    """Whether an answer is older than the last one, or is that one once more.

    Of one instant a withdrawal wins: only a newer grant comes after it (domain D4).
    """
    if account.answered is None:
        return None
    last_at, words = account.answered
    if occurred_at > last_at:
        return None
    then = words.split("+") if occurred_at == last_at else []
    withdrawn = said is Answer.GRANTED and Answer.WITHDRAWN in then
    return None if then and said not in then and not withdrawn else "stale"


def _joined(answered: tuple[int, str] | None, occurred_at: int, said: Answer) -> tuple[int, str]:
    if answered is None or answered[0] != occurred_at:
        return occurred_at, str(said)
    return occurred_at, f"{answered[1]}+{said}"


def _meant_for_another(moment: Moment, life: Life, answer: ConsentAnswer) -> str | None:
    """Why an answer does not belong to the present cycle; None when it does."""
    if answer.answer is Answer.WITHDRAWN:
        return None
    cycle = life.cycle
    if cycle is None:
        return "no_cycle"
    expected = ids.invitation_id(*moment.ref, Mode.ENFORCE, life.cycle_number)
    if answer.invitation_id not in (None, expected):
        return "other_cycle"
    # Nobody answers what has not been asked; the clocks of others may be off by the allowed skew.
    asked_at = cycle.first_issued_at or 0
    if answer.invitation_id is None and answer.occurred_ms < asked_at - SKEW:
        return "before_issue"
    other_notice = answer.notice_version not in (None, cycle.terms.notice_version)
    return "other_notice" if answer.answer is Answer.GRANTED and other_notice else None


def _answered(life: Life, moment: Moment, input_: Input, occurred_at: int) -> list[Change]:
    """The changes of a row that an answer takes."""
    cycle = life.cycle
    assert cycle is not None
    row = INVITATION[life.state][input_]
    draft = _answer_draft(life, cycle, input_, occurred_at)
    if row.next_state is Invitation.NONE:
        return ending(life, Mode.ENFORCE, moment, input_, "granted", draft)
    drafts, effects = [draft], {"answered_at": occurred_at}
    if Event.INVITATION_DELIVERED in row.emits:
        delivered, delivered_effects = delivery(cycle, Mode.ENFORCE, moment, occurred_at, "answer")
        drafts.insert(0, delivered)
        effects |= delivered_effects
    change = row_change(life, Mode.ENFORCE, input_, *drafts, sets_cycle=effects)
    if row.lifts:
        return [change, *release_all(life, Mode.ENFORCE, moment, "granted")]
    return [change]


def _answer_draft(life: Life, cycle: Cycle, input_: Input, occurred_at: int) -> Draft:
    answered_at = {"answered_at": rfc3339(occurred_at)}
    if input_ is Input.GRANTED:
        reason = "answer"
        if life.state is Invitation.EXPIRED:
            reason = "in_time" if occurred_at <= (cycle.deadline_at or 0) else "late"
        data = {"notice_version": cycle.terms.notice_version, **answered_at}
        return Draft(Event.CONSENT_GRANTED, reason, Mode.ENFORCE, data)
    if life.state is Invitation.GRANTED:
        return Draft(Event.CONSENT_WITHDRAWN, "answer", Mode.ENFORCE, answered_at)
    return Draft(Event.CONSENT_DECLINED, "answer", Mode.ENFORCE, answered_at)
