"""Where partitions were added, commands look for an account where the workers keep it."""

from streams.cli.status import _print_live
from streams.operate.live import Lag, Live, Member
from streams.operate.send import in_use, partition_of
from streams.settings import Settings


def test_an_account_lies_where_it_lay_under_the_old_number() -> None:
    key, old = b"weibo:open", Settings(partitions=4)
    assert in_use(Settings(), 8) == 8
    assert in_use(old, 8) == 4
    assert in_use(old, 2) == 2
    assert partition_of(key, in_use(old, 8)) != partition_of(key, 8)


def test_records_in_partitions_that_nobody_reads_are_told_apart_from_a_worker_that_is_missing(
    capsys,  # type: ignore[no-untyped-def]
) -> None:
    members = (Member("w1", "host", (0, 1)),)
    seen = Live("Stable", members, (Lag(0, 0, None), Lag(1, 0, None)), (Lag(2, 5, None),))
    _print_live(seen, "", 0)
    said = capsys.readouterr().out
    assert "Nobody reads partitions 2, which were added later: `byline cluster reroute`" in said
    assert "without a worker" not in said
