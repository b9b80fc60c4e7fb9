"""An environment of its own for Quix Streams: its pins would not go with ours."""

import subprocess
import sys
from pathlib import Path

from tests.bench.java import cache_folder

VERSION = "3.28.1"


def python() -> Path:
    """The Python of the environment, made at the first time (half a minute)."""
    home = cache_folder() / f"quixstreams-{VERSION}"
    found = home / "bin" / "python"
    stamp = home / ".installed"
    if not stamp.is_file():
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True
        )
        wanted = f"quixstreams=={VERSION}"
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(found), wanted], check=True
        )
        stamp.touch()
    return found
