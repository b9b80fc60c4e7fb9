"""Writes a report as CSV, Markdown or HTML; each has the same tables."""

import csv
import html
import io
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum, unique
from typing import Any

from streams.index.report import Report
from streams.operate.cells import csv_row, markdown_cell


@unique
class Form(StrEnum):
    """The format of a report."""

    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


TITLES = {
    "events": "What was decided",
    "appeals": "Appeals",
    "medians": "Who fell under the rule, and how long what took (median)",
    "refused": "Refused records",
}

Table = tuple[str, list[str], list[list[str]]]


def tables_of(report: Report) -> list[Table]:
    """Returns title, columns and rows of each table that has rows."""
    plain = report.as_dict()
    found: list[Table] = []
    for name, title in TITLES.items():
        rows: list[Mapping[str, Any]] = plain[name]
        if rows:
            columns = list(rows[0])
            found.append((title, columns, [[_cell(row[it]) for it in columns] for row in rows]))
    return found


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def as_csv(report: Report) -> str:
    """Writes CSV: each table after a line with its title, with an empty line between two tables."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["from", report.start, "to", report.end])
    for title, columns, rows in tables_of(report):
        out.write("\n")
        writer.writerow([title])
        writer.writerow(columns)
        writer.writerows(map(csv_row, rows))
    return out.getvalue()


def as_markdown(report: Report) -> str:
    """Writes Markdown: a heading and a table each."""
    lines = [f"# From {report.start} to {report.end}"]
    for title, columns, rows in tables_of(report):
        lines += ["", f"## {title}", "", _row(columns), _row("---" for _ in columns)]
        lines += [_row(map(markdown_cell, row)) for row in rows]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_html(report: Report) -> str:
    """Writes an HTML page that needs no other file."""
    title = html.escape(f"From {report.start} to {report.end}")
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>']
    parts.append(f"<h1>{title}</h1>")
    for heading, columns, rows in tables_of(report):
        parts.append(f"<h2>{html.escape(heading)}</h2><table><thead>")
        parts.append(_html_row("th", columns) + "</thead><tbody>")
        parts += [_html_row("td", row) for row in rows]
        parts.append("</tbody></table>")
    return "\n".join(parts) + "</html>\n"


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(it)}</{tag}>" for it in cells) + "</tr>"


WRITE: Mapping[Form, Callable[[Report], str]] = {
    Form.CSV: as_csv,
    Form.MARKDOWN: as_markdown,
    Form.HTML: as_html,
}
