"""The limit of open files."""

import pytest

from streams.engine import disk_faults


def test_the_soft_limit_of_open_files_is_raised_and_what_is_needed_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(disk_faults.resource, "getrlimit", lambda _: (256, 1_000))
    monkeypatch.setattr(disk_faults.resource, "setrlimit", lambda _, limits: taken.append(limits))
    disk_faults.raise_file_limit(4)
    assert caplog.text == ""
    disk_faults.raise_file_limit(200)
    assert taken == [(1_000, 1_000)] * 2
    assert "at most 1000 files may be open, 2100 are needed" in caplog.text
