"""When a transaction is due."""

from pathlib import Path

from streams.engine.commit_policy import CommitPolicyState
from streams.engine.config import EngineConfig


def test_the_commit_policy_gathers_what_is_queued_and_no_longer_than_a_second(
    tmp_path: Path,
) -> None:
    config = EngineConfig(application_id="a", bootstrap_servers="b:1", data_dir=tmp_path)
    policy = CommitPolicyState(config)
    assert not policy.commit_due(False, 0, 0, 0.0)
    policy.applied(waiting=False, dirty=True, now=0.0)
    assert not policy.commit_due(False, 10, 100, 0.9)
    assert policy.commit_due(False, 10, 100, 1.0)
    assert policy.commit_due(False, 10_000, 100, 0.1)
    assert policy.commit_due(False, 10, 9_000_000, 0.1)
    policy.applied(waiting=True, dirty=True, now=0.1)
    assert policy.commit_due(False, 10, 100, 0.1)
    assert not policy.commit_due(True, 10, 100, 0.1)
    policy.applied(waiting=True, dirty=True, now=0.2)
    assert not policy.commit_due(True, 10, 100, 0.39)
    assert policy.commit_due(True, 10, 100, 0.4)
    policy.committed()
    assert not policy.moved
    assert not policy.commit_due(False, 0, 0, 99.0)
