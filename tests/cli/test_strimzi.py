"""`byline topics strimzi`: what is declared, as resources of the operator, and no more."""

from schemas.topics import TOPICS
from streams.operate.acl import permissions
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.deploy.kinds import documents


def test_every_topic_and_every_right_is_a_resource_of_strimzi(byline: Byline) -> None:
    answer = byline("topics", "strimzi", "--cluster", "events", "--partitions", "12")
    assert answer.code == 0
    made = documents(answer.out)
    topics = {it["metadata"]["name"]: it for it in made if it["kind"] == "KafkaTopic"}
    assert len(topics) == len(TOPICS)
    assert {it["metadata"]["labels"]["strimzi.io/cluster"] for it in made} == {"events"}
    assert topics["byline.switches"]["spec"]["partitions"] == 1
    counts = topics["byline.follower-counts"]["spec"]
    assert (counts["partitions"], counts["replicas"]) == (12, 3)
    assert counts["config"]["min.insync.replicas"] == "2"
    users = {it["metadata"]["name"]: it for it in made if it["kind"] == "KafkaUser"}
    told = {
        (name, acl["resource"]["type"], acl["resource"]["name"], operation)
        for name, user in users.items()
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }
    granted = {
        (f"byline-{it.role}", it.kind.replace("transactional-id", "transactionalId"), it.name, one)
        for it in permissions(Settings())
        for one in it.operations
    }
    assert told == granted
    assert ("byline-worker", "transactionalId", "byline-", "Write") in told


def test_one_kind_alone_may_be_asked_for(byline: Byline) -> None:
    users = documents(byline("topics", "strimzi", "--only", "users").out)
    assert {it["kind"] for it in users} == {"KafkaUser"}
    assert byline("topics", "strimzi", "--only", "groups").code == 2
