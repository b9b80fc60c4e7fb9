"""`byline cluster …`: mends what a worker refuses to start on.

check, accept, reroute, rebuild and retire deal with topics that were recreated, got more partitions
or lost their records.
"""

import asyncio
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streams import rebuild as rebuilding
from streams import reroute as rerouting
from streams import upkeep
from streams.cli.output import AsJson, echo, echo_json, echo_table, settings
from streams.engine.acceptance import AcceptedChange, ReadFrom
from streams.operate.errors import UsageError

app = typer.Typer(
    help="The way out when the cluster is not the one that the state was built on.",
    no_args_is_help=True,
)

Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only say what it would do.")]


@app.command()
def check(as_json: AsJson = False) -> None:
    """Check whether the state was built from these topics: exit 1 and each difference if not."""
    found = asyncio.run(upkeep.check(settings()))
    if as_json:
        echo_json({"ok": not found, "differences": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            echo(str(finding))
        if not found:
            echo("the state and the topics belong together")
    raise typer.Exit(1 if found else 0)


@app.command()
def accept(
    topics: Annotated[
        list[str], typer.Argument(help="TOPIC=ID, as a worker's refusal names it; several.")
    ],
    read: Annotated[
        ReadFrom,
        typer.Option(
            help="From where inputs among them are read: their beginning; on, where reading had"
            " stopped (the same records at the same offsets); or their end."
        ),
    ] = ReadFrom.BEGINNING,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Accept topics that were recreated, restored or moved, by their new ids.

    Stop the workers first. The new ids are written into the state of each partition, once, and the
    next start uses them. Unread records of the old topic are given up.
    """
    wanted = dict(_pair(word) for word in topics)
    changes = asyncio.run(upkeep.accept(settings(), wanted, read, yes=yes))
    if as_json:
        echo_json({"written": yes, "changes": [asdict(change) for change in changes]})
        return
    if not changes:
        echo("accepted already: nothing to write")
        return
    echo_table(
        ("topic", "partitions", "id before", "id now", "read on at", "unread"), _rows(changes)
    )
    echo("written: start the workers" if yes else "nothing is written; --yes writes it")


def _pair(word: str) -> tuple[str, str]:
    topic, equals, topic_id = word.partition("=")
    if not topic or not equals:
        raise UsageError(f"{word} is not TOPIC=ID: a worker's refusal names both")
    return topic, topic_id


def _rows(changes: list[AcceptedChange]) -> list[tuple[object, ...]]:
    by_topic: dict[str, list[AcceptedChange]] = defaultdict(list)
    for change in changes:
        by_topic[change.topic].append(change)
    rows: list[tuple[object, ...]] = []
    for topic, own in by_topic.items():
        places = {f"{it.next_before}→{it.next_after}" for it in own if it.next_after is not None}
        where = ", ".join(sorted(places)) or None
        unread = sum(it.unread for it in own) if places else None
        rows.append((topic, len(own), own[0].old_id or None, own[0].new_id, where, unread))
    return rows


@app.command()
def reroute(yes: Yes = False, as_json: AsJson = False) -> None:
    """Move records out of partitions that no worker reads, to the partitions of their keys.

    Use it if topics got more partitions than BYLINE_PARTITIONS. Workers may run meanwhile; each
    record is moved once. Exit 1 if records are left to be moved.
    """
    chosen = settings()
    if yes:
        done = asyncio.run(rerouting.move(chosen))
    else:
        done = rerouting.Rerouted(asyncio.run(rerouting.strays(chosen)))
    if as_json:
        found = [asdict(it) | {"left": it.left} for it in done.found]
        echo_json({"moved": done.moved, "found": found, "unreadable": done.unreadable})
    elif not done.found:
        echo("nothing lies in partitions that are not in use")
    elif yes:
        for topic, count in done.moved.items():
            echo(f"{topic}: {count} records moved")
        for place in done.unreadable:
            echo(f"{place}: left there, since nobody can read this batch")
        echo("start the workers again: adverse events wait until then")
    else:
        echo_table(
            ("topic", "partition", "offsets"),
            ((it.topic, it.partition, it.left) for it in done.found),
        )
        echo("nothing is moved; --yes moves it")
    raise typer.Exit(1 if done.found and not yes else 0)


@app.command()
def rebuild(
    disk: Annotated[
        list[Path] | None,
        typer.Option(help="A worker's DATA_DIR; several. Default: the one of these settings."),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild the state if the changelogs have lost it: exit 1 if that is not possible.

    Stop the workers first. For each partition it uses a worker's disk, if that is as new as the end
    of the decision log; else it replays the log with the inputs. The log's hashes prove either.
    With --yes both changelogs are deleted, created and filled. The state of one partition must fit
    in memory, as in a worker.
    """
    chosen = settings()
    done = asyncio.run(rebuilding.rebuild(chosen, disk or [chosen.data_dir], yes=yes))
    if as_json:
        rows = [
            {"partition": it.partition, "source": it.kind, "keys": it.keys, "why": it.why}
            for it in done.sources
        ]
        lost = None if done.lost is None else asdict(done.lost)
        echo_json({"written": done.written, "partitions": rows, "lost": lost})
    else:
        rows_of = ((it.partition, it.kind, it.keys, it.why or None) for it in done.sources)
        echo_table(("partition", "from", "keys", "why not"), rows_of)
        _say_outcome(done)
    raise typer.Exit(1 if done.lost is not None else 0)


def _say_outcome(done: rebuilding.Rebuilt) -> None:
    lost = done.lost
    if lost is None:
        echo(
            "written: start the workers" if done.written else "nothing is written; --yes writes it"
        )
        return
    echo(
        f"of partitions {', '.join(map(str, lost.partitions))} neither a disk nor the inputs are "
        f"whole, and nothing was changed. Lost with them: {lost.accounts} accounts that had events,"
        f" of these {lost.open_invitations} with an open invitation, {lost.consents} with a consent"
        f" in force, {lost.restrictions} restricted surfaces (the last ends by itself at "
        f"{lost.last_expires_at or 'once'})"
    )
    echo(
        "Give the disks of other workers with --disk, or restore the changelogs or the inputs. If"
        " nothing can be restored, start over under another BYLINE_TOPIC_PREFIX and"
        " BYLINE_APPLICATION_ID: everybody over the line is asked anew, nobody stays restricted"
    )


@app.command()
def retire(
    application_id: Annotated[
        str, typer.Argument(help="The one that shall not work here any more.")
    ],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End another application id on these topics for good: delete its changelogs, its state.

    Only one application id may work on a prefix. Retire the one whose state is of no use. The one
    that remains, which is that of the settings, may then start behind what is there; it avoids
    sending events again only if it sent the present events itself.
    """
    done = asyncio.run(upkeep.retire(settings(), application_id, yes=yes))
    if as_json:
        echo_json({"deleted": yes, **asdict(done)})
        return
    verb = "deleted" if yes else "would be deleted"
    echo(
        f"{', '.join(done.changelogs)} {verb}: {done.offsets} offsets of state, built from "
        f"{done.read} offsets of inputs"
    )
    if not yes:
        echo("nothing is deleted; --yes deletes it")
