"""Checks that no adverse event was published while an operator or unclear data forbade it."""

from collections.abc import Iterator

from schemas.enums import Event
from streams.operate.audit.account_state import AuditedAccount
from streams.operate.audit.moment import Finding, Moment
from streams.operate.audit.records import iso
from streams.operate.audit.terms import AuditedTerms
from streams.operate.audit.words import NEVER


def people_and_doubts(moment: Moment, event: Event, at: int) -> Iterator[Finding]:
    """Checks an adverse event against holds, appeals, exemptions, closings, switches and doubts."""
    account = moment.account
    if account.hold_place and account.holds_until > at:
        yield "acted_during_hold", "", (account.hold_place,)
    for _, place in account.appeals.values():
        yield "acted_during_appeal", "", (place,)
    for place in (account.exempt_place, account.closed_place):
        if place:
            yield "acted_on_untouchable", "", (place,)
    brake = moment.switch_log.stopping(moment.platform, event.value)
    if moment.edition > 1 and brake is None:
        brake = moment.switches.stopping(moment.platform, event.value)
    if brake is not None:
        yield "acted_during_brake", "", (brake,)
    if moment.edition > 1:
        yield from _doubts(moment, at)


def _doubts(moment: Moment, at: int) -> Iterator[Finding]:
    """Checks an adverse event against what defers it in the second edition, such as refusals."""
    account = moment.account
    for unclear in account.unclear.values():
        yield "acted_on_unclear_word", "", (unclear.place,)
    if moment.refusals is not None:
        yield "acted_during_refusals", "", (moment.refusals,)
    if moment.changed is not None:
        yield "acted_during_change", "", (moment.changed,)
    if moment.out_of_turn:
        yield "acted_out_of_turn", "", ()
    if moment.present is not None and not _labelled(account, moment.present, at):
        yield "acted_on_untouchable", "no label of a covered field", (account.label_gone,)
    if account.below_since is not None and any(account.open_cycles()):
        yield "acted_while_leaving", f"since {iso(account.below_since)}", (account.below_place,)
    cycles = [it for it in account.open_cycles() if it.edition > 1]
    terms = [moment.present, *(it.terms for it in cycles)]
    ages = [it.max_age for it in terms if it is not None and it.max_age is not None]
    if ages and -NEVER < account.reading_at < at - min(ages):
        yield "acted_on_stale_facts", f"counted at {iso(account.reading_at)}", ()


def _labelled(account: AuditedAccount, present: AuditedTerms, at: int) -> bool:
    """Returns whether the newest label that was read means a covered field at `at` (ms).

    If the newest label was not read, it is taken to, unless a label was removed.
    """
    if account.label_read_at < account.label_at or account.label_at == -NEVER:
        return not account.label_gone
    if account.label_gone or account.label is None:
        return False
    over = account.label_until is not None and account.label_until < at
    return present.covers(account.label) and not over
