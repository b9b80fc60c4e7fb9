"""Standard output and error of a command, whoever reads them, or nobody.

`byline … | head` ends without a word when `head` has seen enough: exit code 141, as of any program
that SIGPIPE ends. A full disk is said. A stream that was closed before we began takes what is
written to it, and no file that is opened later gets its number.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

EXIT_USAGE = 2
EXIT_READER_GONE = 141
"""128 and SIGPIPE's number."""


class Output(io.TextIOWrapper):
    """Ends the command when what it says can be written no more."""

    def write(self, text: str) -> int:
        """Raises SystemExit when nobody reads any more, or there is no room."""
        try:
            return super().write(text)
        except OSError as error:
            raise self._over(error) from None

    def flush(self) -> None:
        """Likewise."""
        try:
            super().flush()
        except OSError as error:
            raise self._over(error) from None

    def close(self) -> None:
        """Write what is left. The descriptor is the process's own and stays open."""
        self.flush()

    def _over(self, error: OSError) -> SystemExit:
        # What is still in the buffer goes nowhere, also at the interpreter's own end.
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
    """For a whole command: what is closed is opened on nothing, what is open may go away."""
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
