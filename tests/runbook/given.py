"""What happens around a page that its reader does not type: owners, notifiers, faults.

A page names a step in a comment, `<!-- given: owners over the line -->`. Producers of others write
with a client of their own, as in tests/worker.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

from aiokafka.admin import NewPartitions

from schemas.topics import TOPICS
from tests.runbook.credentials import new_authority, with_tls_and_login
from tests.runbook.ground import PARTITIONS, Ground
from tests.runbook.mirroring import another_cluster
from tests.worker.harness import ROOT, Estate, utc_now
from tests.worker.policies import policy
from tests.worker.test_ways_out import admin, cut

WORKERS = ("byline-worker@1", "byline-worker@2")
SESSION_SECONDS = 11


def topics_and_two_workers(ground: Ground) -> None:
    """Topics of four partitions, and both workers serve."""
    done = ground.run(f"byline topics create --partitions {PARTITIONS}")
    assert done.code == 0, done.output
    ground.run(f"systemctl start {' '.join(WORKERS)}")
    for name in WORKERS:
        assert ground.units[name].served(), ground.units[name].said[-2_000:]


def in_shadow(ground: Ground) -> None:
    """Both policies are in shadow."""
    for platform in ("weibo", "douyin"):
        text = policy(platform, mode="shadow")
        (ground.etc / f"policies/{platform}.yaml").write_text(text, encoding="utf-8")


def who(account: str) -> dict[str, str]:
    """An account; `restricted` is of douyin, all others of weibo."""
    return {"platform": "douyin" if account == "restricted" else "weibo", "account_id": account}


def over_the_line(estate: Estate, *accounts: str, followers: int = 1_500_000) -> None:
    """A covered label and a count for each."""
    for account in accounts:
        fact = {**who(account), "observed_at": utc_now()}
        estate.put("category-changes", {**fact, "category": "财经"})
        estate.put("follower-counts", {**fact, "followers": followers})
    estate.flush()


def said(estate: Estate, account: str, topic: str, **value: Any) -> None:
    """A receipt or answer that names the account's invitation."""
    events = estate.events()[f"{who(account)['platform']}:{account}"]
    issued = [event for event in events if event["event"] == "invitation.issued"]
    about = {**who(account), "invitation_id": issued[-1]["invitation_id"]}
    estate.put(topic, {**about, "occurred_at": utc_now(), **value})
    estate.flush()


def owners(ground: Ground) -> None:
    """Six owners over the line; nobody has told them anything yet."""
    over_the_line(ground.estate(), *(f"u{number}" for number in range(1, 7)))
    time.sleep(3)


def lives(ground: Ground) -> None:
    """weibo:granted consents, douyin:restricted is silent and restricted, weibo:open has its
    notice, weibo:told has none yet.
    """
    estate = ground.estate()
    over_the_line(estate, "granted", "restricted", "open", "told")
    estate.wait_for(4, 60)
    for account in ("granted", "restricted", "open"):
        said(estate, account, "notice-receipts", outcome="delivered")
    estate.wait_for(7, 60)
    said(estate, "granted", "consent-answers", answer="granted")
    # restricted: delivered, expired, and a throttle for each of two surfaces.
    estate.wait_for(11, 60)


def shadow_lives(ground: Ground) -> None:
    """The same owners in shadow."""
    over_the_line(ground.estate(), "u1", "u2", "u3", "u4", "u5", "u6")
    ground.estate().wait_for(12, 60)


def below_the_floor(ground: Ground) -> None:
    """Owners with 600,000 followers, of whom nothing is kept under a line of a million."""
    estate = ground.estate()
    over_the_line(estate, "u1")
    over_the_line(estate, "u2", "u3", followers=600_000)
    estate.wait_for(1, 60)


def the_session_is_over(_: Ground) -> None:
    """Kafka has noticed that a worker is gone."""
    time.sleep(SESSION_SECONDS)


def a_moment_passes(_: Ground) -> None:
    """What was sent has been read."""
    time.sleep(4)


def partitions_are_added(ground: Ground) -> None:
    """Somebody doubles the partitions, and a producer writes a grant to a new one."""
    estate = ground.estate()
    keyed = [estate.names.of(topic) for topic in TOPICS if not topic.single]
    more = {name: NewPartitions(total_count=2 * PARTITIONS) for name in keyed}
    admin(estate, lambda client: client.create_partitions(more))
    fresh = ground.estate()
    for number in range(6):
        over_the_line(fresh, f"late{number}")
    said(fresh, "open", "consent-answers", answer="granted")
    time.sleep(4)


def an_input_is_deleted(ground: Ground) -> None:
    """Somebody deletes the topic of answers."""
    admin(ground.estate(), lambda client: client.delete_topics([f"{ground.name}.consent-answers"]))
    deadline = time.monotonic() + 40
    while any(ground.units[name].pid for name in WORKERS) and time.monotonic() < deadline:
        time.sleep(0.3)


def the_new_id_is_known(ground: Ground) -> None:
    """The id that the worker names is shown as NEW-ID."""
    said = ground.run("byline cluster check --json").output
    (found,) = set(re.findall(r"byline\.consent-answers=([\w-]+)", said))
    ground.hidden[found] = "NEW-ID"


def a_changelog_is_cut(ground: Ground) -> None:
    """Somebody lets retention work on the state, while no worker runs."""
    ground.run(f"systemctl stop {' '.join(WORKERS)}")
    time.sleep(SESSION_SECONDS)
    cut(ground.estate(), f"{ground.name}-accounts-changelog")


def rubbish_comes(ground: Ground) -> None:
    """A producer writes answers in words of its own, one under a key that no account has."""
    estate = ground.estate()
    answer = {**who("open"), "answer": "yes", "occurred_at": utc_now()}
    estate.put("consent-answers", answer)
    estate.put("consent-answers", answer, key="open")
    estate.flush()
    time.sleep(4)


def a_program_that_mends(ground: Ground) -> None:
    """A program that turns the producer's word into the contract's."""
    mend = ground.home / "mend"
    mend.write_text('#!/bin/sh\nsed \'s/"yes"/"granted"/\'\n')
    mend.chmod(0o755)


def a_newer_version(ground: Ground) -> None:
    """A copy of this version whose state has the next format is what worker 1 runs."""
    code = ground.folder / "opt/next"
    for package in ("streams", "schemas"):
        shutil.copytree(ROOT / package, code / package)
    (code / "deploy").symlink_to(ROOT / "deploy")
    file = code / "streams/engine/checkpoint.py"
    text = file.read_text()
    assert "FORMAT = 1\n" in text
    file.write_text(text.replace("FORMAT = 1\n", "FORMAT = 2\n"))
    ground.units[WORKERS[0]].code_folder = code


def this_version_again(ground: Ground) -> None:
    """Worker 1 runs this version again."""
    ground.units[WORKERS[0]].code_folder = ROOT


def files_for_a_closed_account(ground: Ground) -> None:
    """The platform's word that an account is closed, and its tombstones, as JSON lines."""
    (ground.home / "closed.jsonl").write_text(json.dumps(who("granted")) + "\n")
    closed = {**who("granted"), "change": "closed", "observed_at": utc_now()}
    (ground.home / "closing.jsonl").write_text(json.dumps(closed) + "\n")


def a_signing_key(ground: Ground) -> None:
    """An Ed25519 key, as deploy/evidence.md says."""
    key = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(ground.home / "key.pem")]
    subprocess.run(key, check=True, capture_output=True)


def an_answer(ground: Ground) -> None:
    """weibo:open grants, and names the invitation as it was told."""
    said(ground.estate(), "open", "consent-answers", answer="granted")
    time.sleep(4)


GIVEN: dict[str, Callable[[Ground], None]] = {
    "policies in shadow": in_shadow,
    "topics and two workers": topics_and_two_workers,
    "owners over the line": owners,
    "owners over the line in shadow": shadow_lives,
    "owners in every state": lives,
    "owners below the floor": below_the_floor,
    "the session is over": the_session_is_over,
    "a moment passes": a_moment_passes,
    "partitions are added": partitions_are_added,
    "an input is deleted": an_input_is_deleted,
    "the new id is known": the_new_id_is_known,
    "a changelog is cut": a_changelog_is_cut,
    "rubbish comes": rubbish_comes,
    "a program that mends": a_program_that_mends,
    "a newer version on worker 1": a_newer_version,
    "this version again": this_version_again,
    "files for a closed account": files_for_a_closed_account,
    "a signing key": a_signing_key,
    "an answer to an open invitation": an_answer,
    "TLS, login and rights": with_tls_and_login,
    "a new authority": new_authority,
    "another cluster": another_cluster,
}
