"""Parquet files in object storage: what a backtest needs of them, brought into the run's folder.

`s3://bucket/path` is read through pyarrow's S3 file system, with the credentials that Amazon's own
tools take (AWS_ACCESS_KEY_ID, a profile, the machine's role). For another store than Amazon's stand
behind the path, as pyarrow has it: `?endpoint_override=HOST:PORT&scheme=http&region=NAME`. Of each
file only the columns that are used are fetched, in order of its rows: a row keeps its number.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from streams.extras import to_install
from streams.operate.errors import UsageError

SCHEME = "s3://"
_OPTIONS = frozenset({"endpoint_override", "scheme", "region"})
_ROWS = 100_000
"""So many rows are in memory at a time."""


def in_storage(path: str) -> bool:
    """Whether a path names object storage."""
    return path.startswith(SCHEME)


def fetched(option: str, path: str, columns: Iterable[str], folder: Path) -> list[str]:
    """Local Parquet files with these columns, as far as they are there, in order of their names.

    `path`: a file, a folder, or a pattern with `*` in its last part, and perhaps options behind a
    question mark. Raises UsageError.
    """
    place, _, query = path.removeprefix(SCHEME).partition("?")
    options = dict(parse_qsl(query))
    strange = options.keys() - _OPTIONS
    if strange:
        raise UsageError(
            f"{option} {path}: no option {min(strange)}; there are {', '.join(sorted(_OPTIONS))}"
        )
    try:
        import pyarrow
        from pyarrow import fs
    except ImportError:
        raise UsageError(
            f"a backtest needs packages that are not installed: {to_install('backtest')}"
        ) from None
    wanted = list(columns)
    try:
        storage = fs.S3FileSystem(**options)
        names = _names(storage, place)
        if not names:
            raise UsageError(f"{option} {path}: there is no such Parquet file (.parquet) there")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        local = []
        for number, name in enumerate(names):
            local.append(str(folder / f"{number:06}.parquet"))
            _fetch(storage, name, wanted, local[-1])
    except (OSError, pyarrow.ArrowException) as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(
            f"{option} {path}: object storage does not give it: {first} (AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY say who asks; ?endpoint_override=HOST:PORT&scheme=… behind the"
            " path says where, if not at Amazon's)"
        ) from error
    return local


def _names(storage: Any, path: str) -> list[str]:
    """Returns the paths of the Parquet files that a path names, in order.

    Raises UsageError if it names anything else as well, as a local folder does: what is passed over
    in silence would be missed in the report.
    """
    from pyarrow import fs

    folder, _, last = path.rpartition("/")
    if "*" in last:
        there = storage.get_file_info(fs.FileSelector(folder))
        found = [it for it in there if fnmatchcase(it.base_name, last)]
    else:
        (one,) = storage.get_file_info([path.rstrip("/")])
        selector = fs.FileSelector(path.rstrip("/"), allow_not_found=True)
        found = [one] if one.is_file else storage.get_file_info(selector)
    found = [it for it in found if not it.base_name.startswith(("_", "."))]
    for it in found:
        if not (it.is_file and it.base_name.endswith(".parquet")):
            raise UsageError(
                f"{SCHEME}{it.path} is no Parquet file (.parquet): name a folder of such files"
                " alone, or a pattern that takes no others"
            )
    return sorted(it.path for it in found)


def _fetch(storage: Any, name: str, wanted: list[str], local: str) -> None:
    from pyarrow import parquet

    with storage.open_input_file(name) as source:
        file = parquet.ParquetFile(source)
        here = [column for column in file.schema_arrow.names if column in wanted]
        schema = file.schema_arrow.empty_table().select(here).schema
        with parquet.ParquetWriter(local, schema, compression="zstd") as writer:
            for batch in file.iter_batches(_ROWS, columns=here):
                writer.write_batch(batch)
