"""`byline worker`, `byline demo`, `byline settings`: runs a worker, the demo, shows settings."""

from typing import Annotated

import typer

from streams.cli.imports import without_collector
from streams.cli.output import AsJson, echo_json, echo_table, settings, settings_file
from streams.settings import Settings, masked, origins
from streams.settings_checks import variable


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(worker)
    app.command()(demo)
    app.command(name="settings")(show_settings)


def worker(
    rescan: Annotated[
        list[str] | None,
        typer.Option(
            help="A platform whose new policy has a lower floor or new labels: read again what was"
            " not kept."
        ),
    ] = None,
    favourable_only: Annotated[
        bool,
        typer.Option(
            "--favourable-only",
            help="Go on although inputs were lost (a topic made anew, records deleted unread):"
            " lifts, grants and withdrawals are served, nothing adverse happens, and nothing is"
            " accepted by it.",
        ),
    ] = False,
) -> None:
    """Run a worker. All workers with the same application id share the partitions.

    It does not start if Kafka may delete records of the decision log within three years.
    """
    with without_collector():
        from streams.app import run_worker

    found = settings()
    if rescan:
        found = found.model_copy(update={"rescan": ",".join(rescan)})
    if favourable_only:
        found = found.model_copy(update={"favourable_only": True})
    raise typer.Exit(run_worker(found))


def demo(
    as_json: AsJson = False,
    keep: Annotated[bool, typer.Option(help="Leave all running, with a console on it.")] = False,
    seed: Annotated[int, typer.Option(help="Which day is played.")] = 2023,
) -> None:
    """Play a day of the seven platforms through a real Kafka on this machine."""
    from streams.local.demo.perform import play_demo

    raise typer.Exit(play_demo(keep, seed, as_json))


def show_settings(as_json: AsJson = False) -> None:
    """Show the settings in force and where each comes from; secrets are masked."""
    values = masked(settings())
    sources = origins(settings_file())
    if as_json:
        echo_json(
            {
                variable(field): {"value": value, "from": sources[field]}
                for field, value in values.items()
            }
        )
        return
    meaning = {name: field.description or "" for name, field in Settings.model_fields.items()}
    echo_table(
        ("setting", "value", "from", "meaning"),
        ((variable(name), values[name], sources[name], meaning[name]) for name in values),
    )
