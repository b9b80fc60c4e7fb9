"""The table of a run."""

from typing import Any

HEAD = (
    "change",
    "noticed, s",
    "exit",
    "what it said",
    "restart",
    "back, s",
    "events",
    "violations",
)


def table(kept: dict[str, dict[str, Any]]) -> str:
    """One row for each change, in Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for name, one in kept.items():
        if "failed" in one:
            lines.append(f"| {name} | – | – | the run failed | – | – | – | – |")
            continue
        again = one.get("restart")
        restart = f"{again['exit']} in {again['seconds']} s" if again else "–"
        cells = (name, one["seconds"], one["exit"], _sentence(one["words"]), restart)
        more = (one["back"], one["events"], one["violations"])
        lines.append("| " + " | ".join(str(cell) for cell in (*cells, *more)) + " |")
    return "\n".join(lines)


def _sentence(words: str | None) -> str:
    text = (words or "").partition("): ")[2] or (words or "")
    first = text.split(". ")[0]
    return first.replace("|", "\\|")
