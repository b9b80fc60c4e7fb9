"""The committed tables of the command line say what they have to."""

from tests.cli import broken_estates


def test_ten_and_more_broken_estates_were_named_and_a_whole_one_was_not() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in broken_estates.TABLE.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| estate")
    ]
    (whole, *broken) = rows
    assert (whole[0], whole[4]) == ("nothing is broken", "0")
    assert len(broken) > 10
    assert {row[4] for row in broken} == {"1"}
    assert {row[1] for row in broken} >= {"Kafka", *broken_estates.NEED_KAFKA[:2], "clock"}
    assert all(row[2] for row in broken)
