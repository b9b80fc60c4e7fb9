"""`python -m tests.chaos.readme`: README.md from README.in.md and the results beside it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.engine.failpoints import POINTS
from tests.chaos.report import name_of
from tests.chaos.wire.table import table

HERE = Path(__file__).parent
RESULTS = HERE / "results"


def _load(name: str) -> Any:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def runs() -> list[tuple[str, dict[str, Any]]]:
    """The runs under random faults, by name; a run in parts is one for each."""
    found = []
    for path in sorted(RESULTS.glob("run-*.json")):
        kept = json.loads(path.read_text())
        parts = kept if isinstance(kept, list) else [kept]
        found += [(path.stem.removeprefix("run-"), one) for one in parts]
    return found


def _rows(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def run_table() -> str:
    """Settings, counts and verdict of each run."""
    rows = []
    for name, one in runs():
        plan, counts = one["plan"], one["counts"]
        rows.append(
            (
                name,
                name_of(plan),
                f"{plan['brokers']} / {plan['workers']}",
                "yes" if plan.get("encrypted") else "no",
                one["minutes_of_faults"],
                f"{counts['inputs']:,}",
                f"{counts['events']:,}",
                f"{counts.get('transactions', 0):,}",
                one["faults"],
                one["starts"],
                one["drained_seconds"],
                one["longest_stall_seconds"],
                one["recovery_seconds"]["median"],
                one["violations"],
            )
        )
    rows += _sums()
    head = ("run", "seed", "brokers / workers", "TLS", "minutes", "inputs", "events")
    head += ("transactions", "faults", "starts", "drained, s", "longest stall, s")
    return _rows((*head, "recovery, s", "violations"), rows)


def _sums() -> list[tuple[Any, ...]]:
    """The runs in parts, added up."""
    rows = []
    parts: dict[str, list[dict[str, Any]]] = {}
    for name, one in runs():
        parts.setdefault(name, []).append(one)
    for name, own in parts.items():
        if len(own) == 1:
            continue
        counts: Counter[str] = Counter()
        for one in own:
            counts.update(one["counts"])
            counts.update({key: one[key] for key in ("faults", "starts", "violations")})
        rows.append(
            (
                f"**{name}, all**",
                f"{len(own)} parts",
                "",
                "",
                round(sum(one["minutes_of_faults"] for one in own), 1),
                *(f"**{counts[key]:,}**" for key in ("inputs", "events", "transactions")),
                f"**{counts['faults']}**",
                counts["starts"],
                max(one["drained_seconds"] or 0 for one in own),
                max(one["longest_stall_seconds"] for one in own),
                "",
                f"**{counts['violations']}**",
            )
        )
    return rows


def fault_table() -> str:
    """How often each kind struck, over all runs."""
    kinds: Counter[str] = Counter()
    touched = sum(sum(one.get("touched", {}).values()) for _, one in runs())
    for _, one in runs():
        kinds.update(one["faults_by_kind"])
        kinds["kill at a fail-point"] += sum(one["failpoints"].values())
    rows = [*sorted(kinds.items()), ("**all**", sum(kinds.values()))]
    rows.append(("requests of a transaction that these touched on the wire", f"{touched:,}"))
    return _rows(("fault", "times"), rows)


def failpoint_table() -> str:
    """Kills and zombies at each step, over all runs and the sweep."""
    kills: Counter[str] = Counter()
    zombies: Counter[str] = Counter()
    for _, one in runs():
        kills.update(one["failpoints"])
        zombies.update(one.get("zombies", {}))
    rows = [(point, kills[point], zombies[point]) for point in POINTS]
    return _rows(("step", "killed there", "frozen there, replaced, woken"), rows)


def check_table() -> str:
    """Every check with its breaches over all runs."""
    checks: Counter[str] = Counter()
    for _, one in runs():
        for name, count in one["checks"].items():
            checks[name] += count
    return _rows(("check", "breaches"), [(name, count) for name, count in checks.items()])


def mutation_table() -> str:
    """What noticed each mutation."""
    rows = []
    for one in _load("mutations") or []:
        noticed = ", ".join(f"{name} ({count})" for name, count in one["noticed"].items())
        verdict = "caught" if one["caught"] else "not caught"
        rows.append((one["mutation"], one["faults"], verdict, noticed or "–"))
    return _rows(("mutation", "faults", "verdict", "by"), rows)


LIVENESS_RUNS = {
    "liveness": "without TLS",
    "liveness-busy": "the same on a busy machine",
    "liveness-tls": "over TLS + SCRAM, busy",
    "liveness-tls-busy": "the same, busier",
}
LIVENESS_FIGURES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "kill -9 and back: longest gap of its partitions, s": lambda run: run["static_restart"][
        "restarted_worker_longest_gap"
    ],
    "the same moment, partitions of the others, s": lambda run: run["static_restart"][
        "others_longest_gap"
    ],
    "the others were given another generation": lambda run: run["static_restart"][
        "others_disturbed"
    ],
    "ordinary longest gap before it, s": lambda run: run["static_restart"]["ordinary_longest_gap"],
    "rolling restart of three: longest gap, s": lambda run: run["rolling_restart"][
        "longest_gap_seconds"
    ],
    "starts of two and three workers at once": lambda run: run["starts_at_once"]["starts"],
    "of these stalled": lambda run: len(run["starts_at_once"]["stalled"]),
    "until every partition committed, median / longest, s": lambda run: (
        f"{run['starts_at_once']['median_seconds']} / {run['starts_at_once']['longest_seconds']}"
    ),
    "violations": lambda run: run["violations"],
}


def liveness_table() -> str:
    """Restarts and starts, without TLS and over it."""
    found = {head: run for name, head in LIVENESS_RUNS.items() if (run := _load(name)) is not None}
    rows = [
        (what, *(take(run) for run in found.values())) for what, take in LIVENESS_FIGURES.items()
    ]
    return _rows(("what", *found), rows) if found else ""


def memory_table() -> str:
    """The steady run, worker by worker."""
    found = _load("memory")
    rows = (
        []
        if found is None
        else [
            (
                one["worker"],
                one["minutes"],
                one["first_mib"],
                one["last_mib"],
                one["growth_percent"],
            )
            for one in found["memory"]["long_lived"]
        ]
    )
    return _rows(
        ("worker", "minutes after warm-up", "first fifth, MiB", "last fifth, MiB", "growth, %"),
        rows,
    )


def wire_tables() -> str:
    """The proxy's rounds, by version of transactions, and the same on the code of before."""
    parts = []
    titles = {
        "wire-second": "Transactions in their second version, copies at once and late",
        "wire-first": "Transactions in their first version, copies at once",
        "wire-before": "The engine of 0.1.0 (a5e64e9) under the settings and seeds of the last one",
    }
    for name, title in titles.items():
        rounds = _load(name)
        if rounds is None:
            continue
        plan, seeds = rounds[0]["plan"], [one["seed"] for one in rounds]
        head = (
            f"**{title}.** Seeds {seeds[0]} to {seeds[-1]}, {plan['partitions']} partitions,"
            f" {plan['count']} inputs each, time-out {plan['timeout_seconds']} s:"
        )
        parts += [head, table(rounds)]
        found = [each for one in rounds for each in one["violations"]]
        if found:
            parts.append("\n".join(f"* {each}" for each in found))
    return "\n\n".join(parts)


TABLES = {
    "wire": wire_tables,
    "runs": run_table,
    "faults": fault_table,
    "failpoints": failpoint_table,
    "checks": check_table,
    "mutations": mutation_table,
    "liveness": liveness_table,
    "memory": memory_table,
}


def main() -> None:
    """Write README.md."""
    text = (HERE / "README.in.md").read_text()
    for name, made in TABLES.items():
        text = text.replace(f"<!-- {name} -->", made())
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
