"""Parquet in object storage: moto's server stands for it, spoken to through pyarrow alone."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from streams.backtest.objects import _names
from streams.backtest.report import report
from streams.local.probe import free_port
from streams.operate.errors import UsageError
from tests.backtest.given import ReadingRow, backtested, parquet_file, rising
from tests.support.parts import program

ROWS = [[ReadingRow(0, "low", 10), *rising("a1")], rising("a2"), rising("a3")]

Storage = tuple[fs.S3FileSystem, str]
"""To write with; and what stands behind a path."""


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """An object storage of this test; who asks is named by the AWS variables."""
    port = free_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    server = subprocess.Popen(
        [program("moto-server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    try:
        yield _ready(server, port), f"?endpoint_override=127.0.0.1:{port}&scheme=http&region=here"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _ready(server: subprocess.Popen[bytes], port: int) -> fs.S3FileSystem:
    until = time.monotonic() + 60
    found = fs.S3FileSystem(
        allow_bucket_creation=True,
        # A small object goes in one request; moto now and then refuses parts of one.
        allow_delayed_open=True,
        endpoint_override=f"127.0.0.1:{port}",
        scheme="http",
    )
    while True:
        try:
            found.create_dir("history")
        except OSError:
            assert time.monotonic() < until
            assert server.poll() is None
            time.sleep(0.3)
        else:
            return found


@pytest.mark.part("moto-server")
@pytest.mark.slow
def test_a_backtest_of_objects_is_that_of_the_same_files(storage: Storage, tmp_path: Path) -> None:
    store, where = storage
    local = tmp_path / "local"
    local.mkdir()
    for number, rows in enumerate(ROWS):
        path = parquet_file(local / f"part-{number}.parquet", rows)
        with store.open_output_stream(f"history/days/{path.name}") as target:
            target.write(path.read_bytes())
    here, said = backtested(tmp_path, local)
    assert here.tallies[0].total("invitation.issued") == 3
    for path in ("s3://history/days", "s3://history/days/part-*.parquet"):
        there, told = backtested(tmp_path, path + where)
        assert told == said, "the same outputs, byte for byte, offsets of rows included"
        plain, other = report(here), report(there)
        assert plain.pop("history") != other.pop("history")
        assert other == plain
    one, _ = backtested(tmp_path, f"s3://history/days/part-1.parquet{where}")
    assert one.carried.accounts == 1
    assert not list((tmp_path / "work").glob("run-*")), "what was fetched goes with the run"
    with pytest.raises(UsageError, match="there is no such Parquet file"):
        backtested(tmp_path, f"s3://history/days/none-*.parquet{where}")
    with pytest.raises(UsageError, match="behind the path says where"):
        backtested(tmp_path, f"s3://no-such-bucket/x/*.parquet{where}")
    with pytest.raises(UsageError, match="no option key; there are endpoint_override"):
        backtested(tmp_path, "s3://history/days?key=1")


@pytest.mark.parametrize("other", ["year=2025/", "part-9.csv", "part-9.parquet/"])
def test_what_is_no_parquet_file_is_refused_and_not_passed_over(other: str, tmp_path: Path) -> None:
    """As in a local folder; through the interface that object storage has, too."""
    days = tmp_path / "days"
    days.mkdir()
    first = parquet_file(days / "part-1.parquet", ROWS[0])
    (days / "_SUCCESS").touch()
    assert _names(fs.LocalFileSystem(), str(days)) == [str(first)]
    if other.endswith("/"):
        (days / other).mkdir()
    else:
        (days / other).touch()
    for path in (days, days / "*"):
        with pytest.raises(UsageError, match="is no Parquet file"):
            _names(fs.LocalFileSystem(), str(path))
    assert _names(fs.LocalFileSystem(), str(days / "part-1.*")) == [str(first)]
