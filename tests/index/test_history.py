"""Which policies ran: as the decision log says it, partition by partition."""

from pathlib import Path

from streams.index.database import reading
from streams.index.history import TakenUp, history, of_index
from tests.index.filled import filled
from tests.operate.recording import RECORDINGS


def test_each_version_that_ran_is_told_with_its_time_and_approvals(tmp_path: Path) -> None:
    tape = RECORDINGS["stricter"]()
    with reading(filled(tmp_path, tape)) as connection:
        found = history(*of_index(connection))
    assert [(it.platform, it.version, it.running) for it in found] == [
        ("weibo", 1, 0),
        ("weibo", 2, 0),
        ("weibo", 3, 1),
    ]
    assert [it.until for it in found] == [found[1].since, found[2].since, None]
    assert {it.digest for it in found} == set(tape.published)
    approved = RECORDINGS["approved"]()
    with reading(filled(tmp_path, approved, "approved.sqlite")) as connection:
        (version,) = history(*of_index(connection))
    assert version.approvals == (
        ("op.1", "1970-01-01T00:00:00.001Z"),
        ("op.2", "1970-01-01T00:00:00.002Z"),
    )


def test_an_altered_text_approves_nothing_and_ends_no_command() -> None:
    tape = RECORDINGS["approved"]()
    (digest,) = tape.published
    lines = [TakenUp(0, 1, {"weibo": f"1:{digest}"})]
    (true,) = history(lines, tape.published)
    assert (true.mode, len(true.approvals)) == ("enforce", 2)
    altered = tape.published[digest].replace(b"op.1", b"op.9")
    for text in (altered, b"", b"[]", b"\xff"):
        (found,) = history(lines, {digest: text})
        assert (found.mode, found.approvals) == ("unknown", ())


def test_a_version_runs_until_the_last_partition_has_left_it() -> None:
    lines = [
        TakenUp(0, 1, {"weibo": "1:a", "douyin": "7:x"}),
        TakenUp(1, 2, {"weibo": "1:a"}),
        TakenUp(0, 5, {"weibo": "2:b"}),
        TakenUp(1, 9, {"weibo": "2:b"}),
    ]
    found = {(it.platform, it.version): it for it in history(lines, {})}
    assert found["weibo", 1].since.endswith("00.001Z")
    assert (found["weibo", 1].until or "").endswith("00.009Z")
    assert (found["weibo", 2].running, found["weibo", 2].until) == (2, None)
    assert (found["douyin", 7].until or "").endswith("00.005Z")
    half = {(it.platform, it.version): it for it in history(lines[:3], {})}
    assert (half["weibo", 1].running, half["weibo", 2].running) == (1, 1)
    assert history(lines, {}, "douyin") == [found["douyin", 7]]
