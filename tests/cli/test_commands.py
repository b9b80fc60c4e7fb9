"""The program: help on everything, exit codes, answers that a program may read."""

import gc
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer

from streams.app import create_app
from streams.cli.imports import without_collector
from streams.cli.program import COMMANDS, program_of
from streams.local.probe import free_port
from streams.policies import PolicyFaults
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline
from tests.policies.given import written


def paths(command: object, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    children = getattr(command, "commands", {})
    return [prefix, *(p for name, it in children.items() for p in paths(it, (*prefix, name)))]


ALL = paths(typer.main.get_command(program_of()))


@pytest.mark.parametrize("path", ALL, ids=[" ".join(path) or "byline" for path in ALL])
def test_every_command_has_help_that_says_something(byline: Byline, path: tuple[str, ...]) -> None:
    answer = byline(*path, "--help")
    assert answer.code == 0
    assert "Usage: byline" in answer.out
    assert len(answer.out.split()) > 12


def test_the_commands_of_the_contract_are_there() -> None:
    listed = {" ".join(path) for path in ALL}
    assert listed >= {
        "worker",
        "topics create",
        "topics check",
        "topics acl",
        "policy check",
        "policy show",
        "policy diff",
        "policy explain",
        "policy test",
        "send",
        "kafka start",
        "kafka stop",
        "kafka status",
        "settings",
        "demo",
        "doctor",
    }


@pytest.mark.parametrize(
    "arguments", [("nothing",), ("topics", "make"), ("send",), ("kafka", "start", "--port", "x")]
)
def test_wrong_use_exits_2(byline: Byline, arguments: tuple[str, ...]) -> None:
    assert byline(*arguments).code == 2


def test_refused_settings_exit_2_and_may_be_named_anywhere(byline: Byline, tmp_path: Path) -> None:
    file = tmp_path / "byline.env"
    file.write_text("BYLINE_HTTP_PORT=none\n")
    for arguments in (("--settings", str(file), "settings"), ("settings", f"--settings={file}")):
        answer = byline(*arguments)
        assert answer.code == 2
        assert answer.err == (
            "the settings are refused:\n  BYLINE_HTTP_PORT: 'none' is not a port, from 1 to 65535\n"
        )


def test_settings_say_where_each_comes_from(byline: Byline, tmp_path: Path) -> None:
    file = tmp_path / "byline.env"
    file.write_text("BYLINE_HTTP_PORT=9000\n")
    found = json.loads(byline("settings", "--json", "--settings", str(file)).out)
    assert found["BYLINE_HTTP_PORT"] == {"value": 9000, "from": str(file)}
    assert "BYLINE_HTTP_PORT" in byline("settings").out


def test_policies_are_checked_and_shown(byline: Byline, tmp_path: Path) -> None:
    assert "weibo" in byline("policy", "check").out
    bad = tmp_path / "weibo.yaml"
    bad.write_text("platform: weibo\n")
    answer = byline("policy", "check", str(bad))
    assert answer.code == 1
    assert f"{bad}:" in answer.err
    refused = json.loads(byline("policy", "check", str(bad), "--json").out)
    assert not refused["ok"]
    assert refused["faults"]
    shown = json.loads(byline("policy", "show", "weibo", "--json").out)
    assert shown["platform"] == "weibo"
    assert "platform: weibo" in byline("policy", "show", "weibo").out
    unknown = byline("policy", "show", "weib")
    assert (unknown.code, unknown.err.endswith("did you mean weibo?\n")) == (2, True)


def test_an_approval_from_the_future_is_refused_by_check_and_worker_alone(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A policy that is only shown or compared may be of another day or machine."""
    written(tmp_path, ("at: 2023-11-02", "at: 2199-11-02"))
    monkeypatch.setenv(variable("policies"), str(tmp_path))
    refused = byline("policy", "check")
    assert refused.code == 1
    assert "approvals[1].at: it is over 300 s ahead of this machine's clock" in refused.err
    with pytest.raises(PolicyFaults, match=r"approvals\[1\]\.at: it is over 300 s ahead"):
        create_app(Settings(policies=tmp_path, data_dir=tmp_path / "data"))
    assert byline("policy", "show", "weibo").code == 0


def test_how_many_faults_there_are_beside_the_first_hundred_is_said(
    byline: Byline, tmp_path: Path
) -> None:
    more = "\n".join(f"k{number}: x" for number in range(130))
    path = written(tmp_path, ("guards:", f"{more}\nguards:"))
    assert byline("policy", "check", str(path)).err.splitlines()[-1] == "and 30 more"
    told = json.loads(byline("policy", "check", str(path), "--json").out)
    assert (len(told["faults"]), told["more"]) == (100, 30)


@pytest.mark.slow
def test_a_policy_is_compared_with_another(byline: Byline, tmp_path: Path) -> None:
    shipped = Path("deploy/policies/weibo.yaml")
    assert byline("policy", "diff", str(shipped), str(shipped)).out == "nothing changes\n"
    other = tmp_path / "weibo.yaml"
    other.write_text(shipped.read_text().replace("rollout_percent: 100", "rollout_percent: 10"))
    answer = byline("policy", "diff", str(shipped), str(other))
    assert (answer.code, "rollout_percent" in answer.out) == (0, True)
    assert json.loads(byline("policy", "diff", str(shipped), str(other), "--json").out)[
        "differences"
    ]
    crossed = byline("policy", "diff", str(shipped), "deploy/policies/douyin.yaml")
    assert (crossed.code, "who is invited: incomparable" in crossed.out) == (0, True)


def test_no_kafka_is_said_in_one_sentence(byline: Byline, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("BYLINE_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
    answer = byline("topics", "check")
    assert (answer.code, answer.err) == (
        2,
        f"no Kafka answers at 127.0.0.1:{port} (connection refused): set"
        " BYLINE_KAFKA_BOOTSTRAP_SERVERS, or start one here with `byline kafka start`\n",
    )


WORKER_S_START = """
import sys
from pathlib import Path
import streams.cli
from streams.cli.program import program_of
program_of("worker")
from streams.app import create_app
from streams.settings import Settings
create_app(Settings(data_dir=Path(sys.argv[1])))
print(sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_worker_brings_no_library_of_others_along(tmp_path: Path) -> None:
    """Up to the moment before it runs. Each of these costs its start a hundredth to a sixth."""
    heavy = ("sqlalchemy", "jinja2", "polars", "pyarrow", "rich")
    ours = ("streams.operate.audit.auditor", "streams.index", "streams.lives", "streams.backtest")
    done = subprocess.run(
        [sys.executable, "-c", WORKER_S_START, str(tmp_path / "data"), *heavy, *ours],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr


def test_modules_are_imported_without_the_garbage_collector() -> None:
    with without_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), without_collector():
        raise ImportError
    assert gc.isenabled()


@pytest.mark.slow
def test_each_command_is_the_same_with_its_own_modules_alone() -> None:
    """Its options and its help; and nothing beside what its module brings."""
    whole = described(typer.main.get_command(program_of()))
    for command in {path[0] for path in whole if path}:
        alone = described(typer.main.get_command(program_of(command)))
        assert {path[0] for path in alone if path} <= {*beside(command)}, command
        mine = {path: said for path, said in whole.items() if path[:1] == (command,)}
        assert {path: said for path, said in alone.items() if path[:1] == (command,)} == mine


def described(command: Any, prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """By path, what a command says of itself and of its parameters."""
    parameters = [(it.name, it.opts, getattr(it, "help", None)) for it in command.params]
    found: dict[tuple[str, ...], object] = {prefix: (command.help, parameters)}
    for name, child in getattr(command, "commands", {}).items():
        found |= described(child, (*prefix, name))
    return found


def beside(command: str) -> tuple[str, ...]:
    """The commands of the same module."""
    return next((own for own in COMMANDS.values() if command in own), (command,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        ("send", ("sqlalchemy", "faust", "polars", "pyarrow", "jinja2")),
        ("topics", ("sqlalchemy", "faust", "polars", "pyarrow")),
        ("kafka", ("sqlalchemy", "faust", "polars", "pyarrow")),
        ("audit", ("sqlalchemy", "faust", "polars", "pyarrow")),
        ("backtest", ("sqlalchemy", "faust", "polars", "pyarrow", "jinja2")),
        ("cluster", ("sqlalchemy", "faust", "aiohttp", "polars", "pyarrow")),
        (None, ("faust", "aiohttp", "polars", "pyarrow", "jinja2")),
    ],
)
def test_a_command_brings_no_library_of_others_along(
    command: str | None, heavy: tuple[str, ...]
) -> None:
    """None: all of them, for `byline --help`."""
    script = (
        "import sys; from streams.cli.program import program_of;"
        f" program_of({command!r}); print(sorted({{*{heavy!r}}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Usage: byline" in done.stdout) == (0, True)


@pytest.mark.kafka
def test_kafka_starts_answers_and_stops(byline: Byline, tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path / "kafka"))
    assert byline("kafka", "status", *folder).code == 1
    assert byline("kafka", "stop", *folder).out == "no Kafka was running\n"
    port = free_port()
    started = json.loads(byline("kafka", "start", "--port", str(port), "--json", *folder).out)
    try:
        assert (started["bootstrap"], started["answers"]) == (f"127.0.0.1:{port}", True)
        again = byline("kafka", "start", *folder)
        assert f"process {started['pid']}" in again.out
        assert f"export BYLINE_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:{port}" in again.out
        other = byline("kafka", "start", "--port", str(free_port()), *folder)
        assert (other.code, "stop it first" in other.err) == (2, True)
        elsewhere = ("--data-dir", str(tmp_path / "second"))
        busy = byline("kafka", "start", "--port", str(port), *elsewhere)
        assert (busy.code, busy.err.startswith(f"port {port} is taken")) == (2, True)
        assert byline("kafka", "status", *folder).code == 0
    finally:
        stopped = byline("kafka", "stop", *folder)
    assert stopped.out == "Kafka is stopped\n"
    assert not psutil.pid_exists(started["pid"])
    assert json.loads(byline("kafka", "status", "--json", *folder).out)["running"] is False


@pytest.mark.kafka
def test_a_frozen_kafka_runs_but_does_not_answer(byline: Byline, tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path / "kafka"))
    started = json.loads(
        byline("kafka", "start", "--port", str(free_port()), "--json", *folder).out
    )
    process = psutil.Process(started["pid"])
    try:
        process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + 10
        while process.status() != psutil.STATUS_STOPPED:  # each thread stops when it runs next
            assert time.monotonic() < end, process.status()
            time.sleep(0.01)
        answer = byline("kafka", "status", *folder)
        assert (answer.code, "does not answer" in answer.out) == (1, True)
    finally:
        process.send_signal(signal.SIGCONT)
        byline("kafka", "stop", *folder)
    assert not process.is_running()
