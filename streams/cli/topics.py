"""`byline topics create|check|apply|acl|strimzi|blocked`: creates, checks and protects topics."""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from streams.cli.output import AsJson, echo, echo_error, echo_json, echo_table, settings
from streams.kafka.rights import in_words
from streams.operate import topics
from streams.operate.acl import permissions
from streams.operate.blocked import Blocked
from streams.operate.blocked import blocked as find_blocked
from streams.operate.strimzi import API_VERSION, as_yaml, kafka_topics, kafka_users

ADMIN_LOGIN = "admin.properties"
"""The file from which Kafka's own tools take their login, in the printed commands."""

app = typer.Typer(help="The topics: make them, compare them, guard them.", no_args_is_help=True)


@app.command()
def create(
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help="Default: as the existing ones have, else 8."),
    ] = None,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, help="Default: 3, or the number of brokers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the missing topics with the right settings; leave existing ones as they are."""
    done = asyncio.run(topics.create(settings(), partitions, replication_factor))
    if as_json:
        echo_json(asdict(done))
        return
    for name in done.made:
        echo(f"made {name}")
    echo(
        f"{len(done.made)} topics made ({done.partitions} partitions, {done.replicas} replicas),"
        f" {len(done.left)} left as they were"
    )


@app.command()
def check(as_json: AsJson = False) -> None:
    """Compare the topics with what is needed: exit 1 and each difference if they differ.

    Topics that this principal has no right to see are listed, and the exit code is 2.
    """
    found = asyncio.run(topics.check(settings()))
    if as_json:
        echo_json({"ok": not found, "differences": [asdict(difference) for difference in found]})
    else:
        for difference in found:
            echo(str(difference))
        if any(difference.what == "missing" for difference in found):
            echo("`byline topics create` makes the missing ones")
        if any(difference.is_setting for difference in found):
            echo("`byline topics apply` sets what is another setting; --dry-run says it first")
        _say_hidden(found)
        if not found:
            echo("all topics are as they have to be")
    raise typer.Exit(_code(found))


@app.command()
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change the settings that `check` names and no other; exit 1 if something else is wrong.

    Exit 2 if this principal may not see a topic or its settings.

    Run it while no worker runs: a change of the timestamp type also changes by which clock records
    count as entered.
    """
    done = asyncio.run(topics.apply(settings(), dry_run=dry_run))
    if as_json:
        echo_json({"dry_run": dry_run, **asdict(done)})
        raise typer.Exit(_code(done.left))
    for it in done.changed:
        verb = "would be set" if dry_run else "set"
        echo(f"{it.topic}: {it.what} {verb} to {it.value} (was {it.found or 'unknown'})")
    for it in done.left:
        echo(f"{it}; left as it is")
    if any(it.what == "missing" for it in done.left):
        echo("`byline topics create` makes the missing ones")
    hidden = _say_hidden(done.left)
    if not done.changed and not hidden:
        echo("no setting has to change")
    raise typer.Exit(_code(done.left))


def _say_hidden(found: Iterable[topics.TopicDifference]) -> bool:
    """Prints the rights without which something is not known; returns whether any are missing."""
    missing: dict[str, list[str]] = {}
    for it in found:
        if it.is_hidden:
            missing.setdefault(it.lacks, []).append(it.topic)
    if missing:
        cure = "`byline topics acl --role administrator` says what is needed to see them"
        echo_error(f"{in_words(missing)}: {cure}")
    return bool(missing)


def _code(found: Collection[topics.TopicDifference]) -> int:
    """Returns 2 if something could not be seen, 1 if something is wrong, else 0."""
    return 2 if any(it.is_hidden for it in found) else 1 if found else 0


@app.command()
def acl(
    principal_prefix: Annotated[
        str, typer.Option(help="Goes before the role to make a principal.")
    ] = "User:byline-",
    role: Annotated[str | None, typer.Option(help="Only this role.")] = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Only the kafka-acls command lines.")
    ] = False,
    command_config: Annotated[
        str | None,
        typer.Option(
            help="The file with the login of whoever grants them, for kafka-acls; default:"
            f" {ADMIN_LOGIN} where Kafka wants a login or TLS."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the least privileges of each role, as a table and as kafka-acls command lines."""
    chosen = settings()
    known = permissions(chosen)
    roles = sorted({permission.role for permission in known})
    if role is not None and role not in roles:
        raise typer.BadParameter(f"there are {', '.join(roles)}", param_hint="--role")
    wanted = [permission for permission in known if role in (None, permission.role)]
    if as_json:
        echo_json([{"principal": principal_prefix + it.role, **asdict(it)} for it in wanted])
        return
    if not commands:
        echo_table(
            ("principal", "resource", "name", "operations"),
            (
                (
                    principal_prefix + it.role,
                    it.kind,
                    it.name + ("*" if it.prefixed else ""),
                    ", ".join(it.operations),
                )
                for it in wanted
            ),
        )
        echo("")
    if command_config is None and chosen.kafka_security_protocol != "PLAINTEXT":
        command_config = ADMIN_LOGIN
    for it in wanted:
        who = principal_prefix + it.role
        echo(it.command(who, chosen.kafka_bootstrap_servers, command_config))


@app.command()
def strimzi(
    cluster: Annotated[
        str, typer.Option(help="The name of the Kafka resource that the operator runs.")
    ] = "kafka",
    partitions: Annotated[
        int, typer.Option(min=1, help="Of every topic but those that have one only.")
    ] = 32,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each topic.")] = 3,
    only: Annotated[
        Literal["topics", "users"] | None, typer.Option(help="One of the two kinds alone.")
    ] = None,
    user_prefix: Annotated[
        str, typer.Option(help="Goes before the role to make a user.")
    ] = "byline-",
    api_version: Annotated[
        str, typer.Option(help="kafka.strimzi.io/v1beta2 for a Strimzi before 0.49.")
    ] = API_VERSION,
    as_json: AsJson = False,
) -> None:
    """Print topics and rights as KafkaTopic and KafkaUser resources for Strimzi.

    They are made from the same declarations as `create` and `acl`, without connecting to Kafka.
    """
    chosen = settings(without_policies=True)
    made = []
    if only != "users":
        made += kafka_topics(chosen, cluster, partitions, replication_factor, api_version)
    if only != "topics":
        made += kafka_users(chosen, cluster, user_prefix, api_version)
    if as_json:
        echo_json(made)
    else:
        typer.echo(as_yaml(made), nl=False)


@app.command()
def blocked(
    longer_than: Annotated[
        float, typer.Option(min=0, help="Seconds that a transaction may be open.")
    ] = 10.0,
    as_json: AsJson = False,
) -> None:
    """List inputs whose end an open transaction hides, and its producer: exit 1 if there are any.

    Workers go on by themselves once the transaction ends. Kafka aborts it after its time-out, if
    the transaction's coordinator still knows it.
    """
    found = asyncio.run(
        find_blocked(settings(without_policies=True), int(time.time() * 1000), longer_than)
    )
    if as_json:
        echo_json({"ok": not found, "blocked": [asdict(it) for it in found]})
        raise typer.Exit(1 if found else 0)
    for it in found:
        echo(_blocked_words(it))
    if not found:
        echo("no input is blocked")
    raise typer.Exit(1 if found else 0)


def _blocked_words(it: Blocked) -> str:
    if it.ends_within_seconds is not None:
        return f"{it.what}. Kafka ends it by itself within {it.ends_within_seconds:.0f} s"
    bootstrap = settings(without_policies=True).kafka_bootstrap_servers
    return (
        f"{it.what}. No coordinator that you may ask knows it. End its producer; if it stays:"
        f" {it.abort_command(bootstrap)}"
    )
