"""Evidence for an auditor: asked for, gathered by `byline evidence`, and downloaded."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.responses import RedirectResponse, Response

from streams.console import zones
from streams.console.aside import Chore
from streams.console.pages.readiness import chosen, of_platform, platforms
from streams.console.pages.reports import period
from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.instants import rfc3339
from streams.evidence.signing import digest_line
from streams.index import kept
from streams.index.database import reading
from streams.index.kept import EVIDENCE_FOR_MS, KeptState, ReportKind

FILE = "evidence.json"
MOST_SAMPLES = 100


def show(asked: PageRequest) -> Response:
    """Shows the evidence of the last seven days, and the form that asks for more."""
    start, end = period(asked, "", "")
    with reading(asked.console.engine) as connection:
        named = platforms(connection)
        rows = kept.listed(connection, ReportKind.EVIDENCE)
    rows = [it for it in rows if it.made_at > asked.now - EVIDENCE_FOR_MS]
    newest = rows[0] if rows else None
    values = {
        "start": zones.moment(start, asked.view.zone)[:10],
        "end": zones.moment(end, asked.view.zone)[:10],
        "platforms": named,
        "rows": rows,
        "facts": {it.id: json.loads(it.says) for it in rows if it.state is KeptState.DONE},
        "attempt": None if newest is None or newest.state is KeptState.DONE else newest,
        "working": newest is not None and newest.alive(asked.now),
    }
    return page(asked, "evidence.html", values)


def gather(asked: PageRequest) -> Response:
    """Begins to gather evidence of a period."""
    days = asked.said("from"), asked.said("to")
    start, end = period(asked, *days)
    samples = asked.said("samples") or "20"
    if not samples.isdecimal() or len(samples) > 3 or int(samples) > MOST_SAMPLES:
        raise PageRefusal(400, "error.samples")
    with reading(asked.console.engine) as connection:
        platform = chosen(asked, connection)

    def words(folder: Path) -> Sequence[str]:
        times = ("--from", rfc3339(start), "--to", rfc3339(end))
        more = ("--samples", str(int(samples)), *of_platform(platform))
        return ["evidence", str(folder / FILE), *times, *more]

    name = " ".join([*(zones.moment(it, asked.view.zone)[:10] for it in (start, end)), platform])
    chore = Chore(ReportKind.EVIDENCE, name.strip(), words, result=FILE, facts=_facts)
    asked.console.aside.begin(chore, asked.actor)
    return RedirectResponse("/reports/evidence", 303)


def _facts(text: str) -> str:
    """Returns what a list says of evidence, as JSON."""
    found: dict[str, Any] = json.loads(text)
    facts = {
        "sound": found["sound"],
        "decisions": found["decisions"],
        "events": sum(it["count"] for it in found["events"]),
        "breaches": found["invariants"]["breach_count"],
        "samples": len(found["samples"]),
    }
    return json.dumps(facts)


def download(asked: PageRequest) -> Response:
    """Returns evidence as a file, or the line of `sha256sum` that goes beside it."""
    with reading(asked.console.engine) as connection:
        found = kept.find(connection, ReportKind.EVIDENCE, asked.path("report"))
    old = asked.now - EVIDENCE_FOR_MS
    if found is None or found.content is None or found.made_at <= old:
        raise PageRefusal(404, "error.report")
    body, kind = found.content.encode(), "application/json"
    name = f"byline-evidence-{re.sub('[^A-Za-z0-9._-]+', '-', found.name)}.json"
    if asked.query("as") == "sha256":
        body, kind, name = digest_line(body, name).encode(), "text/plain", f"{name}.sha256"
    saved = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": kind}
    return Response(body, headers=saved)
