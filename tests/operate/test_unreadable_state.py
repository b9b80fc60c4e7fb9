"""State that no worker wrote ends a command with one sentence that says where it lies."""

import pytest

from streams.core.limits.caps import Caps
from streams.core.limits.cluster import CLUSTER, ClusterChange
from streams.core.limits.guards import GuardBook
from streams.core.limits.partition_limits import CAPS, GUARDS
from streams.core.limits.switches import BRAKES, Switches
from streams.core.model.account import encode
from streams.core.model.ports import ACCOUNTS
from streams.core.state.evaluator import POLICIES as ADOPTED
from streams.operate.account_states import CHANGELOG, RESERVED, States
from streams.operate.audit.records import Record
from streams.operate.errors import UnreadableStateError
from tests.core.given import PLATFORM, START, Day
from tests.core.states import invited

ACCOUNT = f"{PLATFORM}:a1".encode()


def _record(key: bytes, value: bytes | None) -> Record:
    return Record(CHANGELOG, 3, 17, START, key, value)


def _read(record: Record) -> None:
    """What is wrong with a record is said when the state is asked for."""
    states = States()
    states.feed(record)
    states.part(record.partition)
    list(states.known(START))


FORGED = {
    "no msgpack": b"\xc1",
    "cut off": b"\xdc\x00",
    "nothing": b"",
    "another kind": encode({"a": 1}),
    "a name": encode("x"),
    "too deep": b"\x91" * 100_000,
}


SOUND = {
    BRAKES: Switches(),
    CAPS: Caps(),
    GUARDS: GuardBook(),
    CLUSTER: ClusterChange(),
    ADOPTED: {},
}


@pytest.mark.parametrize("key", [ACCOUNT, *sorted(RESERVED)])
@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_forged_state_is_named_by_where_it_lies(key: bytes, value: bytes) -> None:
    with pytest.raises(UnreadableStateError, match=r"^accounts-changelog\[3\]@17: no worker"):
        _read(_record(key, value))


@pytest.mark.parametrize("key", sorted(RESERVED))
def test_forged_state_of_a_partition_that_a_worker_has_replaced_is_harmless(key: bytes) -> None:
    states, sound = States(), encode(SOUND[key])
    states.feed(_record(key, b"\xc1"))
    states.feed(_record(key, sound))
    assert states.part(3).switches == Switches()
    assert states.reserved(3) == {key: sound}


def test_a_key_that_nobody_can_read_is_named_too() -> None:
    value = Day().reads(1_500).tables.state[ACCOUNTS][ACCOUNT]
    States().feed(_record(ACCOUNT, value))
    with pytest.raises(UnreadableStateError, match="@17"):
        _read(_record(b"\xff:a1", value))


@pytest.mark.parametrize("later", ["an account", "nothing at stake", "a tombstone"])
def test_a_forged_account_that_a_worker_has_replaced_is_harmless(later: str) -> None:
    day = Day().reads(1_500) if later == "nothing at stake" else invited()
    value = None if later == "a tombstone" else day.tables.state[ACCOUNTS][ACCOUNT]
    states = States()
    states.feed(_record(ACCOUNT, b"\xc1"))
    states.feed(_record(ACCOUNT, value))
    assert len(list(states.known(START))) == (later == "an account")


def test_an_account_whose_latest_record_is_forged_is_named_though_one_before_was_sound() -> None:
    states = States()
    states.feed(_record(ACCOUNT, invited().tables.state[ACCOUNTS][ACCOUNT]))
    states.feed(_record(ACCOUNT, b"\xc1"))
    with pytest.raises(UnreadableStateError, match="@17"):
        list(states.known(START))
