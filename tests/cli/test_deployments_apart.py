"""Deployments of one platform each: what a writer of one may do reaches nothing of another."""

from streams.operate.acl import Permission, permissions
from streams.settings import Settings


def deployment(application_id: str, topic_prefix: str) -> list[Permission]:
    return permissions(Settings(application_id=application_id, topic_prefix=topic_prefix))


def reaches(one: Permission, other: Permission) -> bool:
    """Whether both speak of the same resource, by name or by prefix, as Kafka compares them."""
    if one.kind != other.kind:
        return False
    if one.prefixed and other.prefixed:
        return one.name.startswith(other.name) or other.name.startswith(one.name)
    if one.prefixed:
        return other.name.startswith(one.name)
    if other.prefixed:
        return one.name.startswith(other.name)
    return one.name == other.name


def shared(ours: list[Permission], theirs: list[Permission]) -> set[str]:
    return {f"{a.kind} {a.name}" for a in ours for b in theirs if reaches(a, b)}


def test_no_right_of_one_platform_reaches_a_topic_group_or_transaction_of_another() -> None:
    weibo = deployment("weibo-byline", "weibo.")
    douyin = deployment("douyin-byline", "douyin.")
    assert shared(weibo, douyin) == set()
    assert {it.kind for it in weibo} == {"topic", "group", "transactional-id"}


def test_names_that_begin_with_another_deployments_name_do_reach_it() -> None:
    assert "transactional-id byline-" in shared(
        deployment("byline", "byline."), deployment("byline-weibo", "weibo.")
    )
    assert "topic weibo." in shared(
        deployment("first", "weibo."), deployment("second", "weibo.two.")
    )
