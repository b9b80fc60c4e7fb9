"""What would stall in silence ends the process within a bound, or heals."""

import time
from collections.abc import Iterator

import pytest

from tests.chaos.grounds import ChaosSite
from tests.chaos.sending import Sender
from tests.chaos.supervisor import Supervisor

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[ChaosSite]:
    """Workers come in by the way in `request.param`, or all by TLS with `--tls`."""
    over_tls = request.param == "TLS" or request.config.getoption("--tls")
    with ChaosSite(partitions=4, encrypted=over_tls) as site:
        yield site


def _send(site: ChaosSite, count: int) -> None:
    sender = Sender(site.kafka.bootstrap, site.partitions, 1)
    for number in range(count):
        sender.reading(f"weibo:w{number}", "weibo", f"w{number}", 700_000, time.time())
    sender.flush()


PLAIN = pytest.mark.parametrize("site", ["plain"], indirect=True)
OVER_TLS = pytest.mark.parametrize("site", ["TLS"], indirect=True)
PLAIN_AND_TLS = pytest.mark.parametrize("site", ["plain", "TLS"], indirect=True)
DEAD_COORDINATION = ("dead-coordination", "_coordination_task ended", 50)


@PLAIN
@pytest.mark.parametrize(
    ("breakage", "words", "seconds"),
    [
        ("stuck-loop", "the event loop has not turned", 110),
        ("stalled-fetch", "_fetch_task ended", 50),
        DEAD_COORDINATION,
        ("empty-assignment", "assigns no partition to any member", 70),
    ],
)
def test_given_what_would_stall_then_the_worker_says_so_and_ends(
    site: ChaosSite, breakage: str, words: str, seconds: float
) -> None:
    _says_so_and_ends(site, breakage, words, seconds)


@OVER_TLS
def test_given_what_would_stall_over_tls_then_the_worker_says_so_and_ends(site: ChaosSite) -> None:
    _says_so_and_ends(site, *DEAD_COORDINATION)


def _says_so_and_ends(site: ChaosSite, breakage: str, words: str, seconds: float) -> None:
    supervisor = Supervisor(site, mutation=breakage)
    try:
        supervisor.scale(1)
        _send(site, 200)
        deadline = time.monotonic() + seconds
        while not supervisor.exits and time.monotonic() < deadline:
            time.sleep(0.1)
        assert supervisor.exits, supervisor.log(0).read_text()[-2_000:]
        first = supervisor.exits[0]
        assert (first.code, words in first.last_words) == (70, True), first
    finally:
        supervisor.close()
        time.sleep(site.session_seconds)


@PLAIN_AND_TLS
def test_given_the_last_span_is_lost_then_it_is_fetched_again(site: ChaosSite) -> None:
    from tests.chaos.stage import ChaosStage

    supervisor = Supervisor(site, mutation="last-span-lost")
    try:
        supervisor.scale(1)
        _send(site, 400)
        stage = ChaosStage(site, 1, None)  # type: ignore[arg-type]
        assert stage.drained(60) is not None
        assert "tail" in supervisor.log(0).read_text()
        assert not supervisor.exits
    finally:
        supervisor.close()
