"""Reports that were worked out, for pages to look at: of a platform in shadow, of a raise."""

import json
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from schemas.enums import Mode
from streams.backtest.figures import checked
from streams.index import kept
from streams.index.database import reading
from streams.index.fresh import Fresh, freshness
from streams.index.kept import KeptState, ReportKind
from streams.rollout.status import status
from streams.shadow.report import reports
from tests.console import test_backtests
from tests.core.given import policy
from tests.rollout.played import PlayedRates
from tests.rollout.test_status import indexed, lived


def put(engine: Engine, now: int) -> dict[str, str]:
    """Keeps a shadow report, the state of a roll-out, and two backtests; the ids of these."""
    with reading(engine) as connection:
        fresh = freshness(connection)
        files = {"weibo": policy(mode=Mode.SHADOW, version=9)}
        found = reports(connection, fresh, files, 0, now, two_approvals=True)
    _keep(engine, ReportKind.SHADOW, fresh, [it.as_dict() for it in found], now)
    with tempfile.TemporaryDirectory() as work:
        played = lived(20, 20, PlayedRates(0.3, 0.3, 0.3), PlayedRates(0.3, 0.6, 0.3))
        other = indexed(Path(work), played)
        with reading(other) as connection:
            there = Fresh(played.now, 0, played.now)
            raised = status(connection, there, played.now)
        other.dispose()
        backtests = {}
        for name, lines in (("backtest", (1_000, 1_200)), ("other", (1_100, 1_200))):
            told = test_backtests.made(Path(work), *lines)
            says, text = "\n".join(checked(told, name)), json.dumps(told, ensure_ascii=False)
            file = f"{name}-2024-01.json"
            backtests[name] = kept.keep(engine, ReportKind.BACKTEST, file, says, text, now)
    _keep(engine, ReportKind.ROLLOUT, fresh, [it.as_dict() for it in raised], now)
    facts = {"sound": True, "decisions": 27, "events": 69, "breaches": 0, "samples": 20}
    months = (("2024-02-01 2024-03-01 weibo", True), ("2024-01-01 2024-02-01", False))
    for name, sound in months:
        given = kept.begin(engine, ReportKind.EVIDENCE, name, "desk.1", now)
        assert given is not None
        says = json.dumps({**facts, "sound": sound, "breaches": int(not sound)})
        kept.finish(engine, given, KeptState.DONE, says, "{}", now)
    return backtests


def _keep(
    engine: Engine, kind: ReportKind, fresh: Fresh, platforms: list[dict[str, Any]], now: int
) -> None:
    text = json.dumps({**fresh.as_dict(), "platforms": platforms}, ensure_ascii=False)
    name = kept.begin(engine, kind, "", "desk.1", now)
    assert name is not None
    kept.finish(engine, name, KeptState.DONE, "", text, now)
