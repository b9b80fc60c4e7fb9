"""What was seen in a real Prometheus: kept as JSON, and the tables that are made of it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.prometheus.firing import AlertSeen
from tests.prometheus.injected import INJECTED
from tests.prometheus.panels import CAPTION, PanelAnswer
from tests.prometheus.running import Series, liveliest

FOLDER = Path(__file__).parent
FILE = FOLDER / "seen.json"
ALERTS, PANELS = FOLDER / "alerts.md", FOLDER / "panels.md"
PICTURES = FOLDER / "pictures"
UNITS = {"s": " s", "cps": "/s", "short": "", "bytes": " B", "percentunit": ""}


def kept() -> dict[str, Any]:
    """What is committed: `alerts`, `panels`, `stages`."""
    found: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return {"stages": {}, "alerts": {}, "panels": []} | found


def of_alerts(seen: Mapping[str, AlertSeen]) -> dict[str, dict[str, float | None]]:
    """Alerts as JSON has them."""
    return {
        alert: {
            "fires_after_seconds": round(it.fires_after, 1),
            "ends_after_seconds": None if it.ends_after is None else round(it.ends_after, 1),
        }
        for alert, it in sorted(seen.items())
    }


def of_panels(answers: Iterable[PanelAnswer]) -> list[dict[str, Any]]:
    """Panels as JSON has them: of each query how many series it had, and the liveliest of them."""
    return [
        {
            "board": it.board,
            "panel": it.panel.title,
            "unit": it.panel.unit,
            "queries": [
                {
                    "legend": legend,
                    "query": it.panel.shows[legend],
                    "series": len(series),
                    "seen": _liveliest(series, it.panel.unit),
                }
                for legend, series in it.found.items()
            ],
        }
        for it in answers
    ]


def without_series(found: Mapping[str, Any]) -> list[str]:
    """The queries that had no series, by panel and legend."""
    return [
        f"{it['panel']}: {one['legend']}"
        for it in found["panels"]
        for one in it["queries"]
        if not one["series"]
    ]


def _liveliest(series: list[Series], unit: str) -> str:
    if not series:
        return ""
    chosen = liveliest(series)[0]
    least, most = (f"{value:.3g}" if abs(value) < 1e4 else f"{value:.2e}" for value in chosen.span)
    span = least if least == most else f"{least} to {most}"
    return f"{chosen.legend or 'the only one'}: {span}{UNITS[unit]}"


def write(found: Mapping[str, Any]) -> None:
    """Writes the JSON and both tables."""
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    ALERTS.write_text(alerts_table(found))
    if found["panels"]:
        PANELS.write_text(panels_table(found))


def _ran(found: Mapping[str, Any]) -> str:
    return "\n".join(f"* {name}: {told}" for name, told in sorted(found["stages"].items()))


def alerts_table(found: Mapping[str, Any]) -> str:
    """Each alert that was seen, its fault, and the seconds; and those that were not."""
    rows = []
    for alert, fault in INJECTED.items():
        if alert in found["alerts"]:
            seen = found["alerts"][alert]
            ends = seen["ends_after_seconds"]
            ended = "–" if ends is None else f"{ends:.1f} s"
            rows.append(f"| {alert} | {fault} | {seen['fires_after_seconds']:.1f} s | {ended} |")
    unseen = [alert for alert in INJECTED if alert not in found["alerts"]]
    return "\n".join(
        [
            "# Alerts in a real Prometheus",
            "",
            "Written by `python -m tests.prometheus --write`; README.md beside this file says what"
            " is real.",
            "Seconds are those of this clock, in which a day takes six minutes.",
            "",
            _ran(found),
            "",
            "| alert | fault, and how it ended | fires after | ends after |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Not seen by this command yet: {', '.join(unseen) or 'none'}.",
            "",
        ]
    )


def panels_table(found: Mapping[str, Any]) -> str:
    """Each query of each panel, and what it answered."""
    rows = [
        f"| {it['board']} | {it['panel']} | {_cell(one['legend'])} | `{it['unit']}` |"
        f" {one['series']} | {_cell(one['seen'])} |"
        for it in found["panels"]
        for one in it["queries"]
    ]
    boards = dict.fromkeys(it["board"] for it in found["panels"])
    return "\n".join(
        [
            "# Panels in a real Prometheus",
            "",
            "Written by `python -m tests.prometheus --write day`: a line for each query of each"
            " panel, over one run under load.",
            f"The run: {found['stages'].get('day', 'none yet')}.",
            "A query stands under its legend; what is in braces is filled in for each series.",
            "A unit is Grafana's word: `short` is a number, `cps` a second, `s` seconds,"
            " `percentunit` a share of 1.",
            "",
            *(_picture(name) for name in boards),
            "| board | panel | query | unit | series | the liveliest, from least to most |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _cell(text: str) -> str:
    return text.replace("|", " ")


def _picture(board: str) -> str:
    caption = f"The dashboard {board}, each panel {CAPTION}."
    return f"![{caption}](pictures/{board}.png)\n\n*{caption}*\n"
