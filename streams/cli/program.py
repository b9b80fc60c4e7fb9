"""Builds the program `byline` with all its commands, or with the one that is called.

Imports are slow: the database client, Parquet and Faust together take two seconds. So if the
command is known, only its own modules are imported.
"""

from functools import cache
from importlib import import_module

import typer

from streams.cli.bare import bare_program
from streams.cli.imports import without_collector

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("worker", "demo", "settings"),
    "send": ("send",),
    "audit": ("audit",),
    "backtest": ("backtest",),
    "replay": ("replay",),
    "people": ("worklist", "statement"),
    "index": ("index",),
    "console": ("console",),
    "explain": ("explain",),
    "events": ("events",),
    "funnel": ("funnel",),
    "report": ("report",),
    "evidence": ("evidence",),
    "propagation": ("propagation",),
    "status": ("status",),
    "doctor": ("doctor",),
}
"""Module → the commands that its `register` adds, in the order of `byline --help`."""

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
"""Group → further modules that add commands to it; the group's own module has its `app`."""


@cache
@without_collector()
def program_of(command: str | None = None) -> typer.Typer:
    """Returns the program with only this command or group; with all if it is unknown or None."""
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
