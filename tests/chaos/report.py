"""A run's result in words."""

from typing import Any


def table(result: dict[str, Any]) -> str:
    """For the terminal: counts, faults, liveness, checks."""
    plan, counts = result["plan"], result["counts"]
    lines = [
        "",
        f"seed {name_of(plan)}, {result['minutes_of_faults']} min of faults,"
        f" {result['sent']:,} inputs sent ({result['duplicates']:,} of them twice,"
        f" {result['garbage']:,} spoilt), {result['lives']:,} lives",
        *(f"  {name:34} {number:>10,}" for name, number in counts.items()),
        f"faults: {result['faults']}",
        *(f"  {kind:34} {number:>10}" for kind, number in sorted(result["faults_by_kind"].items())),
        *(
            f"  killed {point:27} {number:>10}"
            for point, number in sorted(result["failpoints"].items())
        ),
        *(f"  wire: {what:28} {number:>10}" for what, number in result["touched"].items()),
        *(f"  left out: {kind} ({why})" for kind, why in result["left_out"].items()),
        *(f"  note: {note} ({number})" for note, number in result["notes"].items()),
        f"workers: {result['starts']} starts, exits {result['exits']}",
        *(f"  {number} x {words}" for words, number in result["last_words"].items()),
        f"drained {result['drained_seconds']} s after the last fault; longest stall of a"
        f" partition {result['longest_stall_seconds']} s; recovery {result['recovery_seconds']};"
        f" memory {result['memory']['peak_mib']} MiB at most",
        "checks:",
        *(
            f"  {name:34} {'ok' if not found else f'{found} BREACHES':>10}"
            for name, found in result["checks"].items()
        ),
        *(f"  ! {name}: {text}" for name, all_ in result["breaches"].items() for text in all_[:5]),
        f"violations: {result['violations']}",
    ]
    return "\n".join(lines)


def name_of(plan: dict[str, Any]) -> str:
    """The seed, and the number of the part if it is one."""
    number = plan.get("number")
    return f"{plan['seed']}" if number is None else f"{plan['seed']}.{number}"
