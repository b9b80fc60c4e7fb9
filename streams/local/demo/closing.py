"""Prints the end of the demo: the table of events, the checks, and how to look further."""

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.enums import Event, Mode
from schemas.topics import DEAD_LETTERS
from streams.extras import to_install
from streams.local.demo.checks import DayEvidence, DemoCheck
from streams.local.demo.desk import ACTOR, ROLES, DemoDesk
from streams.local.demo.display import BAD, DIM, GOOD, WIDE_COLUMNS, colour, number
from streams.local.demo.script import script
from streams.local.demo.stage import DemoStage
from streams.local.probe import HOST
from streams.operate.audit.happened import plain_of

SHOWN_FAULTS = 5
COMMANDS = """\
byline topics check
byline policy show wechat
byline replay
now=$(date -u +%FT%TZ)
who='"platform": "wechat", "account_id": "by-hand", "observed_at": "'$now'"'
echo "{$who, \\"category\\": \\"财经\\"}" | byline send category-changes
echo "{$who, \\"followers\\": 1000000}" | byline send follower-counts
byline events --account wechat:by-hand"""
"""Commands to try. WeChat has no dwell in the demo, so the second input invites at once."""


def counts(evidence: DayEvidence) -> Counter[tuple[str, str, str]]:
    """Counts the events that were read back, by platform, type and mode."""
    events = evidence.events
    return Counter((str(it.value.get("platform")), it.event, it.mode) for it in events)


def table(found: Counter[tuple[str, str, str]], wide: bool) -> Table:
    """Makes a table with a row per event type and a column per platform.

    Shadow events are shown in grey after a plus. `wide`: the terminal has room for full names.
    """
    grid = Table(box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="bold")
    grid.add_column("event", no_wrap=True)
    platforms = [*script().platforms]
    for platform in (*platforms, "all"):
        grid.add_column(platform, justify="right", no_wrap=True)
    groups = [*([platform] for platform in platforms), platforms]
    for event in Event:
        style, cells = colour(event.value), []
        for group in groups:
            live = sum(found[platform, event.value, Mode.ENFORCE] for platform in group)
            shadow = sum(found[platform, event.value, Mode.SHADOW] for platform in group)
            cell = number(live, style) if live or not shadow else Text()
            cells.append(cell + Text(f"+{shadow}", style=DIM) if shadow else cell)
        name = event.value if wide else event.value.split(".")[1]
        grid.add_row(Text(name, style=style), *cells)
    return grid


def show(
    console: Console, evidence: DayEvidence, checks: Sequence[DemoCheck], seconds: float
) -> None:
    """Prints the table, then every check with its mark and its faults.

    `seconds`: the time since the start of the demo.
    """
    console.print()
    console.print(table(counts(evidence), console.width >= WIDE_COLUMNS))
    console.print(Text("numbers behind a + are shadow events: decided, written apart", style=DIM))
    console.print()
    for check in checks:
        mark, style = ("✓", GOOD) if check.passed else ("✗", BAD)
        looked = f"  {check.looked_at:,} {check.what}"
        line = Text.assemble((f"{mark} ", style), check.statement, (looked, DIM))
        console.print(line, soft_wrap=True)
        for fault in check.faults[:SHOWN_FAULTS]:
            console.print(Text(f"    {fault}", style=BAD), soft_wrap=True)
        if len(check.faults) > SHOWN_FAULTS:
            console.print(Text(f"    and {len(check.faults) - SHOWN_FAULTS} more", style=BAD))
    console.print()
    failed = sum(not check.passed for check in checks)
    if failed:
        console.print(Text(f"{failed} of {len(checks)} checks failed.", style=f"bold {BAD}"))
        return
    after = f" on what Kafka kept, {seconds:.0f} s after the start."
    console.print(Text.assemble((f"All {len(checks)} checks hold", f"bold {GOOD}"), (after, DIM)))


def look_further(console: Console, stage: DemoStage, desk: DemoDesk | None, keep: bool) -> None:
    """Prints addresses and commands to look around; without `keep`, how to keep everything."""
    console.print()
    if not keep:
        console.print("Everything is stopped and removed. To look around afterwards:")
        console.print("  byline demo --keep", style="bold")
        return
    console.print("Still running:", style="bold")
    logs = [worker.log for worker in stage.workers] + ([] if desk is None else desk.logs)
    places = [
        ("Kafka", stage.kafka.bootstrap),
        *((worker.name, f"http://{HOST}:{worker.port}/metrics") for worker in stage.workers),
        *([] if desk is None else [("read API", desk.api), ("console", desk.console)]),
        ("logs", " ".join(map(str, logs))),
        ("policies", str(stage.policies)),
    ]
    for name, text in places:
        console.print(Text.assemble((f"  {name:<10}", DIM), text), soft_wrap=True)
    _sign_in(console, desk)
    console.print("To look around, and to invite an account by hand:", style="bold")
    # Another shell has neither this environment nor the path of this installation.
    exports = [f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"]
    exports += [f"export {name}={shlex.quote(it)}" for name, it in stage.variables.items()]
    for line in (*exports, *COMMANDS.splitlines()):
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print("To stop it all:", style="bold")
    console.print(Text(f"  sh {stage.write_stop_script()}"), soft_wrap=True)


def _sign_in(console: Console, desk: DemoDesk | None) -> None:
    """Prints how to see all of it in a browser, and to act there."""
    console.print("To see it in a browser, and to act there:", style="bold")
    if desk is None:
        console.print(Text(f"  the console's packages are missing: {to_install('console')}"))
        return
    console.print(Text(f"  open {desk.console}"), soft_wrap=True)
    console.print(Text(f"  sign in with {desk.token}"), soft_wrap=True)
    console.print(Text(f"  as {ACTOR} ({ROLES}); the token is for this machine alone", style=DIM))


def summary(evidence: DayEvidence, checks: Sequence[DemoCheck], **more: Any) -> dict[str, Any]:
    """Returns the table and the checks as a dictionary for JSON, with the entries of `more`."""
    found, letters = counts(evidence), evidence.of(DEAD_LETTERS.name)
    modes = {"live": Mode.ENFORCE.value, "shadow": Mode.SHADOW.value}
    return {
        **more,
        "passed": all(check.passed for check in checks),
        "events": {
            platform: {
                event.value: {name: found[platform, event.value, it] for name, it in modes.items()}
                for event in Event
            }
            for platform in script().platforms
        },
        "dead_letters": dict(Counter(str(plain_of(item).get("reason")) for item in letters)),
        "checks": [{**check._asdict(), "passed": check.passed} for check in checks],
    }
