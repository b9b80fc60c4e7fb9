"""Says what is so of an account now, what it waits for, what defers that, and its pinned terms.

It reads the workers' state with the core's own functions.
"""

from collections.abc import Iterator
from itertools import chain

from schemas.enums import Deferral, Event, Mode
from streams.core.lifecycle import Eligibility, Input, Invitation, row_of
from streams.core.model.account import Account, Cycle
from streams.core.model.instants import merge, reckon
from streams.core.model.timer import Timer
from streams.core.rules.agenda import agenda_of
from streams.core.rules.applicable_phase import failing, label_field, phase_of
from streams.core.rules.context import DecisionContext
from streams.core.rules.invitation import clock_stops
from streams.core.rules.milder import cycle_exit_line, cycle_leave_after, leaves_at, open_cycle
from streams.core.rules.throttle import ends_at, in_order
from streams.explain import cites
from streams.explain.material import Material
from streams.explain.sentences import At, Length, Sentence
from streams.operate.account_states import Known

STOPS_CLOCK = frozenset(
    {
        Deferral.ADVERSE_OFF,
        Deferral.ANSWERS_PAUSED,
        Deferral.REFUSALS,
        Deferral.CLUSTER_CHANGED,
        Deferral.HOLD,
        Deferral.APPEAL,
        Deferral.UNCLEAR_ANSWER,
    }
)
"""The grounds of deferral that also stop the answer clock (schemas/CONTRACT.md, "Deferring")."""

ADVERSE = (
    Event.INVITATION_ISSUED,
    Event.INVITATION_REMINDED,
    Event.INVITATION_EXPIRED,
    Event.THROTTLE_RENEWED,
)


class Situation:
    """The sentences on one account at one instant."""

    def __init__(self, material: Material, known: Known) -> None:
        self._material = material
        self._account: Account = known.account
        self._moment: DecisionContext = known.context
        self._known = known
        self._state = cites.of_state(material)
        policy = known.context.policy
        self._policy = cites.of_policy(material, policy.digest if policy else None)

    def _says(self, key: str, **says: object) -> Sentence:
        return Sentence(key, says, self._state)

    def holds(self) -> Iterator[Sentence]:
        """Yields sentences on count, label, eligibility, invitation and restrictions."""
        account, moment = self._account, self._moment
        if account.followers is None or account.observed_at is None:
            yield self._says("no_count")
        else:
            at = At(account.observed_at)
            yield self._says("count", followers=account.followers, at=at)
        yield self._label()
        yield self._eligibility()
        for mode in (Mode.ENFORCE, Mode.SHADOW):
            yield from self._life(mode)
        if account.exempt:
            yield self._says("exempt")
        if account.live.state is account.shadow.state is Invitation.NONE:
            yield self._says("life.NONE")
        if moment.policy is None:
            yield self._says("no_policy", platform=moment.ref.platform)

    def _label(self) -> Sentence:
        label, policy, now = self._account.label, self._moment.policy, self._moment.now
        if label is None or label.removed:
            return self._says("label_none")
        if label.contradictory:
            return self._says("label_contradictory", at=At(label.observed_at))
        if label.text is None:
            return self._says("label_unknown", at=At(label.observed_at))
        if label.valid_until is not None and label.valid_until <= now:
            return self._says("label_over", label=label.text, at=At(label.valid_until))
        field = label_field(self._account, policy, now) if policy else None
        if field is None:
            return self._says("label_uncovered", label=label.text)
        return self._says("label_covered", label=label.text, field=field)

    def _eligibility(self) -> Sentence:
        account, moment = self._account, self._moment
        policy, state = moment.policy, account.eligibility
        places = (*self._state, *self._policy)
        standing = phase_of(account, policy, moment.now) if policy else None
        if state is Eligibility.OUTSIDE or policy is None:
            why = failing(account, moment, standing)
            if why is not None or standing is None:
                return Sentence("outside", {"why": f"why.{why or 'policy'}"}, places)
            return Sentence("outside_below", {"line": standing.line}, places)
        phase = standing.phase.name if standing else "–"
        if state is Eligibility.DWELLING and account.dwell_from is not None:
            ends = At(account.dwell_from + policy.stability.dwell)
            since = At(account.dwell_from)
            says = {"line": account.line, "phase": phase, "since": since, "ends": ends}
            return Sentence("dwelling", says, places)
        if state is Eligibility.LEAVING:
            cycle, leaves = open_cycle(account), leaves_at(account, policy)
            says = {
                "exit": cycle_exit_line(cycle, policy) if cycle else account.line,
                "since": At(account.leaving_since or 0),
                "ends": At(leaves or 0),
            }
            return Sentence("leaving", says, places)
        return Sentence("inside", {"line": account.line, "phase": phase}, places)

    def _life(self, mode: Mode) -> Iterator[Sentence]:
        life = self._account.life(mode)
        cycle = life.cycle
        if life.cool_down_until is not None and life.cool_down_until > self._moment.now:
            yield self._says("cool_down", until=At(life.cool_down_until))
        if cycle is None:
            return
        says = {
            "number": life.cycle_number,
            "mode": f"mode.{mode}",
            "issued": At(cycle.issued_at),
            "delivered": _at(cycle.delivered_at),
            "deadline": _at(cycle.deadline_at),
            "failed": _at(cycle.failed_at),
            "answered": _at(cycle.answered_at),
        }
        shown = cites.of_event(self._material, _TOLD_BY[life.state], life.cycle_number, mode)
        yield Sentence(f"life.{life.state.name}", says, (*self._state, *shown))
        if life.state is not Invitation.EXPIRED:
            return
        if not cycle.throttles:
            yield self._says("spared" if cycle.restriction_waived else "unrestricted")
        for surface, throttled in in_order(cycle.throttles):
            until = At(ends_at(throttled, self._moment.policy))
            says = {
                "surface": surface,
                "level": f"level.{throttled.level}",
                "mode": f"mode.{throttled.mode}",
                "since": At(throttled.effective_at),
                "until": until,
            }
            number = life.cycle_number
            applied = cites.of_event(self._material, Event.THROTTLE_APPLIED, number, throttled.mode)
            yield Sentence("restricted", says, (*self._state, *applied))

    def waits(self) -> Iterator[Sentence]:
        """Yields sentences on what is due when, and on whether the answer clock runs."""
        account, now = self._account, self._moment.now
        agenda = agenda_of(account, self._moment)
        told = False
        life = account.live
        if life.state is Invitation.INVITED:
            told = True
            yield self._says("waits_receipt")
        if life.state is Invitation.UNDELIVERED:
            told = True
            yield self._says("waits_people")
        still = set[Mode]()
        for mode in (Mode.ENFORCE, Mode.SHADOW):
            cycle = account.life(mode).cycle
            if cycle is not None:
                state = account.life(mode).state
                for sentence in chain(self._clock(state, cycle), self._orders(state, cycle)):
                    told = True
                    still |= {mode} if sentence.key == "clock_stopped" else set()
                    yield sentence
        for item in sorted(agenda.items, key=lambda it: (it.at, it.timer.rank)):
            if item.timer is Timer.DEADLINE and item.mode in still:
                continue  # It moves later by as long as the clock stands still.
            told = True
            key = f"timer.{item.timer}"
            says = {"at": At(item.at), "left": Length(max(0, item.at - now))}
            if item.timer is Timer.REISSUE:
                says["at"] = At(now)
            if item.surface is not None:
                says["surface"] = item.surface
            yield Sentence(key, says, (*self._state, *self._policy))
        for event, by in agenda.deferred:
            told = True
            places = tuple(place for it in by for place in cites.of_ground(self._material, it))
            yield Sentence("due_but", {"event": f"`{event}`", "by": tuple(map(str, by))}, places)
        if not told:
            yield self._says("waits_nothing")

    def _orders(self, state: Invitation, cycle: Cycle) -> Iterator[Sentence]:
        """Yields what operators ordered that the state does not take yet."""
        if cycle.reissue_wanted and row_of(state, Input.REISSUE) is None:
            yield self._says("reissue_waits")
        if cycle.extend_waits is not None:
            yield self._says("extend_waits", until=At(cycle.extend_waits))

    def _clock(self, state: Invitation, cycle: Cycle) -> Iterator[Sentence]:
        if state not in (Invitation.DELIVERED, Invitation.DECLINED):
            return
        if cycle.deadline_at is None or cycle.clock_base is None or cycle.clock_from is None:
            yield self._says("no_deadline")
            return
        stops = clock_stops(self._account, cycle, self._moment)
        reckoned = reckon(cycle.clock_base, cycle.clock_from, stops)
        if not reckoned.stopped:
            left = Length(max(0, cycle.deadline_at - self._moment.now))
            yield self._says("clock_runs", left=left, deadline=At(cycle.deadline_at))
            return
        since = next(start for start, end in merge(stops) if end is None)
        since = max(since, cycle.clock_from)
        by = [it for it in self._grounds() if it in STOPS_CLOCK]
        places = tuple(place for it in by for place in cites.of_ground(self._material, it))
        says = {
            "by": tuple(map(str, by)),
            "since": At(since),
            "left": Length(max(0, reckoned.deadline - since)),
        }
        yield Sentence("clock_stopped", says, (*self._state, *places))

    def _grounds(self) -> list[Deferral]:
        found = {
            ground
            for event in ADVERSE
            for ground in self._known.waits_for(
                event, Event.THROTTLE_APPLIED if event is Event.INVITATION_EXPIRED else None
            )
        }
        if self._account.live.state is Invitation.NONE:
            found.update(self._known.waits_for(ADVERSE[0], Event.INVITATION_ISSUED))
        return [it for it in Deferral if it in found]

    def deferrals(self) -> Iterator[Sentence]:
        """Yields a sentence for each ground that defers an adverse event, and who can end it."""
        account = f"{self._moment.ref.platform}:{self._moment.ref.account_id}"
        says = {"account": account, "platform": self._moment.ref.platform}
        for ground in self._grounds():
            yield Sentence(f"ground.{ground}", says, cites.of_ground(self._material, ground))

    def terms(self) -> Iterator[Sentence]:
        """Yields sentences on the terms that were pinned when the invitation was issued."""
        for mode in (Mode.ENFORCE, Mode.SHADOW):
            life = self._account.life(mode)
            if life.cycle is None:
                continue
            terms, policy = life.cycle.terms, self._moment.policy
            places = cites.of_event(
                self._material, Event.INVITATION_ISSUED, life.cycle_number, mode
            )
            places += cites.of_policy(self._material, terms.policy_digest)
            yield Sentence(
                "terms_ground",
                {
                    "phase": terms.phase,
                    "line": terms.line,
                    "field": terms.field,
                    "source": f"source.{terms.field_source}",
                    "version": terms.policy_version,
                    "digest": terms.policy_digest[:12],
                },
                places,
            )
            window = terms.answer_window
            says = {"notice": terms.notice_id, "version": terms.notice_version}
            if window is None:
                yield Sentence("terms_no_window", says, places)
            else:
                yield Sentence("terms_notice", {**says, "window": Length(window)}, places)
            if policy is not None:
                leave = Length(cycle_leave_after(life.cycle, policy))
                exit_line = cycle_exit_line(life.cycle, policy)
                yield Sentence("terms_exit", {"exit": exit_line, "leave": leave}, places)
            surfaces = tuple(surface for surface, _ in in_order(terms.surfaces))
            if surfaces and terms.on:
                ends = Length(terms.expires_after)
                on = tuple(f"on.{it}" for it in terms.on)
                stake = {"surfaces": surfaces, "on": on, "ends": ends}
                yield Sentence("terms_surfaces", stake, places)
            else:
                yield Sentence("terms_none", {}, places)


_TOLD_BY = {
    Invitation.NONE: Event.INVITATION_CANCELLED,
    Invitation.INVITED: Event.INVITATION_ISSUED,
    Invitation.UNDELIVERED: Event.INVITATION_UNDELIVERABLE,
    Invitation.DELIVERED: Event.INVITATION_DELIVERED,
    Invitation.DECLINED: Event.CONSENT_DECLINED,
    Invitation.EXPIRED: Event.INVITATION_EXPIRED,
    Invitation.GRANTED: Event.CONSENT_GRANTED,
}
"""State of an invitation → the event that put it there."""


def _at(instant: int | None) -> At | str:
    return "–" if instant is None else At(instant)
