"""Gives a worker of this host its own folder, its instance id and a free port.

The folder is the first of `DATA_DIR/<application id>/worker-1`, `worker-2`, … that is not locked.
The lock (flock) ends with the process in any case. The instance id is stored in the folder. It
makes the group membership static, so a restarted worker gets its partitions back. It must be
unique, because two workers with one id would remove each other from the group again and again.
"""

import fcntl
import os
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.settings import Settings

MAX_INSTANCES = 64
PORTS_TRIED = 64


class InstanceError(Exception):
    """No folder or port is free; the message tells the operator what to do."""


@dataclass
class Instance:
    """The folder, id and port of this worker. `lock` is the locked file descriptor.

    The lock is held until `release` or the end of the process.
    """

    folder: Path
    instance_id: str
    http_port: int
    lock: int

    def release(self) -> None:
        """Releases the lock, so that another worker can have the folder."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def claim(settings: Settings) -> Instance:
    """Locks a folder for this worker, and finds its id and a free port for its web server.

    If INSTANCE_ID is set, the folder is named after it.

    Raises:
        InstanceError: no folder or port is free, or a worker with this INSTANCE_ID runs.
    """
    home = settings.data_dir.absolute() / settings.application_id
    named = settings.instance_id is not None
    folders = [home / str(settings.instance_id)]
    if not named:
        folders = [home / f"worker-{number + 1}" for number in range(MAX_INSTANCES)]
    for number, folder in enumerate(folders):
        lock = _lock(settings.data_dir.absolute(), folder)
        if lock is None:
            continue
        try:
            instance_id = settings.instance_id or _kept_id(folder)
            port = _free_port(settings.http_host, settings.http_port, number)
        except BaseException as error:
            os.close(lock)
            if isinstance(error, OSError):
                raise _not_writable(folder, error) from error
            raise
        return Instance(folder, instance_id, port, lock)
    if named:
        raise InstanceError(
            f"a worker named {settings.instance_id} is running with {folders[0]}: give this one"
            " another BYLINE_INSTANCE_ID, or none"
        )
    raise InstanceError(f"all {MAX_INSTANCES} folders of {home} are taken by running workers")


def make_private(data_dir: Path) -> None:
    """Creates DATA_DIR, accessible to this user only; an existing one keeps its permissions.

    Raises:
        InstanceError: it cannot be created.
    """
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _not_writable(data_dir, error) from error


def _lock(home: Path, folder: Path) -> int | None:
    """Locks a folder. Returns the descriptor that holds the lock; None if it is locked already."""
    try:
        make_private(home)
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _not_writable(folder: Path, error: OSError) -> InstanceError:
    return InstanceError(
        f"cannot write to {folder} ({(error.strerror or str(error)).lower()}): BYLINE_DATA_DIR has"
        " to name a directory that this user may write to"
    )


def _kept_id(folder: Path) -> str:
    """Returns the instance id that is stored in the folder; makes one the first time.

    The write is atomic, so that a crash never leaves a part of an id.
    """
    path = folder / "instance-id"
    if path.exists() and (kept := path.read_text().strip()):
        return kept
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:40]
    drawn = f"{host}-{folder.name}-{secrets.token_hex(4)}"
    half = path.with_suffix(".new")
    half.write_text(drawn + "\n")
    half.replace(path)
    return drawn


def _free_port(host: str, port: int, number: int) -> int:
    """Returns the first free port from `port + number` on; `number` is the worker's, from 0.

    Raises:
        InstanceError: none is free.
    """
    for candidate in range(port + number, min(port + number + PORTS_TRIED, 65_536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise InstanceError(
        f"no free port for {host} from {port + number} on: give another BYLINE_HTTP_PORT, and a"
        " BYLINE_HTTP_HOST that is an address of this machine"
    )
