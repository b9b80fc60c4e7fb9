"""Reports that were worked out, for pages to look at: of a platform in shadow, of a raise."""

import json
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from schemas.enums import Mode
from streams.index import kept
from streams.index.database import reading
from streams.index.fresh import Fresh, freshness
from streams.index.kept import KeptState, ReportKind
from streams.rollout.status import status
from streams.shadow.report import reports
from tests.core.given import policy
from tests.rollout.played import PlayedRates
from tests.rollout.test_status import indexed, lived


def put(engine: Engine, now: int) -> None:
    """Keeps a shadow report and the state of a roll-out, as the console does."""
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
    _keep(engine, ReportKind.ROLLOUT, fresh, [it.as_dict() for it in raised], now)


def _keep(
    engine: Engine, kind: ReportKind, fresh: Fresh, platforms: list[dict[str, Any]], now: int
) -> None:
    text = json.dumps({**fresh.as_dict(), "platforms": platforms}, ensure_ascii=False)
    name = kept.begin(engine, kind, "", "desk.1", now)
    assert name is not None
    kept.finish(engine, name, KeptState.DONE, "", text, now)
