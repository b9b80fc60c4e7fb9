"""`byline …`: parses, calls, prints. Each module here is a group of commands, none decides.

Exit codes: 0 done · 1 the answer is no (a check failed, a line was refused) · 2 wrong use or
configuration · 70 the worker gave up and wants to be restarted, or a bug of ours · 130 Ctrl-C ·
141 nobody reads the output any more.
"""

import logging
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from streams import logs
from streams.cli import (
    audit,
    cluster,
    control,
    dead_letters,
    events,
    explain,
    funnel,
    index,
    kafka,
    people,
    policy,
    policy_history,
    report,
    run,
    send,
    status,
    switch,
    topics,
)
from streams.cli.say import complain, remember_settings_file
from streams.engine.processor import Refusal
from streams.instance import InstanceError
from streams.local.errors import LocalKafkaError
from streams.operate.errors import OperateError
from streams.policies import PolicyFaults
from streams.settings import SettingsError, wanted_log_format
from streams.standard_streams import guarded_standard_streams

EXIT_USAGE = 2
EXIT_BUG = 70
OURS_TO_EXPLAIN = (
    SettingsError,
    PolicyFaults,
    InstanceError,
    OperateError,
    LocalKafkaError,
    Refusal,
)
"""Errors whose message is for the operator: said without a traceback."""

app = typer.Typer(
    name="byline",
    help="Front-end real-name display rules as a stream: invitations, consents and throttles.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _settings(
    settings: Annotated[
        Path | None,
        typer.Option(help="A file of BYLINE_… lines (dotenv); the environment wins over it."),
    ] = None,
) -> None:
    remember_settings_file(settings)


run.register(app)
send.register(app)
audit.register(app)
people.register(app)
index.register(app)
explain.register(app)
events.register(app)
funnel.register(app)
report.register(app)
status.register(app)
policy_history.register(policy.app)
app.add_typer(topics.app, name="topics")
app.add_typer(cluster.app, name="cluster")
app.add_typer(policy.app, name="policy")
app.add_typer(control.app, name="control")
app.add_typer(switch.app, name="switch")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(kafka.app, name="kafka")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit. `--settings FILE` may stand anywhere."""
    words = _settings_first(list(sys.argv[1:] if arguments is None else arguments))
    with guarded_standard_streams():
        _speak_as_a_worker(words)
        try:
            app(args=words, prog_name="byline")
        except OURS_TO_EXPLAIN as error:
            complain(str(error))
            sys.exit(EXIT_USAGE)
        except Exception:
            complain(traceback.format_exc())
            sys.exit(EXIT_BUG)
        finally:
            for handler in logging.getLogger().handlers:
                handler.flush()


def _speak_as_a_worker(words: list[str]) -> None:
    """Whatever a worker says is a log line of its format, also what is wrong with its settings."""
    file = Path(words[1]) if words[:1] == ["--settings"] and len(words) > 1 else None
    if words[:1] == ["--settings"]:
        words = words[2:]
    elif words[:1] and words[0].startswith("--settings="):
        file, words = Path(words[0].partition("=")[2]), words[1:]
    if words[:1] == ["worker"] and "--help" not in words and "-h" not in words:
        logs.configure("info", wanted_log_format(file))


def _settings_first(words: list[str]) -> list[str]:
    for number, word in enumerate(words):
        if word == "--settings" and number + 1 < len(words):
            return words[number : number + 2] + words[:number] + words[number + 2 :]
        if word.startswith("--settings="):
            return [word, *words[:number], *words[number + 1 :]]
    return words
