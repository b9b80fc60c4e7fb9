"""Kuaishou: all in shadow mode, so no notice is sent and no owner answers."""

from schemas.enums import Change
from streams.local.demo.script import On, Step, Story, change
from streams.local.demo.stories.common import DELIVERED, PROJECTED, REMINDED, crossing

STORIES = (
    Story(
        "whole-life-in-shadow",
        "kuaishou",
        "lives a whole cycle on the shadow topics; nobody is told",
        crossing(0.5, 1_270_000),
        shadow=PROJECTED,
    ),
    Story(
        "exempted-in-shadow",
        "kuaishou",
        "is exempted while a shadow cycle is open",
        (*crossing(2.0, 6_030_000), Step(On(DELIVERED, 0.8, shadow=True), change(Change.EXEMPTED))),
        shadow=(
            "issued:over_line",
            "delivered:projected",
            REMINDED,
            "cancelled:exempted",
        ),
    ),
)
