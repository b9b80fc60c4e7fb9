"""`python -m tests.deploy.wheel`: the demo from the wheel, as another user, on a read-only tree.

The steps of the image (deploy/image.sh), then what only the local Kafka needs beside, in the
versions of the lock. Prints seconds and the demo's own words; ends with the demo's exit code.
`--first-event` runs a worker of the wheel instead, beside a Kafka that is there: it prints how
large wheel and environment are, and the seconds from each step to the first event.
"""

import argparse
import json
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

from streams.local.kafka import KafkaCluster
from tests.deploy.kinds import ROOT
from tests.worker.harness import utc_now
from tests.worker.policies import policy

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


def first_event(folder: Path, wheel: Path, began: float) -> int:
    """Topics, a worker and the README's two lines by the wheel's program, as nobody."""
    home, data = own_folder(folder / "home"), own_folder(folder / "data")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "weibo.yaml").write_text(policy("weibo"), encoding="utf-8")
    program = [*as_nobody(folder / "byline"), str(folder / "byline" / "bin" / "byline")]
    with KafkaCluster(folder / "kafka", brief=True) as cluster:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BYLINE_KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap,
            "BYLINE_DATA_DIR": str(data),
            "BYLINE_POLICIES": str(policies),
        }

        def run(*words: str, text: str = "") -> str:
            done = subprocess.run(
                [*program, *words],
                env=environment,
                cwd="/",
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run("topics", "create", "--partitions", "4")
        started = time.monotonic()
        # Its output is in no pipe, which nobody would empty.
        with (folder / "log").open("wb") as log:
            worker = subprocess.Popen(
                [*program, "worker"], env=environment, cwd="/", stdout=log, stderr=log
            )
        try:
            about = {"platform": "weibo", "account_id": "a1", "observed_at": utc_now()}
            run("send", "category-changes", text=json.dumps({**about, "category": "财经"}))
            run("send", "follower-counts", text=json.dumps({**about, "followers": 1_000_000}))
            while "invitation.issued" not in (said := run("events", "--account", "weibo:a1")):
                assert worker.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < started + 120, (folder / "log").read_text()
            seen = time.monotonic()
        finally:
            worker.terminate()
            ended = worker.wait(60)
    files = [it for it in (folder / "byline").rglob("*") if it.is_file() and not it.is_symlink()]
    environment_bytes = sum(it.stat().st_size for it in files)
    print(said.strip())
    print(
        f"wheel {wheel.stat().st_size / 1e6:.2f} MB, environment {environment_bytes / 1e6:.0f} MB"
    )
    print(
        f"first event {seen - started:.1f} s after the worker's start, {seen - began:.0f} s in all"
    )
    print(f"SIGTERM: exit code {ended}")
    return 0 if ended == 0 else 1


def main() -> int:
    """Make the environment, run the demo or a worker in it, say how long each took."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.wheel", description=__doc__)
    parser.add_argument("--first-event", action="store_true", help="a worker, not the demo")
    given = parser.parse_args()
    with common_ground() as folder:
        began = time.monotonic()
        image("wheel", folder / "dist")
        print(f"wheel built: {time.monotonic() - began:.0f} s", flush=True)
        image("install", folder / "byline", folder / "dist")
        print(f"installed: {time.monotonic() - began:.0f} s", flush=True)
        (wheel,) = (folder / "dist").glob("byline-*.whl")
        if given.first_event:
            return first_event(folder, wheel, began)
        return demo(folder, wheel, began)


def demo(folder: Path, wheel: Path, began: float) -> int:
    """Run the demo with the local Kafka's packages added; its exit code."""
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
