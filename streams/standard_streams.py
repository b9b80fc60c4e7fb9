"""Makes standard output and error of a command safe, whether or not they can be written to.

`byline … | head` ends without a message when `head` stops reading: exit code 141, like any program
that SIGPIPE ends. A full disk is reported. A stream that was closed before the start is opened on
/dev/null, so that no file that is opened later gets its descriptor.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

EXIT_USAGE = 2
EXIT_READER_GONE = 141
"""The exit code of a program that SIGPIPE ends: 128 plus its number, 13."""


class Output(io.TextIOWrapper):
    """A text stream that ends the command if it cannot be written to."""

    def write(self, text: str) -> int:
        """Writes text.

        Raises:
            SystemExit: with 141 if the reader is gone, with 2 on any other error.
        """
        try:
            return super().write(text)
        except OSError as error:
            raise self._over(error) from None

    def flush(self) -> None:
        """Flushes the buffer. Raises SystemExit like `write`."""
        try:
            super().flush()
        except OSError as error:
            raise self._over(error) from None

    def close(self) -> None:
        """Flushes the buffer. The descriptor belongs to the process and stays open."""
        self.flush()

    def _over(self, error: OSError) -> SystemExit:
        # The rest of the buffer is discarded, also at the interpreter's exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            return SystemExit(EXIT_READER_GONE)
        if self.fileno() != 2:
            sys.stderr.write(f"standard output cannot be written: {error.strerror}\n")
        return SystemExit(EXIT_USAGE)


@contextmanager
def guarded_standard_streams() -> Iterator[None]:
    """Guards the standard streams while a command runs.

    Closed descriptors are opened on /dev/null; stdout and stderr become `Output`.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    ours = sys.stdout, sys.stderr = _guarded(sys.stdout, 1), _guarded(sys.stderr, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        if (sys.stdout, sys.stderr) == ours:
            sys.stdout, sys.stderr = before


def _guarded(stream: Any, descriptor: int) -> TextIO:
    if stream is None:
        return open(descriptor, "w", encoding="utf-8", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # type: ignore[no-any-return]
    return Output(
        stream.buffer,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
