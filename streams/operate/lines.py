"""Lines of a file or of standard input, each as soon as it is there."""

import asyncio
import gzip
import sys
import threading
from collections.abc import AsyncIterator
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
    rest = b""
    async for chunk in _chunks(file):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes | OSError](CHUNKS_AHEAD)

    def put(item: bytes | OSError) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()

    def read() -> None:
        try:
            with _opened(file) as stream:
                while chunk := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
                    put(chunk)
            put(b"")
        except OSError as error:
            put(error)
        except RuntimeError:
            return  # The loop is gone: nobody waits for more.

    # A thread of its own, and a daemon: who interrupts does not wait for the next line of a pipe.
    threading.Thread(target=read, name="lines", daemon=True).start()
    while item := await queue.get():
        if isinstance(item, OSError):
            why = item.strerror or item
            raise UsageError(f"{name_of(file)} cannot be read ({why})") from item
        yield item


def _opened(file: Path) -> BinaryIO:
    if file == STANDARD_INPUT:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]
