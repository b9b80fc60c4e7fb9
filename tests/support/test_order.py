"""The order in which the files of a whole run begin (tests/conftest.py)."""

from tests.conftest import ordered

FILES = ["a.py", "kafka.py", "long.py", "chaos", "slow_kafka.py", "long_too.py", "z.py", "bench"]


def test_given_files_of_every_kind_then_waiting_and_busy_ones_take_turns() -> None:
    kafka = {"chaos", "kafka.py", "slow_kafka.py"}
    slow = {"chaos", "long.py", "long_too.py", "slow_kafka.py"}
    assert ordered(FILES, kafka, slow) == [
        *("chaos", "bench"),
        *("slow_kafka.py", "long.py", "kafka.py", "long_too.py"),
        *("a.py", "z.py"),
    ]


def test_given_more_of_one_kind_then_none_is_left_out() -> None:
    for kafka, slow in (({"kafka.py"}, set()), (set(), {"long.py"}), (set(FILES), set(FILES))):
        assert sorted(ordered(FILES, kafka, slow)) == sorted(FILES)
