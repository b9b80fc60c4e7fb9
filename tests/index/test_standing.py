"""How many are restricted and how many deadlines lie ahead, as the index shows Prometheus."""

from pathlib import Path

from sqlalchemy import Engine

from streams.index.database import reading
from streams.index.standing import standing
from streams.operate.audit.records import millis
from tests.core.given import DAY, HOUR
from tests.explain.test_nearest import delivered, restricted
from tests.index.filled import filled
from tests.index.test_propagation import twice


def _weibo(engine: Engine, now: int) -> tuple[int, dict[str, int]]:
    with reading(engine) as connection:
        (found,) = standing(connection, now)
    assert found.platform == "weibo"
    return found.restricted, found.ahead


def test_who_was_restricted_and_not_lifted_counts(tmp_path: Path) -> None:
    tape = restricted()
    assert _weibo(filled(tmp_path, tape), tape.now) == (1, {"1h": 0, "1d": 0, "7d": 0})


def test_who_was_lifted_counts_no_more(tmp_path: Path) -> None:
    tape = twice()
    assert _weibo(filled(tmp_path, tape), tape.now)[0] == 1


def test_a_deadline_counts_from_the_time_within_which_it_passes(tmp_path: Path) -> None:
    tape = delivered()
    deadline = max(it["deadline_at"] for it in tape.events if "deadline_at" in it)
    at, engine = millis(deadline), filled(tmp_path, tape)
    assert _weibo(engine, at - HOUR)[1] == {"1h": 1, "1d": 1, "7d": 1}
    assert _weibo(engine, at - HOUR - 1)[1] == {"1h": 0, "1d": 1, "7d": 1}
    assert _weibo(engine, at - DAY - 1)[1] == {"1h": 0, "1d": 0, "7d": 1}
    assert _weibo(engine, at)[1] == {"1h": 0, "1d": 0, "7d": 0}
