"""The seven shipped files, and an eighth platform that is a file alone."""

from pathlib import Path
from shutil import copy

import pytest

from schemas.enums import Field, Mode
from streams.core.model.policy import Policy
from streams.policies import load_policies, load_policy
from tests.policies.given import HERE, SHIPPED

SEVEN = ["baidu", "bilibili", "douyin", "kuaishou", "wechat", "weibo", "xiaohongshu"]

POLICIES = load_policies(SHIPPED, require_approvals=True)


def test_the_seven_ship() -> None:
    assert list(POLICIES) == SEVEN


@pytest.mark.parametrize("policy", POLICIES.values(), ids=SEVEN)
def test_every_shipped_policy_touches_nobody(policy: Policy) -> None:
    assert policy.mode is Mode.SHADOW
    assert policy.notice.answer_window is None
    assert "notice.answer_window" in policy.missing_for_enforce


@pytest.mark.parametrize("policy", POLICIES.values(), ids=SEVEN)
def test_every_shipped_policy_has_its_guards_and_names_its_sources(policy: Policy) -> None:
    assert policy.guards is not None
    text = (SHIPPED / f"{policy.platform}.yaml").read_text(encoding="utf-8")
    assert "# What was announced:" in text
    assert "http" in text
    assert "# Not announced:" in text


@pytest.mark.parametrize("platform", [name for name in SEVEN if name != "douyin"])
def test_the_first_batch_is_a_million(platform: str) -> None:
    assert [phase.followers for phase in POLICIES[platform].phases] == [1_000_000, 500_000]


def test_douyin_starts_at_half_a_million() -> None:
    assert [phase.followers for phase in POLICIES["douyin"].phases] == [500_000]


def test_deadlines_of_the_second_batch_are_beijing_wall_clock() -> None:
    assert POLICIES["weibo"].phases[1].answer_by == 1704038399000
    assert POLICIES["bilibili"].phases[1].answer_by == 1703818800000


@pytest.mark.parametrize("platform", ["wechat", "kuaishou", "bilibili", "xiaohongshu", "baidu"])
def test_a_second_batch_without_a_date_is_not_in_force(platform: str) -> None:
    assert POLICIES[platform].phases[1].starts_at is None


@pytest.mark.parametrize("platform", ["wechat", "bilibili", "xiaohongshu"])
def test_where_no_field_was_named_any_is_covered(platform: str) -> None:
    assert POLICIES[platform].covered is None
    assert POLICIES[platform].field_of("教育") is Field.EDUCATION


def test_what_kuaishou_does_after_silence_was_not_announced() -> None:
    assert POLICIES["kuaishou"].consequence.surfaces is None
    assert not POLICIES["kuaishou"].consequence.on


@pytest.mark.parametrize("policy", POLICIES.values(), ids=SEVEN)
def test_daily_life_is_never_covered(policy: Policy) -> None:
    for label in ("日常生活", "生活", "萌宠", "美食", "搞笑", "游戏"):
        assert policy.field_of(label) is None


@pytest.mark.parametrize("policy", POLICIES.values(), ids=SEVEN)
def test_every_covered_field_has_a_label(policy: Policy) -> None:
    covered = frozenset(Field) if policy.covered is None else policy.covered
    assert covered <= frozenset(policy.labels.values())


def test_an_eighth_platform_is_a_file_alone(tmp_path: Path) -> None:
    for path in (*SHIPPED.glob("*.yaml"), HERE / "zhihu.yaml"):
        copy(path, tmp_path)
    policies = load_policies(tmp_path, require_approvals=True)
    assert list(policies) == sorted([*SEVEN, "zhihu"])
    zhihu = policies["zhihu"]
    assert zhihu.phases[0].followers == 500_000
    assert [zhihu.field_of(label) for label in ("时事", "财经", "教育", "医疗健康", "司法")] == [
        Field.CURRENT_AFFAIRS,
        Field.FINANCE,
        Field.EDUCATION,
        Field.HEALTH,
        Field.LAW,
    ]
    assert zhihu.digest == load_policy(HERE / "zhihu.yaml").digest
