"""How the soak measures: what a log grows by, and what of a worker's memory is bounded buffers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.soak.__main__ import MOST_FILES, faults
from tests.chaos.soak.logs import growth, intervals, talk
from tests.chaos.soak.samples import SoakSample, buffers_of
from tests.chaos.soak.samples import growth as growth_of
from tests.chaos.soak.steps import steps
from tests.prometheus.exported import worker_page

BEGAN = datetime(2026, 11, 28, 10, tzinfo=UTC)
RESTARTS = [(300.0, "stopped"), (600.0, "killed"), (900.0, "stopped"), (1200.0, "killed")]


def written(lines_at: dict[float, int]) -> str:
    """A log with so many lines at these seconds, and half a line at its end."""
    lines = [
        json.dumps(
            {"at": (BEGAN + timedelta(seconds=at)).isoformat(), "message": f"said {at:04.0f}"}
        )
        for at, count in lines_at.items()
        for _ in range(count)
    ]
    return "\n".join([*lines, '{"at":'])


def test_given_as_many_lines_after_each_restart_then_a_log_s_rate_does_not_rise() -> None:
    """Killed and stopped ones write differently, which is no growth."""
    text = written({10.0: 50, 310.0: 9, 610.0: 3, 910.0: 9, 1210.0: 3})
    found = intervals([text, text], BEGAN.timestamp(), RESTARTS, 1500.0)
    assert [one.lines for one in found] == [100, 18, 6, 18, 6]
    assert growth(found[1:]).percent_an_hour == 0
    assert list(talk([text])) == ["said #"]


def test_given_more_lines_after_each_restart_then_it_rises() -> None:
    text = written({310.0: 8, 610.0: 2, 910.0: 16, 1210.0: 4})
    found = intervals([text], BEGAN.timestamp(), RESTARTS, 1500.0)
    assert growth(found[1:]).percent_an_hour > 100


def test_the_buffers_of_a_worker_are_on_its_page() -> None:
    assert buffers_of("byline_write_buffer_bytes 2048.0\nbyline_block_cache_bytes 1024.0\n") == 3
    page = worker_page()
    assert "\nbyline_write_buffer_bytes 1.0\n" in page
    assert "\nbyline_block_cache_bytes 1.0\n" in page


def test_what_rises_and_falls_in_bounds_does_not_hide_what_is_kept() -> None:
    def at(second: int, kept: int) -> SoakSample:
        buffers = 1_000 + second % 300 * 40
        return SoakSample(second, 0, second, kept + buffers, 60, 15, 0, 0, 0, buffers, 40)

    still = [at(second, 100_000) for second in range(0, 2_100, 2)]
    rising = [at(second, 100_000 + second) for second in range(0, 2_100, 2)]
    for samples, percent in ((still, 0.0), (rising, 3.56)):
        found = growth_of(samples, lambda one: one.resident_kib - one.buffers_kib, restarted=False)
        assert found.percent_an_hour == percent


def test_more_files_of_rocksdb_than_its_settings_allow_are_a_fault() -> None:
    def result(files: int) -> dict[str, Any]:
        log = {"percent_an_hour": 0.0, "give_or_take": 0.0, "mean": 0.0}
        samples = {"goes on": [{"open_files": files}]}
        wrong = {"events_twice": 0, "accounts_with_a_gap": 0}
        return {"growth": {}, "log_growth": log, "samples": samples, **wrong}

    assert faults(result(MOST_FILES)) == []
    assert faults(result(MOST_FILES + 1)) == ["goes on: 97 files of RocksDB are open at once"]


def _kept(level: dict[int, float], an_hour: float) -> dict[str, Any]:
    """A result with these levels (KiB) from these minutes on, and such a rise between them."""
    restarts = [(60.0 * minute, how) for minute, how in ((15, "stopped"), (20, "killed"))]
    samples = []
    for at in range(0, 1_500, 10):
        own = [kib for minute, kib in level.items() if minute * 60 <= at][-1]
        kept = own + an_hour * at / 3_600
        samples.append({"at": at, "resident_kib": kept + 500, "buffers_kib": 500})
    return {"plan": {"steady": 10.0}, "restarts": restarts, "samples": {"goes on": samples}}


def test_given_steps_at_restarts_then_nothing_rises_between_them() -> None:
    found = steps(_kept({0: 99_000, 15: 99_500, 20: 99_480}, 0.0))
    assert found.steps == (("stopped", 500), ("killed", -20))
    assert found.whole > 2.0
    assert (found.between, found.give_or_take) == (0.0, 0.0)


def test_given_a_leak_then_it_rises_between_restarts_too() -> None:
    found = steps(_kept({0: 100_000}, 5_000.0))
    assert round(found.between, 1) == round(found.whole, 1) > 4.5
