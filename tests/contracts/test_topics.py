"""The declared topics are the contract's table, no more and no fewer."""

from schemas.enums import Event
from schemas.inputs import INPUT_MODELS, TOMBSTONES
from schemas.topics import (
    COMPACTION_LAG_MS,
    DAY_MS,
    KEEP_FOR_EVER,
    TOPICS,
    TopicNames,
)

LONG = 3 * 365 * DAY_MS
TABLE: dict[str, tuple[str, str]] = {
    "byline.switches": ("scope:switch", "delete"),
    "byline.account-changes": ("account", "delete"),
    "byline.notice-receipts": ("account", "delete"),
    "byline.consent-answers": ("account", "delete"),
    "byline.controls": ("account", "delete"),
    "byline.category-changes": ("account", "compact"),
    "byline.follower-counts": ("account", "compact"),
    "byline.invitations": ("account", "delete"),
    "byline.consents": ("account", "delete"),
    "byline.throttles": ("account", "delete"),
    "byline.shadow.invitations": ("account", "delete"),
    "byline.shadow.consents": ("account", "delete"),
    "byline.shadow.throttles": ("account", "delete"),
    "byline.decisions": ("account", "delete"),
    "byline.policies": ("digest", "compact"),
    "byline.dead-letters": ("the key if valid, else its digest", "delete"),
    "byline.throttle-acks": ("account", "delete"),
    "byline-accounts-changelog": ("account", "compact"),
    "byline-categories-changelog": ("account", "compact"),
}
NAMES = TopicNames("byline.", "byline")


def test_the_topics_are_those_of_the_contract_in_its_order() -> None:
    assert {NAMES.of(topic): (topic.key, topic.cleanup) for topic in TOPICS} == TABLE
    assert [NAMES.of(topic) for topic in TOPICS] == list(TABLE)
    assert [topic.name for topic in TOPICS if topic.role == "input"] == list(INPUT_MODELS)


def test_what_is_long_is_long_and_switches_are_kept_for_ever() -> None:
    by_name = {topic.name: topic for topic in TOPICS}
    assert by_name["switches"].retention_ms == KEEP_FOR_EVER
    assert {topic.name for topic in TOPICS if topic.single} == {"switches", "policies"}
    decisions = by_name["decisions"]
    assert decisions.minimum_retention
    assert decisions.retention_ms is not None
    assert decisions.retention_ms >= LONG
    for name in TOMBSTONES:
        assert by_name[name].compaction_lag_ms == COMPACTION_LAG_MS == 30 * DAY_MS
        assert by_name[name].cleanup == "compact"


def test_a_topics_settings_are_in_kafkas_words() -> None:
    by_name = {topic.name: topic.config for topic in TOPICS}
    assert by_name["follower-counts"]["min.compaction.lag.ms"] == "2592000000"
    assert by_name["switches"]["retention.ms"] == "-1"
    assert by_name["policies"]["cleanup.policy"] == "compact"
    for topic in TOPICS:
        kind = "LogAppendTime" if topic.role == "input" else "CreateTime"
        assert topic.config["message.timestamp.type"] == kind


def test_every_event_has_a_topic_in_each_mode() -> None:
    declared = {NAMES.of(topic) for topic in TOPICS if topic.role == "output"}
    used = {NAMES.event(event, shadow) for event in Event for shadow in (False, True)}
    assert used == declared


def test_names_follow_prefix_and_application_id() -> None:
    names = TopicNames("test.", "app")
    assert {names.of(topic).split("-")[0] for topic in TOPICS if topic.role == "changelog"} == {
        "app"
    }
    assert names.changelog("accounts") == "app-accounts-changelog"
    assert all(names.of(topic).startswith(("test.", "app-")) for topic in TOPICS)
