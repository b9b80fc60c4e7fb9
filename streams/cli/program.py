"""All commands there are, as one program; and of one command, only what it needs.

An import costs every start its time: the client of a database, columns of Parquet and Faust come to
two seconds. So a command brings its own modules alone, and a worker none of the others'.
"""

from functools import cache
from importlib import import_module

import typer

from streams.cli.bare import bare_program

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("worker", "demo", "settings"),
    "send": ("send",),
    "audit": ("audit",),
    "backtest": ("backtest",),
    "replay": ("replay",),
    "people": ("worklist", "statement"),
    "index": ("index",),
    "explain": ("explain",),
    "events": ("events",),
    "funnel": ("funnel",),
    "report": ("report",),
    "evidence": ("evidence",),
    "propagation": ("propagation",),
    "status": ("status",),
    "doctor": ("doctor",),
}
"""By module, the commands that its `register` adds; in the order of `byline --help`."""

GROUPS: dict[str, tuple[str, ...]] = {
    "topics": (),
    "cluster": (),
    "policy": ("policy_history", "policy_diff", "policy_explain", "policy_test"),
    "control": (),
    "switch": (),
    "rollout": (),
    "shadow": (),
    "dead-letters": (),
    "kafka": (),
}
"""By name, the modules that add to the group beside its own, which has its `app`."""


@cache
def program_of(command: str | None = None) -> typer.Typer:
    """The program with this command or group alone; with all where it is unknown or None."""
    modules = [name for name, own in COMMANDS.items() if command in own]
    groups = [name for name in GROUPS if name == command]
    made = bare_program()
    for name in modules or groups or COMMANDS:
        if name in COMMANDS:
            import_module(f"streams.cli.{name}").register(made)
    for name in groups or ([] if modules else GROUPS):
        made.add_typer(_group(name), name=name)
    return made


@cache
def _group(name: str) -> typer.Typer:
    app: typer.Typer = import_module(f"streams.cli.{name.replace('-', '_')}").app
    for more in GROUPS[name]:
        import_module(f"streams.cli.{more}").register(app)
    return app
