"""A directory of policies: one file a platform, named after it; all faults of all files at once."""

from pathlib import Path

import pytest

from streams.policies import PolicyFaults, load_paths, load_policies
from tests.policies.given import written


def _refused(folder: Path) -> list[str]:
    with pytest.raises(PolicyFaults) as refusal:
        load_policies(folder, require_approvals=False)
    return [line.removeprefix(f"{folder}/") for line in str(refusal.value).splitlines()]


def test_policies_come_by_platform(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, ("platform: weibo", "platform: douyin"), name="douyin")
    policies = load_policies(tmp_path, require_approvals=False)
    assert list(policies) == ["douyin", "weibo"]


def test_a_file_is_named_after_its_platform(tmp_path: Path) -> None:
    written(tmp_path, name="sina")
    assert _refused(tmp_path) == [
        "sina.yaml:1: platform 'weibo' is not the file's name; "
        "rename the file weibo.yaml, or write platform: sina"
    ]


def test_two_files_for_one_platform_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, name="weibo-new")
    assert _refused(tmp_path) == [
        "weibo-new.yaml:1: platform 'weibo' is not the file's name; "
        "rename the file weibo.yaml, or write platform: weibo-new",
        f"weibo-new.yaml:1: platform 'weibo' is in {tmp_path}/weibo.yaml too; "
        "keep one file a platform",
    ]


def test_faults_of_several_files_are_listed_at_once(tmp_path: Path) -> None:
    written(tmp_path, ("version: 3", "version: 0"))
    written(tmp_path, ("platform: weibo", "platform: douyin"), ("P7D", "P7"), name="douyin")
    assert [line.split(": ")[0] for line in _refused(tmp_path)] == [
        "douyin.yaml:14",
        "weibo.yaml:2",
    ]


def test_a_file_that_would_be_overlooked_is_refused(tmp_path: Path) -> None:
    written(tmp_path).rename(tmp_path / "weibo.yml")
    assert _refused(tmp_path) == [
        f"{tmp_path}:1: there is no policy file in it; put a policy file there, PLATFORM.yaml",
        "weibo.yml:1: a policy file ends in .yaml; rename it weibo.yaml",
    ]


def test_an_editor_s_hidden_file_is_left_alone(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / ".weibo.yaml").write_text("half a thought: [", encoding="utf-8")
    assert list(load_policies(tmp_path, require_approvals=False)) == ["weibo"]


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert _refused(tmp_path / "none") == [
        f"{tmp_path}/none:1: there is no such directory; name a directory of policy files"
    ]


def test_approvals_are_asked_of_every_file(tmp_path: Path) -> None:
    written(tmp_path, ("mode: shadow\n", "mode: enforce\n"), ("zhao.m", "li.w"))
    assert list(load_policies(tmp_path, require_approvals=False)) == ["weibo"]
    with pytest.raises(PolicyFaults, match="two different actors"):
        load_policies(tmp_path, require_approvals=True)


def test_files_and_directories_are_checked_together(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    written(inside)
    beside = written(tmp_path, ("platform: weibo", "platform: douyin"), name="douyin")
    paths = [inside, beside, inside / "weibo.yaml"]
    assert list(load_paths(paths, require_approvals=False)) == ["douyin", "weibo"]
