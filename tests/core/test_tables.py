"""The three tables themselves: every (state, input) pair, listed or not."""

from enum import IntEnum

import pytest

from schemas.enums import Event
from streams.core.lifecycle import (
    ELIGIBILITY,
    INVITATION,
    MACHINES,
    OPEN,
    THROTTLE,
    TIMERS,
    Eligibility,
    Impossible,
    Input,
    Invitation,
    LifecycleRow,
    Throttle,
    row_of,
)
from streams.operate.diagrams import diagram, document, held_by

STATES: list[IntEnum] = [*Eligibility, *Invitation, *Throttle]
PAIRS = [(state, input_) for state in STATES for input_ in Input]

HELD: dict[Input, set[str]] = {
    Input.DWELL_OVER: {"DWELLING"},
    Input.LEAVE_OVER: {"LEAVING"},
    Input.REMINDER_DUE: {"DELIVERED"},
    Input.DEADLINE_PASSED: {"DELIVERED", "DECLINED"},
    Input.REVIEW_DUE: {"THROTTLED"},
    Input.EXPIRY_DUE: {"THROTTLED"},
}
"""Which states hold which timer, by the contract's text."""

_INPUTS = list(Input)
_CYCLE, _SURFACE = _INPUTS.index(Input.INSIDE), _INPUTS.index(Input.APPLY)
OWN: dict[type[IntEnum], set[Input]] = {
    Eligibility: set(_INPUTS[:_CYCLE]),
    Invitation: set(_INPUTS[_CYCLE:_SURFACE]),
    Throttle: set(_INPUTS[_SURFACE:]),
}
"""The list of inputs is in the order of the machines."""


def test_every_timer_is_held_by_the_states_that_the_contract_says() -> None:
    assert set(HELD) == TIMERS
    for timer, names in HELD.items():
        assert {state.name for state in STATES if _row(state, timer) is not None} == names


@pytest.mark.parametrize(("state", "input_"), PAIRS, ids=lambda value: str(value))
def test_every_pair_is_a_row_or_same_or_impossible(state: IntEnum, input_: Input) -> None:
    if input_ in TIMERS and state.name not in HELD[input_]:
        with pytest.raises(Impossible) as caught:
            row_of(state, input_)
        assert state.name in str(caught.value)
        assert str(input_) in str(caught.value)
        return
    row = row_of(state, input_)
    if row is None:
        return
    assert type(row.next_state) is type(state), "a row stays within its machine"
    assert input_ in OWN[type(state)], "an input belongs to one machine"


def _row(state: IntEnum, input_: Input) -> LifecycleRow | None:
    try:
        return row_of(state, input_)
    except Impossible:
        return None


def test_every_state_has_its_rows_and_every_input_a_row() -> None:
    for states, table in (
        (Eligibility, ELIGIBILITY),
        (Invitation, INVITATION),
        (Throttle, THROTTLE),
    ):
        assert list(table) == list(states)
    used = {input_ for table in MACHINES.values() for rows in table.values() for input_ in rows}
    unlisted = {Input.HOLD, Input.UNHOLD, Input.APPEAL_OPENED, Input.APPEAL_REJECTED}
    unlisted |= {Input.UNCLEAR, Input.SETTLE}
    assert set(Input) - used == unlisted, "these are recorded only, in every state"


def test_every_event_comes_from_a_row() -> None:
    emitted = {
        event
        for table in MACHINES.values()
        for rows in table.values()
        for row in rows.values()
        for event in row.emits
    }
    assert emitted == set(Event)


def test_leaving_an_open_cycle_for_none_always_tells_the_consumer() -> None:
    for state in OPEN:
        for input_, row in INVITATION[state].items():
            if row.next_state is Invitation.NONE:
                assert row.cool_down
                assert row.lifts or Event.INVITATION_CANCELLED in row.emits, (state, input_)


def test_only_expired_can_precede_a_restriction_and_only_the_deadline_leads_there() -> None:
    into = {
        (state.name, input_)
        for state, rows in INVITATION.items()
        for input_, row in rows.items()
        if row.next_state is Invitation.EXPIRED and state is not Invitation.EXPIRED
    }
    timer = Input.DEADLINE_PASSED
    assert into == {("DELIVERED", timer), ("DECLINED", timer)}
    assert list(THROTTLE[Throttle.FREE]) == [Input.APPLY]


@pytest.mark.parametrize("machine", MACHINES)
def test_a_diagram_draws_every_row_of_its_table(machine: str) -> None:
    drawn = diagram(machine)
    table = MACHINES[machine]
    for state, rows in table.items():
        for input_, row in rows.items():
            word = input_.replace(":", ",")
            arrows = {f"{state.name} --> {row.next_state.name}: "}
            if isinstance(state, Invitation) and state in OPEN:
                arrows.add(f"Open --> {row.next_state.name}: ")
            lines = [line for line in drawn.splitlines() if word in line]
            assert any(arrow in line for line in lines for arrow in arrows), (state, input_)


def test_a_document_holds_what_was_put_into_it() -> None:
    assert held_by(document()) == {machine: diagram(machine) for machine in MACHINES}
    assert held_by(document().replace("DWELLING", "X")) != held_by(document())
