"""`byline evidence` and the anchored head, on what a real worker wrote to a real Kafka."""

import asyncio
import hashlib
import json
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.evidence.gathering import Evidence, EvidenceRequest
from streams.evidence.samples import Anew, Draw, Sample
from streams.operate.audit.chain import Verified, digest
from streams.operate.audit.head import Head, anchor_of
from streams.settings import Settings
from tests.cli.conftest import Byline
from tests.operate.lives import START, committed, lives, now, produce
from tests.replay import commanded

__all__ = ["lives"]
pytestmark = pytest.mark.kafka
CANARIES = ("张伟", "Zhang Wei")


def key_pair(folder: Path) -> tuple[Path, Path]:
    """Made as the documents say: by openssl."""
    private, public = folder / "key.pem", folder / "public.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)], check=True
    )
    subprocess.run(
        ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True
    )
    return private, public


def checked_by_others(file: Path, public: Path) -> bool:
    """What an auditor types, without Byline."""
    same = subprocess.run(
        ["sha256sum", "--check", f"{file.name}.sha256"], cwd=file.parent, capture_output=True
    )
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(public), "-rawin"]
    signed = subprocess.run(
        [*command, "-in", str(file), "-sigfile", f"{file}.sig"], capture_output=True
    )
    return same.returncode == signed.returncode == 0


def decisions(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(it.value) for it in asyncio.run(committed(settings, "decisions"))]


def test_evidence_is_what_lies_in_the_topics_and_a_changed_log_is_found(
    lives: Settings, byline: Byline, tmp_path: Path
) -> None:
    """One history for all of it: the lives take their time."""
    private, public = key_pair(tmp_path)
    sound(lives, byline, tmp_path, private, public)
    anchored(byline, tmp_path)
    commanded.alike(lives, byline)
    commanded.changed_or_gone(lives, byline)
    log = asyncio.run(committed(lives, "decisions"))
    record = next(it for it in log if b'"kind":"decision"' in it.value)
    forged = record.value.replace(b'"followers":2000', b'"followers":2001')
    asyncio.run(produce(lives, record, forged, record.partition))
    file = tmp_path / "unsound.json"
    done = byline("evidence", str(file), "--from", START, "--samples", "0")
    assert done.code == 1
    found = json.loads(file.read_text())
    assert (found["sound"], found["samples"]) == (False, [])
    assert {it["fault"] for it in found["chain"]["breaks"]} >= {"changed"}
    commanded.altered_policy(lives, byline)


def sound(settings: Settings, byline: Byline, folder: Path, private: Path, public: Path) -> None:
    """The whole file, held to the topics; no planted name is in it."""
    named = folder / "named.jsonl"
    value = {"platform": "weibo", "account_id": "a1", "observed_at": now(), "name": CANARIES[0]}
    named.write_text(json.dumps({**value, "change": "reopened", "note": CANARIES[1]}))
    byline("send", "account-changes", str(named))
    file = folder / "evidence.json"
    command = ("evidence", str(file), "--from", START, "--key", str(private), "--json")
    done = byline(*command)
    assert done.code == 0, done.err
    said, text = json.loads(done.out), file.read_text()
    found = json.loads(text)
    assert said["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert checked_by_others(file, public)

    last = {it["partition"]: it["number"] for it in found["chain"]["head"]["heads"]}
    spans = found["chain"]["verified"]
    assert {it["partition"]: (it["from_number"], it["to_number"]) for it in spans} == {
        partition: (1, number) for partition, number in last.items()
    }
    log = [it for it in decisions(settings) if it["number"] <= last[it["partition"]]]
    assert sum(it["records"] for it in spans) == len(log)
    mine = [it for it in log if it["kind"] == "decision" and it["now"] < found["to"]]
    assert found["decisions"] == len(mine) > 100
    counted = Counter(
        (it["platform"], one["mode"], one["event"], one["surface"] or "", one["reason"])
        for it in mine
        for one in it["events"]
    )
    names = ("platform", "mode", "event", "surface", "reason")
    assert {tuple(it[name] for name in names): it["count"] for it in found["events"]} == counted
    (policy,) = found["policies"]
    assert (policy["running"], policy["text"]["platform"]) == (2, "weibo")
    assert found["chain"]["breaks"] == found["invariants"]["breaches"] == []
    assert len(found["samples"]) == 20
    assert {it["decided_anew"] for it in found["samples"]} == {"same"}
    assert all(it["record"]["hash"] == digest(it["record"]) for it in found["samples"])
    assert [it for it in (*CANARIES, "Zhang") if it in text] == []

    again = byline(*command)
    assert (again.code, "is never written over" in again.err) == (2, True)
    file.write_text(text.replace('"sound": true', '"sound":  true'))
    assert not checked_by_others(file, public), "a changed file has another digest"


def anchored(byline: Byline, folder: Path) -> None:
    """Whoever holds a worker's key can write the log anew; then only the anchor tells."""
    anchor = folder / "anchor.json"
    printed = byline("audit", "--head", "--json").out
    anchor.write_text(printed)
    same = byline("audit", "--against", str(anchor))
    assert (same.code, "holds all 2 anchored heads" in same.out) == (0, True), same.err
    heads = [Head(**it) for it in json.loads(printed)["heads"]]
    anchor.write_text(printed.replace(heads[0].hash, "0" * 64))
    assert "it was changed, or cut" in byline("audit", "--against", str(anchor)).err

    anew = [replace(heads[0], hash="0" * 64), *heads[1:]]
    anchor.write_text(json.dumps(anchor_of(anew)))
    done = byline("audit", "--against", str(anchor), "--json")
    said = json.loads(done.out)
    assert (done.code, said["breaks"]) == (1, [])
    says = "another record is there: the log was written anew since"
    assert said["missed"] == [{"partition": 0, "number": heads[0].number, "says": says}]
    anchor.write_text(json.dumps(anchor_of([replace(it, number=90_000) for it in heads])))
    short = byline("audit", "--against", str(anchor))
    assert (short.code, "it was cut" in short.err) == (1, True)


def test_who_writes_the_log_cannot_know_which_decisions_are_drawn() -> None:
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1_000)]

    def drawn(head: str) -> set[tuple[int, int]]:
        draw = Draw(head, 20)
        for number, it in enumerate(hashes):
            draw.offer(0, number, it)
        return draw.drawn()

    assert drawn("a") == drawn("a")
    assert len(drawn("a")) == 20
    assert len(drawn("a") & drawn("b")) < 5, "another head draws others"
    assert Draw("a", 0).drawn() == set()


def test_what_cannot_sign_is_named(byline: Byline, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    file = str(tmp_path / "evidence.json")
    for key, said in (("key", "openssl genpkey"), ("none", "No such file")):
        done = byline("evidence", file, "--from", START, "--key", str(tmp_path / key))
        assert (done.code, said in done.err) == (2, True)


@pytest.mark.parametrize(
    ("anew", "sound"), [(Anew.SAME, True), (Anew.NOT_POSSIBLE, True), (Anew.OTHERWISE, False)]
)
def test_only_a_sample_that_comes_out_otherwise_is_held_against_the_log(
    anew: Anew, sound: bool
) -> None:
    """What Kafka no longer has cannot be decided anew: that is said, and nobody's fault."""
    sample = Sample("decisions[0]@0", 0, 1, {}, anew, "why")
    found = Evidence(EvidenceRequest(0, 1), Verified(), samples=[sample])
    assert found.sound is sound
    (told,) = found.as_dict(0, "0")["samples"]
    assert (told["decided_anew"], told["why"]) == (anew, "why")
