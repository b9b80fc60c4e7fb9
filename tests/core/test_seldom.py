"""What is seldom said of an account takes no room until it is said."""

from streams.core.model.account import Account, Cycle, decode_account, encode
from tests.core.given import ACCOUNT, PLATFORM, START, Day, policy


def test_a_record_without_seldom_words_is_at_most_two_bytes_larger_than_in_0_1_0() -> None:
    fields_of_0_1_0 = 23
    account = Account()
    assert account.aside is None
    assert len(account.__struct_fields__) == fields_of_0_1_0 + 2
    assert encode(account)[-2:] == b"\xc0\xc0"


def test_saying_what_is_so_anyway_takes_no_room() -> None:
    account = Account()
    account.kept = account.kept_label = None
    account.dwell_after, account.spent = 0, False
    assert account.aside is None


def test_what_was_said_is_kept_and_can_be_taken_back() -> None:
    account = Account()
    account.dwell_after = START
    again = decode_account(encode(account))
    assert (again.dwell_after, again.spent, again.kept) == (START, False, None)
    again.dwell_after = 0
    assert decode_account(encode(again)).dwell_after == 0
    assert Account().dwell_after == 0, "two accounts share nothing"


def test_a_delivery_at_its_own_time_is_said_once() -> None:
    day = Day(policy()).label("财经").reads(2000)
    day.wait(3_600_000)
    cycle = day.receipt().account().live.cycle
    assert isinstance(cycle, Cycle)
    assert (cycle.delivered_at, cycle.delivery_at) == (day.now, None)
    assert f"{PLATFORM}:{ACCOUNT}".encode() in day.tables.state["accounts"]
