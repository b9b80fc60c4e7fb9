"""State that no worker wrote ends a command with one sentence that says where it lies."""

import pytest

from streams.core.model.account import encode
from streams.core.model.ports import ACCOUNTS
from streams.operate.account_states import CHANGELOG, RESERVED, States
from streams.operate.audit.records import Record
from streams.operate.errors import UnreadableStateError
from tests.core.given import PLATFORM, START, Day

ACCOUNT = f"{PLATFORM}:a1".encode()


def _record(key: bytes, value: bytes) -> Record:
    return Record(CHANGELOG, 3, 17, START, key, value)


FORGED = {
    "no msgpack": b"\xc1",
    "cut off": b"\xdc\x00",
    "nothing": b"",
    "another kind": encode({"a": 1}),
    "a name": encode("x"),
    "too deep": b"\x91" * 100_000,
}


@pytest.mark.parametrize("key", [ACCOUNT, *sorted(RESERVED)])
@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_forged_state_is_named_by_where_it_lies(key: bytes, value: bytes) -> None:
    with pytest.raises(UnreadableStateError, match=r"^accounts-changelog\[3\]@17: no worker"):
        States().feed(_record(key, value))


def test_a_key_that_nobody_can_read_is_named_too() -> None:
    value = Day().reads(1_500).tables.state[ACCOUNTS][ACCOUNT]
    States().feed(_record(ACCOUNT, value))
    with pytest.raises(UnreadableStateError, match="@17"):
        States().feed(_record(b"\xff:a1", value))
