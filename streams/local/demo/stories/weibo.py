"""Weibo: line 1,000,000, later 500,000; dwell 1 s; the fourth surface (tips) only in shadow."""

from schemas.enums import Answer
from streams.local.demo.script import At, Exempt, Step, Story, label, reading, says
from streams.local.demo.stories.common import (
    AGREED,
    APPLIED,
    ENDED,
    ISSUED,
    LATE,
    RECEIPT,
    REFUSED,
    RENEWED,
    SILENT,
    crossing,
    grants,
    then,
)

STORIES = (
    Story(
        "silence",
        "weibo",
        "says nothing; is reminded, restricted, reviewed, and free again at the end",
        (*crossing(0.5, 1_320_000), RECEIPT),
        live=(*SILENT, *ENDED),
        shadow=("applied:no_answer", *ENDED),
    ),
    Story(
        "refusal-then-change-of-mind",
        "weibo",
        "refuses, is restricted only after the full window, agrees later, is free at once",
        (
            *crossing(1.5, 2_480_000),
            RECEIPT,
            then(ISSUED, 0.9, says(Answer.DECLINED)),
            then(APPLIED, 1.0, says(Answer.GRANTED)),
        ),
        live=(*REFUSED, *LATE),
        shadow=("applied:declined", RENEWED, "lifted:granted"),
    ),
    Story(
        "phase-start",
        "weibo",
        "stands at 720,000 until the second phase lowers the line to 500,000",
        (*crossing(2.0, 720_000), RECEIPT, grants()),
        live=AGREED,
    ),
    Story(
        "exempt-label",
        "weibo",
        "shares daily life before three million followers: untouched",
        (Step(At(1.0), label(Exempt())), Step(At(1.2), reading(3_100_000))),
    ),
    Story(
        "never-labelled",
        "weibo",
        "has two million followers and no label: untouched",
        (Step(At(1.0), reading(2_200_000)), Step(At(9.0), reading(2_210_000))),
    ),
    Story(
        "label-after-reading",
        "weibo",
        "is over the line first and labelled later",
        (Step(At(2.5), reading(1_050_000)), Step(At(4.5), label()), RECEIPT, grants()),
        live=AGREED,
    ),
)
