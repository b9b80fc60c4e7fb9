"""Quix Streams with exactly-once: both topics concatenated, one state a key, commits each second.

Runs in an environment of its own (tests/bench/quix_home.py).
"""

from typing import Any

from quixstreams import Application, State

from tests.bench.peers.common import (
    APPLICATION,
    BOOTSTRAP,
    CATEGORIES,
    COVERED,
    FOLLOWERS,
    INVITATIONS,
    LINE,
    STATE_DIR,
    first,
    invitation,
)


def policy(value: dict[str, Any], state: State) -> dict[str, object] | None:
    """One input; an invitation or nothing."""
    first()
    account = state.get("account") or {"followers": 0, "category": None, "invited": False}
    if "followers" in value:
        account["followers"] = value["followers"]
    else:
        account["category"] = value["category"]
    out = None
    over = account["followers"] >= LINE and account["category"] in COVERED
    if over and not account["invited"]:
        account["invited"] = True
        out = invitation(value["platform"], value["account_id"], account["followers"])
    state.set("account", account)
    return out


def main() -> None:
    """Until SIGTERM."""
    app = Application(
        broker_address=BOOTSTRAP,
        consumer_group=APPLICATION,
        state_dir=STATE_DIR,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=1.0,
        use_changelog_topics=True,
        producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
    )
    readings = app.dataframe(app.topic(FOLLOWERS, value_deserializer="json"))
    categories = app.dataframe(app.topic(CATEGORIES, value_deserializer="json"))
    decided = readings.concat(categories).apply(policy, stateful=True)
    invited = decided.filter(lambda value: value is not None)
    invited.to_topic(app.topic(INVITATIONS, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main()
