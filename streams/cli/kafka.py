"""`byline kafka start|stop|status`: a real single-node Kafka on this machine, for trying things."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.output import AsJson, echo, echo_json, settings
from streams.instance import make_private
from streams.local import daemon

app = typer.Typer(
    help="A real single-node Kafka on this machine, for trying and testing.", no_args_is_help=True
)

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where its data are; default DATA_DIR/kafka.")
]


@app.command()
def start(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Default 9092, or a free one when that is taken."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Start Kafka in the background and wait until it answers. Its jars are downloaded once."""
    if data_dir is None:
        make_private(settings().data_dir.absolute())
    make_private(_folder(data_dir).absolute())
    found = daemon.start(_folder(data_dir), port)
    if as_json:
        echo_json(asdict(found))
        return
    echo(f"Kafka answers at {found.bootstrap} (process {found.pid}, data in {found.data_dir})")
    if settings().kafka_bootstrap_servers not in (found.bootstrap, f"localhost:{_port(found)}"):
        echo(f"export BYLINE_KAFKA_BOOTSTRAP_SERVERS={found.bootstrap}")


@app.command()
def stop(data_dir: DataDir = None) -> None:
    """Stop Kafka; its data stay."""
    stopped = daemon.stop(_folder(data_dir))
    echo("Kafka is stopped" if stopped else "no Kafka was running")


@app.command()
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say whether Kafka runs and answers: exit 0 if so, else 1."""
    found = daemon.status(_folder(data_dir))
    if as_json:
        echo_json(asdict(found))
    elif found.answers:
        echo(f"Kafka answers at {found.bootstrap} (process {found.pid}, data in {found.data_dir})")
    elif found.running:
        echo(f"Kafka is running (process {found.pid}) but does not answer; see {found.log}")
    else:
        echo(f"no Kafka is running in {found.data_dir}")
    raise typer.Exit(0 if found.answers else 1)


def _folder(data_dir: Path | None) -> Path:
    return data_dir if data_dir is not None else settings().data_dir / "kafka"


def _port(found: daemon.DaemonStatus) -> str:
    return str(found.bootstrap).rpartition(":")[2]
