"""Says why a file of rows cannot be read, with the line where it is a line's fault."""

import gzip
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_CHUNK = 1 << 20
_MARK = b"\xef\xbb\xbf"


def first_line(error: Exception) -> str:
    """Returns the first line of what a library says of an error."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def why(error: Exception, form: str, files: Sequence[str]) -> str:
    """Returns why these files cannot be read. `form`: parquet, csv or json.

    DuckDB numbers the lines of JSON by its own buffers, so they are looked through again.
    """
    said = first_line(error)
    return (_no_json(files) if form == "json" and "JSON" in said else None) or said


def _no_json(files: Sequence[str]) -> str | None:
    """Returns which line is the first that is no JSON; None: each one is some."""
    for file in files:
        number = 0
        try:
            for line in _lines(file):
                number += 1
                if line.strip():
                    msgspec.json.decode(line, type=msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return f"{file}, line {number}: no JSON ({first_line(error)})"
        except (OSError, EOFError):
            return None
    return None


def _lines(file: str) -> Iterator[bytes]:
    with _opened(file) as source:
        yield next(source, b"").removeprefix(_MARK)
        yield from source


def all_empty(files: Sequence[str]) -> bool:
    """Whether none of these files of text holds anything but blanks."""
    for file in files:
        with _opened(file) as source:
            while chunk := source.read(_CHUNK):
                if chunk.removeprefix(_MARK).strip():
                    return False
    return True


def _opened(file: str) -> Any:
    return gzip.open(file, "rb") if file.lower().endswith(".gz") else open(file, "rb")
