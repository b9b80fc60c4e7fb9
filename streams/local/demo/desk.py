"""The index and the console of a demo that stays, on what its day has written."""

import hashlib
import re
import secrets
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from streams.local.demo.stage import StageError, started, tail
from streams.local.probe import HOST

ACTOR = "desk.1"
ROLES = "operator,approver,auditor"
PACKAGES = ("itsdangerous", "starlette", "uvicorn")
"""Of the extra `console`."""
FILL_SECONDS = 120.0
SERVE_SECONDS = 60.0


def possible() -> bool:
    """Returns whether the console's packages are installed."""
    return all(find_spec(it) is not None for it in PACKAGES)


class DemoDesk:
    """Starts `byline index` and `byline console`. `token` signs in at `console`, an address.

    `variables`: the settings of the demo's commands. `api`: the address of the read API.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.token = secrets.token_urlsafe(18)
        self.console = self.api = ""
        self.processes: list[subprocess.Popen[bytes]] = []
        self._settings = {
            **variables,
            "BYLINE_DATA_DIR": str(folder),
            "BYLINE_HTTP_HOST": HOST,
            "BYLINE_ROLES_FILE": str(folder / "roles"),
        }

    @property
    def logs(self) -> list[Path]:
        """The logs of both."""
        return [self.folder / f"{name}.log" for name in ("index", "console")]

    def start(self) -> None:
        """Fills the index, then serves it. Raises StageError if a command ends or is late."""
        self.prepare()
        index, _ = self.logs
        self._finished(self._begin(["index"], index), index)
        self.serve()

    def prepare(self) -> None:
        """Makes the folder, with the file of who may."""
        self.folder.mkdir(mode=0o700)
        digest = hashlib.sha256(self.token.encode()).hexdigest()
        (self.folder / "roles").write_text(f"{digest}  {ACTOR}  {ROLES}\n")

    def serve(self) -> None:
        """Starts both; returns once both answer. Raises StageError as `start` does."""
        index, console = self.logs
        serving = self._begin(["index", "--follow", "--serve", "--port", "0"], index)
        self.api = _address(serving, index, "answering at ")
        self.console = _address(self._begin(["console", "--port", "0"], console), console, "open ")

    def _begin(self, words: list[str], log: Path) -> subprocess.Popen[bytes]:
        self.processes.append(started(words, log, self._settings))
        return self.processes[-1]

    def _finished(self, process: subprocess.Popen[bytes], log: Path) -> None:
        try:
            code = process.wait(FILL_SECONDS)
        except subprocess.TimeoutExpired:
            words = f"the index is not full after {FILL_SECONDS:.0f} s; see {log}"
            raise StageError(words) from None
        self.processes.remove(process)
        if code != 0:
            raise StageError(tail(log, code))


def _address(process: subprocess.Popen[bytes], log: Path, words: str) -> str:
    """Returns the address that a command prints after these words."""
    deadline = time.monotonic() + SERVE_SECONDS
    while True:
        found = re.search(rf"{words}(http://\S+)", log.read_text(errors="replace"))
        if found is not None:
            return found[1]
        code = process.poll()
        if code is not None:
            raise StageError(tail(log, code))
        if time.monotonic() > deadline:
            raise StageError(f"nothing answers after {SERVE_SECONDS:.0f} s; see {log}")
        time.sleep(0.1)
