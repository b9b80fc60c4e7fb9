"""Where a run happens is its own: what a run that was killed has left behind is not in its way."""

import os

import pytest

from tests.chaos.grounds import _free_network, _may_isolate, run

pytestmark = pytest.mark.skipif(not _may_isolate(), reason="needs root and the command `ip`")


def test_a_network_that_a_killed_run_has_left_is_not_used_again() -> None:
    """Two bridges with one network, and no worker reaches its Kafka."""
    number, left = _free_network(90), f"b{os.getpid() % 100_000}left"
    run("ip", "link", "add", left, "type", "bridge")
    try:
        run("ip", "addr", "add", f"10.213.{number}.1/24", "dev", left)
        assert _free_network(90) != number
    finally:
        run("ip", "link", "del", left)
    assert _free_network(90) == number
