"""Before a policy becomes live: the shadow report, and whether a roll-out may go on.

Both take long on a large index, so a person asks for them and the newest is shown. They are those
of `byline shadow report` and `byline rollout status`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import RedirectResponse, Response

from streams.console.aside import Chore
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.index import kept, tables
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.kept import KeptReport, KeptState, ReportKind
from streams.index.sums import STEPS
from streams.operate.audit.records import millis
from streams.shadow.report import ASSESSMENT

_BACKTEST = "backtest.json"


def standing(connection: Connection, kind: ReportKind, now: int) -> dict[str, Any]:
    """Returns how the newest attempt of a kind stands, and the newest report that is there.

    `content`: of that report, as JSON says it.
    """
    rows = kept.listed(connection, kind)
    newest = rows[0] if rows else None
    done: KeptReport | None = next((it for it in rows if it.state is KeptState.DONE), None)
    found = None if done is None else kept.find(connection, kind, done.id)
    content = None if found is None or found.content is None else json.loads(found.content)
    return {
        "attempt": None if newest is None or newest.state is KeptState.DONE else newest,
        "working": newest is not None and newest.alive(now),
        "done": done,
        "content": content,
    }


def platforms(connection: Connection) -> list[str]:
    """Returns the platforms of which the index has a policy."""
    return sorted(set(connection.scalars(select(tables.policies.c.platform))))


def chosen(asked: PageRequest, connection: Connection) -> str:
    """Returns the platform of the form; empty: all. Raises PageRefusal if it is none."""
    platform = asked.said("platform")
    if platform and platform not in platforms(connection):
        raise PageRefusal(400, "error.platform")
    return platform


def shadow(asked: PageRequest) -> Response:
    """Shows the newest shadow report."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        values: dict[str, Any] = {
            **standing(connection, ReportKind.SHADOW, asked.now),
            "platforms": platforms(connection),
            "backtests": kept.listed(connection, ReportKind.BACKTEST),
        }
    values |= {
        "steps": tuple(STEPS),
        "surfaces": _surfaces,
        "assessment": ASSESSMENT,
        "millis": millis,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "shadow.html", values)


def _surfaces(it: dict[str, Any]) -> list[tuple[str, int, int, int, int]]:
    """Returns a row for each surface: shadow ever and now, live now, by enforce."""
    would = (it["enforce"] or {"surfaces": {}})["surfaces"]
    rows = []
    for surface in sorted({*it["said"]["surfaces"], *would}):
        its = it["said"]["surfaces"].get(surface, {})
        none = {"ever": 0, "at_the_end": 0}
        dark, live = its.get("shadow", none), its.get("enforce", none)
        row = (dark["ever"], dark["at_the_end"], live["at_the_end"], would.get(surface, 0))
        rows.append((surface, *row))
    return rows


def work_shadow_out(asked: PageRequest) -> Response:
    """Begins a shadow report: of one platform or all, beside a kept backtest or none."""
    files = {}
    with reading(asked.console.engine) as connection:
        platform = chosen(asked, connection)
        backtest = asked.said("backtest")
        if backtest:
            found = kept.find(connection, ReportKind.BACKTEST, backtest)
            if found is None or found.content is None:
                raise PageRefusal(400, "error.report")
            files[_BACKTEST] = found.content

    def words(folder: Path) -> Sequence[str]:
        beside = ["--backtest", str(folder / _BACKTEST)] if files else []
        return ["shadow", "report", "--json", *of_platform(platform), *beside]

    asked.console.aside.begin(Chore(ReportKind.SHADOW, platform, words, files), asked.actor)
    return RedirectResponse("/policies/shadow", 303)


def of_platform(platform: str) -> list[str]:
    """Returns the words of a command that keep it to a platform; empty: to none."""
    return ["--platform", platform] if platform else []


def rollout(asked: PageRequest) -> Response:
    """Shows the newest verdicts on roll-outs."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        values: dict[str, Any] = {
            **standing(connection, ReportKind.ROLLOUT, asked.now),
            "platforms": platforms(connection),
        }
    values |= {"millis": millis, "fresh": fresh, "late": fresh.late(asked.now)}
    return page(asked, "rollout.html", values)


def work_rollout_out(asked: PageRequest) -> Response:
    """Begins a look at the roll-out of one platform or all."""
    with reading(asked.console.engine) as connection:
        platform = chosen(asked, connection)
    raised = ["--raise"] if asked.said("raise") == "1" else []

    def words(_: Path) -> Sequence[str]:
        return ["rollout", "status", "--json", *of_platform(platform), *raised]

    asked.console.aside.begin(Chore(ReportKind.ROLLOUT, platform, words), asked.actor)
    return RedirectResponse("/policies/rollout", 303)
