"""A fail-point acts once, and only at a name that exists."""

import pytest

from streams.engine.failpoints import FailpointError, Failpoints


def test_failpoint_acts_at_its_hit_and_once() -> None:
    points = Failpoints("after-sends:raise:2")
    points.hit("after-begin")
    points.hit("after-sends")
    with pytest.raises(FailpointError, match="after-sends"):
        points.hit("after-sends")
    points.hit("after-sends")
    with pytest.raises(ValueError, match="unknown fail-point"):
        Failpoints("nowhere:kill")
