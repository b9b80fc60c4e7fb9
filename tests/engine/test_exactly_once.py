"""Whatever line a worker is killed at, each input takes effect once."""

import re
import signal
import time

import pytest

from streams.engine.failpoints import POINTS
from tests.engine import batches
from tests.engine.batches import batch, record
from tests.engine.harness import Toys, wait_until

pytestmark = pytest.mark.kafka

KILLS = tuple(point for point in POINTS if not point.endswith("-fire"))


def test_given_a_kill_at_each_step_then_outputs_are_exact(toys: Toys) -> None:
    toys.add(2000)
    for point in KILLS:
        worker = toys.worker(failpoint=f"{point}:kill:3")
        if point == "on-revoke":
            worker.ready()
            worker.process.terminate()
        else:
            # Positions alone are committed too, but the third pass should find inputs.
            while worker.process.poll() is None:
                toys.add(200)
                time.sleep(0.2)
        assert worker.exit_code() == -signal.SIGKILL, point
    toys.worker().ready()
    toys.assert_exact()


@pytest.mark.parametrize("padding", [1, 600])
def test_given_a_kill_within_a_large_batch_then_each_of_its_records_counts_once(
    toys: Toys, padding: int
) -> None:
    """A batch of many records, and one of many bytes, is applied in steps with commits between."""
    count, one = 24_000, b"1".zfill(padding)
    records = [record(at, b"k%d" % (at % 50), one, ()) for at in range(count)]
    # Retention would delete an older one.
    raw = batch(records, "zstd", time=int(time.time() * 1000))
    batches.produce(toys.bootstrap, f"{toys.prefix}.adds", 0, raw)
    toys.sent += count
    worker = toys.worker(failpoint="after-commit-before-store:kill:2", gather_seconds=0.0)
    assert worker.exit_code() == -signal.SIGKILL
    toys.lose_disk()
    assert 0 < toys.committed("adds")[0] < count
    toys.worker().ready()
    toys.assert_exact(60)


def test_given_batches_of_every_compression_then_all_are_read(toys: Toys) -> None:
    toys.worker().ready()
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        toys.compress(codec)
        toys.add(200)
    toys.assert_exact()


def test_given_a_clean_stop_then_the_group_has_all_offsets(toys: Toys) -> None:
    worker = toys.worker(instance_id=None).ready(parts=4)
    toys.add(400)
    toys.assert_exact()
    wait_until(lambda: toys.committed("adds") == [100] * 4, 3, "offsets follow within a second")
    assert worker.stop() == 0


def test_given_stale_committed_offsets_then_nothing_is_doubled_or_lost(toys: Toys) -> None:
    toys.add(1000)
    worker = toys.worker(instance_id=None).ready()
    toys.assert_exact()
    worker.stop()
    toys.commit("adds", 0)
    toys.add(100)
    worker = toys.worker(instance_id=None).ready()
    toys.assert_exact()
    worker.stop()
    toys.add(100)
    toys.commit("adds", toys.sent // 4)
    toys.worker(instance_id=None).ready(parts=4)
    toys.assert_exact()


@pytest.mark.tls
def test_given_tls_and_a_login_then_two_workers_are_ready_at_once_and_exact(toys: Toys) -> None:
    toys.add(400)
    one, two = toys.worker("one"), toys.worker("two")
    wait_until(
        lambda: len(one.status["parts"]) == 2 == len(two.status["parts"]) and one.status["ready"],
        90,
        "two parts each",
    )
    # On uvloop a client took half a minute to close, and so did a partition to open.
    took = re.findall(r"ready, \d+ changelog records, ([\d.]+) s", one.log + two.log)
    assert len(took) >= 4
    assert max(map(float, took)) < 25
    one.kill()
    toys.add(400)
    toys.worker("one").ready(parts=2)
    assert two.stop() == 0
    toys.add(400)
    toys.assert_exact()
