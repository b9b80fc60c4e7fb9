"""Two notices of a platform never share a version, as far back as the topic of policies reaches."""

from dataclasses import replace

from streams.operate.published import Published, shared_versions
from tests.core.given import policy

HISTORY = [
    Published("weibo", 1, "weibo-notice", "1"),
    Published("weibo", 2, "first-notice", "0"),
    Published("douyin", 1, "douyin-notice", "7"),
]


def shared(**changes: str) -> list[str]:
    """What stands against a policy with a changed notice."""
    changed = replace(policy(), notice=replace(policy().notice, **changes))
    return shared_versions(HISTORY, {"weibo": changed})


def test_the_same_notice_may_come_again_and_again() -> None:
    assert shared() == []
    assert shared(version="2") == []


def test_another_notice_needs_a_version_that_none_had() -> None:
    assert shared(id="new-notice") == [
        "the notice new-notice of weibo has version '1', as weibo-notice had in version 1 of the"
        " policy; give it a version that no other notice of the platform had"
    ]
    assert shared(version="0")[0].startswith("the notice weibo-notice of weibo has version '0', as")
    assert shared(id="new-notice", version="2") == []


def test_another_platform_s_versions_are_its_own() -> None:
    assert shared(id="new-notice", version="7") == []
