"""The named storylines, platform by platform: at least one for every event type."""

from streams.local.demo.stories import (
    baidu,
    bilibili,
    douyin,
    kuaishou,
    wechat,
    weibo,
    xiaohongshu,
)

NAMED = (
    *weibo.STORIES,
    *wechat.STORIES,
    *douyin.STORIES,
    *kuaishou.STORIES,
    *bilibili.STORIES,
    *xiaohongshu.STORIES,
    *baidu.STORIES,
)

PLATFORMS = tuple(dict.fromkeys(story.platform for story in NAMED))
"""The seven platforms, in the order in which the demo shows them."""
