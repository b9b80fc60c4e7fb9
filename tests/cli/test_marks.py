"""Spreadsheets and Windows editors write a byte order mark before a text: no file is misread by it.

The file of a secret is refused with a sentence; all others are read without it.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.backtest import files, shards
from streams.backtest.report import report
from streams.cli.backtest_kept import _read as read_to_keep
from streams.cli.chain import _anchor as read_kept_anchor
from streams.console.actors import read_actors
from streams.lives.suite import read_suite
from streams.operate.audit.head import Head, anchor_of
from streams.policies import load_policy
from streams.serve.roles import read_roles
from streams.settings import SettingsError, load
from streams.settings_login import LoginFileError, TlsFiles, secret_in
from streams.shadow.against import read as read_beside_shadow
from tests.backtest.given import (
    COLUMNS,
    FINANCE,
    backtested,
    csv_file,
    events,
    json_file,
    rising,
)
from tests.backtest.test_filter import _word
from tests.cli.conftest import Byline
from tests.core.given import HOUR, PLATFORM, START, rfc3339
from tests.tls.certificates import Authority

MARK = b"\xef\xbb\xbf"
DEPLOY = Path(__file__).parents[2] / "deploy" / "policies"
EXAMPLES = Path(__file__).parents[2] / "schemas" / "generated" / "examples" / "events"
DIGEST = "ab" * 32


def marked(path: Path) -> Path:
    """The same file with the mark before it, in a folder beside its own."""
    folder = path.parent.with_name(f"{path.parent.name}-marked")
    folder.mkdir(exist_ok=True)
    raw = path.read_bytes()
    is_packed = path.suffix == ".gz"
    text = MARK + (gzip.decompress(raw) if is_packed else raw)
    (folder / path.name).write_bytes(gzip.compress(text) if is_packed else text)
    return folder / path.name


def _csv(folder: Path) -> list[Path]:
    return [csv_file(folder / "r.csv", rising("a1"))]


def _packed_csv(folder: Path) -> list[Path]:
    return [csv_file(folder / "r.csv.gz", rising("a1"))]


def _quoted_csv(folder: Path) -> list[Path]:
    (path,) = _csv(folder)
    head, rest = path.read_text().split("\n", 1)
    path.write_text(",".join(f'"{name}"' for name in head.split(",")) + "\n" + rest)
    return [path]


def _two_csv(folder: Path) -> list[Path]:
    rows = rising("a1")
    return [csv_file(folder / f"{number}.csv", rows[number::2]) for number in range(2)]


def _json_lines(folder: Path) -> list[Path]:
    values = [dict(zip(COLUMNS, row.line(), strict=True)) for row in rising("a1")]
    return [json_file(folder / "r.jsonl", values)]


def _packed_json_lines(folder: Path) -> list[Path]:
    (path,) = _json_lines(folder)
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return [packed]


@pytest.mark.parametrize(
    "made", [_csv, _packed_csv, _quoted_csv, _two_csv, _json_lines, _packed_json_lines]
)
def test_readings_are_the_same(tmp_path: Path, made: Callable[[Path], list[Path]]) -> None:
    (tmp_path / "readings").mkdir()
    paths = made(tmp_path / "readings")
    _, said = backtested(tmp_path, paths[0].parent)
    with_marks = [marked(path) for path in paths]
    found, again = backtested(tmp_path, with_marks[0].parent)
    assert again == said
    assert len(events(said)) >= 8
    assert found.carried.sound == found.carried.rows == len(rising("a1"))


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_labels_and_answers_are_the_same(tmp_path: Path, form: str) -> None:
    readings = csv_file(tmp_path / "r.csv", [row._replace(label="") for row in rising("a1")])
    label = {"platform": PLATFORM, "account_id": "a1", "category": FINANCE}
    label["observed_at"] = rfc3339(START)
    labels = json_file(tmp_path / "l.jsonl", [label])
    if form == "csv":
        labels = tmp_path / "l.csv"
        labels.write_text(f"{','.join(label)}\n{','.join(label.values())}\n")
    words = json_file(tmp_path / "w.jsonl", [_word(1, 9 * HOUR, "a1", "exempted")])
    asked = {"labels": str(labels), "words": str(words)}
    _, said = backtested(tmp_path, readings, **asked)
    asked = {name: str(marked(Path(path))) for name, path in asked.items()}
    assert backtested(tmp_path, readings, **asked)[1] == said
    assert len(events(said)) == 2


def _shard(folder: Path) -> Path:
    found, _ = backtested(folder, csv_file(folder / "r.csv", rising("a1")), shard=(0, 1))
    path = folder / "0.json"
    path.write_text(files.json_text(shards.shard_plain(found, against=False)))
    return path


def _report(folder: Path) -> Path:
    found, _ = backtested(folder, csv_file(folder / "r.csv", rising("a1")))
    path = folder / "report.json"
    path.write_text(json.dumps(report(found)))
    return path


def _text(text: str) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        path = folder / "file"
        path.write_text(text)
        return path

    return made


def _policy(folder: Path) -> Path:
    return Path(shutil.copy(DEPLOY / "weibo.yaml", folder))


def _suite(folder: Path) -> Path:
    _policy(folder)
    (folder / "tests").mkdir()
    return Path(shutil.copy(DEPLOY / "tests" / "weibo.yaml", folder / "tests"))


@pytest.mark.parametrize(
    ("made", "read"),
    [
        (_policy, lambda path: load_policy(path).digest),
        (_suite, lambda path: len(read_suite(path).cases)),
        (_text(f"{DIGEST} op.1 viewer\n"), read_roles),
        (_text(f"{DIGEST} op.1\n"), read_actors),
        (_text(json.dumps(anchor_of([Head(0, 7, DIGEST, rfc3339(START))]))), read_kept_anchor),
        (_shard, lambda path: report(shards.merge([path]).found)),
        (_report, read_to_keep),
        (_report, read_beside_shadow),
        (
            _text("BYLINE_APPLICATION_ID=other\nBYLINE_HTTP_PORT=9\n"),
            lambda path: load(path).application_id,
        ),
    ],
    ids=[
        *("policy", "suite", "roles", "actors", "anchor", "shard", "report to keep"),
        *("report beside shadow", "settings"),
    ],
)
def test_another_file_says_the_same(
    tmp_path: Path, made: Callable[[Path], Path], read: Callable[[Path], Any]
) -> None:
    path = made(tmp_path)
    assert read(marked(path)) == read(path)


def test_the_statement_of_an_event_in_a_file_is_the_same(byline: Byline, tmp_path: Path) -> None:
    (source,) = (EXAMPLES / "throttle.applied.v1").glob("no_answer.json")
    path = Path(shutil.copy(source, tmp_path / "event.json"))
    plain, again = byline("statement", str(path)), byline("statement", str(marked(path)))
    assert (again.code, again.out) == (0, plain.out), again.err


def test_a_secret_with_a_mark_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_bytes(MARK + b"secret\r\n")
    with pytest.raises(LoginFileError, match="begins with a byte order mark: save it as UTF-8"):
        secret_in("kafka_sasl_password_file", path)
    monkeypatch.setenv("BYLINE_ID_KEY_FILE", str(path))
    with pytest.raises(SettingsError) as refused:
        load()
    assert "byte order mark" in str(refused.value.faults)


def test_certificates_and_keys_are_the_same(tmp_path: Path) -> None:
    one, other = (Authority(tmp_path / name, name) for name in ("one", "other"))
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(one.cafile.read_bytes() + other.cafile.read_bytes())
    ours = one.issue("us")
    for given in (
        (bundle, ours.certfile, ours.keyfile),
        map(marked, (bundle, ours.certfile, ours.keyfile)),
    ):
        assert len(TlsFiles(*given).context().get_ca_certs()) == 2
