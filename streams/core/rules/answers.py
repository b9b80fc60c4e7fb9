"""Decides what the owner's answer changes: a grant, a refusal or a withdrawal.

A withdrawal counts in every state, whichever invitation it names. A grant or refusal that does not
fit the cycle is an unclear word, which defers adverse events. `word` holds the times of the answer
(inputs/heard.py). schemas/CONTRACT.md, "Which word is the newest" and "Answers, receipts, unclear
words".
"""

from typing import Any

from msgspec.structs import replace

from schemas.enums import Answer, Event, Ground, Ignored, Mode
from streams.core.inputs.decode import DecodedConsentAnswer
from streams.core.inputs.entry import SKEW
from streams.core.inputs.heard import ANSWERS, StatedWord, applied_at, is_stale, remember, repeated
from streams.core.lifecycle import INVITATION, OPEN, Input, Invitation, row_of
from streams.core.model import ids, notices
from streams.core.model.account import Account, Cycle, Life
from streams.core.model.change import EventDraft, RowChange
from streams.core.model.instants import rfc3339
from streams.core.rules.context import DecisionContext
from streams.core.rules.invitation import (
    Decided,
    delivery,
    ending,
    row_change,
    void_notice,
)
from streams.core.rules.lateness import refused_too_late
from streams.core.rules.throttle import is_over, release_all
from streams.core.rules.unclear import answered, unclear_answer

_ANSWER_INPUT = {
    Answer.GRANTED: Input.GRANTED,
    Answer.DECLINED: Input.DECLINED,
    Answer.WITHDRAWN: Input.WITHDRAWN,
}


def decide_answer(
    account: Account, context: DecisionContext, answer: DecodedConsentAnswer, word: StatedWord
) -> Decided:
    """Decides what an answer changes in the live cycle. Shadow notices get no answers."""
    life, said = account.live, answer.answer
    about = _about(answer)
    if repeated(account, said, word, about):
        return Ignored.REPEAT
    agreed: str | None = None
    if said is not Answer.WITHDRAWN:
        if life.cycle is None or is_over(life, context.policy, word.entry):
            return Ignored.NO_CYCLE
        misfit = _misfit(life, life.cycle, context, answer, word)
        if misfit is not None:
            return misfit
    if said is Answer.GRANTED and life.cycle is not None:
        agreed = answer.notice_version or life.cycle.terms.notice_version
    stale = is_stale(account, said, ANSWERS, word)
    if not stale and agreed is not None and _says_nothing_new(life, context, agreed, word):
        return Ignored.RECORDED
    remember(account, said, word, not stale, about)
    if stale:
        taken_back = agreed is not None and life.state in OPEN
        return _taken_back(account, context, word) if taken_back else Ignored.STALE
    cycle, input_ = life.cycle, _ANSWER_INPUT[said]
    if cycle is None:
        return Ignored.RECORDED
    # The owner's answer cancels an operator's reissue or extension that waits for a state.
    cycle.reissue_wanted, cycle.extend_waits = False, None
    decided: Decided = Ignored.RECORDED
    if row_of(life.state, input_) is not None:
        decided = _answered(account, cycle, context, input_, word, agreed)
    # Not before: an unclear word has stopped the clock up to this one, which is in time meanwhile.
    answered(account, cycle, said, word)
    return decided


def _about(answer: DecodedConsentAnswer) -> int:
    """Returns a digest of invitation and notice that an answer names, to recognise a repeat.

    It is 0 for a withdrawal and for an answer that names neither.
    """
    named = (answer.invitation_id, answer.notice_version)
    if answer.answer is Answer.WITHDRAWN or named == (None, None):
        return 0
    return ids.content_mark(*named)


def _misfit(
    life: Life,
    cycle: Cycle,
    context: DecisionContext,
    answer: DecodedConsentAnswer,
    word: StatedWord,
) -> Ignored | None:
    """Returns why a grant or refusal does not belong to the cycle; None if it does.

    If it entered Kafka after the cycle's first issue, it is an unclear word: the owner may have
    meant this invitation.
    """
    issued_at = cycle.first_issued_at or 0
    expected = life.invitation_id(context.ref, Mode.ENFORCE)
    why: Ignored | None = None
    if answer.invitation_id not in (None, expected):
        why = Ignored.OTHER_CYCLE
    elif answer.invitation_id is None and word.at < issued_at - SKEW:
        # An answer from before the invitation cannot belong to it, beyond the allowed clock skew.
        why = Ignored.BEFORE_ISSUE
    elif answer.answer is Answer.GRANTED and not _shown(cycle, context, answer.notice_version):
        why = Ignored.OTHER_NOTICE
    if why is None:
        return None
    asked = why is Ignored.OTHER_NOTICE or word.entry > issued_at
    return Ignored.UNCLEAR if asked and unclear_answer(cycle, word.entry, word.at) else why


def _shown(cycle: Cycle, context: DecisionContext, version: str | None) -> bool:
    """Whether the owner may have seen a notice version.

    It is the cycle's own, or was in force at some time since the cycle's first issue.
    """
    if version in (None, cycle.terms.notice_version):
        return True
    since = cycle.first_issued_at or cycle.issued_at
    return notices.in_force_since(context.notices, version or "", since) is not None


def _says_nothing_new(life: Life, context: DecisionContext, agreed: str, word: StatedWord) -> bool:
    """Whether a consent is in force that a grant does not change.

    The grant has no later time, or names no newer notice.
    """
    cycle = life.cycle
    if life.state is not Invitation.GRANTED or cycle is None:
        return False
    before = cycle.consent or cycle.terms.notice_version
    later = cycle.answered_at is None or word.at > cycle.answered_at
    return not (later and notices.is_newer(context.notices, agreed, before))


def _taken_back(account: Account, context: DecisionContext, word: StatedWord) -> list[RowChange]:
    """Ends the open cycle for a grant that is older than a withdrawal or refusal: no consent."""
    life = account.live
    times = [applied_at(account, word_) for word_ in (Answer.DECLINED, Answer.WITHDRAWN)]
    other = max(at for at in times if at is not None and at >= word.at)
    draft = EventDraft(
        Event.CONSENT_WITHDRAWN, Ground.ANSWER, Mode.ENFORCE, {"answered_at": rfc3339(other)}
    )
    changes = ending(life, Mode.ENFORCE, context, Input.GRANT_TAKEN_BACK, Ground.GRANTED, draft)
    return [replace(change, stale=True) for change in changes]


def _answered(
    account: Account,
    cycle: Cycle,
    context: DecisionContext,
    input_: Input,
    word: StatedWord,
    agreed: str | None,
) -> list[RowChange]:
    """Makes the changes of an answer that has a transition.

    `agreed`: the notice version of a grant.
    """
    life = account.live
    row, at = INVITATION[life.state][input_], word.at
    draft = _answer_draft(life, cycle, input_, at, agreed)
    if row.next_state is Invitation.NONE:
        return ending(life, Mode.ENFORCE, context, input_, Ground.GRANTED, draft)
    drafts, effects = [draft], {"answered_at": at, "consent": agreed}
    delivered: dict[str, Any] = {}
    if Event.INVITATION_DELIVERED in row.emits:
        event, delivered = delivery(cycle, Mode.ENFORCE, context, at, Ground.ANSWER)
        drafts.insert(0, event)
        effects |= delivered
    if input_ is Input.DECLINED:
        effects["declined_entry"] = word.entry
        effects["declined_late"] = refused_too_late(account, cycle, context, word, delivered)
    changes = [row_change(life, Mode.ENFORCE, input_, *drafts, sets_cycle=effects)]
    if row.lifts:
        changes += release_all(life, Mode.ENFORCE, context, Ground.GRANTED)
    if agreed is not None and notices.renewed(context.notices, agreed):
        # A newer notice that voids older consents is in force, so the owner must be asked again.
        granted = Life(life.cycle_number, life.sequence, Invitation.GRANTED, cycle=cycle)
        changes += void_notice(granted, context)
    return changes


def _answer_draft(
    life: Life, cycle: Cycle, input_: Input, at: int, agreed: str | None
) -> EventDraft:
    answered_at = {"answered_at": rfc3339(at)}
    if input_ is Input.GRANTED:
        reason = Ground.ANSWER
        if life.state is Invitation.EXPIRED:
            reason = Ground.IN_TIME if at <= (cycle.deadline_at or 0) else Ground.LATE
        return EventDraft(
            Event.CONSENT_GRANTED, reason, Mode.ENFORCE, {"notice_version": agreed, **answered_at}
        )
    if life.state is Invitation.GRANTED:
        return EventDraft(Event.CONSENT_WITHDRAWN, Ground.ANSWER, Mode.ENFORCE, answered_at)
    return EventDraft(Event.CONSENT_DECLINED, Ground.ANSWER, Mode.ENFORCE, answered_at)
