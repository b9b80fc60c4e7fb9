"""`byline doctor` on estates that are broken in one way each: it names that, and hides nothing."""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError
from prometheus_client import CollectorRegistry, start_http_server
from pydantic import SecretStr

from streams.cli import doctor
from streams.doctor import Doctor, cluster, machine, proofs
from streams.doctor.looks import Finding, Look, Seen, Verdict, look_at, well
from streams.engine import libraries
from streams.kafka.requests.metadata import NOT_ASKED, TopicView, View
from streams.local.probe import free_port
from streams.operate import role_rights
from streams.operate.account_states import CHANGELOG, POLICIES, States
from streams.operate.acl import permissions
from streams.operate.audit.service import AuditMetrics
from streams.operate.errors import OperateError
from streams.policies import load_policy
from streams.settings import Settings, SettingsWithoutPolicies, load
from streams.settings_checks import variable
from tests.cli.broken_estates import NEED_KAFKA
from tests.cli.conftest import Byline, HttpAnswer
from tests.index.filled import changelog
from tests.operate.recording import Tape
from tests.policies.given import written

SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A good data folder, and no Kafka."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv(variable("data_dir"), str(folder))
    monkeypatch.setenv(variable("kafka_bootstrap_servers"), f"127.0.0.1:{free_port()}")


def looks(answer: HttpAnswer) -> dict[str, list[dict[str, Any]]]:
    """What each look found."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(answer.out)["looks"]:
        found.setdefault(one["look"], []).append(one)
    return found


def only_wrong(answer: HttpAnswer, look: str) -> dict[str, Any]:
    """The one thing that is wrong beside Kafka, which is not there."""
    assert answer.code == 1
    wrong = {
        name: findings
        for name, findings in looks(answer).items()
        if any(it["verdict"] in ("wrong", "failed") for it in findings)
    }
    assert set(wrong) == {"Kafka", look}
    (finding,) = wrong[look]
    return finding


def test_without_a_kafka_it_says_so_once_and_looks_at_all_the_rest(byline: Byline) -> None:
    answer = byline("doctor", "--json")
    assert (answer.code, json.loads(answer.out)["ok"]) == (1, False)
    found = looks(answer)
    (kafka,) = found["Kafka"]
    assert kafka["verdict"] == "failed"
    assert "no Kafka answers at 127.0.0.1" in kafka["found"]
    for name in NEED_KAFKA:
        assert found[name][0]["found"] == "not looked at: Kafka was not reached"
    others = set(found) - {"Kafka", *NEED_KAFKA}
    assert others == {
        *("settings", "libraries", "policies", "data folder", "open files", "last audit")
    }
    assert {found[name][0]["verdict"] for name in others} == {"well", "unknown"}


def test_the_table_folds_what_is_too_wide_and_cuts_nothing(byline: Byline) -> None:
    answer = byline("doctor")
    assert answer.code == 1
    assert "…" not in answer.out
    assert answer.out.endswith("1 of 14 looks are not well\n")


def test_settings_that_are_refused_end_it_with_2(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("http_port"), "none")
    monkeypatch.setenv(variable("kafka_sasl_mechanism"), "PLAIN")
    answer = byline("doctor", "--json")
    assert (answer.code, answer.out) == (2, "")
    assert "BYLINE_HTTP_PORT: 'none' is not a port" in answer.err
    assert "BYLINE_KAFKA_SASL_MECHANISM: of no use" in answer.err


def test_a_role_that_there_is_not_is_wrong_use(byline: Byline) -> None:
    answer = byline("doctor", "--role", "workers")
    assert (answer.code, "there are administrator, auditor" in answer.err) == (2, True)


def test_a_broken_policy_is_named_with_its_line(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()
    file = written(tmp_path / "policies", ("exit_ratio: 0.95", "exit_ratio: 1.5"))
    monkeypatch.setenv(variable("policies"), str(file.parent))
    finding = only_wrong(byline("doctor", "--json"), "policies")
    assert finding["found"].startswith(f"{file}:")
    assert "exit_ratio" in finding["found"]
    assert finding["what_to_do"]


def test_a_missing_folder_of_policies_hides_nothing(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable("policies"), "/nowhere")
    finding = only_wrong(byline("doctor", "--json"), "policies")
    assert finding["found"] == "/nowhere:1: there is no such directory"


def test_a_data_folder_that_others_may_read_is_named_with_its_mode(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").chmod(0o755)
    finding = only_wrong(byline("doctor", "--json"), "data folder")
    assert "has mode 0755: others on this machine may read" in finding["found"]
    assert finding["what_to_do"] == f"chmod 700 {tmp_path / 'data'}"


@pytest.mark.parametrize("where", ["file", "below a file", "read-only"])
def test_a_data_folder_that_cannot_be_written_to_is_named(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").write_text("")
    folder = {
        "file": tmp_path / "file",
        "below a file": tmp_path / "file" / "data",
        "read-only": Path("/proc/self/net"),
    }[where]
    monkeypatch.setenv(variable("data_dir"), str(folder))
    answer = byline("doctor", "--json")
    found = [it for it in looks(answer)["data folder"] if it["verdict"] == "wrong"]
    said = "BYLINE_DATA_DIR has to name a directory that this user may write to"
    assert said in [it["what_to_do"] for it in found]
    assert "last audit" in looks(answer)


def test_a_data_folder_that_is_not_there_yet_is_well(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable("data_dir"), str(tmp_path / "a" / "b"))
    (finding,) = looks(byline("doctor", "--json"))["data folder"]
    assert (finding["verdict"], (tmp_path / "a").exists()) == ("well", False)


def test_a_disk_that_is_nearly_full_is_named(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**12, 10**12 - 5_000_000, 5_000_000)  # type: ignore[attr-defined]
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    finding = only_wrong(byline("doctor", "--json"), "data folder")
    assert finding["found"].startswith("5 MB are free")


def test_another_version_of_a_pinned_library_is_named(
    byline: Byline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(libraries.PINNED, "aiokafka", "0.0.1")
    finding = only_wrong(byline("doctor", "--json"), "libraries")
    assert finding["found"].startswith("aiokafka 0.0.1 is needed, 0.14.0 is installed")


@pytest.mark.slow
def test_a_low_limit_of_open_files_is_named() -> None:
    """By a process that really has it."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", "doctor", "--json"],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
    )
    finding = only_wrong(HttpAnswer(done.returncode, done.stdout, done.stderr), "open files")
    assert "at most 256 files may be open, 372 are needed" in finding["found"]
    assert "LimitNOFILE" in finding["what_to_do"]


def test_a_look_that_breaks_and_one_that_hangs_hide_no_other() -> None:
    def breaks() -> list[Finding]:
        raise RuntimeError("with the password s3cret-word in it")

    def hangs() -> list[Finding]:
        time.sleep(60)
        return []

    began = time.monotonic()
    good = Look("good", lambda: [well("good")])
    seen = look_at(
        [Look("breaks", breaks), Look("hangs", hangs), good],
        0.5,
        lambda text: text.replace("s3cret-word", "***"),
    )
    assert time.monotonic() - began < 5
    broken, hung, fine = (it.findings[0] for it in seen)
    assert (broken.verdict, hung.verdict, fine.verdict) == (
        *(Verdict.FAILED, Verdict.FAILED),
        Verdict.WELL,
    )
    assert broken.found == "the look broke: RuntimeError: with the password *** in it"
    assert hung.found == "no answer within 0.5 s"


def test_a_look_that_fails_without_a_word_is_not_well() -> None:
    def breaks() -> list[Finding]:
        raise OperateError

    (seen,) = look_at([Look("breaks", breaks)], 5)
    assert not seen.is_well
    assert seen.findings == (Finding(Verdict.FAILED, "the look broke: OperateError"),)


def test_no_secret_is_printed(
    byline: Byline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also not where a policy, a path or an error repeats it."""
    secret = tmp_path / "pw-hidden"
    secret.write_text("of-the-file\n")
    monkeypatch.setenv(variable("kafka_security_protocol"), "SASL_PLAINTEXT")
    monkeypatch.setenv(variable("kafka_sasl_mechanism"), "PLAIN")
    monkeypatch.setenv(variable("kafka_sasl_username"), "byline")
    monkeypatch.setenv(variable("kafka_sasl_password_file"), str(secret))
    monkeypatch.setenv(variable("database"), "postgresql://it:in-the-url@127.0.0.1:1/none")
    monkeypatch.setenv(variable("data_dir"), "/nowhere/of-the-file/in-the-url")
    for form in ((), ("--json",)):
        answer = byline("doctor", *form)
        assert "/nowhere/" in answer.out
        for word in ("of-the-file", "in-the-url"):
            assert word not in answer.out + answer.err
    page = f"http://op:of-the-page@127.0.0.1:{free_port()}/metrics"
    answer = byline("doctor", "--auditor", page)
    assert "no auditor answers at http://op:****" in answer.out.replace("\n", "")
    assert "of-the-page" not in answer.out + answer.err


@pytest.fixture
def auditor() -> Iterator[tuple[AuditMetrics, str]]:
    """The page of `byline audit --follow`."""
    registry = CollectorRegistry()
    metrics = AuditMetrics(registry)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield metrics, f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_last_audit_is_what_a_followed_one_says(
    byline: Byline, auditor: tuple[AuditMetrics, str]
) -> None:
    metrics, page = auditor

    def said() -> dict[str, Any]:
        (finding,) = looks(byline("doctor", "--json", "--auditor", page))["last audit"]
        return finding

    assert "has not read all of the log yet" in said()["found"]
    metrics.judged_at.set(time.time() - 60)
    assert said()["verdict"] == "unknown", "what it has not read yet may be what matters"
    metrics.caught_up(time.time() - 30)
    assert (said()["verdict"], said()["found"].startswith("no breach up to 20")) == ("well", True)
    metrics.judged_at.set(time.time() - 2 * 86_400)
    assert said()["verdict"] == "well", "nothing was decided since"
    metrics.caught_up(time.time() - 3_600)
    metrics.judged_at.set(time.time() - 3_600)
    assert (said()["verdict"], "has not read the log to its end since" in said()["found"]) == (
        *("wrong", True),
    )
    metrics.caught_up(time.time())
    metrics.judged_at.set(0)
    assert "has judged no decision yet" in said()["found"]
    metrics.breaches.labels("1", next(iter(metrics.breaches._metrics))[1]).inc(2)
    assert (said()["verdict"], "found 2 breaches" in said()["found"]) == ("wrong", True)


def test_an_auditor_that_is_silent_or_none_is_named(byline: Byline) -> None:
    page = f"http://127.0.0.1:{free_port()}/metrics"
    finding = only_wrong(byline("doctor", "--json", "--auditor", page), "last audit")
    assert finding["found"].startswith(f"no auditor answers at {page}")
    server, thread = start_http_server(0, addr="127.0.0.1", registry=CollectorRegistry())
    try:
        other = f"http://127.0.0.1:{server.server_port}/metrics"
        finding = only_wrong(byline("doctor", "--json", "--auditor", other), "last audit")
        assert finding["found"] == f"what answers at {other} is no auditor"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_all_is_well_is_only_said_where_everything_could_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unknown = Finding(Verdict.UNKNOWN, "no right to see it", "ask an administrator")
    seen = [Seen("topics", (well("good"),), 0.1), Seen("clock", (well("good"), unknown), 0.1)]
    doctor._print(seen, 0, ["clock"])
    assert capsys.readouterr().out.endswith("\nnothing is wrong; not known from here: clock\n")
    assert [it.look for it in seen if it.is_unknown] == ["clock"]
    doctor._print(seen[:1], 0, [])
    assert capsys.readouterr().out.endswith("\nall is well\n")


def test_an_index_that_is_behind_does_not_show_that_the_policies_run(tmp_path: Path) -> None:
    file = written(tmp_path)
    policy = load_policy(file)
    states = States(partition_count=1)
    tape = Tape(policy)
    for record in [*tape.wait(1).sealed().records(), *changelog(tape)]:
        if record.topic in (CHANGELOG, POLICIES):
            states.feed(record)
    chosen = load(kind=SettingsWithoutPolicies).model_copy(update={"policies": tmp_path})
    verdicts = [
        [it.verdict for it in proofs.policies_against_running(chosen, "from it", states, late)]
        for late in (False, True)
    ]
    assert verdicts == [[Verdict.WELL], [Verdict.UNKNOWN]]


def test_a_password_of_the_database_is_masked_as_it_is_and_as_its_address_has_it() -> None:
    url = SecretStr("postgresql://it:p%40ss-word@127.0.0.1/none")
    chosen = load(kind=SettingsWithoutPolicies).model_copy(update={"database": url})
    whole = Doctor(chosen, lambda: 0, lambda: ("nowhere", States(), False))
    assert whole._scrub("p%40ss-word, p@ss-word") == "********, ********"


@pytest.mark.parametrize(
    ("role", "operations", "verdicts", "says"),
    [
        ("worker", 0xFFFF, [Verdict.WELL], "may do what the role worker needs"),
        ("worker", NOT_ASKED, [Verdict.UNKNOWN], "this Kafka is too old to tell"),
        ("administrator", 0xFFFF, [Verdict.UNKNOWN], "may Create the topics byline.…"),
    ],
)
def test_a_right_that_cannot_be_asked_for_is_unknown_and_not_there(
    role: str,
    operations: int,
    verdicts: list[Verdict],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Client:
        _client = None

        async def find_coordinator(self, *_: Any) -> None: ...

    @asynccontextmanager
    async def client(_: Any) -> AsyncIterator[Client]:
        yield Client()

    async def view(_: Any, topics: list[str], **__: Any) -> View:
        return View("c", {name: TopicView("", 1, 0, operations) for name in topics})

    async def group(*_: Any) -> int:
        return operations

    monkeypatch.setattr(cluster, "admin_client", client)
    monkeypatch.setattr(role_rights, "view_topics", view)
    monkeypatch.setattr(role_rights, "group_operations", group)
    chosen = load(kind=SettingsWithoutPolicies)
    found = asyncio.run(cluster.rights(chosen, role))
    assert [it.verdict for it in found] == verdicts
    assert says in found[0].found


@pytest.mark.parametrize(("operations", "lacks"), [(0xFFFF, None), (1 << 3, {"Write"})])
def test_a_coordinator_that_a_fresh_cluster_has_not_yet_hides_no_missing_right(
    operations: int, lacks: set[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client:
        _client = None

        async def find_coordinator(self, *_: Any) -> None:
            raise GroupCoordinatorNotAvailableError

    async def view(_: Any, topics: list[str], **__: Any) -> View:
        return View("c", {name: TopicView("", 1, 0, operations) for name in topics})

    monkeypatch.setattr(role_rights, "view_topics", view)
    monkeypatch.setattr(role_rights, "COORDINATOR_SECONDS", 0)
    wanted = [it for it in permissions(Settings()) if it.role == "redriver"]
    asked = role_rights.rights_of(Client(), wanted)  # type: ignore[arg-type]
    if lacks is None:
        with pytest.raises(GroupCoordinatorNotAvailableError):
            asyncio.run(asked)
    else:
        assert set(asyncio.run(asked).missing) == lacks
