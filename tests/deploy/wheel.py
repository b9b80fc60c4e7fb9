"""`python -m tests.deploy.wheel`: the demo from the wheel, as another user, on a read-only tree.

The steps of the image (deploy/image.sh), then what only the local Kafka needs beside, in the
versions of the lock. Prints seconds and the demo's own words; ends with the demo's exit code.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deploy.kinds import ROOT

NOBODY = 65_534
PLACES = "/usr/local/bin:/usr/bin"


def interpreter() -> str:
    """A Python 3.11 that the other user reaches: one below /root is not.

    Raises LookupError where there is none.
    """
    for found in (os.path.realpath(sys.executable), shutil.which("python3.11", path=PLACES)):
        if found and (
            os.geteuid() != 0 or all(it.stat().st_mode & 1 for it in Path(found).parents)
        ):
            return found
    raise LookupError(f"no Python 3.11 in {PLACES} that another user may run")


def image(*words: str | Path) -> None:
    """A step of deploy/image.sh."""
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "image.sh", *words],
        env={**os.environ, "BYLINE_PYTHON": interpreter()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@contextmanager
def common_ground() -> Iterator[Path]:
    """A folder that others may enter, which one of pytest is not."""
    with tempfile.TemporaryDirectory(prefix="byline-wheel-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def own_folder(path: Path) -> Path:
    """A folder of who runs the wheel, and of nobody else."""
    path.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def as_nobody(environment: Path) -> list[str]:
    """The words before a command of an environment: as nobody, with that mounted read-only.

    Who is not root runs it as himself; where mounts may not be made, only modes forbid to write.
    """
    if os.geteuid() != 0:
        return []
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if may_mount():
        script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        words = ["unshare", "--mount", "sh", "-euc", script, str(environment), *words]
    return words


def may_mount() -> bool:
    """Whether this machine lets us have mounts of our own."""
    program = shutil.which("unshare")
    words = [program or "false", "--mount", "sh", "-c", "mount --bind /tmp /tmp"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def add_local(environment: Path, wheel: Path) -> None:
    """Install the extra `local` by the versions of requirements.lock."""
    pins = re.findall(r"^[a-z0-9._-]+==[^ ;]+", (ROOT / "requirements.lock").read_text(), re.M)
    constraints = environment.parent / "constraints"
    constraints.write_text("\n".join(pins))
    python, uv = environment / "bin" / "python", Path(sys.executable).parent / "uv"
    words = ["--quiet", "--python", str(python), "--constraint", str(constraints)]
    subprocess.run([str(uv), "pip", "install", *words, f"{wheel}[local]"], check=True)


def main() -> int:
    """Make the environment, run the demo in it, say how long each took."""
    with common_ground() as folder:
        began = time.monotonic()
        image("wheel", folder / "dist")
        print(f"wheel built: {time.monotonic() - began:.0f} s", flush=True)
        image("install", folder / "byline", folder / "dist")
        print(f"installed: {time.monotonic() - began:.0f} s", flush=True)
        (wheel,) = (folder / "dist").glob("byline-*.whl")
        add_local(folder / "byline", wheel)
        print(f"with the local Kafka: {time.monotonic() - began:.0f} s", flush=True)
        home, work = own_folder(folder / "home"), own_folder(folder / "work")
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(work)}
        done = subprocess.run(
            [*as_nobody(folder / "byline"), str(folder / "byline" / "bin" / "byline"), "demo"],
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"},
            cwd=work,
            check=False,
        )
        print(f"the demo ended with {done.returncode}: {time.monotonic() - began:.0f} s")
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
