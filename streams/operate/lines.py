"""Lines of a file or of standard input, each as soon as it is there."""

import asyncio
import contextlib
import gzip
import sys
import threading
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import BinaryIO

from streams.operate.errors import UsageError

STANDARD_INPUT = Path("-")
CHUNK_BYTES = 1 << 16
CHUNKS_AHEAD = 16
"""How many chunks may be read before one of them is taken."""


def name_of(file: Path) -> str:
    """What a person calls it."""
    return "stdin" if file == STANDARD_INPUT else str(file)


def read_text(file: Path) -> str:
    """All of a file, or of standard input. Raises UsageError if it cannot be read."""
    try:
        return sys.stdin.read() if file == STANDARD_INPUT else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name_of(file)} cannot be read ({error})") from error


async def raw_lines(file: Path) -> AsyncIterator[bytes]:
    """The lines of a file (`-`: standard input; `.gz` is unpacked), without waiting for more.

    A slow pipe is read beside the event loop, which goes on sending meanwhile. The last line may
    lack its line feed. Raises UsageError if the file cannot be read.
    """
    parts: list[bytes] = []
    async for chunk in _chunks(file):
        head, *tail = chunk.split(b"\n")
        parts.append(head)
        for line in tail:
            yield b"".join(parts)
            parts = [line]
    if any(parts):
        yield b"".join(parts)


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
        # Whatever ended it is told, unless the loop is gone: then nobody waits for more.
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError, CancelledError):
                put(end)

    # A thread of its own, and a daemon: who interrupts does not wait for the next line of a pipe.
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
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]
