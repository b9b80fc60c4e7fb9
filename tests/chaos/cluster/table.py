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


def settings(kept: dict[str, dict[str, Any]]) -> str:
    """With what the changes were run, and what came of all of them."""
    done = [one for one in kept.values() if "failed" not in one]
    names = ("seed", "workers", "live", "after")
    used = {", ".join(f"{name} {one[name]}" for name in names if name in one) for one in done}
    events, violations = (sum(one[name] for one in done) for name in ("events", "violations"))
    return (
        f"{len(done)} changes ({'; '.join(sorted(used))}), {events:,} events, "
        f"{sum(one['inputs'] for one in done):,} inputs, {violations} violations."
    )


def _sentence(words: str | None) -> str:
    text = (words or "").partition("): ")[2] or (words or "")
    first = text.split(". ")[0]
    return first.replace("|", "\\|")
