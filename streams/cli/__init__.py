"""The command line `byline …`: each module parses the options of commands, calls, and prints.

Exit codes: 0 done · 1 the answer is no (a check failed, a line was refused) · 2 wrong use or
configuration · 70 the worker gave up and wants to be restarted, or a bug in Byline · 130 Ctrl-C ·
141 the reader of the output (a pipe) has ended.
"""

import logging
import sys
import traceback
from pathlib import Path

import typer

from streams import logs
from streams.cli.output import echo_error
from streams.cli.program import program_of
from streams.cli.repeated import refuse_repeats
from streams.instance import InstanceError
from streams.local.errors import LocalKafkaError
from streams.operate.errors import OperateError
from streams.policies import PolicyFaults
from streams.settings import SettingsError, wanted_log_format
from streams.standard_streams import guarded_standard_streams
from streams.stop_worker import ExitCode, StopWorker

EXIT_USAGE = ExitCode.PERSON
EXIT_BUG = ExitCode.RESTART
EXIT_INTERRUPTED = 130
OURS_TO_EXPLAIN = (
    SettingsError,
    PolicyFaults,
    InstanceError,
    OperateError,
    LocalKafkaError,
    StopWorker,
)
"""Errors whose message is for the operator: it is printed without a traceback."""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits the process. `--settings FILE` may stand anywhere."""
    words = _settings_first(list(sys.argv[1:] if arguments is None else arguments))
    with guarded_standard_streams():
        try:
            command = refuse_repeats(typer.main.get_command(_program(words)))
            command(args=words, prog_name="byline")
        except KeyboardInterrupt:
            # While the command's modules are imported; later the command itself hears of it.
            sys.exit(EXIT_INTERRUPTED)
        except OURS_TO_EXPLAIN as error:
            echo_error(str(error))
            sys.exit(EXIT_USAGE)
        except Exception:
            echo_error(traceback.format_exc())
            sys.exit(EXIT_BUG)
        finally:
            for handler in logging.getLogger().handlers:
                handler.flush()


def _program(words: list[str]) -> typer.Typer:
    """Returns the program with the command that is called; with all if there is no such command.

    For a worker it configures logging first, so that errors of its settings are log lines too.
    """
    file = Path(words[1]) if words[:1] == ["--settings"] and len(words) > 1 else None
    if words[:1] == ["--settings"]:
        words = words[2:]
    elif words[:1] and words[0].startswith("--settings="):
        file, words = Path(words[0].partition("=")[2]), words[1:]
    if words[:1] == ["worker"] and "--help" not in words and "-h" not in words:
        logs.configure("info", wanted_log_format(file))
    return program_of(next(iter(words), None))


def _settings_first(words: list[str]) -> list[str]:
    for number, word in enumerate(words):
        if word == "--settings" and number + 1 < len(words):
            return words[number : number + 2] + words[:number] + words[number + 2 :]
        if word.startswith("--settings="):
            return [word, *words[:number], *words[number + 1 :]]
    return words
