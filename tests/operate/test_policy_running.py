"""`byline policy check --running`: how the files here stand to what the partitions run."""

import json
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from streams.core.model.policy import Policy
from streams.index import tables
from streams.index.database import FILE_NAME
from streams.operate.account_states import States
from streams.operate.policy_running import Runs, compare
from streams.policies import load_policy
from streams.settings_checks import variable
from tests.core.given import DAY, policy, stability
from tests.index.filled import changelog, filled
from tests.operate.conftest import POLICY
from tests.operate.recording import Tape
from tests.support import processes


def states(*tapes: Tape) -> States:
    """What the partitions of these, one each, work under."""
    found = States()
    for number, tape in enumerate(tapes):
        for it in [*changelog(tape), *(it for it in tape.records() if it.topic == "policies")]:
            found.feed(it._replace(partition=number if it.topic != "policies" else 0))
    return found


ONE, TWO = policy(), policy(version=2, stability=stability(dwell=DAY))


@pytest.mark.parametrize(
    ("running", "file", "runs"),
    [
        ([ONE, ONE], ONE, Runs.SAME),
        ([ONE, ONE], TWO, Runs.NEWER),
        ([ONE, TWO], TWO, Runs.PARTLY),
        ([ONE, TWO], ONE, Runs.OLDER),
        ([TWO, TWO], ONE, Runs.OLDER),
        ([ONE, ONE], policy(stability=stability(dwell=DAY)), Runs.OTHER_TEXT),
        ([ONE, ONE], None, Runs.NO_FILE),
    ],
    ids=lambda it: str(it) if isinstance(it, Runs) else "",
)
def test_a_file_stands_to_what_runs(running: list[Policy], file: Policy | None, runs: Runs) -> None:
    files = {} if file is None else {file.platform: file}
    (found,) = compare(states(*map(Tape, running)), files)
    assert found.runs is runs
    assert sum(it.partitions for it in found.running) == 2


def test_a_file_that_no_partition_has_taken_up_runs_nowhere() -> None:
    weibo, douyin = compare(states(Tape()), {"weibo": ONE, "zhihu": policy(platform="zhihu")})
    assert (weibo.runs, douyin.platform, douyin.runs) == (Runs.SAME, "zhihu", Runs.NOWHERE)


def test_a_platform_whose_file_the_workers_have_no_more_does_not_run() -> None:
    other = policy(platform="zhihu")
    tape = Tape(ONE, other).label("财经")
    tape.open(ONE)
    tape.label("法律")
    (weibo,) = compare(states(tape), {"weibo": ONE})
    assert weibo.runs is Runs.SAME
    _, zhihu = compare(states(tape), {"weibo": ONE, "zhihu": other})
    assert (zhihu.runs, zhihu.running) == (Runs.NOWHERE, ())


def test_the_command_says_what_a_file_would_change_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    file = folder / "weibo.yaml"
    file.write_text(POLICY)
    (tmp_path / "byline").mkdir()
    index = filled(tmp_path / "byline", Tape(load_policy(file)), FILE_NAME)
    monkeypatch.setenv(variable("policies"), str(folder))
    monkeypatch.setenv(variable("data_dir"), str(tmp_path))
    monkeypatch.setenv(variable("kafka_bootstrap_servers"), "127.0.0.1:1")
    command = ("policy", "check", "--running")
    late = processes.run(command, os.environ)
    # An index that has stood still proves nothing of today: the topics would, and none answers.
    assert (late.returncode, "no Kafka answers" in late.stderr) == (2, True), late.stderr
    with index.begin() as connection:
        connection.execute(update(tables.freshness).values(as_of=int(time.time() * 1000)))
    same = processes.run(command, os.environ)
    assert (same.returncode, "same" in same.stdout) == (0, True), same.stderr
    file.write_text(POLICY.replace("version: 1\n", "version: 2\n").replace("PT3S", "PT9S"))
    newer = processes.run(command, os.environ)
    assert newer.returncode == 1
    assert "it counts once the workers are started with it" in newer.stdout
    assert "milder    notice.answer_window: PT3S → PT9S" in newer.stdout
    plain = json.loads(processes.run((*command, "--json"), os.environ).stdout)
    (only,) = plain["policies"]
    assert (plain["ok"], only["runs"], only["version"]) == (False, "newer", 2)
    assert only["running"][0]["partitions"] == 1
    file.write_text("platform: weibo\n")
    assert processes.run(command, os.environ).returncode == 1
