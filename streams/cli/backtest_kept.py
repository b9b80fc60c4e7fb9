"""`byline backtest keep` and `drop`: reports in the index's database, for the console's pages."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from streams.backtest.figures import checked
from streams.cli.output import echo, settings
from streams.cli.source import now_ms
from streams.index import kept
from streams.index.database import open_engine, shown, url_of
from streams.index.kept import ReportKind
from streams.index.schema import check
from streams.operate.errors import UsageError


def keep_or_drop(keeps: bool, named: Sequence[Path]) -> None:
    """Keeps files, or drops the reports with these names. Raises UsageError, IndexFault."""
    if not named:
        raise UsageError(f"byline backtest {'keep' if keeps else 'drop'}: name at least one report")
    files = {path.name: _read(path) for path in named} if keeps else {}
    if keeps and len(files) < len(named):
        raise UsageError("two of these files have one name; a report is kept under its file's name")
    engine = open_engine(url_of(settings(without_policies=True)))
    try:
        check(engine)
        for name, (says, text) in files.items():
            kept.keep(engine, ReportKind.BACKTEST, name, says, text, now_ms())
            echo(f"{name}: kept in {shown(engine.url)}")
        for path in () if keeps else named:
            if not kept.drop(engine, ReportKind.BACKTEST, str(path)):
                raise UsageError(f"no report of the name {path} is kept")
            echo(f"{path}: dropped")
    finally:
        engine.dispose()


def _read(path: Path) -> tuple[str, str]:
    """Returns a line for each policy of a report, and its text."""
    try:
        if len(path.name) > kept.MOST_NAME:
            raise UsageError(f"{path}: the file's name has over {kept.MOST_NAME} characters")
        if path.stat().st_size > kept.MOST_BYTES:
            raise UsageError(
                f"{path} has over {kept.MOST_BYTES >> 20} MB: write it without --against"
            )
        text = path.read_text(encoding="utf-8-sig")
        return "\n".join(checked(msgspec.json.decode(text), str(path))), text
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no JSON: {error}") from None
