"""The shipped program as processes of a test: forked, so that a start costs next to nothing.

`sh deploy/demo.sh`, `tests/cli/test_commands.py`, `tests/cli/test_setup.py` and the README's lines
by hand start it as a person does.
"""

import atexit
import functools
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.zygote import BYLINE, ROOT, Child, Zygote, ZygoteOrder


@functools.cache
def session_zygote() -> Zygote:
    """The one that all tests of this process share; it ends with us."""
    made = Zygote()
    atexit.register(made.close)
    return made


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    program: str = BYLINE,
    folder: Path = ROOT,
) -> Child:
    """Start `byline ARGUMENTS`, or a script of Python; both its outputs are added to `log`."""
    return session_zygote().start(
        ZygoteOrder(
            program,
            list(arguments),
            dict(environment),
            output=str(log),
            errors=str(log),
            folder=str(folder),
        )
    )


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    text: str = "",
    timeout: float = 120,
    folder: Path = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Run `byline ARGUMENTS` with `text` as its standard input, to its end.

    Raises `subprocess.TimeoutExpired` when it takes longer than `timeout` seconds; it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="byline-run-") as made:
        files = {name: Path(made) / name for name in ("input", "output", "errors")}
        files["input"].write_text(text, encoding="utf-8")
        order = ZygoteOrder(
            BYLINE,
            list(arguments),
            dict(environment),
            output=str(files["output"]),
            errors=str(files["errors"]),
            input=str(files["input"]) if text else os.devnull,
            folder=str(folder),
        )
        child = session_zygote().start(order)
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(10)
            raise
        said, complained = (
            files[name].read_text(encoding="utf-8") if files[name].exists() else ""
            for name in ("output", "errors")
        )
        return subprocess.CompletedProcess([BYLINE, *arguments], code, said, complained)
