"""Reads lines of a file or of standard input, each as soon as it is available."""

import asyncio
import codecs
import contextlib
import gzip
import sys
import threading
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import BinaryIO, TextIO

from streams.operate.errors import UsageError

STANDARD_INPUT = Path("-")
CHUNK_BYTES = 1 << 16
CHUNKS_AHEAD = 16
"""How many chunks may be read ahead of the caller."""


def name_of(file: Path) -> str:
    """Returns the file's name for messages."""
    return "stdin" if file == STANDARD_INPUT else str(file)


def read_text(file: Path) -> str:
    """Returns the whole text of a file or of standard input. Raises UsageError if it cannot."""
    try:
        if file == STANDARD_INPUT:
            return _standard_input().buffer.read().decode("utf-8-sig")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name_of(file)} cannot be read ({error})") from error


def read_bytes(file: Path) -> bytes:
    """Returns the bytes of a file, without a byte order mark before the first. Raises OSError."""
    return file.read_bytes().removeprefix(codecs.BOM_UTF8)


async def raw_lines(file: Path) -> AsyncIterator[bytes]:
    """Yields the lines of a file (`-`: standard input; `.gz` is unpacked) as they become available.

    A thread reads, so a slow pipe does not block the event loop. The last line may lack its line
    feed; a byte order mark before the first is left out. Raises UsageError if the file cannot be
    read.
    """
    parts: list[bytes] = []
    mark = codecs.BOM_UTF8
    async for chunk in _chunks(file):
        head, *tail = chunk.split(b"\n")
        parts.append(head)
        for line in tail:
            yield b"".join(parts).removeprefix(mark)
            parts, mark = [line], b""
    if any(parts):
        yield b"".join(parts).removeprefix(mark)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | Exception](CHUNKS_AHEAD)

    def put(item: bytes | Exception) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        end: bytes | Exception = b""
        try:
            with _opened(file) as stream:
                while chunk := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
                    put(chunk)
        except Exception as error:
            end = error
        # The reader must hear of the end or the error, unless the loop is gone: then none reads.
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError, CancelledError):
                put(end)

    # A daemon thread, so that an interrupted command does not wait for the next line of a pipe.
    threading.Thread(target=read, name="lines", daemon=True).start()
    while item := await queue.get():
        if isinstance(item, (OSError, EOFError, zlib.error)):
            why = getattr(item, "strerror", None) or item
            raise UsageError(f"{name_of(file)} cannot be read ({why})") from item
        if isinstance(item, Exception):
            raise item
        yield item


def _opened(file: Path) -> BinaryIO:
    if file == STANDARD_INPUT:
        return open(_standard_input().fileno(), "rb", closefd=False)
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _standard_input() -> TextIO:
    """Returns standard input. Raises UsageError if the process was started without one."""
    # The type of sys.stdin leaves out that it may be None.
    found: TextIO | None = sys.stdin
    if found is None:
        raise UsageError("stdin is closed: name a file")
    return found
